"""The features: what each is called, in which unit, what it means, and whose method it is.

Data only, free of any engine, so that the service can describe a feature without one. How a
feature is computed stands in a room of its own, under the name it has here (see
:mod:`features.build`). *Day value* is the net value of one customer-day, returns subtracted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from features.catalogue_of_days import ORDER_FEATURES
from features.catalogue_of_events import EVENT_FEATURES
from features.catalogue_of_sentiment import SENTIMENT_FEATURES
from features.errors import InputError, did_you_mean
from features.feature import Feature

AUDIT_ONLY = frozenset({"gender", "sex", "age", "birth", "birthday", "birthdate", "income"})
"""Words that name what is kept for the audit of fairness and is never a feature."""

OWN_PREFIX = "own_"
"""What the names of a shop's own columns begin with (docs/how-to-add-a-feature.md)."""

FEATURES: tuple[Feature, ...] = (*ORDER_FEATURES, *EVENT_FEATURES)
"""Every feature, in the order of the columns of a feature table."""

COLUMNS: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
"""Names of the features, in order; a feature table is ``customer_id`` and these."""

SENTIMENT_COLUMNS: tuple[str, ...] = tuple(feature.name for feature in SENTIMENT_FEATURES)
"""Names of the features that follow where the reviews of a source were scored."""

_BY_NAME = {feature.name: feature for feature in (*FEATURES, *SENTIMENT_FEATURES)}


def feature_named(name: str) -> Feature:
    """Return the feature of that name; of a shop's own column what can be said of any.

    Raises
    ------
    InputError
        If there is none.

    >>> feature_named("days_since_last_order").monotone
    -1
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith(OWN_PREFIX) and len(name) > len(OWN_PREFIX):
        return Feature(name, "as given", "A column of the shop's own.", "features.extra", 0, "own")
    raise InputError(
        f'no feature "{name}"; {did_you_mean(name, COLUMNS)}',
        "name a feature of docs/glossary.md",
    )


def schema_digest(columns: Iterable[str] = COLUMNS) -> str:
    """Return the sha256 of the full descriptions of `columns`, in their order.

    Two tables with one digest have the same columns, in the same order, meaning the same.

    Raises
    ------
    InputError
        If a column is no feature.
    """
    told = [asdict(feature_named(column)) for column in columns]
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_no_audit_columns(columns: Iterable[str]) -> None:
    """Refuse a column that names what is kept for the audit only.

    Raises
    ------
    InputError
        Naming the first such column.

    >>> check_no_audit_columns(["tenure_days", "net_spend"])
    """
    for column in columns:
        found = AUDIT_ONLY & set(column.lower().split("_"))
        if found:
            raise InputError(
                f"column {column} tells {min(found)}; expected no audit-only column as a feature",
                "keep gender, age and income in customers.audit_only",
            )
