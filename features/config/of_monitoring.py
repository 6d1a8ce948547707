"""Settings of the monitoring: ``[monitoring]``."""

from __future__ import annotations

from pydantic import Field

from features.config.section import Section


class MonitoringSettings(Section):
    """``[monitoring]``: when a window may speak, how loud, and what follows."""

    minimum_rows: int = Field(200, ge=1, description="rows below which a window is insufficient")
    psi_alarm: float = Field(
        0.15, gt=0, description="shift of a column that matters, beyond what it wanders by itself"
    )
    psi_aggregate_alarm: float = Field(
        0.08, gt=0, description="shift of all columns together, weighted by their importance"
    )
    critical_importance: float = Field(
        0.05, gt=0, le=1, description="share of the gain from which a column counts alone"
    )
    critical: tuple[str, ...] = Field((), description="further columns that count alone")
    null_surge: float = Field(
        0.15, gt=0, lt=1, description="rise of a column's share of missing values: a data fault"
    )
    unit_slip_ratio: float = Field(
        8.0, gt=1, description="typical size over that of the reference: a data fault"
    )
    refused_share: float = Field(
        0.10, gt=0, lt=1, description="rise of a day's share of refused or repeated lines: a fault"
    )
    new_kind_share: float = Field(
        0.05, gt=0, lt=1, description="share of a new channel or category that a human should see"
    )
    level_low: float = Field(0.8, gt=0, lt=1, description="least matured level, 1 being right")
    level_high: float = Field(1.25, gt=1, description="greatest matured level")
    ece_alarm: float = Field(
        0.08, gt=0, lt=1, description="calibration error of p_active on a matured cohort"
    )
    ece_may_rise: float = Field(
        0.05, gt=0, lt=1, description="rise of the calibration error above what the release told"
    )
    rank_may_fall: float = Field(
        0.03, gt=0, lt=1, description="fall of the matured nGini or AUC below the backtest's"
    )
    share_tolerance: float = Field(
        0.25, ge=0, description="part by which a tier may exceed or miss its agreed share"
    )
    oldest_reference_days: int = Field(
        400, ge=1, description="days since the release's cutoff after which a human should see it"
    )
    cooldown_days: int = Field(30, ge=0, description="days after an act before its cause may act")
    settle_days: int = Field(
        2, ge=0, description="days after a promotion in which answers are not compared"
    )
    close_after: int = Field(2, ge=1, description="quiet windows after which an incident is closed")
    window_days: int = Field(7, ge=1, description="days of answers that one window holds")
    act: bool = Field(False, description="whether a run carries out what it decides")
    webhook: str = Field("", description="address that is told of each act; empty: nobody")
