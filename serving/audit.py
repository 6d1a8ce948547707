"""Unpickling made impossible for the rest of a process: a pickle runs whatever its maker wished."""

from __future__ import annotations

import sys
from typing import Any

FORBIDDEN_EVENT = "pickle.find_class"


class UnpicklingError(RuntimeError):
    """Something tried to unpickle an object in the service."""


def forbid_unpickling() -> None:
    """Refuse every class and function that a pickle names, whoever reads it; there is no way back."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == FORBIDDEN_EVENT:
        module, name = arguments
        raise UnpicklingError(f"a pickle named {module}.{name}; the service never unpickles")
