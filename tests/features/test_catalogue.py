"""The catalogue: complete, in order, in the glossary, and free of what is for the audit only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.catalogue import (
    COLUMNS,
    FEATURES,
    Feature,
    check_no_audit_columns,
    feature_named,
    schema_digest,
)
from features.catalogue_of_sentiment import SENTIMENT_FEATURES
from features.errors import InputError
from features.grains import definitions

GLOSSARY = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"
MAIN_TERMS = {
    "cutoff",
    "horizon_days",
    "history_start",
    "known_day",
    "data_complete_before",
    "p_active",
    "p_churn",
    "value_if_active",
    "expected_value",
    "value_at_risk",
    "tier",
    "indicated_tier",
    "boundary_below",
    "boundary_above",
    "share",
    "season_unseen",
    "ngini",
    "decile_mape",
    "level_bias",
    "capture_top10",
    "auc_active",
    "eta_squared",
    "psi",
}


def read_glossary() -> dict[str, tuple[str, str, str]]:
    """Column -> (definition, unit, source) of every row of the glossary that names a column."""
    rows = {}
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[3].startswith("`"):
            assert cells[3] not in rows, f"{cells[3]} stands twice in the glossary"
            rows[cells[3].strip("`")] = (cells[1], cells[2], cells[4])
    return rows


@pytest.mark.parametrize(
    "feature", [*FEATURES, *SENTIMENT_FEATURES], ids=lambda feature: feature.name
)
def test_feature_is_in_the_glossary_with_its_unit_and_source(feature: Feature) -> None:
    assert all((feature.meaning, feature.unit, feature.source))
    assert read_glossary().get(feature.name) == (feature.meaning, feature.unit, feature.source)


def test_glossary_lists_the_features_in_their_order() -> None:
    listed = [column for column in read_glossary() if column in set(COLUMNS)]
    assert tuple(listed) == COLUMNS


def test_glossary_has_the_main_terms() -> None:
    assert set(read_glossary()) >= MAIN_TERMS


def test_every_feature_is_defined_once_and_nothing_else_is() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS) == 103
    assert tuple(definitions()) == COLUMNS


def test_value_never_falls_with_spend_and_never_rises_with_days_since_an_order() -> None:
    falling = {feature.name for feature in FEATURES if feature.monotone == -1}
    rising = {feature.name for feature in FEATURES if feature.monotone == 1}
    assert falling == {
        "days_since_last_order",
        "days_since_second_last_order",
        "days_since_third_last_order",
    }
    assert rising == {
        name
        for name in COLUMNS
        if name.startswith(("net_spend", "n_order_days", "decayed_", "mean_day", "geometric_mean"))
    } | {
        "max_day_value",
        "last_day_value",
        "repeat_net_spend",
        "n_positive_days",
        "positive_day_spend",
        "n_orders",
    }


def test_gender_age_and_income_are_no_features() -> None:
    check_no_audit_columns(COLUMNS)


@pytest.mark.parametrize("column", ["gender", "customer_age", "income_band", "Birth_Year"])
def test_refuses_an_audit_only_column(column: str) -> None:
    with pytest.raises(InputError, match=f"column {column} tells .*; expected no audit-only"):
        check_no_audit_columns(["net_spend", column])


def test_schema_digest_tells_columns_and_their_order_apart() -> None:
    digests = {
        schema_digest(),
        schema_digest(("net_spend", "tenure_days")),
        schema_digest(("tenure_days", "net_spend")),
    }
    assert len(digests) == 3
    assert schema_digest() == schema_digest(COLUMNS)


def test_a_column_of_the_shop_is_described_by_its_name_alone() -> None:
    own = feature_named("own_credit_score")
    assert (own.name, own.family, own.monotone) == ("own_credit_score", "own", 0)


def test_refuses_an_unknown_feature_with_the_closest_name() -> None:
    with pytest.raises(InputError, match='no feature "tenure_day"; did you mean "tenure_days"'):
        feature_named("tenure_day")
