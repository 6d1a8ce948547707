"""Fine-tune a BertModel folder on verdicts. Needs torch, which nothing else of the default way does.

The network is the one that scores: mean over the tokens, length 1, one line. The line begins as the
one that fits the untouched model, the embeddings and the lower half of the layers stay as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import TOKENIZER, Manifest
from features.sentiment.head import Line
from training.sentiment.export import export_folder
from training.sentiment.fit import Verdicts
from training.sentiment.folder import make_readable


@dataclass(frozen=True)
class TuneSettings:
    """How a model is tuned: rates of the body and of the line, and how long."""

    epochs: int = 2
    batch: int = 32
    body_rate: float = 1e-4
    line_rate: float = 1e-3
    frozen_share: float = 0.5
    threads: int = 2
    most_tokens: int = 128


def has_torch() -> bool:
    """Tell whether torch is installed."""
    from importlib.util import find_spec

    return find_spec("torch") is not None


def tune_model(
    source: Path,
    target: Path,
    manifest: Manifest,
    texts: Sequence[str],
    positive: Verdicts,
    line: Line,
    settings: TuneSettings,
    seed: int,
    tell: Progress,
) -> tuple[Manifest, Line]:
    """Tune the model in `source` and export it into the model folder `target`.

    Parameters
    ----------
    source : Path
        Hugging Face folder of a BertModel.
    target : Path
        Of the exported model.
    manifest : Manifest
        Of the base model: prefix, tokens, padding.
    texts : sequence of str
        Cleaned texts to learn from.
    positive : array of bool
        Their verdicts.
    line : Line
        Fitted on the base model's vectors; where the tuned line begins.
    settings : TuneSettings
        Rates and epochs.
    seed : int
        Of the order of the texts.
    tell : Progress
        Is told how far it is.

    Returns
    -------
    tuple of Manifest and Line
        The tuned model, and the line that reads its vectors.

    Raises
    ------
    InputError
        If torch is not installed, or the int8 export does not agree with float32.
    """
    if not has_torch():
        raise InputError(
            "fine-tuning needs torch, which is not installed; expected it", "run: make setup-torch"
        )
    import torch
    from transformers import BertModel

    torch.manual_seed(seed)
    torch.set_num_threads(settings.threads)
    model = BertModel.from_pretrained(
        str(source), add_pooling_layer=False, use_safetensors=True, local_files_only=True
    ).train()
    _freeze(model, settings.frozen_share)
    weights = torch.nn.Parameter(torch.tensor(line.weights, dtype=torch.float32))
    bias = torch.nn.Parameter(torch.tensor(line.bias, dtype=torch.float32))
    rng = np.random.default_rng(seed)
    _run_epochs(
        model, (weights, bias), _tokens(source, manifest, texts), positive, settings, rng, tell
    )
    folder = target / "hugging_face"
    folder.mkdir(parents=True, exist_ok=True)
    model.eval().save_pretrained(folder)
    shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
    make_readable(folder)
    draft = Manifest(
        name=f"{manifest.name}, fine-tuned",
        weights="",
        graph="",
        tokenizer="",
        prefix=manifest.prefix,
        max_tokens=manifest.max_tokens,
        pad_id=manifest.pad_id,
        labels=(),
        notes={},
    )
    numbers = weights.detach().numpy().astype(np.float64)
    tuned = Line("", numbers, float(bias.detach()))
    made = export_folder(folder, target, draft, tuned)
    return made, Line(made.weights, tuned.weights, tuned.bias)


def _freeze(model: Any, share: float) -> None:
    """Leave embeddings and the lower layers as they are, without drop-out: it takes a sixth of the time."""
    n_frozen = int(len(model.encoder.layer) * share)
    for part in (model.embeddings, *model.encoder.layer[:n_frozen]):
        part.eval()
        for parameter in part.parameters():
            parameter.requires_grad = False


def _tokens(source: Path, manifest: Manifest, texts: Sequence[str]) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source / TOKENIZER))
    tokenizer.enable_truncation(manifest.max_tokens)
    return [one.ids for one in tokenizer.encode_batch([manifest.prefix + text for text in texts])]


def _batches(lengths: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield batches of texts of like length, in random order."""
    jitter = rng.uniform(0.9, 1.1, len(lengths))
    order = np.argsort(np.array(lengths) * jitter, kind="stable")
    batches = [order[start : start + size].tolist() for start in range(0, len(order), size)]
    yield from (batches[i] for i in rng.permutation(len(batches)))


def _run_epochs(
    model: Any,
    line: tuple[Any, Any],
    coded: list[list[int]],
    positive: Verdicts,
    settings: TuneSettings,
    rng: np.random.Generator,
    tell: Progress,
) -> None:
    import torch

    body = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": body, "lr": settings.body_rate},
        {"params": list(line), "lr": settings.line_rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    n_steps = settings.epochs * -(-len(coded) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (0.1 * n_steps + 1), 1 - step / (n_steps + 1))
    )
    verdicts = torch.tensor(positive, dtype=torch.float32)
    tell.begin(n_steps)
    told = 0
    for step, batch in enumerate(
        batch
        for _ in range(settings.epochs)
        for batch in _batches([len(ids) for ids in coded], settings.batch, rng)
    ):
        if step % 25 == 0:
            tell(f"fine-tune, batch {step} of {n_steps}", min(25, n_steps - told))
            told = step + 25
        ids, mask = _pad([coded[i] for i in batch])
        with torch.autocast("cpu", torch.bfloat16):
            found = model(input_ids=ids, attention_mask=mask).last_hidden_state
        column = mask.unsqueeze(-1).float()
        mean = (found.float() * column).sum(1) / column.sum(1)
        logits = torch.nn.functional.normalize(mean, dim=-1) @ line[0] + line[1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, verdicts[batch])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body, 1.0)
        optimiser.step()
        schedule.step()


def _pad(coded: list[list[int]]) -> tuple[Any, Any]:
    import torch

    longest = max(map(len, coded))
    ids = torch.ones((len(coded), longest), dtype=torch.int64)
    mask = torch.zeros((len(coded), longest), dtype=torch.int64)
    for i, one in enumerate(coded):
        ids[i, : len(one)] = torch.tensor(one)
        mask[i, : len(one)] = 1
    return ids, mask
