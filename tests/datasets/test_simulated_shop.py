from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.simulated_shop import Incident, Parameters, World, build_oracle, build_world
from datasets.simulated_shop.__main__ import default_windows, main
from datasets.simulated_shop.draws import Draws, pick, poisson
from datasets.simulated_shop.export import build_files, write_shop
from datasets.simulated_shop.incidents import KINDS, read_incident
from datasets.simulated_shop.phrases import LANGUAGES, N_CHOICES, build_review_text
from datasets.simulated_shop.world import realised_values
from features.errors import InputError
from features.ingestion.source import read_source

CUTOFF, HORIZON = date(2024, 7, 5), 180


def world_of(n: int, *incidents: Incident, seed: int = 1, **changes: object) -> World:
    parameters = Parameters(n_customers=n, incidents=incidents, **changes)  # type: ignore[arg-type]
    return build_world(parameters, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def shop() -> World:
    return world_of(20_000)


@pytest.fixture(scope="module")
def files(shop: World) -> dict[str, pd.DataFrame]:
    return build_files(shop)


@pytest.fixture(scope="module")
def oracle(shop: World) -> pd.DataFrame:
    return build_oracle(shop, CUTOFF, HORIZON)


def outcomes(world: World, oracle: pd.DataFrame) -> np.ndarray:
    return realised_values(world, CUTOFF, HORIZON)[oracle["customer_id"].astype(int) - 1]


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(pd.Series(a).corr(pd.Series(b), method="spearman"))


# --- the shape of the shop -----------------------------------------------------------------


def test_between_30_and_60_percent_of_customers_buy_on_one_day_only(files):
    sold = files["order_lines.csv"].query("kind == 'sale'")
    days = sold["happened_at"].dt.normalize().groupby(sold["customer_id"]).nunique()
    assert len(days) == 20_000
    assert 0.30 < (days == 1).mean() < 0.60


def test_the_top_tenth_holds_40_to_70_percent_of_net_revenue(files):
    net = files["order_lines.csv"].groupby("customer_id")["amount"].sum().sort_values()
    assert 0.40 < net.iloc[-2_000:].sum() / net.sum() < 0.70


def test_3_to_12_percent_of_lines_come_back(files):
    kinds = files["order_lines.csv"]["kind"].value_counts()
    assert 0.03 < kinds["return"] / kinds["sale"] < 0.12


def test_double_eleven_is_the_best_day_of_every_year_and_november_stands_out(files):
    orders = files["order_lines.csv"].query("kind == 'sale'").drop_duplicates("order_id")
    daily = orders.set_index("happened_at")["order_id"].resample("D").count()
    for year in (2022, 2023, 2024):
        days = daily[daily.index.year == year]
        assert days.idxmax() == pd.Timestamp(year, 11, 11)
        monthly = days.groupby(days.index.month).mean()
        assert monthly[11] > 1.3 * monthly[[9, 10, 12]].max()


def test_spend_and_buying_rate_go_together_weakly(shop):
    both = np.corrcoef(shop.traits.log_rate_z, shop.traits.log_value_z)[0, 1]
    assert both == pytest.approx(shop.parameters.rate_value_correlation, abs=0.03)


def test_a_bad_first_experience_costs_later_orders_and_stars(shop):
    first = shop.orders.number == 0
    n_orders = np.bincount(shop.orders.customer)
    bad, good = (shop.fates.experience[first] == level for level in (0, 2))
    assert n_orders[bad].mean() < 0.6 * n_orders[good].mean()
    reviewed = first & (shop.voices.review_day >= 0)
    stars = pd.Series(shop.voices.stars[reviewed]).groupby(shop.fates.experience[reviewed]).mean()
    assert stars[0] < 2.5 < 3 < stars[1] < 4 < stars[2]


# --- the files -----------------------------------------------------------------------------


def test_every_line_adds_up_and_no_discount_is_below_zero(files):
    lines = files["order_lines.csv"]
    sold = lines.query("kind == 'sale'")
    total = sold["quantity"] * sold["unit_price"] - sold["discount"]
    np.testing.assert_allclose(total, sold["amount"], atol=1e-6)
    assert (lines["discount"] >= 0).all()
    assert (sold["amount"] > 0).all()
    assert (lines["unit_price"] >= 0).all()
    assert 0.5 < (sold["quantity"] * sold["unit_cost"]).sum() / sold["amount"].sum() < 0.7


def test_lines_of_an_order_add_up_to_its_value(shop):
    total = np.bincount(shop.lines.order, shop.lines.amount)
    np.testing.assert_allclose(total, shop.order_value, atol=0.05)


def test_each_return_undoes_one_earlier_line_of_the_same_order(files):
    lines = files["order_lines.csv"]
    keys = ["order_id", "line", "customer_id", "product_id", "channel"]
    sold, back = lines.query("kind == 'sale'"), lines.query("kind == 'return'")
    both = back.merge(sold, on=keys, how="left", suffixes=("", "_sold"), validate="one_to_one")
    assert (both["amount"] == -both["amount_sold"]).all()
    assert (both["quantity"] == -both["quantity_sold"]).all()
    days = both["happened_at"].dt.normalize() - both["happened_at_sold"].dt.normalize()
    assert days.dt.days.between(1, 30).all()


def test_some_returns_and_few_sales_become_known_days_later(files):
    lines = files["order_lines.csv"]
    known = lines["recorded_at"].dt.normalize() - lines["happened_at"].dt.normalize()
    late = known.dt.days > 0
    assert (lines["recorded_at"] >= lines["happened_at"]).all()
    assert known.dt.days.max() == 5
    assert 0.3 < late[lines["kind"] == "return"].mean() < 0.6
    assert 0.005 < late[lines["kind"] == "sale"].mean() < 0.03


def test_nothing_happens_outside_the_three_years(files):
    times = {"order_lines.csv": "happened_at", "reviews.csv": "written_at"}
    for name, column in (times | {"interactions.csv": "happened_at"}).items():
        assert files[name][column].between("2022-01-01", "2024-12-31 23:59:59").all()


def test_customers_sign_up_before_they_order_and_have_ids_with_leading_zeros(files):
    customers = files["customers.csv"]
    assert customers["customer_id"].str.fullmatch(r"\d{8}").all()
    assert customers["customer_id"].is_unique
    assert customers.loc[0, "customer_id"] == "00000001"
    first = files["order_lines.csv"].groupby("customer_id")["happened_at"].min()
    signed_up = pd.to_datetime(customers.set_index("customer_id")["signed_up_on"])
    assert (signed_up <= first.reindex(signed_up.index)).all()
    assert set(customers["income_band"]) == {"low", "middle", "high", ""}


def test_at_least_2000_distinct_reviews_in_each_language(files):
    reviews = files["reviews.csv"].merge(files["customers.csv"], on="customer_id")
    distinct = reviews.groupby("language")["text"].nunique()
    assert (distinct.reindex(list(LANGUAGES)) >= 2_000).all()
    assert reviews["stars"].between(1, 5).all()
    chinese = reviews["text"].str.contains(r"[\u4e00-\u9fff]")
    assert (chinese == (reviews["language"] == "zh")).all()


@pytest.mark.parametrize(("language", "negation"), [("zh", "不|没"), ("en", r"\bno|not\b|n't")])
def test_both_good_and_bad_reviews_negate_so_a_negation_alone_tells_nothing(language, negation):
    generator = np.random.default_rng(0)
    for tone in ("positive", "negative"):
        texts = [build_review_text(language, tone, generator.random(N_CHOICES)) for _ in range(400)]
        assert 0.3 < pd.Series(texts).str.contains(negation).mean() < 0.95


def test_mixed_review_sets_one_side_against_the_other():
    text = build_review_text("zh", "mixed", np.full(N_CHOICES, 0.6))
    assert text == "一般般，一点也不划算，就是包装没有破损，不算差但也不算好。"


def test_interactions_follow_the_state_of_the_customer(shop, files):
    kinds = files["interactions.csv"]["kind"].value_counts()
    assert set(kinds.index) == {"visit", "cart", "message_open", "complaint", "referral"}
    complained = shop.voices.complaint_day >= 0
    bad = shop.fates.experience == 0
    assert complained[bad].mean() > 5 * complained[~bad].mean()


# --- the same again ------------------------------------------------------------------------


def test_same_seed_same_files_byte_for_byte(tmp_path):
    small = ["--customers", "300", "--oracle", "2024-10-01:30"]
    for name in ("one", "two"):
        main([*small, "--seed", "5", "--out", str(tmp_path / name)])
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two
    assert set(one) == {
        "order_lines.csv",
        "customers.csv",
        "reviews.csv",
        "interactions.csv",
        "oracle.parquet",
        "generated.json",
    }
    main([*small, "--seed", "6", "--out", str(tmp_path / "two")])
    assert (tmp_path / "two" / "order_lines.csv").read_bytes() != one["order_lines.csv"]
    assert json.loads(one["generated.json"])["seed"] == 5


def test_the_first_customers_are_the_same_people_in_a_larger_shop():
    small, large = world_of(50), world_of(500)
    inside = large.orders.customer < 50
    np.testing.assert_array_equal(large.orders.time[inside], small.orders.time)
    np.testing.assert_array_equal(large.order_value[inside], small.order_value)


def test_another_folder_is_not_overwritten(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty folder or an earlier simulated shop"):
        write_shop(world_of(5), tmp_path)
    assert (tmp_path / "letters.txt").read_text() == "mine"


def test_the_source_file_names_only_columns_that_are_written(files):
    source = read_source(Path("datasets/simulated_shop.toml"))
    assert source.data_complete_before == Parameters().end
    for table in source.files:
        (path,) = table.paths
        assert set(table.needed_columns()) <= set(files[path].columns)
    assert {table.paths[0] for table in source.files} == set(files)


# --- random numbers ------------------------------------------------------------------------


def test_draws_are_uniform_normal_poisson_and_unrelated():
    draws, who = Draws(np.random.default_rng(3)), np.arange(100_000)
    first, second = draws.uniform("one", who), draws.uniform("two", who)
    assert first.mean() == pytest.approx(0.5, abs=0.005)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=0.012)
    assert np.corrcoef(first[1:], first[:-1])[0, 1] == pytest.approx(0, abs=0.012)
    normal = draws.normal("three", who)
    assert (normal.mean(), normal.std()) == pytest.approx((0, 1), abs=0.012)
    count = poisson(first, np.full(len(who), 2.5))
    assert (count.mean(), count.var()) == pytest.approx((2.5, 2.5), abs=0.05)
    assert np.bincount(pick(second, [1, 3])) / len(who) == pytest.approx([0.25, 0.75], abs=0.01)


# --- the oracle ----------------------------------------------------------------------------


def test_oracle_level_agrees_with_what_happened(shop, oracle):
    y = outcomes(shop, oracle)
    error = (y - oracle["expected_value"]).to_numpy()
    assert abs(error.mean()) < 3 * error.std() / np.sqrt(len(error))
    p = oracle["p_active"].to_numpy()
    assert abs((y > 0).mean() - p.mean()) < 3 * np.sqrt((p * (1 - p)).mean() / len(p))


@pytest.mark.parametrize("column", ["expected_value", "p_active"])
def test_oracle_is_calibrated_in_every_tenth(shop, oracle, column):
    y = outcomes(shop, oracle)
    truth = y if column == "expected_value" else (y > 0).astype(float)
    frame = pd.DataFrame({"truth": truth, "oracle": oracle[column]})
    tenth = frame.groupby(pd.qcut(frame["oracle"], 10, labels=False))
    error = (tenth["truth"].mean() - tenth["oracle"].mean()) / tenth["truth"].sem()
    assert (error.abs() < 4).all(), error


def test_oracle_ranks_better_than_past_spend_and_better_still_with_reviews(shop, oracle):
    y = outcomes(shop, oracle)
    who = oracle["customer_id"].astype(int).to_numpy() - 1
    before = shop.orders.day < shop.parameters.day_number(CUTOFF)
    past = np.bincount(shop.orders.customer[before], shop.order_value[before], minlength=20_000)
    by_orders = rank_correlation(oracle["expected_value"], y)
    reviews = build_oracle(shop, CUTOFF, HORIZON, "reviews")["expected_value"]
    assert by_orders > rank_correlation(past[who], y) + 0.1
    assert rank_correlation(reviews, y) > by_orders + 0.01


def test_oracle_covers_every_customer_known_before_the_cutoff_once(shop, files, oracle):
    lines = files["order_lines.csv"]
    known = lines[(lines["happened_at"] < "2024-07-05") & (lines["recorded_at"] < "2024-07-05")]
    assert oracle["customer_id"].tolist() == sorted(known["customer_id"].unique())
    assert oracle["p_active"].between(0, 1).all()


@pytest.mark.parametrize("scope", ["orders", "all"])
def test_oracle_reads_neither_hidden_traits_nor_the_future(scope):
    world = world_of(400)
    c = world.parameters.day_number(CUTOFF)
    orders, lines, voices = world.orders, world.lines, world.voices
    later = lines.return_known_day >= c
    told = {
        name: np.where(getattr(voices, name) >= c, -1, getattr(voices, name))
        for name in ("review_day", "complaint_day", "referral_day")
    }
    past = voices.session_time < c
    told |= {n: getattr(voices, n)[past] for n in ("session_order", "session_time", "session_kind")}
    blind = dataclasses.replace(
        world,
        traits=None,
        fates=None,
        order_value=np.where(orders.day < c, world.order_value, 1e9),
        orders=dataclasses.replace(
            orders, time=np.where(orders.day < c, orders.time, float(world.parameters.n_days))
        ),
        lines=dataclasses.replace(
            lines,
            return_day=np.where(later, -1, lines.return_day),
            return_known_day=np.where(later, -1, lines.return_known_day),
        ),
        voices=dataclasses.replace(voices, **told),
    )
    pd.testing.assert_frame_equal(
        build_oracle(blind, CUTOFF, HORIZON, scope), build_oracle(world, CUTOFF, HORIZON, scope)
    )


PLAIN = {
    "log_rate_sd": 1e-9,
    "log_value_sd": 1e-9,
    "festive_share": 1e-12,
    "pace_after": (1.0, 1.0, 1.0),
    "return_after": (0.0, 0.0, 0.0),
    "yearly_price_growth": 0.0,
    "median_orders_per_day": 1 / 60,
}


def season_days(world: World, begin: int, end: float) -> float:
    steady = world.calendar.to_steady(np.array([0, 0]), np.array([float(begin), float(end)]))
    return float(steady[1] - steady[0])


def test_oracle_without_drop_out_is_rate_times_season_times_mean_value():
    world = world_of(30, **PLAIN, leave_after=(0.0, 0.0, 0.0))
    c = world.parameters.day_number(CUTOFF)
    n_expected = season_days(world, c, c + HORIZON) / 60
    result = build_oracle(world, CUTOFF, HORIZON)
    value = 150 * np.exp(0.55**2 / 2)
    np.testing.assert_allclose(result["expected_value"], n_expected * value, rtol=1e-6)
    np.testing.assert_allclose(result["p_active"], 1 - np.exp(-n_expected), rtol=1e-6)


def test_oracle_with_constant_drop_out_gives_p_alive_of_fader_hardie_lee_2005():
    world = world_of(200, **PLAIN, leave_after=(0.2, 0.2, 0.2))
    c = world.parameters.day_number(CUTOFF)
    result = build_oracle(world, CUTOFF, HORIZON).set_index("customer_id")
    before = world.orders.day < c
    last = pd.Series(world.orders.time[before]).groupby(world.orders.customer[before]).max()
    ahead = season_days(world, c, c + HORIZON) / 60
    expected = []
    for customer in result.index.astype(int) - 1:
        since = world.calendar.to_steady(np.array([0, 0]), np.array([last[customer], float(c)]))
        alive = 1 / (1 + 0.2 / 0.8 * np.exp(np.diff(since)[0] / 60))
        expected.append(alive * (1 - np.exp(-ahead)))
    np.testing.assert_allclose(result["p_active"], expected, rtol=1e-6)


def test_oracle_refuses_windows_it_cannot_know():
    world = world_of(20)
    with pytest.raises(InputError, match="inside the calendar of 1896 days"):
        build_oracle(world, CUTOFF, 3_000)
    with pytest.raises(InputError, match="nobody has ordered before 2022-01-01"):
        build_oracle(world, date(2022, 1, 1), 30)
    decaying = world_of(20, Incident("slow_decay", date(2024, 1, 1), 0.5, 180))
    with pytest.raises(InputError, match="slow_decay is in force"):
        build_oracle(decaying, CUTOFF, HORIZON)


# --- incidents -----------------------------------------------------------------------------

DAY = date(2024, 3, 1)
SIZES = {"price_unit_slip": 100, "changed_season": 60, "satisfaction_slump": 2.0}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_before_the_date_of_an_incident_changes(kind):
    size = SIZES.get(kind, 0.5)
    plain = build_files(world_of(1_500))["order_lines.csv"]
    struck = build_files(world_of(1_500, Incident(kind, DAY, size, 90)))["order_lines.csv"]
    before = [lines[lines["happened_at"] < "2024-03-01"] for lines in (plain, struck)]
    pd.testing.assert_frame_equal(before[0], before[1], check_dtype=False)
    assert not plain.equals(struck)


def spoilt(incident: Incident) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = (world_of(3_000), world_of(3_000, incident))
    during = [
        lines[lines["happened_at"].between("2024-03-01", "2024-03-30 23:59:59")]
        for lines in (build_files(world)["order_lines.csv"] for world in both)
    ]
    return during[0].reset_index(drop=True), during[1].reset_index(drop=True)


def test_price_unit_slip_multiplies_amounts_by_its_size():
    plain, struck = spoilt(Incident("price_unit_slip", DAY, 100, 30))
    np.testing.assert_allclose(struck["amount"], plain["amount"] * 100)
    np.testing.assert_allclose(struck["unit_cost"], plain["unit_cost"] * 100)


def test_broken_uploads_empty_double_or_lose_rows():
    plain, nulls = spoilt(Incident("upload_nulls", DAY, 0.4, 30))
    assert nulls["amount"].isna().mean() == pytest.approx(0.4, abs=0.06)
    _, doubled = spoilt(Incident("upload_duplicates", DAY, 0.4, 30))
    assert len(doubled) / len(plain) == pytest.approx(1.4, abs=0.06)
    assert len(doubled.drop_duplicates()) == len(plain)
    _, half = spoilt(Incident("upload_half_day", DAY, 0.5, 30))
    assert half["happened_at"].dt.hour.max() == 11
    assert 0.2 < len(half) / len(plain) < 0.5


def test_new_channel_takes_its_share():
    _, struck = spoilt(Incident("new_channel", DAY, 0.3))
    orders = struck.query("kind == 'sale'").drop_duplicates("order_id")
    assert (orders["channel"] == "live_stream").mean() == pytest.approx(0.3, abs=0.06)


def test_changed_season_moves_the_festivals():
    world = world_of(20_000, Incident("changed_season", date(2024, 7, 1), 30))
    day = pd.Timestamp("2022-01-01") + pd.to_timedelta(world.orders.day, unit="D")
    best = pd.Series(day[day >= "2024-07-01"]).value_counts().idxmax()
    assert best == pd.Timestamp("2024-12-11")


def test_satisfaction_slump_worsens_experiences_and_lowers_buying():
    plain, struck = world_of(4_000), world_of(4_000, Incident("satisfaction_slump", DAY, 2.0))
    c = plain.parameters.day_number(DAY)
    bad = [(w.fates.experience[w.orders.day >= c] == 0).mean() for w in (plain, struck)]
    assert bad[1] > 2 * bad[0]
    later = [(w.orders.day >= c + 90).sum() for w in (plain, struck)]
    assert later[1] < 0.95 * later[0]


def test_slow_decay_loosens_the_hold_of_past_values_on_later_ones():
    def hold(world: World) -> float:
        late = world.orders.day >= world.parameters.day_number(date(2024, 7, 1))
        return float(
            np.corrcoef(
                world.traits.log_value_z[world.orders.customer[late]],
                np.log(world.order_value[late]),
            )[0, 1]
        )

    decay = Incident("slow_decay", date(2024, 1, 1), 0.8, 120)
    assert hold(world_of(4_000, decay)) < 0.5 * hold(world_of(4_000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("price_unit_slip", "expected KIND:DATE:SIZE"),
        ("price_unit_slip:yesterday:100", "expected KIND:DATE:SIZE"),
        ("price_slip:2024-03-01:100", "unknown incident 'price_slip'"),
        ("new_channel:2024-03-01:3", r"expected a share in \(0, 1\]"),
        ("price_unit_slip:2024-03-01:0", "expected a factor above 0"),
        ("new_channel:2024-03-01:0.3:0", "expected 1 or more"),
    ],
)
def test_wrong_incidents_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        read_incident(text)


# --- parameters and command ----------------------------------------------------------------


def test_impossible_shops_are_refused():
    with pytest.raises(InputError, match="n_customers is 0; expected 1 or more"):
        Parameters(n_customers=0)
    with pytest.raises(InputError, match="before it starts"):
        Parameters(end=date(2021, 1, 1))
    with pytest.raises(InputError, match="0 years; expected 1 or more"):
        main(["--years", "0"])


def test_default_windows_are_the_two_newest_mature_ones():
    assert default_windows(Parameters()) == [(date(2024, 1, 7), 180), (date(2024, 7, 5), 180)]


def test_one_customer_is_a_shop_too(tmp_path):
    assert (
        main(["--customers", "1", "--out", str(tmp_path / "x"), "--oracle", "2025-01-01:90"]) == 0
    )
    assert len(pd.read_parquet(tmp_path / "x" / "oracle.parquet")) == 1
