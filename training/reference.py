"""The reference: what the world looked like to a release when it was made, frozen beside it. Pure.

``reference.json`` stands under the release's manifest. Drift is measured against its edges, so no
row that comes later can move them (one row at ten times the maximum leaves every bin where it
was). Beside the shares at the release's cutoff stand those of earlier cohorts on the same edges:
they say how far a column wanders by itself as a shop grows older, and what the same season looked
like a year before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ReleaseError
from features.sentiment.periods import TextPeriod
from training.boundaries import Tier
from training.models.matrix import Array, FeatureMatrix
from training.models.model import Model

FILE = "reference.json"
N_BINS = 10
ATOM_SHARE = 0.04  # a value that so many rows share has a bin of its own
MOST_ATOMS = 20
SHARE_DIGITS = 7
DERIVED_FROM = ("n_order_days", "days_since_last_order", "tenure_days")
"""What the buy-till-you-die expectations are made of: they bear the gains of those."""


@dataclass(frozen=True)
class Moment:
    """One cohort whose shares are kept.

    Attributes
    ----------
    cutoff : date
        Of the cohort.
    n_rows : int
        Its customers.
    """

    cutoff: date
    n_rows: int


@dataclass(frozen=True)
class ColumnReference:
    """One column on frozen edges.

    Attributes
    ----------
    name : str
        Of the feature or the score.
    importance : float
        Share of the model's gain; 0 for scores.
    edges : tuple of float
        Rising; a value at an edge belongs to the bin above it.
    shares : tuple of tuple of float
        One row a moment of `Reference.moments`: a share for each bin, the missing last.
    scale : float or None
        Median of the sizes of the values that are not 0; None where there are none.
    """

    name: str
    importance: float
    edges: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    scale: float | None


@dataclass(frozen=True)
class TierReference:
    """A tier's share of customers.

    Attributes
    ----------
    id : str
        Of the tier.
    shares : tuple of float
        At each moment, with the release's boundaries.
    low, high : float
        What was agreed: the least and the greatest share.
    """

    id: str
    shares: tuple[float, ...]
    low: float
    high: float


@dataclass(frozen=True)
class OrdersReference:
    """What a day of order lines looks like.

    Attributes
    ----------
    lines_per_day : float
        Mean of the newest quarter.
    day_range : tuple of float or None
        Least and greatest ratio, within a year, of a day's sales to the mean of the same weekday
        in the four weeks before; None where that is too few to tell.
    week_range : tuple of float or None
        The same for seven days against the four weeks before.
    duplicate_share : float
        Greatest share, on a day of thirty lines or more, of lines equal to an earlier one.
    median_amount : float
        Of a sale, currency.
    last_hour : float or None
        Hour by which all but a twentieth of days had their last line.
    null_shares : dict
        Share of missing values by column.
    kinds : dict
        Share of lines by column and name.
    """

    lines_per_day: float
    day_range: tuple[float, float] | None
    week_range: tuple[float, float] | None
    duplicate_share: float
    median_amount: float
    last_hour: float | None
    null_shares: dict[str, float]
    kinds: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Reference:
    """Everything drift is measured against.

    Attributes
    ----------
    cutoff : date
        Of the release.
    moments : tuple of Moment
        The release's own cohort first, then earlier ones, newest first.
    columns, scores : tuple of ColumnReference
        Features in the release's order; ``expected_value`` and ``p_churn``.
    tiers : tuple of TierReference
        Bottom to top.
    orders : OrdersReference or None
        Of the order lines, where they were looked at.
    texts : tuple of TextPeriod
        What reviews said in the spans of four weeks before, the newest first: scores, languages,
        lengths; empty without scored reviews.
    """

    cutoff: date
    moments: tuple[Moment, ...]
    columns: tuple[ColumnReference, ...]
    scores: tuple[ColumnReference, ...]
    tiers: tuple[TierReference, ...]
    orders: OrdersReference | None = None
    texts: tuple[TextPeriod, ...] = ()

    @property
    def n_rows(self) -> int:
        """Customers of the release's own cohort."""
        return self.moments[0].n_rows


