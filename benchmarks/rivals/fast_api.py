"""The usual way: FastAPI with a pydantic body and the same predictor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI
from pydantic import BaseModel

from serving.current import load_current
from serving.schemas import TierRequest

PREDICTOR = load_current(Path(os.environ["TIERWISE_STATE"]))
app = FastAPI()


class Body(BaseModel):
    """A feature vector."""

    features: dict[str, float | None]


@app.post("/v1/tier")
async def tier(body: Body) -> dict[str, Any]:
    """Return the tier of a feature vector."""
    answer = PREDICTOR.answer_vector(TierRequest(features=body.features))
    return dict(msgspec.to_builtins(answer))
