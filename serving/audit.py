"""What a process that serves never does, enforced by the interpreter itself for the rest of its life.

It never unpickles: a pickle runs whatever its maker wished. It never imports the libraries that
training needs: they cost seconds, in which an answer waits, and tens of megabytes. pyarrow, for one,
would import pandas when the first segment of the prediction log is written; refused, it does without.
"""

from __future__ import annotations

import sys
from typing import Any

UNPICKLING = "pickle.find_class"
IMPORTING = "import"
NEVER_IMPORTED = frozenset({"pandas", "mlflow", "sklearn", "torch", "evidently", "ibis", "duckdb"})


class UnpicklingError(RuntimeError):
    """Something tried to unpickle an object in the service."""


def harden_interpreter() -> None:
    """Refuse what a pickle names, whoever reads it, and imports of training's libraries.

    There is no way back. What is imported already stays.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == UNPICKLING:
        module, name = arguments
        raise UnpicklingError(f"a pickle named {module}.{name}; the service never unpickles")
    if event == IMPORTING and arguments[0] in NEVER_IMPORTED:
        raise ImportError(f"the service never imports {arguments[0]}", name=arguments[0])
