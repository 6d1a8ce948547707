"""Settings of pruning: ``[pruning]``."""

from __future__ import annotations

from pydantic import Field

from features.config.section import Section


class PruningSettings(Section):
    """``[pruning]``: what is kept when old state is removed."""

    keep_releases: int = Field(
        5, ge=0, description="newest releases kept beside those that anything refers to"
    )
    feature_days: int = Field(60, ge=1, description="age from which kept feature tables go")
    failed_run_days: int = Field(30, ge=1, description="age from which failed MLflow runs go")
