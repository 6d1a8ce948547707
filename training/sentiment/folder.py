"""Weights as an ordinary Hugging Face folder: config.json, model.safetensors, a tokenizer.

`transformers.BertModel.from_pretrained(folder, add_pooling_layer=False)` loads it (the weights hold
no pooler). Written without torch, and readable by whoever serves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sentiment.q4 import Weights

CONFIG, TENSORS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SPACE = "▁"
"""What a space is written as in the pieces."""
READABLE = 0o644

_LAYER = (
    ("q", "attention.self.query"),
    ("k", "attention.self.key"),
    ("v", "attention.self.value"),
    ("ao", "attention.output.dense"),
    ("aln", "attention.output.LayerNorm"),
    ("fi", "intermediate.dense"),
    ("fo", "output.dense"),
    ("oln", "output.LayerNorm"),
)
"""A layer's parts in the file and in a BertModel."""


def write_folder(weights: Weights, folder: Path) -> None:
    """Write `weights` as a folder that `transformers` loads."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / CONFIG, bert_config(weights))
    save_file(bert_tensors(weights), folder / TENSORS, metadata={"format": "pt"})
    build_tokenizer(weights).save(str(folder / TOKENIZER))
    _write_json(folder / TOKENIZER_CONFIG, _tokenizer_config(weights))
    make_readable(folder)


def make_readable(folder: Path) -> None:
    """Let everybody read the files of a folder: some writers leave them to their owner alone."""
    for path in folder.iterdir():
        if path.is_file():
            path.chmod(READABLE)


def bert_config(weights: Weights) -> dict[str, Any]:
    """Return config.json of a BertModel."""
    shape = weights.shape
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "layer_norm_eps": shape.epsilon,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": shape.pad_id,
        "type_vocab_size": shape.types,
        "vocab_size": shape.vocabulary,
    }


def bert_tensors(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """Return the tensors under the names and in the shapes of a BertModel without a pooler."""
    shape, found = weights.shape, weights.tensors
    types = found["emb.type"].reshape(-1, shape.hidden)
    if len(types) < shape.types:  # what one text alone never uses is left out of the file
        missing = np.zeros((shape.types - len(types), shape.hidden), np.float32)
        types = np.concatenate([types, missing])
    tensors = {
        "embeddings.word_embeddings.weight": found["emb.word"].reshape(-1, shape.hidden),
        "embeddings.position_embeddings.weight": found["emb.pos"].reshape(-1, shape.hidden),
        "embeddings.token_type_embeddings.weight": types,
        "embeddings.LayerNorm.weight": found["emb.ln.w"],
        "embeddings.LayerNorm.bias": found["emb.ln.b"],
    }
    for number in range(shape.layers):
        for short, name in _LAYER:
            weight, bias = found[f"l{number}.{short}.w"], found[f"l{number}.{short}.b"]
            is_matrix = not short.endswith("ln")
            key = f"encoder.layer.{number}.{name}"
            tensors[f"{key}.weight"] = weight.reshape(len(bias), -1) if is_matrix else weight
            tensors[f"{key}.bias"] = bias
    return tensors


def build_tokenizer(weights: Weights) -> Any:
    """Return the unigram tokenizer of the vocabulary, special tokens included."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    shape, pieces = weights.shape, weights.pieces
    begin, end = pieces[shape.begin_id], pieces[shape.end_id]
    vocabulary = list(zip(pieces, weights.scores, strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=shape.unknown_id, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, shape.begin_id), (end, shape.end_id)],
    )
    tokenizer.add_special_tokens(
        [AddedToken(piece, normalized=False, special=True) for piece in _special(weights).values()]
    )
    return tokenizer


def _special(weights: Weights) -> dict[str, str]:
    shape, pieces = weights.shape, weights.pieces
    told = {
        "bos_token": pieces[shape.begin_id],
        "eos_token": pieces[shape.end_id],
        "unk_token": pieces[shape.unknown_id],
        "pad_token": pieces[shape.pad_id],
    }
    return told | ({"mask_token": "<mask>"} if "<mask>" in pieces else {})


def _tokenizer_config(weights: Weights) -> dict[str, Any]:
    special = _special(weights)
    return {
        **special,
        "cls_token": special["bos_token"],
        "sep_token": special["eos_token"],
        "model_max_length": weights.shape.positions,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
