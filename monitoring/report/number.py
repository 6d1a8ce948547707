"""A number of a verdict as Evidently's metric: its value, shown as it is.

Evidently's own metrics of a column draw the distribution of its values with each value; of the one
number that a verdict holds that is a picture of one bar, and drawing it takes a hundred times as
long as everything else.
"""

from __future__ import annotations

from evidently.core.datasets import Dataset
from evidently.core.metric_types import (
    ColumnMetric,
    SingleValue,
    SingleValueCalculation,
    SingleValueMetric,
)
from evidently.core.report import Context


class VerdictNumber(ColumnMetric, SingleValueMetric):  # type: ignore[misc]
    """The only value of a column."""


class VerdictNumberCalculation(SingleValueCalculation[VerdictNumber]):  # type: ignore[misc]
    """Takes the value from the frame of one row; Evidently finds it by its parameter."""

    def calculate(
        self, context: Context, current_data: Dataset, reference_data: Dataset | None
    ) -> SingleValue:
        """Return the value."""
        (value,) = current_data.column(self.metric.column).data
        return self.result(float(value))

    def display_name(self) -> str:
        """Return the number's own name."""
        return str(self.metric.column)
