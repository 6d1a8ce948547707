"""Settings of the training: ``[training]``, its tiers and its levels of risk."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from features.config.of_playbook import LifecycleSettings
from features.config.section import Gap, LowerShare, Name, Section, Share, UpperShare
from features.errors import WrongValue


def _check_limits(
    ids: tuple[str, ...],
    labels: tuple[tuple[str, ...], tuple[str, ...]],
    minimum: tuple[float, ...],
    maximum: tuple[float, ...],
) -> None:
    """Refuse a scheme whose lists do not fit each other or whose shares cannot add to 1."""
    if {len(ids)} != {len(minimum), len(maximum), *map(len, labels)}:
        raise WrongValue(
            "ids, labels_zh, labels_en, minimum_shares and maximum_shares must have the same length",
            "ids、labels_zh、labels_en、minimum_shares 与 maximum_shares 的长度必须相同",
        )
    if not 2 <= len(ids) <= 10:
        raise WrongValue(
            f"{len(ids)} tiers; expected 2 to 10", f"有 {len(ids)} 个等级；应为 2 至 10 个"
        )
    if len(set(ids)) != len(ids):
        raise WrongValue("ids must be distinct", "ids 必须互不相同")
    for name, low, high in zip(ids, minimum, maximum, strict=True):
        if low > high:
            raise WrongValue(
                f"minimum_shares of {name} is {low:g}; expected at most {high:g}",
                f"{name} 的 minimum_shares 为 {low:g}；至多应为 {high:g}",
            )
    if sum(minimum) > 1 + 1e-9:
        raise WrongValue(
            f"minimum_shares add to {sum(minimum):g}; expected at most 1",
            f"minimum_shares 之和为 {sum(minimum):g}；至多应为 1",
        )
    if sum(maximum) < 1 - 1e-9:
        raise WrongValue(
            f"maximum_shares add to {sum(maximum):g}; expected at least 1",
            f"maximum_shares 之和为 {sum(maximum):g}；至少应为 1",
        )


class Scheme(Section):
    """What a scheme of tiers and one of levels share: ids bottom to top, and their words."""

    ids: tuple[Name, ...]
    labels_zh: tuple[str, ...]
    labels_en: tuple[str, ...]

    @property
    def labels(self) -> dict[str, dict[str, str]]:
        """``zh`` and ``en`` of each id."""
        words = zip(self.ids, self.labels_zh, self.labels_en, strict=True)
        return {name: {"zh": zh, "en": en} for name, zh, en in words}


class TierSettings(Scheme):
    """``[training.tiers]``: the scheme, bottom to top, and how its boundaries are found."""

    ids: tuple[Name, ...] = Field(
        ("regular", "silver", "gold", "diamond"), description="ids of the tiers"
    )
    labels_zh: tuple[str, ...] = Field(
        ("普通", "白银", "黄金", "钻石"), description="Chinese labels"
    )
    labels_en: tuple[str, ...] = Field(
        ("Regular", "Silver", "Gold", "Diamond"), description="English labels"
    )
    method: Literal["learned", "shares"] = Field(
        "learned", description="boundaries learned and certified, or cut at fixed shares"
    )
    shares: tuple[Share, ...] = Field(
        (0.70, 0.20, 0.08, 0.02), description="shares of customers where they are fixed"
    )
    minimum_shares: tuple[LowerShare, ...] = Field(
        (0.0, 0.05, 0.03, 0.01), description="least share of customers of each learned tier"
    )
    maximum_shares: tuple[UpperShare, ...] = Field(
        (1.0, 0.30, 0.15, 0.05), description="greatest share of customers: its capacity"
    )
    minimum_gaps: tuple[Gap, ...] = Field(
        (), description="least rise of the mean value at each boundary, currency; empty: none"
    )
    n_customers_min: int = Field(50, ge=1, description="customers a tier is learned from")
    n_payers_min: int = Field(30, ge=0, description="of them with a positive outcome")
    rise_standard_errors: float = Field(
        2.33, ge=0, description="least rise of the mean value from tier to tier"
    )
    certification_level: float = Field(
        0.05, gt=0, lt=0.5, description="error of the certification, over all boundaries together"
    )
    incumbent_standard_errors: float = Field(
        1.0, ge=0, le=2, description="realised value given up at most to stay near the last scheme"
    )
    n_candidate_cuts: int = Field(160, ge=10, le=400, description="cuts the programme may choose")

    @model_validator(mode="after")
    def _check_scheme(self) -> Self:
        labels = self.labels_zh, self.labels_en
        _check_limits(self.ids, labels, self.minimum_shares, self.maximum_shares)
        if len(self.shares) != len(self.ids):
            raise WrongValue(
                "shares and ids must have the same length", "shares 与 ids 的长度必须相同"
            )
        if abs(sum(self.shares) - 1) > 1e-9:
            raise WrongValue(
                f"shares add to {sum(self.shares):g}; expected 1",
                f"shares 之和为 {sum(self.shares):g}；应为 1",
            )
        if self.minimum_gaps and len(self.minimum_gaps) != len(self.ids) - 1:
            gaps, wanted = len(self.minimum_gaps), len(self.ids) - 1
            raise WrongValue(
                f"{gaps} minimum_gaps; expected none or {wanted}, one a boundary",
                f"minimum_gaps 有 {gaps} 个；应为空，或每条边界一个，共 {wanted} 个",
            )
        return self


class RiskSettings(Scheme):
    """``[training.risk]``: levels of churn, bottom to top; a lane of its own beside the tiers."""

    ids: tuple[Name, ...] = Field(("low", "medium", "high"), description="ids of the levels")
    labels_zh: tuple[str, ...] = Field(("低风险", "中风险", "高风险"), description="Chinese labels")
    labels_en: tuple[str, ...] = Field(
        ("Low risk", "Medium risk", "High risk"), description="English labels"
    )
    minimum_shares: tuple[LowerShare, ...] = Field(
        (0.10, 0.10, 0.10), description="least share of customers of each level"
    )
    maximum_shares: tuple[UpperShare, ...] = Field(
        (0.80, 0.80, 0.80), description="greatest share of customers of each level"
    )
    n_customers_min: int = Field(50, ge=1, description="customers a level is learned from")

    @model_validator(mode="after")
    def _check_scheme(self) -> Self:
        labels = self.labels_zh, self.labels_en
        _check_limits(self.ids, labels, self.minimum_shares, self.maximum_shares)
        return self


class FairnessSettings(Section):
    """``[training.fairness]``: how far a group may be told worse than everybody."""

    minimum_customers: int = Field(
        200, ge=20, description="customers below which a group is not judged"
    )
    minimum_payers: int = Field(
        50, ge=10, description="of them with a positive outcome, below which it is not judged"
    )
    largest_level_gap: float = Field(
        0.35,
        gt=0,
        description="predicted over realised value, relative to everybody's: 0.35 is a third",
    )
    largest_p_active_gap: float = Field(
        0.10, gt=0, lt=1, description="error of the mean p_active beyond everybody's"
    )
    largest_capture_gap: float = Field(
        0.30,
        gt=0,
        lt=1,
        description="share of value found above the bottom tier, below everybody's",
    )


class AssignmentSettings(Section):
    """``[training.assignment]``: when tiers are assigned anew, and by which rules."""

    every: Literal["month", "quarter", "half_year", "year"] = Field(
        "quarter", description="how often tiers are assigned anew"
    )
    day: int = Field(1, ge=1, le=28, description="day of the month on which they are")
    bonus: float = Field(
        0.25,
        ge=0,
        le=2,
        description="by how much a customer counts for more where they are already",
    )
    most_levels_down: int = Field(1, ge=1, le=10, description="levels lost at most on one date")
    minimum_stay_days: int = Field(
        0, ge=0, le=1095, description="days in a tier before a customer may fall; 0 for none"
    )
    claw_back_share: float = Field(
        0.5,
        gt=0,
        description="refunds since the tier began, over what was paid in the horizon before it, "
        "from which its protection is lost",
    )
    overrides: str = Field("", description="CSV or TOML of tiers that people gave; empty for none")


class ScorecardSettings(Section):
    """``[training.scorecard]``: the weights of the RFM scorecard, a rival in every run."""

    days_since_last_order: float = Field(
        0.2, ge=0, le=1, description="weight of the quintile of recency"
    )
    n_order_days: float = Field(0.3, ge=0, le=1, description="weight of the quintile of frequency")
    net_spend: float = Field(0.5, ge=0, le=1, description="weight of the quintile of money")

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        total = self.days_since_last_order + self.n_order_days + self.net_spend
        if abs(total - 1) > 1e-9:
            raise WrongValue(
                f"the weights of the scorecard add to {total:g}; expected 1",
                f"评分卡权重之和为 {total:g}；应为 1",
            )
        return self


class TrainingSettings(Section):
    """``[training]``: cohorts, models and the scheme."""

    horizon_days: int = Field(180, ge=7, le=730, description="days predicted")
    seed: int = Field(0, ge=0, description="seed of every random step")
    n_cutoffs: int = Field(6, ge=1, le=24, description="training cohorts, the newest first")
    cutoff_decay: float = Field(0.8, gt=0, le=1, description="weight of each older cohort")
    n_folds: int = Field(
        3, ge=2, le=10, description="cross-fitting folds by a hash of the customer"
    )
    n_rounds: int = Field(200, ge=1, le=5000, description="trees of each LightGBM member")
    num_threads: int = Field(2, ge=1, le=64, description="LightGBM threads")
    minimum_customers: int = Field(
        100, ge=2, description="customers a cohort needs before anything is learned"
    )
    minimum_orders: int = Field(
        1, ge=1, description="order days with a positive value below which no tier is given"
    )
    tiers: TierSettings = TierSettings()
    risk: RiskSettings = RiskSettings()
    lifecycle: LifecycleSettings = LifecycleSettings()
    fairness: FairnessSettings = FairnessSettings()
    scorecard: ScorecardSettings = ScorecardSettings()
    assignment: AssignmentSettings = AssignmentSettings()
