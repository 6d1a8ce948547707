"""What every model of the house is: features in, value and activity out, on any number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from training.models.matrix import Array, FeatureMatrix


@dataclass(frozen=True)
class Prediction:
    """What a model says of each customer.

    Attributes
    ----------
    value : array (n,)
        Expected net value in the outcome window, in currency; its order is the ranking.
    p_active : array (n,)
        Probability of a positive net value in the outcome window.
    """

    value: Array
    p_active: Array


class Model(Protocol):
    """A fitted model; the learned one and every baseline."""

    @property
    def name(self) -> str:
        """Name in reports, such as ``blend`` or ``past_spend_rate``."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Catalogue features it reads, in order."""

    def predict(self, features: FeatureMatrix) -> Prediction:
        """Score rows; a row's answer does not depend on the other rows."""

    def to_numbers(self) -> dict[str, Any]:
        """Return everything that is not a tree, as JSON values."""

    def to_texts(self) -> dict[str, str]:
        """Return LightGBM texts by file name."""
