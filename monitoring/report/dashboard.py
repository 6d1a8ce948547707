"""What was decided, drawn over time: an Evidently workspace of the verdicts' own numbers.

A verdict becomes one run whose metrics are the verdict's numbers as they stand in its file, so the
picture cannot say anything else than what was decided on. Evidently's own reports are drawn on
samples beside them, for people who look for the cause.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.durable import write_durably
from monitoring.report.numbers import Number, list_numbers
from training.models.matrix import Array

WORKSPACE = "workspace"
PAGES = "pages"
PROJECT = "Tierwise"
DRAWN = "drawn.json"
METRIC = "VerdictNumber"
TABS = ("Decisions", "Performance", "Drift", "Scores and tiers", "Reviews", "Answers", "Data")
"""In the order in which one looks at them."""
MOST_ROWS = 5000


def draw_verdicts(
    verdicts: Sequence[Mapping[str, Any]], folder: Path, tell: Callable[[str], None]
) -> Path:
    """Add the verdicts that are not drawn yet to the workspace below a folder; return it.

    Parameters
    ----------
    verdicts : sequence of dict
        As they were written, the oldest first.
    folder : Path
        ``state/monitoring``.
    tell : callable
        Is told each verdict.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.ui.workspace import Workspace

    from monitoring.report.number import VerdictNumber

    path, list_path = folder / WORKSPACE, folder / WORKSPACE / DRAWN
    drawn = _read_drawn(list_path)
    if not drawn["runs"]:
        shutil.rmtree(path, ignore_errors=True)
    workspace = Workspace.create(str(path))
    if drawn["project"] is None:
        drawn["project"] = str(workspace.create_project(PROJECT).id)
    project = workspace.get_project(drawn["project"])
    for told in verdicts:
        key = f"{told['as_of']}-{told['release'][:12]}"
        if key in drawn["runs"]:
            continue
        tell(f"drawing {key}")
        numbers = list_numbers(told)
        names = [each.name for each in numbers]
        frame = pd.DataFrame([{each.name: float(each.value) for each in numbers}])
        definition = DataDefinition(numerical_columns=names)
        snapshot = Report(
            [VerdictNumber(column=name) for name in names],
            tags=[str(told["act"])],
            metadata={"release": told["release"], "reasons": "; ".join(told["reasons"])},
        ).run(
            Dataset.from_pandas(frame, data_definition=definition),
            None,
            timestamp=datetime.fromisoformat(told["as_of"]),
            name=f"{told['as_of']}: {told['act']}",
        )
        workspace.add_run(project.id, snapshot)
        drawn["runs"].append(key)
        _merge_panels(numbers, drawn["panels"])
        _save_panels(workspace, project.id, drawn["panels"])
        write_durably(list_path, json.dumps(drawn).encode())
    return path


def _read_drawn(path: Path) -> dict[str, Any]:
    """Return what is drawn already; nothing where it was drawn by an earlier form of this module."""
    if path.is_file():
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if told.get("metric") == METRIC:
            return told
    return {"runs": [], "panels": {}, "project": None, "metric": METRIC}


def _save_panels(workspace: Any, project_id: Any, known: Mapping[str, list[str]]) -> None:
    """Write the dashboard anew: tabs and panels in the order in which one looks at them.

    Parameters
    ----------
    workspace, project_id
        Evidently's.
    known : mapping
        For each ``TAB/PANEL`` the names of its numbers.
    """
    from evidently.sdk.models import DashboardModel, DashboardTabModel, PanelMetric
    from evidently.sdk.panels import DashboardPanelPlot

    tabs: dict[str, list[Any]] = {tab: [] for tab in TABS}
    for key, names in known.items():
        tab, _, title = key.partition("/")
        values = [
            PanelMetric(legend=name, metric=METRIC, metric_labels={"column": name})
            for name in names
        ]
        tabs.setdefault(tab, []).append(
            DashboardPanelPlot(
                title=title,
                subtitle=f"{tab}: as decided on",
                size="half",
                values=values,
                plot_params={"plot_type": "line"},
            )
        )
    model = DashboardModel(
        tabs=[
            DashboardTabModel(title=tab, panels=[each.id for each in panels])
            for tab, panels in tabs.items()
            if panels
        ],
        panels=[each for panels in tabs.values() for each in panels],
    )
    workspace.save_dashboard(project_id, model)


def _merge_panels(numbers: Sequence[Number], known: dict[str, list[str]]) -> None:
    """Add to the panels what a verdict shows and no verdict before it did."""
    for each in numbers:
        names = known.setdefault(f"{each.tab}/{each.panel}", [])
        if each.name not in names:
            names.append(each.name)


def write_drift_page(current: Array, reference: Array, columns: Sequence[str], path: Path) -> Path:
    """Write Evidently's drift report of two samples as one HTML file that works offline.

    Parameters
    ----------
    current, reference : array (n, len(columns))
        Rows of features; at most `MOST_ROWS`, evenly spread, are drawn.
    columns : sequence of str
        Their names; columns without a value on either side are left out.
    path : Path
        The file to write.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    frames = [pd.DataFrame(_sample(rows), columns=list(columns)) for rows in (current, reference)]
    kept = [name for name in columns if all(frame[name].notna().any() for frame in frames)]
    definition = DataDefinition(numerical_columns=kept)
    datasets = [Dataset.from_pandas(f[kept], data_definition=definition) for f in frames]
    return _write(Report([DataDriftPreset()]).run(*datasets), path)


def write_matured_pages(outcome: Array, value: Array, p_active: Array, folder: Path) -> list[Path]:
    """Write the regression and the classification report of a matured cohort.

    Parameters
    ----------
    outcome, value, p_active : array (n,)
        Net value, expected value (currency), and probability of activity.
    folder : Path
        Where the pages go.
    """
    from evidently import BinaryClassification, DataDefinition, Dataset, Regression, Report
    from evidently.presets import ClassificationPreset, RegressionPreset

    rows = _places(len(outcome))
    frame = pd.DataFrame(
        {
            "outcome": np.maximum(outcome[rows], 0),
            "value": value[rows],
            "active": (outcome[rows] > 0).astype(int),
            "p_active": p_active[rows],
        }
    )
    regression = DataDefinition(
        numerical_columns=["outcome", "value"],
        regression=[Regression(target="outcome", prediction="value")],
    )
    classification = DataDefinition(
        categorical_columns=["active"],
        numerical_columns=["p_active"],
        classification=[
            BinaryClassification(target="active", prediction_probas="p_active", pos_label=1)
        ],
    )
    pages = []
    for name, definition, preset in (
        ("regression", regression, RegressionPreset()),
        ("classification", classification, ClassificationPreset()),
    ):
        dataset = Dataset.from_pandas(frame, data_definition=definition)
        pages.append(_write(Report([preset]).run(dataset, None), folder / f"{name}.html"))
    return pages


def _sample(rows: Array) -> Array:
    return np.asarray(rows[_places(len(rows))])


def _places(n: int) -> Any:
    return np.unique(np.linspace(0, n - 1, min(MOST_ROWS, n)).round().astype(np.int64))


def _write(snapshot: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, snapshot.get_html_str(as_iframe=False).encode())
    return path
