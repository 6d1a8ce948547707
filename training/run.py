"""The training job: backtest, choose, fit for today, cut tiers, write and register the release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from features.config import Config, TierSettings, TrainingSettings
from features.errors import InputError, NoSkillError
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import Tables
from training.artifact import RELEASES
from training.backtest import FIT_WEIGHT, JUDGE_WEIGHT, LEARNED, Backtest, run_backtest
from training.cohort import Cohort, CohortSource
from training.freeze import freeze_reference
from training.golden import golden_sample
from training.groups import audit_groups
from training.incumbents import read_incumbents
from training.judge.fairness import GroupFigures, decide_fairness
from training.learn.baselines import fit_baselines
from training.learn.fit import Lesson, fit_blend, gather
from training.learn_policy import LearnedPolicy, learn_policy
from training.lifecycle import COLUMNS as LIFECYCLE_COLUMNS
from training.lineage import lineage_of
from training.models.model import Model
from training.outlook import Outlook, learn_outlook
from training.reference import FILE, reference_bytes
from training.release import Release, write_release
from training.split import TrainingPlan, plan_training
from training.tiers.rival_table import Rival, compare_rivals


@dataclass(frozen=True)
class TrainingResult:
    """A written release, the backtest that speaks for it, and what was learned beside.

    Attributes
    ----------
    release : Release
        As it was written.
    backtest : Backtest
        Whose cohort the tiers were learned on.
    outlook : Outlook
        Of the intervals.
    groups : tuple of GroupFigures
        How each group of customers is told.
    today : Cohort
        Everybody known at the release's cutoff.
    rivals : tuple of Rival
        Other ways of making tiers, the release's own first.
    """

    release: Release
    backtest: Backtest
    outlook: Outlook
    groups: tuple[GroupFigures, ...]
    today: Cohort
    rivals: tuple[Rival, ...]


def choose_target(tables: Tables, cutoff: date | None, horizon_days: int) -> Snapshot:
    """Return the snapshot to train for: the cutoff asked for, or the end of the complete data.

    Raises
    ------
    InputError
        If the cutoff lies outside the data or the horizon is longer than it.
    """
    moment = cutoff or tables.data_complete_before
    if not tables.history_start < moment <= tables.data_complete_before:
        raise InputError(
            f"the cutoff {moment} lies outside the data; expected a day after "
            f"{tables.history_start} and at most {tables.data_complete_before}",
            "choose a cutoff within the data",
        )
    target = Snapshot(moment, horizon_days, tables.history_start)
    if target.observation_days < horizon_days:
        raise InputError(
            f"the horizon of {horizon_days} days is longer than the {target.observation_days} days "
            f"of data before {moment}; expected at most {target.observation_days}",
            "shorten training.horizon_days or add older orders",
        )
    return target


def train(
    source: CohortSource,
    config: Config,
    cutoff: date | None,
    state: Path,
    tell: Progress,
) -> TrainingResult:
    """Train a release for `cutoff` and write it to ``state/releases``.

    Raises
    ------
    InputError
        If the data cannot carry the cutoff or the horizon.
    NoSkillError
        If no model ranks the backtest cohort better than chance.
    ReleaseError
        If the champion, whose schemes the new ones stay near, is damaged.
    """
    settings, tables = config.training, source.tables
    target = choose_target(tables, cutoff, settings.horizon_days)
    plan = plan_training(target, settings)
    earlier = _backtest_snapshot(plan)
    for each in (plan, plan_training(earlier, settings)):
        tell.expect(len(each.cutoffs) + 1 + FIT_WEIGHT + JUDGE_WEIGHT)
    backtest = run_backtest(source, earlier, settings, tell)
    check_skill(backtest)
    lesson = gather(plan, source, settings, tell)
    tell(f"final model for {target.cutoff}: {backtest.winner}", FIT_WEIGHT)
    model = _fit_winner(backtest.winner, lesson, config)
    lineage = lineage_of(tables, target.cutoff, config)
    incumbents = read_incumbents(
        state / RELEASES, tables.source, target.cutoff, target.horizon_days, lineage
    )
    learned = learn_policy(
        config, backtest, model, lesson.level, lesson.target.features, incumbents
    )
    for flag in learned.flags:
        tell(f"look at the tiers: {flag}", 0.0)
    outlook = _learn_outlook(backtest, learned, lesson)
    groups = audit_groups(backtest, learned.policy.tiers, tables, settings)
    breaches = decide_fairness(groups, settings.fairness)
    told = {
        "outlook": {"reason": outlook.reason, "held": outlook.figures},
        "fairness": {"n_groups": len(groups), "breaches": list(breaches)},
    }
    lineage = lineage | _backtest_summary(backtest, lesson) | learned.summary | told
    release = _assemble(tables, plan, lesson, learned, outlook, lineage, settings)
    rows = lesson.target.features.select(release.columns).values
    golden = rows[golden_sample(release.score(rows).expected_value)]
    tell("release, pictures and record", JUDGE_WEIGHT)
    reference = freeze_reference(release, lesson, source, settings)
    beside = {FILE: reference_bytes(reference)}
    written = write_release(release, golden, state / RELEASES, beside)
    rivals = _rivals(written, backtest, settings.tiers)
    return TrainingResult(written, backtest, outlook, groups, lesson.target, rivals)


def _learn_outlook(backtest: Backtest, learned: LearnedPolicy, lesson: Lesson) -> Outlook:
    """Learn intervals and borderlines, for the customers who are served."""
    target = lesson.target
    features = target.features.select(learned.model.columns)
    value = learned.policy.level.correct(learned.model.predict(features)).value
    shares = [tier.share for tier in learned.policy.tiers]
    return learn_outlook(backtest, shares, (target.features, value), target.feature_horizon_days)


def _assemble(
    tables: Tables,
    plan: TrainingPlan,
    lesson: Lesson,
    learned: LearnedPolicy,
    outlook: Outlook,
    lineage: dict[str, Any],
    settings: TrainingSettings,
) -> Release:
    """Put together what was learned; nothing is written yet."""
    return Release(
        source=tables.source,
        currency=tables.currency,
        cutoff=plan.target.cutoff,
        history_start=tables.history_start,
        horizon_days=plan.target.horizon_days,
        feature_horizon_days=plan.training_horizon_days,
        season_unseen=lesson.level.season_unseen,
        minimum_orders=settings.minimum_orders,
        policy=learned.policy,
        spread=outlook.spread,
        borderline_factors=outlook.borderline_factors,
        model=learned.model,
        extra_columns=tuple(
            name for name in LIFECYCLE_COLUMNS if name not in learned.model.columns
        ),
        lineage=lineage,
    )


def check_skill(backtest: Backtest) -> None:
    """Refuse to go on where the ranking is no better than chance.

    Raises
    ------
    NoSkillError
        If the permutation test does not reject chance, or the bootstrap's lower bound of nGini
        is not above 0.
    """
    skill = backtest.skill
    if skill.has_skill:
        return
    raise NoSkillError(
        f"no model ranks the customers of {backtest.cohort.snapshot.cutoff} better than chance "
        f"(p = {skill.p_value:.3f}, nGini at least {skill.lower95:.3f}); expected p < .05 and "
        "nGini above 0. Nothing is served",
        "wait for more repeat purchases, or shorten training.horizon_days",
    )


def _backtest_snapshot(plan: TrainingPlan) -> Snapshot:
    """Return the newest moment before the target whose outcomes are known at the target."""
    newest = plan.target.cutoff - timedelta(days=plan.training_horizon_days)
    return plan.training_snapshot(newest)


def _rivals(release: Release, backtest: Backtest, settings: TierSettings) -> tuple[Rival, ...]:
    """Hold other ways of making tiers against the release's own."""
    if backtest.cohort.net_value is None:
        raise ValueError("the backtest cohort has no outcomes")
    return compare_rivals(
        backtest.cohort.customer_ids,
        backtest.predictions[backtest.winner].value,
        backtest.cohort.net_value,
        {name: prediction.value for name, prediction in backtest.predictions.items()},
        [tier.share for tier in release.tiers],
        settings,
    )


def _fit_winner(winner: str, lesson: Lesson, config: Config) -> Model:
    if winner == LEARNED:
        return fit_blend(lesson, config.training).model
    return fit_baselines(lesson, config.training.scorecard)[winner]


def _backtest_summary(backtest: Backtest, lesson: Lesson) -> dict[str, object]:
    level = lesson.level
    return {
        "model": backtest.winner,
        "backtest": {
            "cutoff": backtest.cohort.snapshot.cutoff.isoformat(),
            "horizon_days": backtest.cohort.snapshot.horizon_days,
            "n_customers": len(backtest.cohort),
            "best_baseline": backtest.best_baseline,
            "ngini_difference": backtest.difference.value,
            "metrics": backtest.metrics[backtest.winner],
        },
        "level": {"rule": level.rule, "value_ratio": level.value_ratio},
        "cutoffs": [cutoff.isoformat() for cutoff in lesson.plan.cutoffs],
    }
