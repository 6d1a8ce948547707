"""Tiers: boundaries of expected value that are learned, certified and kept stable.

The way through: `limits` (what a scheme may be), `cells` (the candidates), `programme` (the best
scheme), `guard` (held against realised value), `incumbent` (kept near the last one), `certify`
(on customers it was not learned from), `learn` and `risk` (all of it, for value and for churn).
"""

from training.boundaries import cut_at_shares
from training.tiers.learn import LearnedTiers, learn_tiers
from training.tiers.shares import describe_tiers, serve_risk, serve_tiers

__all__ = [
    "LearnedTiers",
    "cut_at_shares",
    "describe_tiers",
    "learn_tiers",
    "serve_risk",
    "serve_tiers",
]
