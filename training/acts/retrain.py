"""Retrain: a challenger at the newest moment, before the gate and before the logged requests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

from features.config import Config
from features.durable import hold_lock, write_durably
from training.acts.derive import cohort_of
from training.acts.order import Acted, Order, Shop, find_acted
from training.acts.quarantine import learn_before
from training.acts.requests import Answered, answer_logged, decide_on_answers, read_logged
from training.acts.settle import settle
from training.artifact import RELEASES
from training.candidate import Judged, judge_version, version_of
from training.cohort import CohortSource
from training.gate import Ruling
from training.incumbents import read_incumbents
from training.learn.kept import keep_boosters
from training.lineage import lineage_of
from training.promotion import UNSEEN_BY_NEITHER
from training.record import record_training
from training.registry import Version
from training.release import Release, load_current, load_release
from training.run import train

LOCK = ".retrain.lock"
FOLDER = "retrained"


def retrain(shop: Shop, order: Order) -> Acted:
    """Train a challenger, hold it against the champion, and promote it if the gate lets it.

    One retraining runs at a time. What was made from the same data, configuration, code and
    incumbents is not made again; a run that was cut short goes on where it was.

    Raises
    ------
    LockedError
        If another retraining is going on.
    InputError
        If the day cannot be learned from.
    NoSkillError
        If no model ranks better than chance; the champion stays.
    """
    with hold_lock(shop.state / LOCK):
        done = find_acted(shop.state, order)
        if done is not None:
            return done
        champion = load_current(shop.state / RELEASES)
        as_of = learn_before(shop.state, shop.tables, order)
        config = with_horizon(shop.config, champion.horizon_days)
        version = _train(shop, order, config, as_of)
        release = load_release(shop.state / RELEASES / version.digest)
        ruling = _judge(shop, config, champion, release, version)
        return settle(shop, order, release, version, ruling, champion.digest)


def with_horizon(config: Config, horizon_days: int) -> Config:
    """Return the settings with the horizon of the champion: a retraining predicts the same thing."""
    training = config.training.model_copy(update={"horizon_days": horizon_days})
    return config.model_copy(update={"training": training})


def inputs_digest(shop: Shop, config: Config, as_of: date) -> str:
    """Return the sha256 of all that makes a retraining: the same inputs make the same release."""
    lineage = lineage_of(shop.tables, as_of, config)
    horizon_days = config.training.horizon_days
    near = read_incumbents(shop.state / RELEASES, shop.tables.source, as_of, horizon_days, lineage)
    told = {
        "source": shop.tables.source,
        "as_of": as_of.isoformat(),
        "lineage": lineage,
        "incumbents": None if near is None else asdict(near),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _train(shop: Shop, order: Order, config: Config, as_of: date) -> Version:
    """Return the version of these inputs, trained unless there is one."""
    path = shop.state / FOLDER / f"{inputs_digest(shop, config, as_of)}.json"
    known = _known_version(shop, path)
    if known is not None:
        shop.tell(f"the same inputs were trained already: release {known.digest[:12]}")
        return known
    source = CohortSource(shop.tables, shop.state, config.features)
    with keep_boosters(shop.state / FOLDER / "boosters"):
        result = train(source, config, as_of, shop.state, shop.tell)
        version = record_training(result, config, shop.registry, shop.state, order.at.date())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps({"release": version.digest}).encode() + b"\n")
    return version


def _known_version(shop: Shop, path: Path) -> Version | None:
    if not path.is_file():
        return None
    digest = json.loads(path.read_text(encoding="utf-8"))["release"]
    if not (shop.state / RELEASES / digest).is_dir():
        return None
    return next((each for each in shop.registry.versions() if each.digest == digest), None)


def _judge(
    shop: Shop, config: Config, champion: Release, release: Release, version: Version
) -> Ruling:
    """Return what gate and logged requests say."""
    if champion.digest == release.digest:
        return Ruling(False, ("the same inputs make the release that is served",), {})
    shop.tell("gate")
    judged = judge_version(version, version_of(champion), config, shop.state)
    shop.tell("logged requests")
    today = cohort_of(shop, release, release.cutoff, every_column=True)
    logged = read_logged(shop.state, champion.digest, len(champion.columns))
    answered = answer_logged(logged, champion, release, today)
    return rule(judged, answered)


def rule(judged: Judged, answered: Answered) -> Ruling:
    """Return the ruling of a gate and of the logged requests together. Pure."""
    against = decide_on_answers(answered)
    if answered.n_requests:
        told = (
            f"of {answered.n_requests} logged requests {answered.moved_share:.1%} get another "
            f"tier, {answered.n_lost} lose theirs, {answered.n_not_finite} get no number; "
            f"{answered.speed:.2f} times as fast"
        )
    else:
        told = "no request was logged that it could answer"
    reasons = judged.decision.reasons
    if judged.ruling is None and judged.has_champion:
        reasons = (*reasons, f"no trial: {UNSEEN_BY_NEITHER}; the two backtests are compared")
    return Ruling(
        judged.decision.promote and not against,
        (*against, *reasons, told),
        {**judged.figures, **answered.figures()},
    )