def find_edges(values: Array) -> Array:
    """Return the inner edges of about ten bins of equal mass, frequent values in bins of their own.

    Parameters
    ----------
    values : array (n,)
        NaN and infinite values are left out.

    Examples
    --------
    >>> find_edges(np.arange(100.0)).tolist()
    [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]
    >>> len(find_edges(np.array([0.0, 0.0, 0.0, np.nan])))
    2
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return np.empty(0)
    levels = np.arange(1, N_BINS) / N_BINS
    cuts = np.quantile(known, levels, method="higher")
    distinct, counts = np.unique(known, return_counts=True)
    often = counts >= max(ATOM_SHARE * known.size, 2)
    ranked = np.argsort(-counts[often], kind="stable")[:MOST_ATOMS]
    atoms = distinct[often][ranked]
    return np.unique(np.concatenate([cuts, atoms, np.nextafter(atoms, np.inf)]))


def share_in_bins(values: Array, edges: Array) -> Array:
    """Return the share of rows in each bin, the missing (NaN or infinite) last; sums to 1.

    >>> share_in_bins(np.array([1.0, 5.0, 7.0, np.nan]), np.array([5.0])).tolist()
    [0.25, 0.5, 0.25]
    """
    known = values[np.isfinite(values)]
    place = np.searchsorted(edges, known, side="right")
    counts = np.bincount(place, minlength=len(edges) + 1).astype(np.float64)
    shares: Array = np.append(counts, len(values) - known.size) / max(len(values), 1)
    return shares


def describe_column(name: str, values: Sequence[Array], importance: float = 0.0) -> ColumnReference:
    """Freeze one column.

    Parameters
    ----------
    name : str
        Of the column.
    values : sequence of arrays
        Of each moment, the release's own first: the edges are made on that.
    importance : float
        Share of the model's gain.
    """
    edges = find_edges(values[0])
    known = values[0][np.isfinite(values[0]) & (values[0] != 0)]
    return ColumnReference(
        name,
        importance,
        tuple(edges.tolist()),
        tuple(
            tuple(np.round(share_in_bins(each, edges), SHARE_DIGITS).tolist()) for each in values
        ),
        float(np.median(np.abs(known))) if known.size else None,
    )


def read_importances(model: Model) -> dict[str, float]:
    """Return each column's share of the gain of a model's trees; equal shares without trees.

    Every booster counts alike. The gains of the buy-till-you-die expectations are borne, in equal
    parts, by the columns these are made of.
    """
    columns = model.columns
    total = dict.fromkeys(columns, 0.0)
    for text in model.to_texts().values():
        gains = _gains(text)
        whole = float(gains.sum())
        for place, gain in enumerate(gains.tolist()):
            bearers = [columns[place]] if place < len(columns) else list(DERIVED_FROM)
            for each in bearers:
                if each in total and whole > 0:
                    total[each] += gain / whole / len(bearers)
    whole = sum(total.values())
    if not whole:
        return dict.fromkeys(columns, 1 / max(len(columns), 1))
    return {name: round(gain / whole, SHARE_DIGITS) for name, gain in total.items()}


def _gains(text: str) -> Array:
    """Return the gain of each column of the trees' design: the features, then the expectations."""
    gains: Array = np.empty(0)
    split: NDArray[np.int64] = np.empty(0, np.int64)
    for line in text.splitlines():
        key, _, rest = line.partition("=")
        if key == "max_feature_idx":
            gains = np.zeros(int(rest) + 1)
        elif key == "split_feature":
            split = np.array(rest.split(), dtype=np.int64)
        elif key == "split_gain":
            np.add.at(gains, split, np.maximum(np.array(rest.split(), dtype=np.float64), 0))
    return gains


