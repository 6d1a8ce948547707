"""The windows and weights that every peer computes."""

from __future__ import annotations

import math

from features.snapshot import Snapshot

WINDOWS = (7, 14, 30, 60, 90, 180, 365, 730)
SHARES = {"eighth": 0.125, "quarter": 0.25, "half": 0.5}
DECAYS = {"quarter": 0.25, "one": 1.0, "three": 3.0}
SEASON = 365
CENT_FRACTION = 5e-7  # what float sums of money may be off; half a millionth


def windows_of(snapshot: Snapshot) -> dict[str, tuple[float, float]]:
    """Return every window as (age above, age up to), in days."""
    horizon = snapshot.horizon_days
    fixed = {f"{days}d": (0, days) for days in WINDOWS if days <= 1.05 * snapshot.observation_days}
    shares = {f"{name}_horizon": (0, math.ceil(share * horizon)) for name, share in SHARES.items()}
    return {
        **fixed,
        **shares,
        "last_horizon": (0, horizon),
        "previous_horizon": (horizon, 2 * horizon),
        "same_season": (SEASON - horizon, SEASON),
    }
