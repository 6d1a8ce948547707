"""What the tier report says, as numbers and ids; JSON out and in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class TierFacts:
    """One tier. Realised figures are those of the backtest cohort.

    Attributes
    ----------
    id : str
        Stable id.
    label : dict
        ``zh`` and ``en``.
    boundary : float or None
        Least expected value that belongs to it, currency; None at the bottom.
    share : float
        Of customers: what was agreed.
    n_then, n_now : int
        Members in the backtest cohort, and today.
    mean, mean_low95, mean_high95 : float or None
        Mean signed net value a member brought, currency, with its interval.
    active, active_low95, active_high95 : float or None
        Share of members who bought again, with its interval.
    revenue_share : float or None
        Of the cohort's positive net value.
    p_value : float or None
        Of the certification of its lower boundary.
    returned : float or None
        Value returned by members today over what they bought, to date.
    stars : float or None
        Mean of the members' mean stars today; None where nobody wrote a review.
    sentiment : float or None
        Mean of the members' mean sentiment today.
    """

    id: str
    label: dict[str, str]
    boundary: float | None
    share: float
    n_then: int
    n_now: int
    mean: float | None
    mean_low95: float | None
    mean_high95: float | None
    active: float | None
    active_low95: float | None
    active_high95: float | None
    revenue_share: float | None
    p_value: float | None
    returned: float | None
    stars: float | None
    sentiment: float | None


@dataclass(frozen=True)
class MergeFacts:
    """A tier of the configuration that the data did not carry."""

    tier: str
    into: str
    cause: str
    detail: str
    p_value: float | None


@dataclass(frozen=True)
class CertificationFacts:
    """What was tested, on whom.

    Attributes
    ----------
    method : str
        ``learned`` or ``shares``.
    status, reason : str
        ``learned`` or ``insufficient_data`` with the reason.
    n_learning, n_certifying : int
        Customers learned from, and customers that certify.
    level : float
        Error of all boundaries together.
    merges : tuple of MergeFacts
        Tiers that did not hold.
    flags : tuple of str
        Codes of what a person should look at.
    """

    method: str
    status: str
    reason: str
    n_learning: int
    n_certifying: int
    level: float
    merges: tuple[MergeFacts, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class CurveFacts:
    """Value by rank on the backtest cohort, the best first.

    Attributes
    ----------
    n : int
        Customers.
    rank, expected : tuple
        Points of the curve: rank from 1, expected value in currency.
    group_rank, group_mean : tuple
        Middle rank of groups of neighbours, and the mean value they brought.
    boundaries : tuple of float
        What the agreed shares cut on this cohort, rising.
    """

    n: int
    rank: tuple[float, ...]
    expected: tuple[float, ...]
    group_rank: tuple[float, ...]
    group_mean: tuple[float, ...]
    boundaries: tuple[float, ...]


@dataclass(frozen=True)
class RivalFacts:
    """What another way of making tiers gives on the customers that certify.

    Attributes
    ----------
    name : str
        A key of the words.
    shares : tuple of float
        Bottom to top.
    eta_squared : float
        Share of the variance of realised value that its tiers explain.
    top_revenue_share : float
        Of the top tier.
    breach_points : float
        Largest excess over a maximum share, in points; above 0: out of limits.
    n_certified : int
        Boundaries that hold.
    """

    name: str
    shares: tuple[float, ...]
    eta_squared: float
    top_revenue_share: float
    breach_points: float
    n_certified: int


@dataclass(frozen=True)
class ModelFacts:
    """How a model ranks the backtest cohort."""

    name: str
    ngini: float
    capture_top10: float
    eta_squared: float


@dataclass(frozen=True)
class MigrationFacts:
    """Who went from which tier to which.

    Attributes
    ----------
    kind : str
        ``published``: two published dates; ``backtest``: the backtest cohort then, and where the
        same customers would be placed now.
    day_then, day_now : str
        ISO dates.
    ids : tuple of str
        Tiers, bottom to top.
    counts : tuple of tuple of int
        Rows: tier then; columns: tier now.
    n_new : int
        Customers who came between.
    causes : dict of str to int
        Moves by what caused them; empty where it is not known.
    """

    kind: str
    day_then: str
    day_now: str
    ids: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    n_new: int
    causes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MoveFacts:
    """One customer who will move on the next date."""

    customer: str
    before: str
    after: str
    expected_value: float
    why: str


@dataclass(frozen=True)
class NextMovesFacts:
    """Who moves on the next date, as a dry run says.

    Attributes
    ----------
    day : str
        ISO date.
    n_up, n_down : int
        All of them.
    rows : tuple of MoveFacts
        The most valuable ones.
    """

    day: str
    n_up: int
    n_down: int
    rows: tuple[MoveFacts, ...]


@dataclass(frozen=True)
class LevelFacts:
    """A level of churn, and how many customers of each tier have it today."""

    id: str
    label: dict[str, str]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ActionFacts:
    """An action of the playbook and its text, ``zh`` and ``en``."""

    id: str
    label: dict[str, str]


@dataclass(frozen=True)
class TierReport:
    """The whole report.

    Attributes
    ----------
    source, currency, release, model : str
        Names; the first digits of the release.
    cutoff, backtest_cutoff : str
        ISO dates.
    horizon_days, backtest_horizon_days : int
        What is predicted, and over what the backtest was held.
    season_unseen : bool
        Whether the season of the outcome window lies in no matured cohort.
    n_then, n_now : int
        Customers of the backtest cohort, and today.
    n_without_tier : int
        Today, with too little data.
    tiers : tuple of TierFacts
        Bottom to top.
    certification : CertificationFacts
        How the boundaries came about.
    curve : CurveFacts
        Value by rank.
    rivals : tuple of RivalFacts
        The learned scheme first.
    models : tuple of ModelFacts
        The released one first.
    lifecycle : dict of str to tuple of int
        Customers today by state, in each tier bottom to top; empty without a rule.
    usual_gap_days : float or None
        The shop's.
    risk : tuple of LevelFacts
        Levels of churn, the lowest first; empty without levels.
    labels : dict
        Of every tier of the configuration, those merged away too, ``zh`` and ``en``.
    playbook : tuple of ActionFacts
        In the order of the playbook.
    migration : MigrationFacts or None
        None where too few customers are known at both dates.
    next_moves : NextMovesFacts or None
        None where no date was tried.
    """

    source: str
    currency: str
    release: str
    model: str
    cutoff: str
    backtest_cutoff: str
    horizon_days: int
    backtest_horizon_days: int
    season_unseen: bool
    n_then: int
    n_now: int
    n_without_tier: int
    tiers: tuple[TierFacts, ...]
    certification: CertificationFacts
    curve: CurveFacts
    rivals: tuple[RivalFacts, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    lifecycle: dict[str, tuple[int, ...]] = field(default_factory=dict)
    usual_gap_days: float | None = None
    risk: tuple[LevelFacts, ...] = ()
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    playbook: tuple[ActionFacts, ...] = ()
    migration: MigrationFacts | None = None
    next_moves: NextMovesFacts | None = None

    def tier_name(self, tier: str, lang: str) -> str:
        """Return a tier's name for people; of one that nobody knows, its id."""
        label = self.labels.get(tier)
        return tier if label is None else label[lang]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def report_from(told: Mapping[str, Any]) -> TierReport:
    """Read a report that `TierReport.to_json` gave, by way of JSON."""
    certification = told["certification"]
    curve = told["curve"]
    migration, moves = told["migration"], told["next_moves"]
    return TierReport(
        **{
            **told,
            "tiers": tuple(TierFacts(**one) for one in told["tiers"]),
            "certification": CertificationFacts(
                **{
                    **certification,
                    "merges": tuple(MergeFacts(**one) for one in certification["merges"]),
                    "flags": tuple(certification["flags"]),
                }
            ),
            "curve": CurveFacts(
                n=curve["n"],
                rank=tuple(curve["rank"]),
                expected=tuple(curve["expected"]),
                group_rank=tuple(curve["group_rank"]),
                group_mean=tuple(curve["group_mean"]),
                boundaries=tuple(curve["boundaries"]),
            ),
            "rivals": tuple(
                RivalFacts(**{**one, "shares": tuple(one["shares"])}) for one in told["rivals"]
            ),
            "models": tuple(ModelFacts(**one) for one in told["models"]),
            "lifecycle": {state: tuple(n) for state, n in told["lifecycle"].items()},
            "risk": tuple(
                LevelFacts(one["id"], one["label"], tuple(one["counts"])) for one in told["risk"]
            ),
            "playbook": tuple(ActionFacts(**one) for one in told["playbook"]),
            "migration": None if migration is None else migration_from(migration),
            "next_moves": None if moves is None else _moves_from(moves),
        }
    )


def migration_from(told: Mapping[str, Any]) -> MigrationFacts:
    """Read a migration."""
    return MigrationFacts(
        **{
            **told,
            "ids": tuple(told["ids"]),
            "counts": tuple(tuple(row) for row in told["counts"]),
        }
    )


def _moves_from(told: Mapping[str, Any]) -> NextMovesFacts:
    return NextMovesFacts(**{**told, "rows": tuple(MoveFacts(**one) for one in told["rows"])})
