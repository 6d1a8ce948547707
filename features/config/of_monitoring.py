"""Settings of the monitoring: ``[monitoring]``."""

from __future__ import annotations

from pydantic import Field

from features.config.section import Section


class MonitoringSettings(Section):
    """``[monitoring]``: when a window may speak, and how loud."""

    minimum_rows: int = Field(200, ge=1, description="rows below which a window is insufficient")
    psi_alarm: float = Field(0.25, gt=0, description="population stability index of an alarm")
