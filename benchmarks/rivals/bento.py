"""BentoML as it comes: a service class with one API method and no setting changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml
import msgspec

from serving.current import load_current
from serving.schemas import TierRequest


@bentoml.service
class Tiers:
    """The same predictor behind BentoML's own routes."""

    def __init__(self) -> None:
        self.predictor = load_current(Path(os.environ["TIERWISE_STATE"]))

    @bentoml.api(route="/v1/tier")  # type: ignore[untyped-decorator]
    async def tier(self, features: dict[str, float | None]) -> dict[str, Any]:
        """Return the tier of a feature vector."""
        answer = self.predictor.answer_vector(TierRequest(features=features))
        return dict(msgspec.to_builtins(answer))
