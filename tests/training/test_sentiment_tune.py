"""Fine-tuning on a tiny network; needs torch (make setup-torch)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import Encoder, Manifest
from features.sentiment.head import Line
from training.sentiment.tune import TuneSettings, has_torch, tune_model

MANIFEST = Manifest("tiny", "w", "", "", "", 8, 1, (), {})
VOCABULARY = ("<s>", "<pad>", "</s>", "<unk>", "good", "bad", "it", "is", "so")


def make_tiny(folder: Path) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    words = models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="<unk>")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def quiet() -> Progress:
    return Progress(lambda: 0.0, out=open(os.devnull, "w"))


def test_without_torch_tuning_says_what_to_run(tmp_path: Path):
    if has_torch():
        pytest.skip("torch is installed")
    with pytest.raises(InputError, match="fine-tuning needs torch") as caught:
        tune_model(
            tmp_path, tmp_path, MANIFEST, ["a"], np.array([True]),
            Line("w", np.zeros(16), 0.0), TuneSettings(), 0, quiet(),
        )  # fmt: skip
    assert "make setup-torch" in caught.value.do


@pytest.mark.slow
def test_a_tuned_network_tells_apart_what_it_was_taught_and_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("torch", reason="no torch: run make setup-torch")
    pytest.importorskip("onnx", reason="no onnx: run make sentiment-base")
    from training.sentiment import export

    # The probes are not of these nine words: any verdict on them is as good as another.
    monkeypatch.setattr(export, "LEAST_AGREEMENT", 0.0)
    monkeypatch.setattr(export, "LARGEST_AUC_LOSS", 1.0)
    rng = np.random.default_rng(0)
    positive = rng.random(256) < 0.5
    texts = [
        f"it is {'so ' * int(rng.integers(0, 3))}{'good' if good else 'bad'}" for good in positive
    ]
    settings = TuneSettings(epochs=8, batch=8, body_rate=3e-3, line_rate=5e-2, threads=1)
    source = make_tiny(tmp_path / "source")
    start = Line("w", rng.normal(size=16) * 0.01, 0.0)
    made, line = tune_model(
        source, tmp_path / "tuned", MANIFEST, texts, positive, start, settings, 0, quiet()
    )
    assert line.model == made.weights
    assert made.weights != "w"
    vectors = Encoder.open(tmp_path / "tuned").encode(texts)
    assert ((line.logits(vectors) > 0) == positive).mean() > 0.95
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "tuned").glob("*.*")}
    assert modes == {0o644}
