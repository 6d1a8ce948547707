"""Settings of the lifecycle and of the playbook: what to do with whom, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Self

from pydantic import Field, model_validator

from features.config.section import Name, Section
from features.errors import WrongValue, did_you_mean

LIFECYCLE = ("new", "active", "cooling", "dormant", "lost", "won_back")
"""Ids of the states, in the order in which numbers stand for them."""

ANY = "*"
TOP = "top"
"""In a row of the playbook: the highest tier, or the highest level of risk, by whatever name."""

NOTHING = "none"
"""The id of a row that says: nothing is to be done here, and that is meant."""

OneOrMore = str | tuple[str, ...]
Words = Annotated[str, Field(max_length=300)]


class LifecycleSettings(Section):
    """``[training.lifecycle]``: where a customer stands, by the customer's own cadence."""

    usual_gap_weight: float = Field(
        2.0, ge=0, description="the shop's gap counts for so many of the customer's own"
    )
    cooling_gaps: float = Field(
        1.0, gt=0, description="usual gaps without an order from which a customer is cooling"
    )
    dormant_gaps: float = Field(2.0, gt=0, description="from which a customer is dormant")
    lost_gaps: float = Field(4.0, gt=0, description="from which a customer is lost")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        limits = (self.cooling_gaps, self.dormant_gaps, self.lost_gaps)
        if not limits[0] < limits[1] < limits[2]:
            told = " / ".join(f"{one:g}" for one in limits)
            raise WrongValue(
                f"cooling_gaps, dormant_gaps and lost_gaps are {told}; expected them to rise",
                f"cooling_gaps、dormant_gaps、lost_gaps 为 {told}；应依次增大",
            )
        return self


class PlaybookRow(Section):
    """One row of ``[[playbook]]``; it holds for every customer that it matches."""

    id: Name = Field(description="id of the action; none: nothing is to be done, and is meant")
    tier: OneOrMore = Field(ANY, description='tier id or ids; "top" for the highest, "*" for any')
    lifecycle: OneOrMore = Field(ANY, description='state or states; "*" for any')
    risk: OneOrMore = Field(ANY, description='level or levels; "top" for the highest, "*" for any')
    zh: Words = Field("", description="what to do, Chinese")
    en: Words = Field("", description="what to do, English")

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if self.id != NOTHING and not (self.zh.strip() and self.en.strip()):
            raise WrongValue(
                f"the action {self.id} has no text in zh or en; expected both",
                f"动作 {self.id} 缺少 zh 或 en 文本；两者都应填写",
            )
        return self


def values_of(given: OneOrMore, known: Sequence[str], has_top: bool = True) -> tuple[str, ...]:
    """Return the ids that an entry of a row stands for, ``*`` and ``top`` spelt out.

    >>> values_of("top", ("regular", "gold")), values_of("*", ("low", "high"))
    (('gold',), ('low', 'high'))
    """
    if given == ANY:
        return tuple(known)
    listed = (given,) if isinstance(given, str) else given
    return tuple(
        known[-1] if one == TOP and has_top and TOP not in known else one for one in listed
    )


def check_playbook(rows: Sequence[PlaybookRow], tiers: Sequence[str], risks: Sequence[str]) -> None:
    """Refuse a playbook with ids that nobody knows, with two texts of one id, or with a gap.

    An empty playbook is no gap: then nothing is said of what to do.

    Raises
    ------
    WrongValue
        Naming the row and the key.
    """
    texts: dict[str, tuple[str, str]] = {}
    covered: set[tuple[str, str, str]] = set()
    known = {"tier": tiers, "lifecycle": LIFECYCLE, "risk": risks}
    for number, row in enumerate(rows):
        for key, ids in known.items():
            listed = values_of(getattr(row, key), ids, has_top=key != "lifecycle")
            for one in listed:
                if one not in ids:
                    close = did_you_mean(one, ids)
                    raise WrongValue(
                        f'playbook.{number}.{key} is "{one}"; expected one of the ids in force: {close}',
                        f'playbook.{number}.{key} 为 "{one}"；应为已有的编号：{"、".join(ids)}',
                    )
        text = texts.setdefault(row.id, (row.zh, row.en))
        if text != (row.zh, row.en):
            raise WrongValue(
                f"playbook.{number}.id {row.id} has another text than before; expected one an id",
                f"playbook.{number}.id {row.id} 的文本与前面不同；同一编号应只有一种文本",
            )
        covered.update(
            product(
                values_of(row.tier, tiers),
                values_of(row.lifecycle, LIFECYCLE, has_top=False),
                values_of(row.risk, risks),
            )
        )
    if not rows:
        return
    for tier, state, risk in product(tiers, LIFECYCLE, risks):
        if (tier, state, risk) not in covered:
            raise WrongValue(
                f"no row of playbook covers tier {tier}, lifecycle {state}, risk {risk}; expected "
                'one for every combination, with id = "none" where nothing is to be done',
                f"playbook 没有覆盖：等级 {tier}、生命周期 {state}、风险 {risk}；"
                '每种组合都应有一行，无需动作时写 id = "none"',
            )


DEFAULT_PLAYBOOK = (
    PlaybookRow(
        id="vip_line",
        tier=TOP,
        zh="专属客服：来电优先接听，由固定的专人跟进",
        en="VIP line: answer first, by one person who knows the account",
    ),
    PlaybookRow(
        id="personal_recommendation",
        lifecycle=("active", "won_back"),
        zh="个性化推荐：按其常买的品类推荐新品",
        en="Personal recommendation: what is new among the things they buy",
    ),
    PlaybookRow(
        id="activation",
        lifecycle="new",
        zh="新客激活：第二单最关键，在其惯常间隔内引导回购",
        en="Activation: the second order decides; invite it within the usual gap",
    ),
    PlaybookRow(
        id="coupon",
        lifecycle="cooling",
        zh="优惠券：已超过其惯常间隔，提醒并发放限时券",
        en="Coupon: the usual gap has passed; remind, with a coupon that expires",
    ),
    PlaybookRow(
        id="coupon",
        lifecycle="active",
        risk=TOP,
        zh="优惠券：已超过其惯常间隔，提醒并发放限时券",
        en="Coupon: the usual gap has passed; remind, with a coupon that expires",
    ),
    PlaybookRow(
        id="wake_up",
        lifecycle="dormant",
        zh="唤醒：询问原因，展示离开后的新品",
        en="Wake-up: ask what is missing, show what is new since",
    ),
    PlaybookRow(
        id="win_back",
        lifecycle="lost",
        zh="召回：按风险价值从高到低联系，低于联系成本的不联系",
        en="Win-back: by value at risk, the highest first; leave out who is worth less than the call",
    ),
)
"""The table of config.toml."""
