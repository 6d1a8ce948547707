"""A LightGBM model as it is served: parsed from its text by the library itself, without its wrapper.

The Python package of LightGBM imports pandas, scikit-learn and scipy, which takes seconds; a
service needs nothing but the shared library beside it. The functions called are those that
``lightgbm.Booster`` calls, so the scores are the same to the last bit. For one row there is
LightGBM's fast path, which prepares everything but the row once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from training.models.matrix import Array

FLOAT64 = 1  # C_API_DTYPE_FLOAT64
RAW_SCORE = 1  # C_API_PREDICT_RAW_SCORE
ROW_MAJOR = 1
ALL_ITERATIONS = -1
PARAMETERS = b"num_threads=1"
LIBRARY_NAMES = ("lib_lightgbm.so", "lib_lightgbm.dylib")


class BoosterError(Exception):
    """LightGBM refused a model or a matrix; the message is its own."""


class AnyBooster(Protocol):
    """What is asked of a booster: one from a text, or one of ``lightgbm`` that was just trained."""

    def predict(self, data: Array, *, raw_score: bool, num_threads: int) -> Any:
        """Return the raw scores (n,) of the rows of a matrix."""

    def model_to_string(self, *, num_iteration: int) -> str:
        """Return the model's text."""


@cache
def _libraries() -> tuple[ctypes.CDLL, ctypes.PyDLL]:
    """Return LightGBM's library twice: calls that let other threads run, and calls that do not.

    One row takes a few microseconds; giving up the interpreter for it would let any other thread
    stand between a request and its answer.
    """
    spec = find_spec("lightgbm")
    for folder in spec.submodule_search_locations or () if spec else ():
        for name in LIBRARY_NAMES:
            path = Path(folder) / "lib" / name
            if path.is_file():
                library = ctypes.CDLL(str(path))
                library.LGBM_GetLastError.restype = ctypes.c_char_p
                return library, ctypes.PyDLL(str(path))
    raise BoosterError("no shared library of lightgbm; expected the package to be installed")


def _check(library: ctypes.CDLL, status: int) -> None:
    if status != 0:
        raise BoosterError(library.LGBM_GetLastError().decode(errors="replace"))


class TextBooster:
    """A booster parsed from LightGBM's text.

    Parameters
    ----------
    text : str
        As `lightgbm.Booster.model_to_string` gives it. The parser is not safe against a text that
        was tampered with: the caller has checked its digest.

    Raises
    ------
    BoosterError
        If LightGBM does not take it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._library, self._holding = _libraries()
        self._handle = ctypes.c_void_p()
        n_iterations = ctypes.c_int(0)
        _check(
            self._library,
            self._library.LGBM_BoosterLoadModelFromString(
                ctypes.c_char_p(text.encode()),
                ctypes.byref(n_iterations),
                ctypes.byref(self._handle),
            ),
        )
        width = ctypes.c_int(0)
        _check(
            self._library,
            self._library.LGBM_BoosterGetNumFeature(self._handle, ctypes.byref(width)),
        )
        self.n_columns: int = width.value

    def __del__(self) -> None:
        if self.__dict__.get("_handle"):
            self._library.LGBM_BoosterFree(self._handle)

    def predict(self, data: Array, *, raw_score: bool, num_threads: int) -> Array:
        """Return the raw scores (n,) of the rows of a matrix, on one thread."""
        if not raw_score or num_threads != 1:
            raise BoosterError("only raw scores on one thread are served")
        values = np.ascontiguousarray(data, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_columns:
            raise BoosterError(f"a matrix of shape {values.shape}; expected (n, {self.n_columns})")
        scores = np.empty(len(values))
        n_scores = ctypes.c_int64(0)
        _check(
            self._library,
            self._library.LGBM_BoosterPredictForMat(
                self._handle,
                ctypes.c_void_p(values.ctypes.data),
                ctypes.c_int(FLOAT64),
                ctypes.c_int32(values.shape[0]),
                ctypes.c_int32(values.shape[1]),
                ctypes.c_int(ROW_MAJOR),
                ctypes.c_int(RAW_SCORE),
                ctypes.c_int(0),
                ctypes.c_int(ALL_ITERATIONS),
                ctypes.c_char_p(PARAMETERS),
                ctypes.byref(n_scores),
                ctypes.c_void_p(scores.ctypes.data),
            ),
        )
        if n_scores.value != len(scores):
            raise BoosterError(
                f"{n_scores.value} scores for {len(scores)} rows; expected one a row"
            )
        return scores

    def model_to_string(self, *, num_iteration: int = ALL_ITERATIONS) -> str:
        """Return the text it was parsed from."""
        return self._text


class OneRow:
    """Raw scores of one row by several boosters, through LightGBM's fast path for a single row.

    Parameters
    ----------
    boosters : sequence of TextBooster
        All of the same number of columns; they are kept alive.

    Attributes
    ----------
    row : array (n_columns,)
        Where the caller writes the row before `predict`.

    Notes
    -----
    The buffers are its own: one instance belongs to one thread.
    """

    def __init__(self, boosters: Sequence[TextBooster]) -> None:
        self._boosters = tuple(boosters)
        library, holding = _libraries()
        self._library = library
        self.row = np.zeros(self._boosters[0].n_columns)
        self._scores = np.zeros(len(self._boosters))
        self._n_scores = ctypes.c_int64(0)
        self._configurations: list[ctypes.c_void_p] = []
        for booster in self._boosters:
            if booster.n_columns != len(self.row):
                raise BoosterError("boosters of different widths; expected one design")
            configuration = ctypes.c_void_p()
            _check(
                library,
                library.LGBM_BoosterPredictForMatSingleRowFastInit(
                    booster._handle,
                    ctypes.c_int(RAW_SCORE),
                    ctypes.c_int(0),
                    ctypes.c_int(ALL_ITERATIONS),
                    ctypes.c_int(FLOAT64),
                    ctypes.c_int32(booster.n_columns),
                    ctypes.c_char_p(PARAMETERS),
                    ctypes.byref(configuration),
                ),
            )
            self._configurations.append(configuration)
        self._call = holding.LGBM_BoosterPredictForMatSingleRowFast
        source, n_scores = ctypes.c_void_p(self.row.ctypes.data), ctypes.byref(self._n_scores)
        first = self._scores.ctypes.data
        self._arguments = [
            (each, source, n_scores, ctypes.c_void_p(first + place * self._scores.itemsize))
            for place, each in enumerate(self._configurations)
        ]

    def __del__(self) -> None:
        for configuration in self.__dict__.get("_configurations", ()):
            self._library.LGBM_FastConfigFree(configuration)

    def predict(self) -> list[float]:
        """Return the raw score of `row` by each booster."""
        call = self._call
        for arguments in self._arguments:
            if call(*arguments):
                _check(self._library, -1)
        scores: list[float] = self._scores.tolist()
        return scores
