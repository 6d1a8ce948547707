"""A BertModel folder as an ONNX graph that turns token ids into one vector a text.

Built node by node from config.json and model.safetensors, so that neither converting the default
model nor exporting a fine-tuned one traces code: what is in the graph is what is written here.
Mean over the tokens of the mask, then length 1. Other architectures are exported by torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from training.sentiment.folder import CONFIG, TENSORS

OPSET = 20
IR_VERSION = 9
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "vector"
MASKED = -10_000.0
"""Added to the attention logit of a padding token."""
SHORTEST = 1e-12
"""Least length that a vector is divided by, and least number of tokens."""


class _Graph:
    """Collects nodes and constants; each method adds one step and returns its result's name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = value
        return name

    def whole(self, *numbers: int) -> str:
        name = "whole_" + "_".join(str(number) for number in numbers)
        return self.constant(name, np.array(numbers, dtype=np.int64))

    def number(self, value: float) -> str:
        return self.constant(f"number_{value!r}", np.array(value, dtype=np.float32))


class _Bert:
    """The steps of a BertModel on a graph."""

    def __init__(self, config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        self.graph = _Graph()
        self.config = config
        self.tensors = tensors

    def tensor(self, name: str, *, transposed: bool = False) -> str:
        value = self.tensors[name].astype(np.float32)
        return self.graph.constant(name, np.ascontiguousarray(value.T) if transposed else value)

    def dense(self, rows: str, name: str) -> str:
        weight = self.tensor(f"{name}.weight", transposed=True)
        return self.graph.add(
            "Add", self.graph.add("MatMul", rows, weight), self.tensor(f"{name}.bias")
        )

    def norm(self, rows: str, name: str) -> str:
        return self.graph.add(
            "LayerNormalization",
            rows,
            self.tensor(f"{name}.weight"),
            self.tensor(f"{name}.bias"),
            axis=-1,
            epsilon=float(self.config["layer_norm_eps"]),
        )

    def embed(self) -> str:
        graph, prefix = self.graph, "embeddings."
        words = graph.add("Gather", self.tensor(f"{prefix}word_embeddings.weight"), INPUTS[0])
        length = graph.add("Shape", INPUTS[0], start=1, end=2)
        places = graph.add(
            "Slice",
            self.tensor(f"{prefix}position_embeddings.weight"),
            graph.whole(0),
            length,
            graph.whole(0),
        )
        kind = graph.constant(
            "type_embedding", self.tensors[f"{prefix}token_type_embeddings.weight"][0]
        )
        rows = graph.add("Add", graph.add("Add", words, places), kind)
        return self.norm(rows, f"{prefix}LayerNorm")

    def split_heads(self, rows: str, permutation: Sequence[int]) -> str:
        heads = int(self.config["num_attention_heads"])
        size = int(self.config["hidden_size"]) // heads
        graph = self.graph
        cut = graph.add("Reshape", rows, graph.whole(0, 0, heads, size))
        return graph.add("Transpose", cut, perm=list(permutation))

    def attend(self, rows: str, mask: str, name: str) -> str:
        graph, size = self.graph, int(self.config["hidden_size"])
        head_size = size // int(self.config["num_attention_heads"])
        query = self.split_heads(self.dense(rows, f"{name}.self.query"), (0, 2, 1, 3))
        key = self.split_heads(self.dense(rows, f"{name}.self.key"), (0, 2, 3, 1))
        value = self.split_heads(self.dense(rows, f"{name}.self.value"), (0, 2, 1, 3))
        logits = graph.add(
            "Div", graph.add("MatMul", query, key), graph.number(math.sqrt(head_size))
        )
        weights = graph.add("Softmax", graph.add("Add", logits, mask), axis=-1)
        read = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[0, 2, 1, 3])
        flat = graph.add("Reshape", read, graph.whole(0, 0, size))
        return self.norm(
            graph.add("Add", self.dense(flat, f"{name}.output.dense"), rows),
            f"{name}.output.LayerNorm",
        )

    def layer(self, rows: str, mask: str, name: str) -> str:
        rows = self.attend(rows, mask, f"{name}.attention")
        wide = self.graph.add("Gelu", self.dense(rows, f"{name}.intermediate.dense"))
        return self.norm(
            self.graph.add("Add", self.dense(wide, f"{name}.output.dense"), rows),
            f"{name}.output.LayerNorm",
        )

    def pool(self, rows: str, mask: str) -> None:
        graph = self.graph
        column = graph.add("Unsqueeze", mask, graph.whole(2))
        total = graph.add("ReduceSum", graph.add("Mul", rows, column), graph.whole(1), keepdims=0)
        count = graph.add("ReduceSum", mask, graph.whole(1), keepdims=1)
        mean = graph.add("Div", total, graph.add("Max", count, graph.number(SHORTEST)))
        length = graph.add("ReduceL2", mean, graph.whole(1), keepdims=1)
        graph.add("Div", mean, graph.add("Max", length, graph.number(SHORTEST)), output=OUTPUT)

    def build(self) -> _Graph:
        graph = self.graph
        mask = graph.add("Cast", INPUTS[1], to=1)  # to float32
        hidden = graph.add("Sub", graph.number(1.0), mask)
        added = graph.add(
            "Unsqueeze", graph.add("Mul", hidden, graph.number(MASKED)), graph.whole(1, 2)
        )
        rows = self.embed()
        for number in range(int(self.config["num_hidden_layers"])):
            rows = self.layer(rows, added, f"encoder.layer.{number}")
        self.pool(rows, mask)
        return graph


def is_bert(folder: Path) -> bool:
    """Tell whether a folder holds a BertModel whose graph is known here."""
    config = _read_config(folder)
    return config.get("model_type") == "bert" and config.get("hidden_act", "gelu") == "gelu"


def write_bert_graph(folder: Path, path: Path) -> None:
    """Write the ONNX graph (float32) of the BertModel in `folder`.

    Parameters
    ----------
    folder : Path
        With ``config.json`` and ``model.safetensors``; a prefix ``bert.`` of names is taken off.
    path : Path
        Of the graph: ``input_ids`` and ``attention_mask`` (n, t) in, ``vector`` (n, hidden) out.

    Raises
    ------
    InputError
        If a tensor is missing.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    config = _read_config(folder)
    tensors = {name.removeprefix("bert."): t for name, t in load_file(folder / TENSORS).items()}
    try:
        graph = _Bert(config, tensors).build()
    except KeyError as cause:
        raise InputError(
            f"{folder} has no {cause.args[0]}; expected a BertModel in float32 safetensors",
            "convert the model again, or name another in features.sentiment.model",
        ) from cause
    ids = [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"]) for n in INPUTS]
    hidden = int(config["hidden_size"])
    out = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", hidden])
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "bert", ids, [out], constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tierwise",
    )
    onnx.save_model(model, str(path))


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise InputError(
            f"no {CONFIG} in {folder} that can be read; expected a Hugging Face model folder",
            "mend features.sentiment.model",
        ) from cause
    return config
