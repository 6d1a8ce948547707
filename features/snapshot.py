"""One moment of knowledge: what was known at the cutoff, and the window that is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from features.errors import InputError


@dataclass(frozen=True, order=True)
class Snapshot:
    """A cutoff with its observation and outcome windows, all half-open at shop-local midnights.

    Parameters
    ----------
    cutoff : date
        First day that is not known. A row counts if its day AND the day it became known
        lie before the cutoff.
    horizon_days : int
        Length of the outcome window [cutoff, cutoff + horizon_days), in days.
    history_start : date
        First day of the observation window [history_start, cutoff).

    Raises
    ------
    InputError
        If a window is empty.

    Examples
    --------
    >>> s = Snapshot(date(2011, 6, 13), 180, date(2009, 12, 1))
    >>> s.observation_days, s.outcome_end.isoformat()
    (559, '2011-12-10')
    >>> s.is_mature(date(2011, 12, 10))
    True
    """

    cutoff: date
    horizon_days: int
    history_start: date

    def __post_init__(self) -> None:
        if self.horizon_days < 1:
            raise InputError(
                f"horizon_days is {self.horizon_days}; expected 1 or more",
                "set training.horizon_days to the number of days to predict, such as 180",
            )
        if self.history_start >= self.cutoff:
            raise InputError(
                f"the cutoff {self.cutoff} is not after the first day of data "
                f"{self.history_start}; expected at least one day of history",
                "choose a later cutoff or add older orders",
            )

    @property
    def observation_days(self) -> int:
        """Length of the observation window, in days."""
        return (self.cutoff - self.history_start).days

    @property
    def outcome_end(self) -> date:
        """First day after the outcome window."""
        return self.cutoff + timedelta(days=self.horizon_days)

    def is_mature(self, data_complete_before: date) -> bool:
        """Whether the whole outcome window lies before the day up to which data is complete."""
        return self.outcome_end <= data_complete_before
