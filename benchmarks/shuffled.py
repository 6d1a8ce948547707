"""A shop without anything to learn: how often the default training says so.

The outcomes of every cohort, those learned from and those judged on, are dealt anew among its
customers; then the whole choice is made as ever: members, guard, blend, shape, skill test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from features.config import Config, TrainingSettings
from features.errors import NoSkillError
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import Tables
from training.backtest import SKILL_DRAWS
from training.cohort import Cohort, CohortSource
from training.judge.resample import permutation_skill
from training.learn.fit import Lesson, fit_blend, gather
from training.split import plan_training

N_SHUFFLES, PART = 100, 10
SOURCE, CUTOFF, HORIZON_DAYS = "cdnow_sample", date(1998, 1, 2), 90


def deal_outcomes(lesson: Lesson, deal: int) -> Lesson:
    """Return the lesson with the outcomes of each training cohort in random order.

    What else is learned from outcomes on the way to a lesson (the level) hangs on their sum alone.
    """
    cohorts = tuple(replace(each, cohort=deal_cohort(each.cohort, deal)) for each in lesson.cohorts)
    return replace(lesson, cohorts=cohorts)


def deal_cohort(cohort: Cohort, deal: int) -> Cohort:
    """Return a labelled cohort with its outcomes in random order, drawn for its cutoff."""
    if cohort.net_value is None:
        raise ValueError("only a labelled cohort has outcomes to deal")
    rng = np.random.default_rng([deal, cohort.snapshot.cutoff.toordinal()])
    return replace(cohort, net_value=rng.permutation(cohort.net_value))


def count_skill(tables: Tables, config: Config, state: Path, deals: Sequence[int]) -> list[bool]:
    """Return, for each deal, whether the default training claims skill."""
    source = CohortSource(tables, state, config.features)
    settings = config.training
    target = Snapshot(CUTOFF, HORIZON_DAYS, tables.history_start)
    quiet = Progress(lambda: 0.0, out=StringIO())
    lesson = gather(plan_training(target, settings), source, settings, quiet)
    truth = source.labelled(lesson.target, tables.data_complete_before)
    return [_claims_skill(lesson, truth, settings, deal) for deal in deals]


def _claims_skill(lesson: Lesson, truth: Cohort, settings: TrainingSettings, deal: int) -> bool:
    try:
        model = fit_blend(deal_outcomes(lesson, deal), settings).model
    except NoSkillError:
        return False
    said = model.predict(lesson.target.features).value
    judged = deal_cohort(truth, deal)
    return permutation_skill(judged.value, said, draws=SKILL_DRAWS, seed=settings.seed).has_skill


def shuffled_figures(
    tables: Tables, config: Config, state: Path, tell: Callable[[str], object], jobs: int = 2
) -> dict[str, Any]:
    """Return the share of shuffles of which the training says that there is no skill."""
    one = config.model_copy(
        update={"training": config.training.model_copy(update={"num_threads": 1})}
    )
    found: list[bool] = []
    parts = [range(start, start + PART) for start in range(0, N_SHUFFLES, PART)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(count_skill, tables, one, state, part) for part in parts]
        for future in running:
            found += future.result()
            tell(f"outcomes dealt {len(found)} of {N_SHUFFLES} times, {sum(found)} taken for skill")
    return {
        "no_skill_share": 1 - sum(found) / len(found),
        "n_shuffles": len(found),
        "source": tables.source,
    }
