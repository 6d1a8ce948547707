"""The graph that is written node by node, against the same network in numpy; needs onnx."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from features.errors import InputError
from features.sentiment.encoder import open_session
from training.sentiment.graph import is_bert, write_bert_graph

pytest.importorskip("onnx", reason="no onnx: run make sentiment-base")

HIDDEN, LAYERS, HEADS, WIDE, VOCABULARY, POSITIONS = 16, 2, 4, 24, 30, 12
EPSILON = 1e-6
CONFIG = {
    "model_type": "bert", "hidden_act": "gelu", "hidden_size": HIDDEN, "intermediate_size": WIDE,
    "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "layer_norm_eps": EPSILON,
}  # fmt: skip
IDS = np.array([[0, 5, 9, 2], [0, 7, 2, 1], [0, 2, 1, 1]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])


def make_tensors(prefix: str = "") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for number in range(LAYERS):
        for name, rows, columns in (
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", WIDE, HIDDEN),
            ("output.dense", HIDDEN, WIDE),
        ):
            shapes[f"encoder.layer.{number}.{name}.weight"] = (rows, columns)
            shapes[f"encoder.layer.{number}.{name}.bias"] = (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{number}.{name}.weight"] = (HIDDEN,)
            shapes[f"encoder.layer.{number}.{name}.bias"] = (HIDDEN,)
    return {
        prefix + name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()
    }


def write_model(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors")
    return folder


def run_by_hand(t: dict[str, np.ndarray], ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """BERT as Devlin and others (2019) tell it, one text at a time, without its padding."""

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    erf = np.vectorize(math.erf)
    vectors = []
    for row, seen in zip(ids, mask, strict=True):
        tokens = row[seen == 1]
        x = t["embeddings.word_embeddings.weight"][tokens].astype(np.float64)
        x = x + t["embeddings.position_embeddings.weight"][: len(tokens)]
        x = norm(x + t["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for number in range(LAYERS):
            name = f"encoder.layer.{number}"
            query, key, value = (
                dense(x, f"{name}.attention.self.{part}").reshape(len(x), HEADS, -1)
                for part in ("query", "key", "value")
            )
            logits = np.einsum("ihd,jhd->hij", query, key) / math.sqrt(HIDDEN // HEADS)
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            read = np.einsum("hij,jhd->ihd", weights, value).reshape(len(x), HIDDEN)
            read = dense(read, f"{name}.attention.output.dense")
            x = norm(x + read, f"{name}.attention.output.LayerNorm")
            wide = dense(x, f"{name}.intermediate.dense")
            wide = wide * (1 + erf(wide / math.sqrt(2))) / 2
            x = norm(x + dense(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        mean = x.mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.array(vectors)


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_the_graph_is_the_network_and_padding_changes_nothing(tmp_path: Path, prefix: str):
    folder = write_model(tmp_path, make_tensors(prefix))
    assert is_bert(folder)
    write_bert_graph(folder, tmp_path / "model.onnx")
    (found,) = open_session(tmp_path / "model.onnx").run(
        None, {"input_ids": IDS, "attention_mask": MASK}
    )
    np.testing.assert_allclose(found, run_by_hand(make_tensors(), IDS, MASK), atol=2e-5)


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path):
    folder = write_model(tmp_path, make_tensors())
    for name in ("a.onnx", "b.onnx"):
        write_bert_graph(folder, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_refuses_a_folder_without_one_of_the_tensors(tmp_path: Path):
    tensors = make_tensors()
    del tensors["encoder.layer.1.output.dense.bias"]
    folder = write_model(tmp_path, tensors)
    with pytest.raises(InputError, match=r"has no encoder.layer.1.output.dense.bias; expected"):
        write_bert_graph(folder, tmp_path / "model.onnx")


def test_refuses_a_folder_without_a_configuration(tmp_path: Path):
    with pytest.raises(InputError, match=r"no config.json in .*; expected a Hugging Face"):
        is_bert(tmp_path)


def test_other_architectures_are_left_to_torch(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "distilbert"}', encoding="utf-8")
    assert not is_bert(tmp_path)
