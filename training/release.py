"""The release: everything that is served, in one folder that is checked before it is parsed.

``release.json`` holds numbers, ``trees/*.txt`` LightGBM texts, ``golden.json`` rows with the
answers they must give, ``manifest.json`` the sha256 and size of each of them and where they come
from. There is no pickle and no time stamp, so the same inputs, configuration and code give the
same digest. Imported by the service: numpy, scipy and the library of lightgbm only.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import ReleaseError
from features.snapshot import Snapshot
from training.artifact import current_release, json_bytes, read_files, write_files
from training.boundaries import Tier, TierBoundaries
from training.models.blend import blend_from
from training.models.booster import BoosterError
from training.models.formulas import formula_from
from training.models.matrix import Array, FeatureMatrix
from training.models.model import Model
from training.models.one_row import RowPredict, row_predicts_of

NUMBERS = "release.json"
GOLDEN = "golden.json"
TREES = "trees"
N_GOLDEN = 24
NO_TIER = -1
SMALLEST_P_ACTIVE = 1e-9
STRETCHES = (1.0, 2.7, 0.3)
STORED_SCORES = ("expected_value", "p_churn", "value_at_risk", "tier")
"""What a look-up keeps of each customer's scores, in the order of `RowScore`."""


@dataclass(frozen=True)
class Scores:
    """What a release says of each customer; arrays (n,).

    Attributes
    ----------
    expected_value : array
        Expected net value in the outcome window, currency.
    p_churn : array
        Probability of no positive net value in the outcome window.
    value_if_active : array
        Expected net value given activity, currency.
    value_at_risk : array
        p_churn * value_if_active, currency.
    tier : int array
        0 at the bottom; `NO_TIER` where there is too little data.
    """

    expected_value: Array
    p_churn: Array
    value_if_active: Array
    value_at_risk: Array
    tier: NDArray[np.int64]


