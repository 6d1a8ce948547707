"""Golden rows: features kept in a release with the answers that every load must give again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.artifact import finite_or_none
from training.models.matrix import Array

if TYPE_CHECKING:
    from training.release import Release

N_GOLDEN = 24


def golden_sample(expected_value: Array) -> NDArray[np.int64]:
    """Return the rows to keep as golden: evenly spread over the ranking, ends included."""
    order = np.argsort(expected_value, kind="stable")
    places = np.linspace(0, len(order) - 1, min(N_GOLDEN, len(order))).round().astype(int)
    rows: NDArray[np.int64] = order[places].astype(np.int64)
    return rows


def golden_answers(release: Release, rows: Array) -> dict[str, Any]:
    """Return golden rows (n, len(columns)) and what the release says of them, as JSON values."""
    scores = release.score(rows)
    return {
        "features": [[finite_or_none(value) for value in row] for row in rows.tolist()],
        "expected_value": scores.expected_value.tolist(),
        "p_churn": scores.p_churn.tolist(),
        "tier": scores.tier.tolist(),
        "risk": scores.risk.tolist(),
        "lifecycle": scores.lifecycle.tolist(),
        "expected_value_low90": list(map(finite_or_none, scores.expected_value_low90.tolist())),
        "expected_value_high90": list(map(finite_or_none, scores.expected_value_high90.tolist())),
        "tier_probability": list(map(finite_or_none, scores.tier_probability.tolist())),
    }


def reproduces_golden(release: Release, golden: Mapping[str, Any]) -> bool:
    """Return whether a release gives its golden rows the answers that were kept, bit for bit."""
    answers = golden_answers(release, release.golden_rows)
    return answers == golden


def golden_rows_of(golden: Mapping[str, Any]) -> Array:
    """Return the kept features, (n, len(columns))."""
    rows = [[np.nan if value is None else value for value in row] for row in golden["features"]]
    return np.array(rows, dtype=np.float64)
