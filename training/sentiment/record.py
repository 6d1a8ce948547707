"""What a learned head reached, in MLflow: a run a candidate, figures and confusion, never a text."""

from __future__ import annotations

import tempfile
from pathlib import Path

from training.registry import Registry
from training.sentiment.own import OwnHead

CELLS = ("true_positive", "false_positive", "false_negative", "true_negative")


def record_head(own: OwnHead, source: str, registry: Registry) -> None:
    """Log one parent run with a nested run a candidate."""
    with registry.run(f"sentiment-head {source} {own.head.known_before}"):
        for name, by_language in own.measured.items():
            with (
                registry.run(name, nested=True),
                tempfile.TemporaryDirectory(prefix="tierwise-") as scratch,
            ):
                metrics = {
                    f"{language}.{key}": value
                    for language, told in by_language.items()
                    for key, value in told.items()
                    if key not in CELLS
                }
                registry.log(metrics=metrics, tags={"model": name, "source": source})
                draw_confusion(by_language, name, Path(scratch) / "confusion.png")
                registry.log_folder(Path(scratch), "report")
        registry.log(
            parameters={"source": source, "known_before": own.head.known_before},
            metrics={"n_verdicts": own.n_verdicts},
            tags={"source": source, "head": own.head.digest},
        )
        voices = {name: list(voice.members) for name, voice in own.head.voices.items()}
        registry.log_json(voices, "voices.json")


def draw_confusion(by_language: dict[str, dict[str, float]], title: str, path: Path) -> None:
    """Draw the four cells of each language side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(by_language), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for i, (language, told) in enumerate(by_language.items(), start=1):
        axes = figure.add_subplot(1, len(by_language), i)
        cells = [
            [told["true_negative"], told["false_positive"]],
            [told["false_negative"], told["true_positive"]],
        ]
        axes.imshow(cells, cmap="Blues")
        darkest = max(map(max, cells))
        for row in range(2):
            for column in range(2):
                n = cells[row][column]
                color = "white" if n > darkest / 2 else "black"
                axes.text(column, row, f"{n:.0f}", ha="center", va="center", color=color)
        axes.set_xticks([0, 1], ["negative", "positive"])
        axes.set_yticks([0, 1], ["negative", "positive"])
        axes.set_xlabel("predicted")
        axes.set_ylabel("stars")
        axes.set_title(language)
    figure.savefig(path, dpi=100)
