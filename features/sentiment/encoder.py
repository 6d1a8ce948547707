"""Texts to vectors with an exported model: tokenizers and onnxruntime, without torch.

A model folder holds ``tokenizer.json``, the graph ``model.onnx`` and ``manifest.json``, which says
how texts are prepared and has the sha256 of both; nothing in it is executed but the graph.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.durable import write_durably
from features.errors import InputError

MANIFEST, GRAPH, TOKENIZER = "manifest.json", "model.onnx", "tokenizer.json"
TOKENS_A_BATCH = 512
"""Padding included; what was fastest on one thread, 256 to 2,048 tried (decision 15)."""
SLOW_FUSION = "SkipLayerNormFusion"
"""An optimisation of onnxruntime that takes a quarter of the time of an int8 run, so left off."""
REBUILD = "make it again: make sentiment-base"

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Manifest:
    """What a model folder says of itself.

    Attributes
    ----------
    name : str
        What people call it.
    weights : str
        sha256 of the weights that it was made of; heads name it.
    graph, tokenizer : str
        sha256 of the two files.
    prefix : str
        Laid before every text; e5 models want ``"query: "`` and fail silently without.
    max_tokens : int
        Tokens that are read of a text.
    pad_id : int
        Token that batches are filled up with.
    labels : tuple of str
        ``negative``, ``neutral`` and ``positive`` in the order of the output of a model that
        classifies by itself; empty of one that gives vectors.
    notes : dict
        What was measured when it was accepted.
    """

    name: str
    weights: str
    graph: str
    tokenizer: str
    prefix: str
    max_tokens: int
    pad_id: int
    labels: tuple[str, ...]
    notes: dict[str, float]

    @property
    def digest(self) -> str:
        """The sha256 of all that decides a vector; vectors are kept under it."""
        told = {name: value for name, value in asdict(self).items() if name != "notes"}
        told["tokens_a_batch"] = TOKENS_A_BATCH
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, the last file of a model folder."""
    write_durably(folder / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
    (folder / MANIFEST).chmod(0o644)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a model folder.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(**{**told, "labels": tuple(told["labels"])})
    except (OSError, ValueError, TypeError, KeyError) as cause:
        raise InputError(
            f"no sentiment model in {folder}; expected one that was exported", REBUILD
        ) from cause


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Encoder:
    """A model that is open for reading, on one thread."""

    def __init__(self, manifest: Manifest, tokenizer: Any, session: Any) -> None:
        self.manifest = manifest
        self._tokenizer = tokenizer
        self._session = session

    @classmethod
    def open(cls, folder: Path) -> Encoder:
        """Open the model in `folder`; its files are checked by sha256 first.

        Raises
        ------
        InputError
            If there is none, or a file is not the one that was exported.
        """
        from tokenizers import Tokenizer

        manifest = read_manifest(folder)
        for name, expected in ((GRAPH, manifest.graph), (TOKENIZER, manifest.tokenizer)):
            path = folder / name
            if not path.is_file() or hash_file(path) != expected:
                raise InputError(
                    f"{path} is missing or not the file that was exported; expected the sha256 "
                    f"{expected[:12]}",
                    REBUILD,
                )
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.enable_truncation(manifest.max_tokens)
        tokenizer.no_padding()
        return cls(manifest, tokenizer, open_session(folder / GRAPH))

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of cleaned texts, the prefix and the special tokens included."""
        prefixed = [self.manifest.prefix + text for text in texts]
        return [coded.ids for coded in self._tokenizer.encode_batch(prefixed)]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 vector a text, in their order.

        Texts are sorted by length into batches. An int8 graph scales its activations by batch, so
        the batch mates of a text can move its vector in the third decimal; the same list of texts
        always gives the same bits.
        """
        coded = self.token_ids(texts)
        rows: list[Vectors | None] = [None] * len(coded)
        for batch in cut_batches([len(ids) for ids in coded]):
            found = self._run([coded[i] for i in batch])
            for i, row in zip(batch, found, strict=True):
                rows[i] = row
        return np.stack(rows) if rows else np.empty((0, 0), np.float32)  # type: ignore[arg-type]

    def _run(self, coded: list[list[int]]) -> Vectors:
        longest = max(map(len, coded))
        ids = np.full((len(coded), longest), self.manifest.pad_id, np.int64)
        mask = np.zeros((len(coded), longest), np.int64)
        for i, one in enumerate(coded):
            ids[i, : len(one)] = one
            mask[i, : len(one)] = 1
        (found,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        vectors: Vectors = found
        return vectors


def open_session(graph: Path) -> Any:
    """Open a graph on one thread that sleeps while it waits.

    Raises
    ------
    InputError
        If onnxruntime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(graph),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=[SLOW_FUSION],
        )
    except Exception as cause:  # onnxruntime's own errors have no common public class
        raise InputError(
            f"onnxruntime cannot read {graph}: {str(cause).splitlines()[0]}; expected an ONNX graph",
            REBUILD,
        ) from cause


def cut_batches(
    lengths: Sequence[int], tokens_a_batch: int = TOKENS_A_BATCH
) -> Iterator[list[int]]:
    """Yield the positions of `lengths` in batches, shortest first, padded to at most so many tokens.

    A text longer than that is a batch of its own.

    >>> list(cut_batches([5, 2, 3, 9], tokens_a_batch=9))
    [[1, 2], [0], [3]]
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[i] > tokens_a_batch:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