def reference_bytes(reference: Reference) -> bytes:
    """Return the reference as canonical JSON."""
    told = asdict(reference)
    text = json.dumps(told, sort_keys=True, allow_nan=False, default=date.isoformat)
    return text.encode()


def reference_from(content: bytes) -> Reference:
    """Rebuild a reference.

    Raises
    ------
    ReleaseError
        If it is not one.
    """
    try:
        told = json.loads(content)
        orders = told["orders"]
        return Reference(
            cutoff=date.fromisoformat(told["cutoff"]),
            moments=tuple(
                Moment(date.fromisoformat(each["cutoff"]), int(each["n_rows"]))
                for each in told["moments"]
            ),
            columns=tuple(map(_column_from, told["columns"])),
            scores=tuple(map(_column_from, told["scores"])),
            tiers=tuple(
                TierReference(**{**each, "shares": tuple(each["shares"])}) for each in told["tiers"]
            ),
            orders=None if orders is None else _orders_from(orders),
            texts=tuple(map(_period_from, told["texts"])),
        )
    except (ValueError, LookupError, TypeError) as cause:
        raise ReleaseError(
            f"{FILE} is no reference ({type(cause).__name__}: {cause}); expected that of a release",
            "train again: python -m training train",
        ) from cause


def _orders_from(told: Mapping[str, Any]) -> OrdersReference:
    ranges = {
        name: None if told[name] is None else tuple(told[name])
        for name in ("day_range", "week_range")
    }
    return OrdersReference(**{**told, **ranges})


def _period_from(told: Mapping[str, Any]) -> TextPeriod:
    days = {name: date.fromisoformat(told[name]) for name in ("first", "before")}
    shares = {name: tuple(told[name]) for name in ("score_shares", "length_shares")}
    return TextPeriod(**{**told, **days, **shares})


def _column_from(told: Mapping[str, Any]) -> ColumnReference:
    return ColumnReference(
        told["name"],
        told["importance"],
        tuple(told["edges"]),
        tuple(map(tuple, told["shares"])),
        told["scale"],
    )


def build_reference(
    cutoff: date,
    cohorts: Sequence[tuple[date, FeatureMatrix]],
    scores: Mapping[str, Sequence[Array]],
    tier_shares: Sequence[Sequence[float]],
    model: Model,
    tiers: Sequence[Tier],
    limits: Mapping[str, tuple[float, float]],
    orders: OrdersReference | None,
    texts: Sequence[TextPeriod] = (),
) -> Reference:
    """Freeze what a release was made on.

    Parameters
    ----------
    cutoff : date
        Of the release.
    cohorts : sequence of (date, FeatureMatrix)
        The release's own first, then earlier ones; all with the model's columns.
    scores : mapping
        By name, the scores of the release on each cohort.
    tier_shares : sequence
        For each cohort the share of each tier.
    model : Model
        Whose gains weigh the columns.
    tiers : sequence of Tier
        Bottom to top.
    limits : mapping
        Agreed least and greatest share by id of the tier.
    orders : OrdersReference or None
        Of the order lines.
    texts : sequence of TextPeriod
        Of the reviews, the newest span first.
    """
    importances = read_importances(model)
    return Reference(
        cutoff=cutoff,
        moments=tuple(Moment(at, len(matrix)) for at, matrix in cohorts),
        columns=tuple(
            describe_column(name, [matrix[name] for _, matrix in cohorts], importances[name])
            for name in model.columns
        ),
        scores=tuple(describe_column(name, list(values)) for name, values in scores.items()),
        tiers=tuple(
            TierReference(
                tier.id,
                tuple(round(float(row[place]), SHARE_DIGITS) for row in tier_shares),
                *limits.get(tier.id, (0.0, 1.0)),
            )
            for place, tier in enumerate(tiers)
        ),
        orders=orders,
        texts=tuple(texts),
    )
