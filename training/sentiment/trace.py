"""Any other Hugging Face model as an ONNX graph: traced by torch, which only this needs.

Code that comes with a model is never run (``trust_remote_code`` stays off) and only safetensors
are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.errors import InputError

_LOADING: dict[str, Any] = {
    "trust_remote_code": False,
    "use_safetensors": True,
    "local_files_only": True,
}


def write_traced_graph(folder: Path, path: Path, *, classifies: bool) -> None:
    """Write the ONNX graph (float32) of the model in `folder`.

    Parameters
    ----------
    folder : Path
        A Hugging Face folder with safetensors.
    path : Path
        Of the graph: ``input_ids`` and ``attention_mask`` (n, t) in, ``vector`` out.
    classifies : bool
        Whether the vector is the logits of its classes; otherwise the mean over the tokens, of
        length 1.

    Raises
    ------
    InputError
        If torch is not installed, or the model cannot be loaded.
    """
    try:
        import torch
    except ImportError as cause:
        raise InputError(
            "this model is exported by torch, which is not installed; expected torch",
            "run: make setup-torch",
        ) from cause
    model = _load(folder, classifies=classifies)

    class Forward(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            found = self.model(input_ids=input_ids, attention_mask=attention_mask)
            if classifies:
                return found.logits
            mask = attention_mask.unsqueeze(-1).to(torch.float32)
            mean = (found.last_hidden_state * mask).sum(1) / mask.sum(1).clamp(min=1e-12)
            return torch.nn.functional.normalize(mean, dim=-1)

    example = torch.ones((2, 8), dtype=torch.int64)
    names = {0: "n", 1: "t"}
    with torch.no_grad():
        torch.onnx.export(
            Forward().eval(),
            (example, example),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["vector"],
            dynamic_axes={"input_ids": names, "attention_mask": names, "vector": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )


def _load(folder: Path, *, classifies: bool) -> Any:
    from transformers import AutoModel, AutoModelForSequenceClassification

    kind = AutoModelForSequenceClassification if classifies else AutoModel
    try:
        return kind.from_pretrained(str(folder), attn_implementation="eager", **_LOADING).eval()
    except (OSError, ValueError) as cause:
        raise InputError(
            f"transformers cannot load {folder}: {str(cause).splitlines()[0]}; expected a model in "
            "safetensors without code of its own",
            "mend features.sentiment.model",
        ) from cause