@dataclass(frozen=True)
class Release:
    """A model, its tiers, and what it was made from.

    Attributes
    ----------
    source, currency : str
        Name of the data source, and the ISO 4217 code of all amounts.
    cutoff, history_start : date
        The model saw nothing known at or after the cutoff.
    horizon_days, feature_horizon_days : int
        What is predicted, and the horizon with which features are built.
    season_unseen : bool
        Whether the season of the outcome window lies in no matured cohort.
    minimum_orders : int
        Order days with a positive value below which no tier is given.
    tiers : tuple of Tier
        Bottom to top.
    model : Model
        What scores.
    lineage : dict
        Digests of data, configuration and code, versions, and the backtest's figures.
    digest : str
        sha256 of the manifest; empty before it is written.
    golden_rows : array (n, len(columns))
        Rows that every load reproduces; empty before it is written.
    """

    source: str
    currency: str
    cutoff: date
    history_start: date
    horizon_days: int
    feature_horizon_days: int
    season_unseen: bool
    minimum_orders: int
    tiers: tuple[Tier, ...]
    model: Model
    lineage: dict[str, Any]
    digest: str = ""
    stored_scores: ClassVar[tuple[str, ...]] = STORED_SCORES
    golden_rows: Array = field(default_factory=lambda: np.empty((0, 0)), compare=False, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Catalogue features the release needs, in order."""
        return self.model.columns

    @property
    def required(self) -> tuple[str, ...]:
        """Features that must be known."""
        return tuple(name for name in self.columns if name in _NEVER_MISSING)

    @property
    def boundaries(self) -> TierBoundaries:
        """The cuts between the tiers."""
        return TierBoundaries(tuple(tier.boundary_below for tier in self.tiers[1:]))

    def feature_snapshot(self) -> Snapshot:
        """Return the snapshot with which feature tables for this release are built."""
        return Snapshot(self.cutoff, self.feature_horizon_days, self.history_start)

    def score(self, features: Array) -> Scores:
        """Score rows of features in the order of `columns`, (n, len(columns)).

        A row's scores are the same to the last bit whether it is scored alone or among others.
        """
        matrix = FeatureMatrix(self.columns, np.ascontiguousarray(features, dtype=np.float64))
        prediction = self.model.predict(matrix)
        value_if_active = prediction.value / np.maximum(prediction.p_active, SMALLEST_P_ACTIVE)
        p_churn = 1.0 - prediction.p_active
        tier = self.boundaries.assign(prediction.value)
        enough = matrix["n_positive_days"] >= self.minimum_orders
        return Scores(
            expected_value=prediction.value,
            p_churn=p_churn,
            value_if_active=value_if_active,
            value_at_risk=p_churn * value_if_active,
            tier=np.where(enough, tier, NO_TIER),
        )

    def row_scorer(self) -> RowScorer:
        """Return what scores one row at a time; it belongs to one thread."""
        return RowScorer(self)

    def insufficient_reason(self, row: Array) -> str | None:
        """Say why a row of features is too little to place a customer, or None if it is enough."""
        n_positive = float(row[self.columns.index("n_positive_days")])
        if n_positive >= self.minimum_orders:
            return None
        return (
            f"{n_positive:g} order days with a positive value before {self.cutoff}; "
            f"a tier needs {self.minimum_orders}"
        )


class RowScore(NamedTuple):
    """What a release says of one customer: the fields of `Scores`, each a number."""

    expected_value: float
    p_churn: float
    value_at_risk: float
    tier: int


class RowScorer:
    """Scores one row at a time, bit for bit as `Release.score`; one instance belongs to one thread.

    Where the model has a quick form for one row, and this form gives the answers of `Release.score`
    to the last bit on the golden rows as they are, stretched and shrunk, it is used.

    Attributes
    ----------
    is_quick : bool
        Whether the quick form is in use.
    """

    def __init__(self, release: Release) -> None:
        self._release = release
        self._cuts = release.boundaries.cuts
        self._n_positive = release.columns.index("n_positive_days")
        self._quick: RowPredict | None = None
        for quick in row_predicts_of(release.model):
            self._quick = quick
            if self._agrees(release.golden_rows):
                break
            self._quick = None
        self.is_quick = self._quick is not None

    def score(self, row: Array) -> RowScore:
        """Score one row in the order of the release's columns, (len(columns),)."""
        if self._quick is not None:
            try:
                value, p_active = self._quick(row)
            except ArithmeticError:
                return self._slowly(row)
            p_churn = 1.0 - p_active
            value_at_risk = p_churn * (value / max(p_active, SMALLEST_P_ACTIVE))
            enough = row[self._n_positive] >= self._release.minimum_orders
            tier = bisect_right(self._cuts, value) if enough else NO_TIER
            return RowScore(value, p_churn, value_at_risk, tier)
        return self._slowly(row)

    def _slowly(self, row: Array) -> RowScore:
        with np.errstate(all="ignore"):
            scores = self._release.score(row[np.newaxis])
        return RowScore(
            float(scores.expected_value[0]),
            float(scores.p_churn[0]),
            float(scores.value_at_risk[0]),
            int(scores.tier[0]),
        )

    def _agrees(self, rows: Array) -> bool:
        """Whether both forms give the same bits on rows as they are, stretched and shrunk."""
        if not len(rows):
            return False
        return all(
            repr(self.score(row)) == repr(self._slowly(row))
            for factor in STRETCHES
            for row in rows * factor
        )


_NEVER_MISSING = (
    "n_order_days",
    "days_since_last_order",
    "tenure_days",
    "first_to_last_days",
    "net_spend",
    "repeat_net_spend",
    "n_positive_days",
    "positive_day_spend",
)


def write_release(release: Release, golden_rows: Array, releases: Path) -> Release:
    """Write a release to ``releases/DIGEST`` and return it as it will be loaded, with its digest.

    Parameters
    ----------
    release : Release
        Without a digest.
    golden_rows : array (n, len(columns))
        Rows whose answers are kept, to be reproduced at every load.
    releases : Path
        Folder of all releases.
    """
    files = {f"{TREES}/{name}": text.encode() for name, text in release.model.to_texts().items()}
    files[NUMBERS] = json_bytes(_to_numbers(release))
    reloaded = _from_parts(json.loads(files[NUMBERS]), _texts_of(files))
    files[GOLDEN] = json_bytes(_golden(reloaded, golden_rows))
    digest = write_files(files, releases)
    return replace(reloaded, digest=digest, golden_rows=np.array(golden_rows, dtype=np.float64))


def load_release(folder: Path) -> Release:
    """Check and read a release.

    Nothing is parsed before the size and sha256 of every file are those of the manifest, and the
    golden rows must give the answers that were kept.

    Raises
    ------
    ReleaseError
        If a file is missing, foreign, changed or too large, the format is unknown, or the golden
        rows do not come out as they were.
    """
    digest, files = read_files(folder)
    try:
        release = replace(_from_parts(json.loads(files[NUMBERS]), _texts_of(files)), digest=digest)
        golden = json.loads(files[GOLDEN])
        release = replace(release, golden_rows=_rows_of(golden))
        reproduced = _reproduces(release, golden)
    except (ValueError, LookupError, TypeError, AttributeError, BoosterError) as cause:
        raise ReleaseError(
            f"{folder} cannot be read ({type(cause).__name__}: {cause}); expected a whole release",
            "restore it from the registry, or train again",
        ) from cause
    if not reproduced:
        raise ReleaseError(
            f"{folder} does not reproduce its golden rows; expected the answers it was made with",
            "use the library versions named in its manifest, or train again",
        )
    return release


def load_current(releases: Path) -> Release:
    """Check and read the release that is served.

    Raises
    ------
    ReleaseError
        If nothing has been promoted, or as `load_release`.
    """
    return load_release(current_release(releases))


def _to_numbers(release: Release) -> dict[str, Any]:
    tiers = [asdict(tier) for tier in release.tiers]
    for tier in tiers:
        tier["boundary_below"] = _finite_or_none(tier["boundary_below"])
    return {
        "source": release.source,
        "currency": release.currency,
        "cutoff": release.cutoff.isoformat(),
        "history_start": release.history_start.isoformat(),
        "horizon_days": release.horizon_days,
        "feature_horizon_days": release.feature_horizon_days,
        "season_unseen": release.season_unseen,
        "minimum_orders": release.minimum_orders,
        "tiers": tiers,
        "model": release.model.to_numbers(),
        "lineage": release.lineage,
    }


def _from_parts(numbers: Mapping[str, Any], texts: Mapping[str, str]) -> Release:
    kind = numbers["model"]["kind"]
    model: Model
    if kind == "blend":
        model = blend_from(numbers["model"], texts)
    else:
        model = formula_from(numbers["model"])
    tiers = []
    for tier in numbers["tiers"]:
        below = tier["boundary_below"]
        tiers.append(Tier(**{**tier, "boundary_below": -math.inf if below is None else below}))
    return Release(
        source=numbers["source"],
        currency=numbers["currency"],
        cutoff=date.fromisoformat(numbers["cutoff"]),
        history_start=date.fromisoformat(numbers["history_start"]),
        horizon_days=numbers["horizon_days"],
        feature_horizon_days=numbers["feature_horizon_days"],
        season_unseen=numbers["season_unseen"],
        minimum_orders=numbers["minimum_orders"],
        tiers=tuple(tiers),
        model=model,
        lineage=dict(numbers["lineage"]),
    )


def _golden(release: Release, rows: Array) -> dict[str, Any]:
    scores = release.score(rows)
    return {
        "features": [[_finite_or_none(value) for value in row] for row in rows.tolist()],
        "expected_value": scores.expected_value.tolist(),
        "p_churn": scores.p_churn.tolist(),
        "tier": scores.tier.tolist(),
    }


def _reproduces(release: Release, golden: Mapping[str, Any]) -> bool:
    scores = release.score(release.golden_rows)
    return (
        np.array_equal(scores.expected_value, golden["expected_value"])
        and np.array_equal(scores.p_churn, golden["p_churn"])
        and np.array_equal(scores.tier, golden["tier"])
    )


def _rows_of(golden: Mapping[str, Any]) -> Array:
    rows = [[np.nan if value is None else value for value in row] for row in golden["features"]]
    return np.array(rows, dtype=np.float64)


def golden_sample(expected_value: Array) -> NDArray[np.int64]:
    """Return the rows to keep as golden: evenly spread over the ranking, ends included."""
    order = np.argsort(expected_value, kind="stable")
    places = np.linspace(0, len(order) - 1, min(N_GOLDEN, len(order))).round().astype(int)
    rows: NDArray[np.int64] = order[places].astype(np.int64)
    return rows


def _texts_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return {
        name.removeprefix(f"{TREES}/"): content.decode()
        for name, content in files.items()
        if name.startswith(f"{TREES}/")
    }


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
