"""The tier policy of a training run: level, tiers and levels of churn from what the backtest says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from features.config import AssignmentSettings, Config, TierSettings
from training.backtest import Backtest
from training.boundaries import Tier
from training.incumbents import Incumbents
from training.learn.level import Level
from training.lifecycle import learn_lifecycle
from training.models.blend import BlendModel
from training.models.matrix import Array, FeatureMatrix
from training.models.model import Model
from training.playbook import build_playbook
from training.policy import AssignmentRules, LevelCorrection, TierPolicy
from training.tiers import (
    LearnedTiers,
    cut_at_shares,
    describe_tiers,
    learn_tiers,
    serve_risk,
    serve_tiers,
)
from training.tiers.risk import LearnedRisk, learn_risk


@dataclass(frozen=True)
class LearnedPolicy:
    """A policy, the model without its level, and how the tiers came about.

    Attributes
    ----------
    policy : TierPolicy
        Its level holds what was taken out of the model.
    model : Model
        What scores below the policy.
    summary : dict
        For the lineage: ``tiers`` and ``risk``.
    flags : tuple of str
        What a person should look at, such as a slip of units against the incumbent.
    """

    policy: TierPolicy
    model: Model
    summary: dict[str, Any]
    flags: tuple[str, ...] = ()


def learn_policy(
    config: Config,
    backtest: Backtest,
    model: Model,
    level: Level,
    target: FeatureMatrix,
    incumbents: Incumbents | None = None,
) -> LearnedPolicy:
    """Learn the tiers and the levels of churn on the backtest cohort, and cut them on the target's.

    Parameters
    ----------
    config : Config
        The scheme, its limits, and the rules of a re-tier date.
    backtest : Backtest
        Of the model that is released, on a cohort it has not seen.
    model : Model
        Fitted for the target.
    level : Level
        The level correction that was read.
    target : FeatureMatrix
        Features of the cohort that is served, one row a customer.
    incumbents : Incumbents, optional
        The schemes in force, which the new ones stay near.
    """
    if backtest.cohort.net_value is None:
        raise ValueError("the backtest cohort has no outcomes")
    bare, correction = without_level(model, level)
    served = correction.correct(bare.predict(target.select(bare.columns)))
    learned = _learn_scheme(config, backtest, backtest.cohort.net_value, incumbents)
    risk = _learn_levels(config, backtest, backtest.cohort.net_value, incumbents)
    settings = config.training
    policy = TierPolicy(
        tiers=_tiers(config, backtest, learned, served.value),
        risk=serve_risk(config.training.risk, risk, 1.0 - served.p_active),
        level=correction,
        rules=assignment_rules(settings.assignment),
        playbook=build_playbook(config.playbook, settings.tiers.ids, settings.risk.ids),
        lifecycle=learn_lifecycle(target, settings.lifecycle, settings.horizon_days),
        lineage={"incumbent": None if incumbents is None else incumbents.told()},
    )
    summary = {"tiers": _told(learned, settings.tiers), "risk": _told_risk(risk)}
    flags = () if learned is None else tuple(f"{one.code}: {one.detail}" for one in learned.flags)
    return LearnedPolicy(policy, bare, summary, flags)


def without_level(model: Model, level: Level) -> tuple[Model, LevelCorrection]:
    """Take the level out of a model, so that it stands in the policy; a formula has none."""
    if not isinstance(model, BlendModel):
        return model, LevelCorrection()
    bare = replace(model, scale=model.scale / level.value_ratio)
    return bare, LevelCorrection(value_factor=level.value_ratio)


def assignment_rules(settings: AssignmentSettings) -> AssignmentRules:
    """Return the rules of a re-tier date from ``[training.assignment]``."""
    return AssignmentRules(
        bonus=settings.bonus,
        most_levels_down=settings.most_levels_down,
        minimum_stay_days=settings.minimum_stay_days,
        claw_back_share=settings.claw_back_share,
    )


def _learn_scheme(
    config: Config, backtest: Backtest, net_value: Array, incumbents: Incumbents | None
) -> LearnedTiers | None:
    """Learn the tiers; None where the settings fix their shares."""
    settings = config.training.tiers
    if settings.method != "learned":
        return None
    score = backtest.predictions[backtest.winner].value
    near = None if incumbents is None else incumbents.tiers
    return learn_tiers(backtest.cohort.customer_ids, score, net_value, settings, near)


def _learn_levels(
    config: Config, backtest: Backtest, net_value: Array, incumbents: Incumbents | None
) -> LearnedRisk:
    p_churn = 1.0 - backtest.predictions[backtest.winner].p_active
    settings = config.training
    ids = backtest.cohort.customer_ids
    near = incumbents.risk if incumbents is not None and incumbents.risk.boundaries else None
    return learn_risk(ids, p_churn, net_value, settings.risk, settings.tiers, near)


def _tiers(
    config: Config, backtest: Backtest, learned: LearnedTiers | None, expected_value: Array
) -> tuple[Tier, ...]:
    settings = config.training.tiers
    if learned is not None:
        return serve_tiers(settings, learned, expected_value)
    return describe_tiers(
        settings,
        cut_at_shares(expected_value, settings.shares),
        backtest.predictions[backtest.winner].value,
        backtest.cohort.net_value,
    )


def _told(learned: LearnedTiers | None, settings: TierSettings) -> dict[str, Any]:
    """Return how the tiers came about, for the lineage."""
    if learned is None:
        return {"method": "shares"}
    return {
        "method": "learned",
        "status": learned.status,
        "reason": learned.reason,
        "n_learning": learned.n_learning,
        "n_certifying": learned.n_certifying,
        "certification_level": settings.certification_level,
        "merges": [asdict(merge) for merge in learned.merges],
        "flags": [asdict(flag) for flag in learned.flags],
    }


def _told_risk(learned: LearnedRisk) -> dict[str, Any]:
    return {"reason": learned.reason, "merges": [asdict(merge) for merge in learned.merges]}
