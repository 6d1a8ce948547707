"""Worlds whose answer is known: noise, planted steps, and how long a scheme takes to learn."""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from features.config import TierSettings
from training.models.matrix import Array
from training.tiers.incumbent import Incumbent
from training.tiers.learn import learn_tiers

NULL_PERMUTATIONS = 500
PLANTED_SEEDS = 100
PLANTED_CUSTOMERS = 20_000
PLANTED_TAILS = (0.25, 0.09, 0.02)
PLANTED_MEANS = (20.0, 60.0, 150.0, 400.0)
PLANTED_WITHIN = 0.02
TIMED_RUNS = {25_000: 9, 1_000_000: 3}


def first_tiers(n_tiers: int) -> TierSettings:
    """Return the default scheme cut down to its first tiers, the last one holding the rest."""
    whole = TierSettings()
    shares = (*whole.shares[: n_tiers - 1], sum(whole.shares[n_tiers - 1 :]))
    return TierSettings(
        ids=whole.ids[:n_tiers],
        labels_zh=whole.labels_zh[:n_tiers],
        labels_en=whole.labels_en[:n_tiers],
        shares=shares,
        minimum_shares=whole.minimum_shares[:n_tiers],
        maximum_shares=whole.maximum_shares[:n_tiers],
    )


def certified_shares_of_noise(
    customer_ids: tuple[str, ...], score: Array, net_value: Array, seed: int
) -> dict[str, float]:
    """Return the share of permutations of the outcomes in which any boundary is certified."""
    rng = np.random.default_rng(seed)
    figures: dict[str, float] = {}
    for n_tiers in (2, 3, 4):
        settings = first_tiers(n_tiers)
        certified = [
            len(learn_tiers(customer_ids, score, rng.permutation(net_value), settings).tiers) > 1
            for _ in range(NULL_PERMUTATIONS)
        ]
        figures[f"certified_share_k{n_tiers}"] = float(np.mean(certified))
    return figures


def planted_steps(seed: int, active_share: float) -> tuple[Array, Array]:
    """Return a lognormal score, and outcomes whose mean is a step function of its rank.

    Outcomes are gamma with shape 2 about the mean of their step, for a share of the customers;
    the others bring nothing.
    """
    rng = np.random.default_rng(seed)
    score = rng.lognormal(3, 1, PLANTED_CUSTOMERS)
    rank = np.argsort(np.argsort(-score)) / PLANTED_CUSTOMERS
    step = np.searchsorted(PLANTED_TAILS[::-1], rank, side="right")
    mean = np.array(PLANTED_MEANS[::-1])[step] / active_share
    active = rng.random(PLANTED_CUSTOMERS) < active_share
    return score, np.where(active, mean * rng.gamma(2, 0.5, PLANTED_CUSTOMERS), 0)


def recovered_share(active_share: float) -> float:
    """Return in which share of worlds all planted cuts are found, within 2 points of share."""
    names = _names(PLANTED_CUSTOMERS)
    found = 0
    for seed in range(PLANTED_SEEDS):
        score, outcome = planted_steps(seed, active_share)
        shares = learn_tiers(names, score, outcome, TierSettings()).shares_at_or_above
        found += len(shares) == len(PLANTED_TAILS) and bool(
            np.abs(np.subtract(shares, PLANTED_TAILS)).max() <= PLANTED_WITHIN
        )
    return found / PLANTED_SEEDS


def seconds_of_learning(seed: int) -> dict[str, float]:
    """Return median CPU-seconds to learn, shrink to an incumbent and certify, by customers."""
    figures = {}
    for n, runs in TIMED_RUNS.items():
        rng = np.random.default_rng(seed)
        names, score = _names(n), rng.lognormal(3, 1.2, n)
        active = rng.random(n) < 0.4
        net_value = np.where(active, score * rng.lognormal(0.5, 1, n), 0) - 5 * (
            rng.random(n) < 0.02
        )
        incumbent = Incumbent({"silver": 0.3, "gold": 0.1, "diamond": 0.02}, {})
        figures[str(n)] = median(_seconds(names, score, net_value, incumbent) for _ in range(runs))
    return figures


def _seconds(names: tuple[str, ...], score: Array, net_value: Array, incumbent: Incumbent) -> float:
    start = time.process_time()
    learn_tiers(names, score, net_value, TierSettings(), incumbent)
    return time.process_time() - start


def _names(n: int) -> tuple[str, ...]:
    return tuple(f"C{i:07d}" for i in range(n))
