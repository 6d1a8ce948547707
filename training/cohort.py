"""A cohort: the customers known at one cutoff, their features, and their outcomes once matured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.config import FeatureSettings
from features.leaks import check_no_leaks
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import Tables
from training.labels import build_labels, floor_at_zero
from training.leaks import check_no_answer
from training.models.matrix import Array, FeatureMatrix


@dataclass(frozen=True)
class Cohort:
    """Everybody known at a cutoff.

    Attributes
    ----------
    snapshot : Snapshot
        Its cutoff and horizon.
    customer_ids : tuple of str
        Sorted.
    features : FeatureMatrix
        One row a customer, in catalogue order.
    net_value : array (n,) or None
        Signed net value in the outcome window; None where it has not matured.
    feature_horizon_days : int
        Horizon with which the features were built.
    """

    snapshot: Snapshot
    customer_ids: tuple[str, ...]
    features: FeatureMatrix
    net_value: Array | None = None
    feature_horizon_days: int = 0

    def __len__(self) -> int:
        return len(self.customer_ids)

    @property
    def value(self) -> Array:
        """Net value in the outcome window, floored at 0."""
        if self.net_value is None:
            raise ValueError(f"the outcomes of {self.snapshot.cutoff} have not matured")
        return floor_at_zero(self.net_value)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Whether each customer brought value in the outcome window."""
        return self.value > 0


def matrix_of(frame: pd.DataFrame, columns: Sequence[str]) -> FeatureMatrix:
    """Return the named columns of a feature table as a matrix."""
    values = np.ascontiguousarray(frame[list(columns)].to_numpy(dtype=np.float64))
    return FeatureMatrix(tuple(columns), values)


@dataclass(frozen=True)
class CohortSource:
    """Where cohorts come from: the validated tables, and the store their features are kept in.

    Attributes
    ----------
    tables : Tables
        Validated tables of one source.
    state : Path
        Folder of all results; feature tables are kept below it.
    settings : FeatureSettings
        How feature tables are computed.
    """

    tables: Tables
    state: Path
    settings: FeatureSettings

    def cohort(self, snapshot: Snapshot, outcome: Snapshot | None = None) -> Cohort:
        """Return the cohort at `snapshot`, without outcomes.

        Parameters
        ----------
        snapshot : Snapshot
            With which features are built.
        outcome : Snapshot, optional
            The outcome window where its horizon differs from that of the features.
        """
        frame = read_or_build_features(self.tables, snapshot, self.settings, self.state)
        columns = [name for name in frame.columns if name != "customer_id"]
        return Cohort(
            outcome or snapshot,
            tuple(frame["customer_id"]),
            matrix_of(frame, columns),
            feature_horizon_days=snapshot.horizon_days,
        )

    def check(self, cohort: Cohort, meant: Collection[str]) -> None:
        """Refuse a labelled cohort of which a column knows what came at or after its cutoff.

        Raises
        ------
        InputError
            Naming the columns that change when the rows after the cutoff are removed, or the
            shop's own column that tells the outcome alone and is not in `meant`.
        """
        frame = pd.DataFrame(cohort.features.values, columns=list(cohort.features.columns))
        frame.insert(0, "customer_id", list(cohort.customer_ids))
        snapshot = replace(cohort.snapshot, horizon_days=cohort.feature_horizon_days)
        check_no_leaks(self.tables, snapshot, frame, self.settings)
        check_no_answer(cohort.features.columns, cohort.features.values, cohort.active, meant)

    def labelled(self, cohort: Cohort, known_before: date) -> Cohort:
        """Return a cohort with its outcomes as they were known before a day.

        Raises
        ------
        InputError
            If they had not matured by then.
        """
        labels = build_labels(self.tables, cohort.snapshot, cohort.customer_ids, known_before)
        return replace(cohort, net_value=labels.to_numpy(dtype=np.float64))
