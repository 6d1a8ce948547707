"""A Hugging Face folder as the int8 graph that scores, accepted only if it agrees with float32."""

from __future__ import annotations

import logging
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.sentiment.encoder import (
    GRAPH,
    TOKENIZER,
    Encoder,
    Manifest,
    Vectors,
    hash_file,
    open_session,
    write_manifest,
)
from features.sentiment.head import Line, label_logits
from training.sentiment.folder import TENSORS, make_readable
from training.sentiment.graph import is_bert, write_bert_graph
from training.sentiment.trace import write_traced_graph

PROBES = Path(__file__).with_name("probes.toml")
LANGUAGES = ("en", "zh", "pt", "es", "de")
LEAST_AGREEMENT = 0.97
"""Share of texts on whose side of 0 the two graphs must agree."""
LARGEST_AUC_LOSS = 0.005
N_FOLDS = 4
SPREAD = 1.0
"""Inverse strength of the regularisation (C) of a head that is fitted on the probes themselves."""


@dataclass(frozen=True)
class Probes:
    """Sentences of known tone; those of one meaning share a group."""

    texts: tuple[str, ...]
    positive: NDArray[np.bool_]
    language: tuple[str, ...]
    group: NDArray[np.int64]


def read_probes(path: Path = PROBES) -> Probes:
    """Read the sentences that an export is tried on."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))["probe"]
    rows = [
        (one[lang], one["positive"], lang, i) for i, one in enumerate(told) for lang in LANGUAGES
    ]
    texts, positive, language, group = zip(*rows, strict=True)
    return Probes(texts, np.array(positive), language, np.array(group))


@dataclass(frozen=True)
class Agreement:
    """How far the int8 graph goes with the float32 one on the probes."""

    agreement: float
    auc_exact: float
    auc_small: float
    min_cosine: float

    @property
    def accepted(self) -> bool:
        """Whether it goes far enough."""
        return (
            self.agreement >= LEAST_AGREEMENT
            and abs(self.auc_exact - self.auc_small) <= LARGEST_AUC_LOSS
        )


def export_folder(
    folder: Path, target: Path, manifest: Manifest, line: Line | None = None
) -> Manifest:
    """Export the model in `folder` into the model folder `target`.

    Parameters
    ----------
    folder : Path
        Hugging Face folder: config.json, model.safetensors, tokenizer.json.
    target : Path
        Gets ``model.onnx``, ``tokenizer.json`` and ``manifest.json``.
    manifest : Manifest
        Name, prefix, labels and token limit; the digests and notes are filled in here.
    line : Line, optional
        What the probes' vectors are judged with; without it a regression on the probes.

    Raises
    ------
    InputError
        If the model cannot be exported, or int8 does not agree with float32.
    """
    target.mkdir(parents=True, exist_ok=True)
    tokenizer = (folder / TOKENIZER).read_bytes()
    (target / TOKENIZER).write_bytes(tokenizer)
    with tempfile.TemporaryDirectory(prefix="tierwise-", dir=target) as scratch:
        exact = Path(scratch) / "exact.onnx"
        if is_bert(folder) and not manifest.labels:
            write_bert_graph(folder, exact)
        else:
            write_traced_graph(folder, exact, classifies=bool(manifest.labels))
        quantise(exact, target / GRAPH)
        told = Manifest(
            name=manifest.name,
            weights=manifest.weights or hash_file(folder / TENSORS),
            graph=hash_file(target / GRAPH),
            tokenizer=hash_file(target / TOKENIZER),
            prefix=manifest.prefix,
            max_tokens=manifest.max_tokens,
            pad_id=manifest.pad_id,
            labels=manifest.labels,
            notes={},
        )
        found = _measure(exact, target, told, line)
    if not found.accepted:
        (target / GRAPH).unlink()
        raise InputError(
            f"the int8 export of {manifest.name} agrees with float32 on {found.agreement:.3f} of "
            f"the probes, area under the curve {found.auc_small:.4f} against "
            f"{found.auc_exact:.4f}; expected {LEAST_AGREEMENT} and at most {LARGEST_AUC_LOSS} less",
            "name another model in features.sentiment.model",
        )
    notes = {
        "agreement": found.agreement,
        "auc_float32": found.auc_exact,
        "auc_int8": found.auc_small,
        "min_cosine": found.min_cosine,
    }
    accepted = Manifest(**{**told.__dict__, "notes": notes})
    make_readable(target)
    write_manifest(target, accepted)
    return accepted


def quantise(exact: Path, small: Path) -> None:
    """Write `exact` with its weights in 8 bits, a scale a channel; activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)  # it advises a step that changes nothing here
    try:
        quantize_dynamic(str(exact), str(small), per_channel=True, weight_type=QuantType.QInt8)
    finally:
        logger.setLevel(before)


def _measure(exact: Path, target: Path, manifest: Manifest, line: Line | None) -> Agreement:
    from tokenizers import Tokenizer

    probes = read_probes()
    vectors = []
    for graph in (exact, target / GRAPH):
        tokenizer = Tokenizer.from_file(str(target / TOKENIZER))
        tokenizer.enable_truncation(manifest.max_tokens)
        vectors.append(Encoder(manifest, tokenizer, open_session(graph)).encode(probes.texts))
    return measure_agreement(vectors[0], vectors[1], probes, manifest.labels, line)


def measure_agreement(
    exact: Vectors,
    small: Vectors,
    probes: Probes,
    labels: Sequence[str] = (),
    line: Line | None = None,
) -> Agreement:
    """Return how far two models' vectors of the probes lead to the same verdicts.

    Vectors are judged by `line`, or by a logistic regression on the exact ones of other meanings.
    """
    from sklearn.metrics import roc_auc_score

    if labels:
        logits = [label_logits(vectors, labels) for vectors in (exact, small)]
    elif line is not None:
        logits = [line.logits(vectors) for vectors in (exact, small)]
    else:
        logits = _cross_fit(exact, small, probes)
    auc = [float(roc_auc_score(probes.positive, each)) for each in logits]
    product = (exact * small).sum(axis=1)
    length = np.linalg.norm(exact, axis=1) * np.linalg.norm(small, axis=1)
    return Agreement(
        agreement=float(((logits[0] > 0) == (logits[1] > 0)).mean()),
        auc_exact=auc[0],
        auc_small=auc[1],
        min_cosine=float((product / np.maximum(length, 1e-12)).min()),
    )


def _cross_fit(exact: Vectors, small: Vectors, probes: Probes) -> list[NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    logits = [np.zeros(len(exact)), np.zeros(len(exact))]
    for fold in range(N_FOLDS):
        out = probes.group % N_FOLDS == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(C=SPREAD, max_iter=1000))
        model.fit(exact[~out], probes.positive[~out])
        for logit, vectors in zip(logits, (exact, small), strict=True):
            logit[out] = model.decision_function(vectors[out])
    return logits
