"""The training job on worlds that cannot, may not, or need not be learned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import Config, TrainingSettings
from features.errors import EXIT_BAD_INPUT, EXIT_WANTS_HUMAN, InputError, NoSkillError
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import Tables
from training.cohort import CohortSource
from training.jobs import JOBS
from training.run import TrainingResult, choose_target, train

QUIET = Progress(lambda: 0.0, out=StringIO())
FIRST, END = date(2022, 1, 1), date(2024, 1, 1)
N_DAYS = (END - FIRST).days
SMALL = TrainingSettings(horizon_days=60, n_cutoffs=1, n_rounds=10, minimum_customers=20)


def day(number: int) -> date:
    return FIRST + timedelta(days=int(number))


@pytest.fixture
def train_on(tmp_path: Path, write_tables: Any) -> Any:
    """Train on hand-made order lines (customer_id, day, amount)."""

    def run(lines: Iterable[Any], settings: TrainingSettings = SMALL) -> TrainingResult:
        tables = write_tables(tmp_path / "tables", lines, END)
        config = Config(training=settings)
        source = CohortSource(tables, tmp_path / "state", config.features)
        return train(source, config, None, tmp_path / "state", Progress(lambda: 0.0))

    return run


# --- the moment and the horizon --------------------------------------------------------------


@pytest.fixture
def two_years() -> Tables:
    return Tables(Path("nowhere"), "shop", "GBP", FIRST, END, "d")


def test_without_a_cutoff_the_end_of_the_complete_data_is_taken(two_years: Tables):
    assert choose_target(two_years, None, 180) == Snapshot(END, 180, FIRST)


@pytest.mark.parametrize("cutoff", [date(2021, 6, 1), FIRST, date(2024, 1, 2), date(2090, 1, 1)])
def test_a_cutoff_outside_the_data_is_refused(two_years: Tables, cutoff: date):
    message = f"the cutoff {cutoff} lies outside the data; expected a day after 2022-01-01"
    with pytest.raises(InputError, match=message) as caught:
        choose_target(two_years, cutoff, 180)
    assert caught.value.exit_code == EXIT_BAD_INPUT


@pytest.mark.parametrize(("cutoff", "n_days"), [(None, N_DAYS), (date(2022, 7, 1), 181)])
def test_a_horizon_longer_than_the_data_is_refused(two_years: Tables, cutoff: Any, n_days: int):
    assert choose_target(two_years, cutoff, n_days).observation_days == n_days
    message = f"the horizon of {n_days + 1} days is longer than the {n_days} days of data before"
    with pytest.raises(InputError, match=message):
        choose_target(two_years, cutoff, n_days + 1)


@pytest.mark.parametrize("horizon_days", [0, -5])
def test_a_horizon_of_no_days_is_refused(two_years: Tables, horizon_days: int):
    with pytest.raises(InputError, match=f"horizon_days is {horizon_days}; expected 1 or more"):
        choose_target(two_years, None, horizon_days)


# --- worlds without anything to learn --------------------------------------------------------


def test_one_customer_is_not_enough(train_on: Any):
    with pytest.raises(InputError, match="1 customer before 2023-11-02; expected at least 20"):
        train_on([("only", day(n), 10.0) for n in range(0, N_DAYS, 30)])


def bought_once(n_customers: int) -> list[Any]:
    generator = np.random.default_rng(0)
    days = generator.integers(0, N_DAYS, n_customers)
    return [(f"c{i}", day(number), 5.0 + i % 40) for i, number in enumerate(days)]


def check_nothing_released(state: Path) -> None:
    assert not (state / "releases").exists()


def test_where_nobody_bought_twice_nothing_is_served(train_on: Any, tmp_path: Path):
    with pytest.raises(NoSkillError, match=r"no training cohort .* of whom at least one") as caught:
        train_on(bought_once(200))
    assert caught.value.exit_code == EXIT_WANTS_HUMAN
    check_nothing_released(tmp_path / "state")


def test_where_all_that_came_again_were_refunds_nothing_is_served(train_on: Any, tmp_path: Path):
    lines = bought_once(200)
    refunds = [(c, min(d + timedelta(days=30), day(N_DAYS - 1)), -v) for c, d, v in lines]
    with pytest.raises(NoSkillError, match=r"no training cohort .* of whom at least one"):
        train_on(lines + refunds)
    check_nothing_released(tmp_path / "state")


def regulars(n_customers: int) -> list[Any]:
    """Customers who buy for 20 every fortnight from the first day to the last."""
    return [
        (f"regular{i}", day(n + i), 20.0)
        for i in range(n_customers)
        for n in range(0, N_DAYS - n_customers, 14)
    ]


def test_where_one_customer_alone_bought_again_nothing_is_served(train_on: Any, tmp_path: Path):
    with pytest.raises(NoSkillError, match="lie in one cross-fitting fold; expected them in two"):
        train_on(bought_once(200) + regulars(1))
    check_nothing_released(tmp_path / "state")


def test_where_outcomes_are_shuffled_there_is_no_skill_and_exit_20(train_on: Any, tmp_path: Path):
    generator = np.random.default_rng(4)
    # everybody is known from the start, and who buys on a day has nothing to do with the past
    known = [(f"c{i}", FIRST, 10.0) for i in range(150)]
    drawn = generator.integers(0, 150, 900)
    days = generator.integers(1, N_DAYS, 900)
    spend = generator.lognormal(3, 1, 900)
    lines = [(f"c{i}", day(n), v) for i, n, v in zip(drawn, days, spend, strict=True)]
    message = "no model ranks the customers of 2023-11-02 better than chance"
    with pytest.raises(NoSkillError, match=message) as caught:
        train_on(known + lines)
    assert caught.value.exit_code == EXIT_WANTS_HUMAN
    check_nothing_released(tmp_path / "state")


# --- what is released ------------------------------------------------------------------------


def test_a_baseline_is_released_where_the_learned_model_ranks_no_better(train_on: Any):
    # Ten regulars and many who came once: net spend ranks them perfectly, none can do better.
    result = train_on(bought_once(200) + regulars(10))
    backtest, release = result.backtest, result.release
    assert backtest.metrics[backtest.best_baseline]["ngini"] == pytest.approx(1.0)
    assert backtest.difference.value <= 0
    assert backtest.winner == backtest.best_baseline != "blend"
    assert release.model.name == release.lineage["model"] == backtest.best_baseline
    assert release.lineage["backtest"]["best_baseline"] == backtest.best_baseline


def test_training_again_elsewhere_gives_the_same_digest(small_world: Any, tmp_path: Path):
    source = CohortSource(small_world.tables, small_world.state, small_world.config.features)
    again = train(source, small_world.config, None, tmp_path, Progress(lambda: 0.0))
    assert again.release.digest == small_world.result.release.digest


def test_the_small_shop_is_learned_better_than_by_chance(small_world: Any):
    backtest, release = small_world.result.backtest, small_world.result.release
    assert backtest.skill.has_skill
    assert (
        backtest.cohort.snapshot.cutoff < release.cutoff == small_world.tables.data_complete_before
    )
    assert backtest.cohort.snapshot.is_mature(release.cutoff)
    assert set(backtest.metrics) == set(backtest.models) == {
        "blend",
        "past_spend_rate",
        "net_spend_365d",
        "recency",
        "weighted_rfm",
        "bgnbd_gamma_gamma",
        "constant",
    }  # fmt: skip


def test_no_cohort_of_the_backtest_saw_its_outcomes(small_world: Any):
    backtest = small_world.result.backtest
    for trained in backtest.fitted.lesson.cohorts:
        assert trained.cohort.snapshot.outcome_end <= backtest.cohort.snapshot.cutoff


# --- the command line ------------------------------------------------------------------------


def test_training_before_ingestion_says_what_to_run(tmp_path: Path):
    arguments = ["train", "--source", "datasets/simulated_shop.toml", "--state", str(tmp_path)]
    with pytest.raises(InputError, match=r"no validated tables in .*\nrun: python -m features"):
        JOBS.run(arguments)


def test_an_unknown_job_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match='no command trian; did you mean "train"'):
        JOBS.run(["trian"])


def test_promoting_before_training_says_what_to_run(mlflow_state: Path):
    with pytest.raises(InputError, match="no version is registered; expected a trained release"):
        JOBS.run(["promote", "--state", str(mlflow_state)])
