"""The release: everything that is served, in one folder that is checked before it is parsed.

``release.json`` holds numbers, ``trees/*.txt`` LightGBM texts, ``policy.json`` what the predictions
mean for a customer, ``golden.json`` rows with the answers they must give, ``manifest.json`` the
sha256 and size of each of them. There is no pickle and no time stamp, so the same inputs, configuration and code give the
same digest. Imported by the service: numpy, scipy and the library of lightgbm only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from features.errors import ReleaseError
from features.snapshot import Snapshot
from training.artifact import current_release, json_bytes, read_files, write_files
from training.boundaries import Tier, TierBoundaries, borderlands, is_borderline
from training.golden import golden_answers, golden_rows_of, reproduces_golden
from training.models.blend import blend_from
from training.models.booster import BoosterError
from training.models.formulas import formula_from
from training.models.matrix import Array, FeatureMatrix
from training.models.model import Model, Prediction
from training.policy import POLICY, TierPolicy, policy_bytes, policy_from
from training.row_score import RowScorer
from training.scores import (
    NO_TIER,
    SMALLEST_P_ACTIVE,
    STORED_SCORES,
    STORED_STANDING,
    RowScore,
    Scores,
)
from training.spread import RUNGS, IntArray, Rung, Spread, rungs_of, spread_from, spread_to_numbers

NUMBERS = "release.json"
GOLDEN = "golden.json"
TREES = "trees"


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
    policy : TierPolicy
        Level, tiers, levels of churn, rules and playbook.
    spread : Spread or None
        Of outcomes around the expected value; None where it could not be learned.
    borderline_factors : tuple of float
        For each boundary, bottom to top: a value within this factor of it is borderline.
    model : Model
        What scores.
    lineage : dict
        Digests of data, configuration and code, versions, and the backtest's figures.
    extra_columns : tuple of str
        Features that the policy reads and the model does not.
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
    policy: TierPolicy
    model: Model
    lineage: dict[str, Any]
    spread: Spread | None = None
    borderline_factors: tuple[float, ...] = ()
    digest: str = ""
    extra_columns: tuple[str, ...] = ()
    stored_scores: ClassVar[tuple[str, ...]] = STORED_SCORES
    stored_standing: ClassVar[tuple[str, ...]] = STORED_STANDING
    row_score: ClassVar[type[RowScore]] = RowScore
    rungs: ClassVar[tuple[Rung, ...]] = RUNGS
    golden_rows: Array = field(default_factory=lambda: np.empty((0, 0)), compare=False, repr=False)

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers, bottom to top."""
        return self.policy.tiers

    @property
    def columns(self) -> tuple[str, ...]:
        """Catalogue features the release needs, in order."""
        return (*self.model.columns, *self.extra_columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Features that must be known."""
        return tuple(name for name in self.columns if name in _NEVER_MISSING)

    @property
    def boundaries(self) -> TierBoundaries:
        """The cuts between the tiers."""
        return self.policy.boundaries

    @property
    def borderlands(self) -> tuple[tuple[float, float], ...]:
        """For each boundary that has a factor: from and up to which value one is borderline."""
        return borderlands(self.boundaries.cuts, self.borderline_factors)

    def feature_snapshot(self) -> Snapshot:
        """Return the snapshot with which feature tables for this release are built."""
        return Snapshot(self.cutoff, self.feature_horizon_days, self.history_start)

    def score(self, features: Array) -> Scores:
        """Score rows of features in the order of `columns`, (n, len(columns)).

        A row's scores are the same to the last bit whether it is scored alone or among others.
        """
        matrix = FeatureMatrix(self.columns, np.ascontiguousarray(features, dtype=np.float64))
        prediction = self.policy.level.correct(self.model.predict(matrix))
        value_if_active = prediction.value / np.maximum(prediction.p_active, SMALLEST_P_ACTIVE)
        p_churn = 1.0 - prediction.p_active
        tier = self.boundaries.assign(prediction.value)
        risk = self.policy.risk_boundaries.assign(p_churn)
        n_positive = matrix["n_positive_days"]
        enough = n_positive >= self.minimum_orders
        rung = rungs_of(n_positive)
        low, high, probability = self._spread_of(rung, prediction, tier)
        return Scores(
            expected_value=prediction.value,
            p_churn=p_churn,
            value_if_active=value_if_active,
            value_at_risk=p_churn * value_if_active,
            tier=np.where(enough, tier, NO_TIER),
            risk=np.where(enough, risk, NO_TIER),
            expected_value_low90=low,
            expected_value_high90=high,
            rung=rung,
            tier_probability=probability,
            borderline=is_borderline(
                prediction.value, self.boundaries.cuts, self.borderline_factors
            ).astype(np.float64),
            lifecycle=self._states(matrix),
        )

    def _states(self, matrix: FeatureMatrix) -> NDArray[np.int64]:
        """Return where each customer stands; without a rule nobody is told."""
        rule = self.policy.lifecycle
        return np.full(len(matrix), NO_TIER, np.int64) if rule is None else rule.states(matrix)

    def _spread_of(
        self, rung: IntArray, prediction: Prediction, tier: IntArray
    ) -> tuple[Array, Array, Array]:
        """Return the ends of the intervals and the probability of each tier; NaN without a spread."""
        value, p_active, spread = prediction.value, prediction.p_active, self.spread
        if spread is None:
            unknown = np.full(len(value), np.nan)
            return unknown, unknown, unknown
        low, high = spread.intervals(rung, value, p_active)
        bounds = np.array([-np.inf, *self.boundaries.cuts, np.inf])
        below = spread.shares_below(rung, value, p_active, bounds[tier])
        return low, high, spread.shares_below(rung, value, p_active, bounds[tier + 1]) - below

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


def write_release(
    release: Release,
    golden_rows: Array,
    releases: Path,
    beside: Mapping[str, bytes] | None = None,
) -> Release:
    """Write a release to ``releases/DIGEST`` and return it as it will be loaded, with its digest.

    Parameters
    ----------
    release : Release
        Without a digest.
    golden_rows : array (n, len(columns))
        Rows whose answers are kept, to be reproduced at every load.
    releases : Path
        Folder of all releases.
    beside : mapping, optional
        Further files under the manifest, by name, such as the reference of drift.
    """
    files = dict(beside or {})
    files |= {f"{TREES}/{name}": text.encode() for name, text in release.model.to_texts().items()}
    files[NUMBERS] = json_bytes(_to_numbers(release))
    files[POLICY] = policy_bytes(release.policy)
    reloaded = _from_files(files)
    files[GOLDEN] = json_bytes(golden_answers(reloaded, golden_rows))
    digest = write_files(files, releases)
    return replace(reloaded, digest=digest, golden_rows=np.array(golden_rows, dtype=np.float64))


def with_policy(release: Release, policy: TierPolicy) -> Release:
    """Return the release under another policy, not yet written; see `rewrite_release`."""
    return replace(release, policy=policy, digest="")


def rewrite_release(folder: Path, policy: TierPolicy, releases: Path) -> Release:
    """Write the release of a folder under another policy: the same model files, another digest.

    Parameters
    ----------
    folder : Path
        Of the release whose model is kept, with every further file under its manifest.
    policy : TierPolicy
        The new one.
    releases : Path
        Folder of all releases.

    Raises
    ------
    ReleaseError
        As `load_release`.
    """
    release = load_release(folder)
    _, files = read_files(folder)
    own = {NUMBERS, POLICY, GOLDEN}
    beside = {
        name: content
        for name, content in files.items()
        if name not in own and not name.startswith(f"{TREES}/")
    }
    return write_release(with_policy(release, policy), release.golden_rows, releases, beside)


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
        release = replace(_from_files(files), digest=digest)
        golden = json.loads(files[GOLDEN])
        release = replace(release, golden_rows=golden_rows_of(golden))
        reproduced = reproduces_golden(release, golden)
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
    return {
        "source": release.source,
        "currency": release.currency,
        "cutoff": release.cutoff.isoformat(),
        "history_start": release.history_start.isoformat(),
        "horizon_days": release.horizon_days,
        "feature_horizon_days": release.feature_horizon_days,
        "season_unseen": release.season_unseen,
        "minimum_orders": release.minimum_orders,
        "extra_columns": list(release.extra_columns),
        "spread": spread_to_numbers(release.spread),
        "borderline_factors": list(release.borderline_factors),
        "model": release.model.to_numbers(),
        "lineage": release.lineage,
    }


def _from_files(files: Mapping[str, bytes]) -> Release:
    numbers, texts = json.loads(files[NUMBERS]), _texts_of(files)
    kind = numbers["model"]["kind"]
    model: Model
    if kind == "blend":
        model = blend_from(numbers["model"], texts)
    else:
        model = formula_from(numbers["model"])
    return Release(
        source=numbers["source"],
        currency=numbers["currency"],
        cutoff=date.fromisoformat(numbers["cutoff"]),
        history_start=date.fromisoformat(numbers["history_start"]),
        horizon_days=numbers["horizon_days"],
        feature_horizon_days=numbers["feature_horizon_days"],
        season_unseen=numbers["season_unseen"],
        minimum_orders=numbers["minimum_orders"],
        policy=policy_from(json.loads(files[POLICY])),
        model=model,
        extra_columns=tuple(numbers.get("extra_columns", ())),
        lineage=dict(numbers["lineage"]),
        spread=spread_from(numbers["spread"]),
        borderline_factors=tuple(numbers["borderline_factors"]),
    )


def _texts_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return {
        name.removeprefix(f"{TREES}/"): content.decode()
        for name, content in files.items()
        if name.startswith(f"{TREES}/")
    }
