"""From the small shop's training run to the facts of its report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.jobs import JOBS
from training.models.matrix import FeatureMatrix
from training.tier_report.facts import TierReport
from training.tier_report.files import write_tier_report
from training.tier_report.gather import count_causes, gather_report, returned_share
from training.tier_report.page import tier_page


@pytest.fixture(scope="module")
def facts(small_world: Any) -> TierReport:
    result = small_world.result
    tiers = small_world.config.training.tiers
    return gather_report(result.release, result.backtest, result.today, result.rivals, tiers)


def test_every_customer_is_counted_once(facts: TierReport, small_world: Any):
    assert facts.n_now == len(small_world.features)
    assert sum(one.n_now for one in facts.tiers) + facts.n_without_tier == facts.n_now
    assert facts.n_then == sum(one.n_then for one in facts.tiers)
    placed = np.sum(list(facts.lifecycle.values()), axis=0).tolist()
    assert placed == [one.n_now for one in facts.tiers]


def test_the_migration_holds_who_is_known_at_both_dates(facts: TierReport, small_world: Any):
    assert facts.migration is not None
    then = set(small_world.result.backtest.cohort.customer_ids)
    both = then & set(small_world.features["customer_id"])
    counts = np.array(facts.migration.counts)
    assert counts.sum() == len(both)
    assert facts.migration.n_new == facts.n_now - len(both)
    moved = counts.sum() - np.trace(counts)
    assert sum(facts.migration.causes.values()) == moved > 0


def test_the_curve_falls_and_ends_with_the_last_customer(facts: TierReport):
    assert list(facts.curve.expected) == sorted(facts.curve.expected, reverse=True)
    assert (facts.curve.rank[0], facts.curve.rank[-1]) == (1, facts.n_then)


def test_rivals_stand_beside_the_scheme_and_those_over_capacity_are_out(facts: TierReport):
    names = [one.name for one in facts.rivals]
    assert names[0] == "learned"
    assert set(names[1:]) == {
        "fixed_shares", "quartiles", "natural_breaks", "k_means", "weighted_rfm", "past_spend",
    }  # fmt: skip
    by_name = {one.name: one for one in facts.rivals}
    assert by_name["quartiles"].breach_points == pytest.approx(20.0)
    assert by_name["learned"].breach_points == 0
    assert by_name["learned"].shares == tuple(one.share for one in facts.tiers)
    assert by_name["past_spend"].shares == by_name["learned"].shares
    assert all(0 < one.eta_squared < 1 for one in facts.rivals)


def test_certification_is_that_of_the_run(facts: TierReport, small_world: Any):
    told = facts.certification
    assert (told.method, told.status) == ("learned", "learned")
    assert told.n_learning + told.n_certifying == facts.n_then
    kept = {one.id for one in facts.tiers}
    merged = {one.tier for one in told.merges}
    assert kept | merged == set(small_world.config.training.tiers.ids)
    assert kept.isdisjoint(merged)


def features(share: list[float], net: list[float]) -> FeatureMatrix:
    return FeatureMatrix(("return_share", "net_spend"), np.array([share, net]).T.copy())


@pytest.mark.parametrize(
    ("share", "net", "told"),
    [
        ([0.0, 0.0], [10.0, 90.0], 0.0),
        ([0.1, 0.0], [90.0, 100.0], 0.05),  # 10 of 200 came back
        ([1.5], [-50.0], 1.5),  # 150 back of 100 bought, older orders among them
        ([1.0, 0.2], [0.0, 80.0], 0.2),  # who returned all tells no gross
        ([np.nan], [10.0], None),
        ([], [], None),
    ],
)
def test_what_was_returned_of_what_was_bought(share: list[float], net: list[float], told: Any):
    assert returned_share(features(share, net)) == (None if told is None else pytest.approx(told))


def test_a_move_is_put_down_to_the_first_part_that_goes_its_way():
    steps = np.array(
        [
            [0, 0, 0, 3, 1],  # then
            [1, 0, 0, 3, 0],  # the behaviour
            [1, 1, 0, 2, 1],  # the model
            [2, 1, 1, 1, 1],  # the boundaries
        ]
    )
    # the last one went down and came back: no move
    assert count_causes(steps) == {"behaviour": 1, "model": 2, "boundary": 1}


def test_the_command_writes_the_page_of_the_champion_again(
    facts: TierReport, small_world: Any, capsys: pytest.CaptureFixture[str]
):
    folder = small_world.state / "reports" / small_world.result.release.digest[:12]
    write_tier_report(facts, folder)
    (folder / "tiers_zh.html").unlink()
    assert JOBS.run(["report", "--lang", "zh", "--state", str(small_world.state)]) == 0
    page = folder / "tiers_zh.html"
    assert capsys.readouterr().out == f"wrote {page}\n"
    assert page.read_text(encoding="utf-8") == tier_page(facts, "zh")
