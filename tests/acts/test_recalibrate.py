"""Recalibrate and recut on a shop a year on: a release of its own, the same ranks, one champion."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from features.errors import InputError
from features.online import OnlineStore
from tests.acts.conftest import AT, HORIZON_DAYS, YearOn, halved, twice_too_high
from training.acts.derive import cohort_of, prediction_of
from training.acts.gate import keeps_ranks
from training.acts.order import Order
from training.acts.quarantine import Window, write_quarantine
from training.acts.recalibrate import newest_unseen, recalibrate
from training.acts.recut import recut, tier_shares
from training.artifact import RELEASES, read_files
from training.derived import level_from, matured_cutoffs, ranks_from
from training.journal import read_journal
from training.promotion import served_digest
from training.reference import FILE, reference_from
from training.release import load_release

END = date(2025, 1, 1)


@pytest.mark.slow
def test_a_level_that_is_off_is_mended_once_and_ranks_stay(year_on: YearOn):
    wrong = year_on.plant(twice_too_high)
    shop = year_on.shop()
    order = Order("recalibrate", AT, "level of a cohort", incident="2025-01-01-level")
    acted = recalibrate(shop, order)
    assert acted.status == "done", acted.reasons
    assert acted.previous == wrong.digest
    assert served_digest(year_on.state) == acted.release
    made = load_release(year_on.state / RELEASES / acted.release)
    cohort = matured_cutoffs(wrong, END)[0]
    assert made.cutoff == END
    assert (ranks_from(made), level_from(made).toordinal()) == (
        wrong.cutoff,
        cohort.toordinal() + 1,
    )
    assert acted.figures["level_before"] > 1.6
    assert acted.figures["level_after"] == pytest.approx(1.0, abs=0.2)
    assert acted.figures["ece_after"] < 0.7 * acted.figures["ece_before"]
    today = cohort_of(shop, made, END)
    was, now = prediction_of(wrong, today), prediction_of(made, today)
    assert keeps_ranks(was.value, now.value)
    assert keeps_ranks(was.p_active, now.p_active)
    agreed = [tier.share for tier in made.tiers]
    np.testing.assert_allclose(tier_shares(made, today), agreed, atol=2 / len(today))
    reference = reference_from(read_files(year_on.state / RELEASES / acted.release)[1][FILE])
    assert (reference.cutoff, reference.n_rows) == (END, len(today))
    assert OnlineStore.open(year_on.state / "online" / acted.release) is not None
    entry = read_journal(year_on.state)[-1]
    assert (entry.act, entry.release, entry.previous) == ("promote", made.digest, wrong.digest)
    assert entry.why[0] == "recalibrate, incident 2025-01-01-level: level of a cohort"
    champion = shop.registry.champion()
    assert champion is not None
    assert (champion.digest, champion.tags["act"]) == (made.digest, "recalibrate")

    n_rows, n_versions = len(read_journal(year_on.state)), len(shop.registry.versions())
    again = recalibrate(shop, order)
    assert (again.is_new, again.status, again.release) == (False, "done", made.digest)
    assert (len(read_journal(year_on.state)), len(shop.registry.versions())) == (n_rows, n_versions)
    with pytest.raises(InputError, match="where the level of the release ends"):
        newest_unseen(made, END)


@pytest.mark.slow
def test_boundaries_that_admit_too_many_are_cut_again_and_a_second_cut_is_refused(year_on: YearOn):
    wrong = year_on.plant(halved)
    shop = year_on.shop()
    acted = recut(shop, Order("recut", AT))
    assert acted.status == "done", acted.reasons
    assert acted.figures["misplaced_before"] > 0.1
    assert acted.figures["misplaced_after"] < 0.01
    made = load_release(year_on.state / RELEASES / acted.release)
    assert made.policy.level == wrong.policy.level
    assert made.policy.lineage["replaces"] == wrong.policy.id
    assert (ranks_from(made), level_from(made)) == (wrong.cutoff, wrong.cutoff)
    assert matured_cutoffs(made, END) == matured_cutoffs(wrong, END)
    again = recut(shop, Order("recut", AT))
    assert again.status == "refused"
    assert "the shares come no nearer to what was agreed" in again.reasons
    assert served_digest(year_on.state) == made.digest


@pytest.mark.slow
def test_days_under_quarantine_are_not_learned_from(year_on: YearOn):
    shop = year_on.shop()
    first = date(2024, 4, 1 + HORIZON_DAYS % 28)
    broken = Window(first, END, shop.tables.source, "d" * 64, "unit_slip of a day")
    write_quarantine(year_on.state, [broken])
    with pytest.raises(InputError, match="has matured by"):
        recalibrate(shop, Order("recalibrate", AT))
    with pytest.raises(InputError, match="are under quarantine"):
        recut(shop, Order("recut", AT, as_of=END))
