"""What a benchmark leaves behind: one JSON with its figures, and which goals they reach."""

from __future__ import annotations

import json
import operator
import os
import platform
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

GOALS = Path(__file__).with_name("goals.toml")
LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "duckdb")
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
}


def write_benchmark(name: str, figures: Mapping[str, Any], seed: int, state: Path) -> Path:
    """Write ``state/bench/NAME.json`` and print every goal with its value.

    Parameters
    ----------
    name : str
        Of the benchmark, as in goals.toml.
    figures : mapping
        A tree of plain numbers and names.
    seed : int
        Of every random step.
    state : Path
        Folder of all results.
    """
    goals = evaluate_goals(name, figures, tomllib.loads(GOALS.read_text(encoding="utf-8")))
    told = {
        "commit": _commit(),
        "machine": {"cores": os.cpu_count(), "machine": platform.machine()},
        "versions": {"python": platform.python_version()} | {n: version(n) for n in LIBRARIES},
        "seed": seed,
        "figures": figures,
        "goals": goals,
    }
    path = state / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for goal in goals:
        verdict = "holds" if goal["holds"] else "MISSED"
        print(f"  {verdict:7} {goal['path']} = {goal['value']} {goal['op']} {goal['limit']}")
    print(f"wrote {path}")
    return path


def evaluate_goals(
    name: str, figures: Mapping[str, Any], goals: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the goals of a benchmark with the value each path has, and whether it holds.

    A path that the figures do not have is a missed goal with the value None.

    >>> goals = {"goal": [{"bench": "b", "path": "*.x", "op": ">=", "limit": 2}]}
    >>> [g["holds"] for g in evaluate_goals("b", {"p": {"x": 3}, "q": {"x": 1}}, goals)]
    [True, False]
    """
    rows = []
    for goal in goals["goal"]:
        if goal["bench"] != name:
            continue
        found = list(_values(figures, goal["path"].split("."), ())) or [(goal["path"], None)]
        for path, value in found:
            holds = value is not None and OPERATORS[goal["op"]](value, goal["limit"])
            rows.append(
                {
                    "path": path,
                    "op": goal["op"],
                    "limit": goal["limit"],
                    "value": value,
                    "holds": holds,
                }
            )
    return rows


def _values(
    tree: Any, path: list[str], walked: tuple[str, ...]
) -> Iterator[tuple[str, float | None]]:
    """Yield (path, value) of each place that `path` names; "*" stands for every key that fits."""
    if not path:
        yield ".".join(walked), tree
        return
    head, rest = path[0], path[1:]
    if not isinstance(tree, Mapping):
        return
    keys = tree if head == "*" else [head] if head in tree else []
    for key in keys:
        yield from _values(tree[key], rest, (*walked, key))


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
