"""What is said of a feature, and the sources that features name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal[
    "rfm", "cadence", "window", "decay", "season", "returns", "basket", "habit", "price", "mix",
    "opinion", "interaction", "own",
]  # fmt: skip

RFM = "RFM, Hughes 1994"
BTYD = "BG/NBD, Fader, Hardie and Lee 2005"
GAMMA_GAMMA = "Gamma-Gamma, Fader and Hardie 2013"
PARTIAL_DEFECTION = "partial defection, Buckinx and Van den Poel 2005"
EXPONENTIAL = "exponential smoothing, Brown 1959"
SEASONAL_NAIVE = "seasonal naive forecast, Hyndman and Athanasopoulos 2021"
CIRCULAR = "mean resultant length, Mardia and Jupp 2000"
CONCENTRATION = "concentration index, Herfindahl 1950"
HOUSE = "Tierwise"


@dataclass(frozen=True)
class Feature:
    """One column of the feature table.

    Attributes
    ----------
    name : str
        Column name.
    unit : str
        Unit of the values; ``currency`` is the currency of the source.
    meaning : str
        One sentence, with when the value is unknown (NaN).
    source : str
        Where the method comes from.
    monotone : int
        Sign that its effect on the value is held to: +1 up, -1 down, 0 free.
    family : str
        The room it belongs to.
    needs : str
        What a source must have told before the cutoff for it to be known of anybody: a column of
        order_lines or reviews, a table, or a kind of interaction; empty: nothing more.
    window_days : int
        Length of its fixed window; of a history that is much shorter it is unknown.
    """

    name: str
    unit: str
    meaning: str
    source: str
    monotone: Literal[-1, 0, 1]
    family: Family
    needs: str = ""
    window_days: int = 0
