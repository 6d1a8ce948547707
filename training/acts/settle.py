"""The end of an act: register the release, write its look-up, promote or refuse, and journal why."""

from __future__ import annotations

from typing import Any

from features.store import read_or_build_features
from training.acts.order import Acted, Order, Shop, reason_of
from training.artifact import RELEASES
from training.assignment.history import read_in_force
from training.derived import DERIVED
from training.gate import Ruling
from training.promotion import Note, promote_version, refuse_version, served_digest
from training.registry import Version
from training.release import Release
from training.score import write_lookup


def register_derived(shop: Shop, release: Release, ruling: Ruling) -> Version:
    """Register a derived release with what the gate measured; the same digest only once."""
    told: dict[str, Any] = release.lineage[DERIVED]
    name = f"{told['act']} {release.source} {release.cutoff}"
    with shop.registry.run(name) as run_id:
        shop.registry.log(
            parameters={"act": told["act"], "parent": told["parent"], "as_of": told["as_of"]},
            metrics=ruling.figures,
            tags={"source": release.source, "release": release.digest, "act": told["act"]},
        )
        return shop.registry.register(
            run_id,
            shop.state / RELEASES / release.digest,
            {
                "source": release.source,
                "cutoff": release.cutoff.isoformat(),
                "model": str(release.lineage.get("model", release.model.name)),
                "data": release.lineage["data"],
                "ngini": repr(release.lineage["backtest"]["metrics"]["ngini"]),
                "act": told["act"],
                "parent": told["parent"],
            },
        )


def settle(
    shop: Shop, order: Order, release: Release, version: Version, ruling: Ruling, parent: str
) -> Acted:
    """Promote a registered release or refuse it, by what the gate said.

    The look-up is written before the pointer moves, so that a service that follows at once finds
    it.

    Parameters
    ----------
    shop : Shop
        What is worked on.
    order : Order
        What was asked for.
    release, version : Release and Version
        As written and registered.
    ruling : Ruling
        Of the gate.
    parent : str
        Digest of the release that was served when the act began; another one is not replaced.

    Raises
    ------
    LockedError
        If another promotion is going on.
    ReleaseError
        If something else is served by now.
    """
    why = (reason_of(order), *ruling.reasons)
    if order.despite_quarantine:
        why = (*why, f"learned from days under quarantine: {order.despite_quarantine}")
    note = Note(order.at, why, ruling.figures)
    before = served_digest(shop.state)
    if not ruling.passes:
        refuse_version(shop.state, version, note)
        return Acted(order.act, "refused", release.digest, before, why, ruling.figures)
    shop.tell("look-up, alias and pointer")
    prepare_lookup(shop, release)
    promote_version(shop.state, shop.registry, version, note, expected=parent)
    return Acted(order.act, "done", release.digest, before, why, ruling.figures)


def prepare_lookup(shop: Shop, release: Release) -> None:
    """Write the look-up of a release that is about to be served."""
    snapshot = release.feature_snapshot()
    features = read_or_build_features(shop.tables, snapshot, shop.config.features, shop.state)
    in_force = read_in_force(shop.state, release.source)
    write_lookup(release, features, shop.state / "online", in_force)
