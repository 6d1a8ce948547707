"""The playbook as it is released: which actions hold for a tier, a state and a level of risk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from features.config.of_playbook import ANY, LIFECYCLE, NOTHING, PlaybookRow, values_of


@dataclass(frozen=True)
class Action:
    """One row of the playbook, with ``*`` and ``top`` spelt out.

    Attributes
    ----------
    id : str
        Of what is to be done; several rows may share it.
    tiers, states : tuple of str
        For whom.
    risks : tuple of str or None
        None for whatever level, also for none.
    label : dict
        What to do, ``zh`` and ``en``.
    """

    id: str
    tiers: tuple[str, ...]
    states: tuple[str, ...]
    risks: tuple[str, ...] | None
    label: dict[str, str]


@dataclass(frozen=True)
class Playbook:
    """Every action, in the order in which they are told."""

    actions: tuple[Action, ...] = ()

    def actions_for(self, tier: str, state: str, risk: str | None) -> tuple[str, ...]:
        """Return the ids of what is to be done, each once.

        Parameters
        ----------
        tier, state : str
            Ids.
        risk : str or None
            Id of the level; None where a release has no such lane.

        Examples
        --------
        >>> held = Action("wake_up", ("gold",), ("dormant",), None, {"zh": "唤醒", "en": "Wake"})
        >>> Playbook((held,)).actions_for("gold", "dormant", None)
        ('wake_up',)
        """
        found = [
            action.id
            for action in self.actions
            if tier in action.tiers
            and state in action.states
            and (action.risks is None or risk in action.risks)
            and action.id != NOTHING
        ]
        return tuple(dict.fromkeys(found))

    def table(
        self, tiers: Sequence[str], risks: Sequence[str | None]
    ) -> list[list[list[tuple[str, ...]]]]:
        """Return the ids by position of tier, state and risk, so that an answer is a look-up."""
        return [
            [[self.actions_for(tier, state, risk) for risk in risks] for state in LIFECYCLE]
            for tier in tiers
        ]

    @property
    def labels(self) -> dict[str, dict[str, str]]:
        """What each id means, in order, ``none`` left out."""
        return {one.id: one.label for one in self.actions if one.id != NOTHING}

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the actions as JSON values."""
        return [asdict(action) for action in self.actions]


def build_playbook(
    rows: Iterable[PlaybookRow], tiers: Sequence[str], risks: Sequence[str]
) -> Playbook:
    """Spell out the rows of the configuration for its tiers and levels of risk."""
    return Playbook(
        tuple(
            Action(
                row.id,
                values_of(row.tier, tiers),
                values_of(row.lifecycle, LIFECYCLE, has_top=False),
                None if row.risk == ANY else values_of(row.risk, risks),
                {"zh": row.zh, "en": row.en},
            )
            for row in rows
        )
    )


def playbook_from(rows: Iterable[Mapping[str, Any]]) -> Playbook:
    """Read a playbook that `Playbook.to_rows` gave."""
    return Playbook(
        tuple(
            Action(
                row["id"],
                tuple(row["tiers"]),
                tuple(row["states"]),
                None if row["risks"] is None else tuple(row["risks"]),
                dict(row["label"]),
            )
            for row in rows
        )
    )
