"""Models that are nothing but their positive parameters, and arrays of floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import InputError

FloatArray = NDArray[np.float64]

_Model = TypeVar("_Model", bound="Parameters")


class Parameters:
    """Models that are nothing but their positive parameters: to and from a plain dict."""

    def to_dict(self) -> dict[str, float]:
        """Return the parameters by name, as plain floats that JSON keeps exactly."""
        return {name: float(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls: type[_Model], values: Mapping[str, float]) -> _Model:
        """Make the model from ``to_dict``'s answer.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or not a finite number above 0.
        """
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        good = sorted(values) == sorted(names) and all(
            np.isfinite(value) and value > 0 for value in values.values()
        )
        if not good:
            raise InputError(
                f"parameters of {cls.__name__} are {dict(values)}; expected {', '.join(names)}, "
                "each finite and above 0",
                "train again: the stored model is damaged",
            )
        return cls(**{name: float(values[name]) for name in names})


def floats(*values: ArrayLike) -> tuple[FloatArray, ...]:
    """Return each value as an array of float64."""
    return tuple(np.asarray(value, np.float64) for value in values)
