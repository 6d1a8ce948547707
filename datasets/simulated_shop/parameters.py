"""Every number of the simulated world, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from datasets.simulated_shop.incidents import Incident
from features.errors import InputError

EXPERIENCES = ("bad", "fair", "good")
SEASON_TYPES = ("steady", "festive")


@dataclass(frozen=True)
class Parameters:
    """The true generator of the simulated shop.

    A customer has four hidden traits: buying rate, typical order value, satisfaction level and
    season type. Each order brings an experience (bad, fair, good), likelier good for a satisfied
    customer. The experience decides whether the customer leaves for good after that order, how
    fast the next one comes, whether lines are sent back, and what is said in reviews.

    Attributes
    ----------
    n_customers : int
        Customers who order at least once before `end`.
    start, end : date
        First day of the shop, and the day before which the data is complete.
    median_orders_per_day : float
        Median buying rate of a customer who is still active, before season and experience.
    log_rate_sd, log_value_sd : float
        Standard deviation, between customers, of the logarithm of the rate and of the typical
        order value.
    rate_value_correlation : float
        Correlation of the two logarithms.
    median_order_value : float
        Median order value, in the shop's currency.
    log_order_sd : float
        Standard deviation of the logarithm of a customer's order values around the own level.
    yearly_price_growth, yearly_acquisition_growth : float
        Growth of the logarithm of prices and of new customers, per year.
    satisfaction_levels, satisfaction_shares : tuple of float
        The hidden levels and the share of customers at each.
    bad_intercept, not_good_intercept, satisfaction_slope : float
        P(bad) and P(bad or fair) of an order are logistic in
        ``intercept - slope * level + slump``.
    leave_after, pace_after, return_after : tuple of float
        By experience: probability of leaving after the order, factor of the buying rate until
        the next order, probability that a line is sent back.
    festive_share : float
        Share of customers of the season type "festive".
    sessions_per_order : float
        Visits of an active customer, per order expected.
    lost_sessions_per_day : float
        Visits of a customer who has left, per day.
    incidents : tuple of Incident
        What goes wrong, and when.
    """

    n_customers: int = 20_000
    start: date = date(2022, 1, 1)
    end: date = date(2025, 1, 1)
    median_orders_per_day: float = 1 / 140
    log_rate_sd: float = 1.1
    rate_value_correlation: float = 0.2
    median_order_value: float = 150.0
    log_value_sd: float = 0.75
    log_order_sd: float = 0.55
    yearly_price_growth: float = 0.03
    yearly_acquisition_growth: float = 0.10
    satisfaction_levels: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0)
    satisfaction_shares: tuple[float, ...] = (0.08, 0.24, 0.36, 0.24, 0.08)
    bad_intercept: float = -1.9
    not_good_intercept: float = 0.1
    satisfaction_slope: float = 1.2
    leave_after: tuple[float, float, float] = (0.70, 0.18, 0.05)
    pace_after: tuple[float, float, float] = (0.6, 1.0, 1.25)
    return_after: tuple[float, float, float] = (0.20, 0.06, 0.03)
    festive_share: float = 0.3
    sessions_per_order: float = 1.5
    lost_sessions_per_day: float = 1 / 400
    incidents: tuple[Incident, ...] = ()

    def __post_init__(self) -> None:
        if self.n_customers < 1:
            raise InputError(
                f"n_customers is {self.n_customers}; expected 1 or more",
                "ask for at least one customer",
            )
        if self.start >= self.end:
            raise InputError(
                f"the shop ends on {self.end}, before it starts on {self.start}; "
                "expected at least one day",
                "choose a later end",
            )

    @property
    def n_days(self) -> int:
        """Days of the shop, from `start` to the day before `end`."""
        return (self.end - self.start).days

    def day_number(self, day: date) -> int:
        """Return the days from `start` to `day`."""
        return (day - self.start).days
