"""From a table of customers under contract to a matrix: numbers, and one column a category's value.

What a design knows (the values of each category) is learned on the rows a model is fitted on; any
other value, and none, is the explicit unknown ``NAME=?``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.contract.table import ContractTable
from features.errors import InputError, did_you_mean
from training.models.matrix import FeatureMatrix

UNKNOWN = "?"
FEWEST_OF_A_LEVEL = 5  # a rarer value of a category is unknown


@dataclass(frozen=True)
class Design:
    """How raw columns become a matrix.

    Attributes
    ----------
    numbers : tuple of str
        Columns taken as they are, NaN where missing.
    levels : dict of str to tuple of str
        The known values of each category, sorted.
    """

    numbers: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the matrix's columns: numbers, then ``NAME=value`` and ``NAME=?``."""
        return self.numbers + tuple(
            one_hot(name, level)
            for name, known in self.levels.items()
            for level in (*known, UNKNOWN)
        )

    def matrix(self, numbers: pd.DataFrame, categories: pd.DataFrame) -> FeatureMatrix:
        """Return the matrix of some rows; a row's numbers do not depend on the other rows.

        Parameters
        ----------
        numbers, categories : DataFrame
            As of `ContractTable`; further columns are left out.

        Raises
        ------
        InputError
            If a column is missing.
        """
        for name in (*self.numbers, *self.levels):
            there = numbers.columns if name in self.numbers else categories.columns
            if name not in there:
                raise InputError(
                    f'the table has no column "{name}"; {did_you_mean(name, map(str, there))}',
                    "ingest the source as it was declared when the release was trained, or train again",
                )
        parts = [numbers[[*self.numbers]].to_numpy(dtype=np.float64)]
        for name, known in self.levels.items():
            place = pd.Index(known).get_indexer(pd.Index(categories[name].astype(object)))
            place = np.where(place < 0, len(known), place)
            parts.append(np.eye(len(known) + 1)[place])
        return FeatureMatrix(self.columns, np.ascontiguousarray(np.hstack(parts)))

    def to_numbers(self) -> dict[str, Any]:
        """Return the design as JSON values; a list keeps the order of the columns."""
        return {"numbers": self.numbers, "levels": list(self.levels.items())}


def one_hot(name: str, level: str) -> str:
    """Return the name of the column of one value of a category."""
    return f"{name}={level}"


def design_from(told: Mapping[str, Any]) -> Design:
    """Return the design of `Design.to_numbers`."""
    levels = {name: tuple(known) for name, known in told["levels"]}
    return Design(tuple(told["numbers"]), levels)


def learn_design(table: ContractTable) -> Design:
    """Learn which values each category has, of those that several customers bear."""
    levels = {}
    for name in table.categories.columns:
        counts = table.categories[name].value_counts()
        levels[str(name)] = tuple(sorted(counts.index[counts >= FEWEST_OF_A_LEVEL]))
    return Design(tuple(map(str, table.numbers.columns)), levels)
