"""Score every customer with a release: the list a CRM manager works from, and the look-up."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from features.config import Config
from features.online import write_online
from features.store import read_or_build_features
from features.tables import Tables
from training.assignment.history import read_in_force
from training.assignment.in_force import NOTHING_IN_FORCE, TiersInForce
from training.release import Release
from training.scores import NO_TIER, STORED_SCORES, STORED_STANDING
from training.spread import RUNGS

HEADERS = {
    "en": {
        "customer_id": "Customer",
        "tier": "Tier",
        "tier_since": "Since",
        "expected_value": "Expected value",
        "p_churn": "P(churn)",
        "value_at_risk": "Value at risk",
        "risk_level": "Churn risk",
        "expected_value_low90": "Low (90 %)",
        "expected_value_high90": "High (90 %)",
        "tier_probability": "P(tier)",
        "borderline": "Borderline",
        "rung": "Orders",
        "currency": "Currency",
        "horizon_days": "Horizon (days)",
        "cutoff": "As of",
    },
    "zh": {
        "customer_id": "客户编号",
        "tier": "等级",
        "tier_since": "生效日",
        "expected_value": "预期价值",
        "p_churn": "流失概率",
        "value_at_risk": "风险价值",
        "risk_level": "流失风险",
        "expected_value_low90": "下限（90%）",
        "expected_value_high90": "上限（90%）",
        "tier_probability": "等级概率",
        "borderline": "临界",
        "rung": "订单数",
        "currency": "币种",
        "horizon_days": "预测天数",
        "cutoff": "截至",
    },
}
NO_TIER_LABEL = {"en": "(too little data)", "zh": "（数据不足）"}
YES_OR_NO = {"en": ("no", "yes"), "zh": ("否", "是")}
RUNG_LABELS = {
    "en": {"no_orders": "none", "one_order": "one", "repeat": "two or more"},
    "zh": {"no_orders": "无", "one_order": "一次", "repeat": "两次及以上"},
}
NUMBERS = (
    "expected_value",
    "p_churn",
    "value_at_risk",
    "expected_value_low90",
    "expected_value_high90",
    "tier_probability",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def build_scores(
    release: Release, features: pd.DataFrame, in_force: TiersInForce = NOTHING_IN_FORCE
) -> pd.DataFrame:
    """Return one row a customer, in order of the feature table.

    Parameters
    ----------
    release : Release
        What scores.
    features : DataFrame
        ``customer_id`` and at least the release's columns.
    in_force : TiersInForce
        The tiers that were published last.

    Returns
    -------
    DataFrame
        customer_id, tier (the one that counts: in force, or else indicated; None where there is too
        little data), tier_since (ISO date; None where none is in force), indicated_tier,
        expected_value, value_at_risk, expected_value_low90 and expected_value_high90 (currency; NaN
        where there is too little data), p_churn, tier_probability (of the indicated tier),
        risk_level (id, None where there is none), borderline (bool, None where there is too little
        data), rung (of the cold-start ladder), currency, horizon_days, cutoff (ISO date), release
        (digest).
    """
    rows = np.ascontiguousarray(features[list(release.columns)].to_numpy(dtype=np.float64))
    scores = release.score(rows)
    enough = scores.tier != NO_TIER
    ids = [tier.id for tier in release.tiers]
    levels = [level.id for level in release.policy.risk]
    indicated = [ids[k] if k != NO_TIER else None for k in scores.tier]
    places, days = in_force.of(features["customer_id"].tolist())
    names = [row["id"] for row in in_force.scheme]
    held = [
        names[k] if k != NO_TIER and tier is not None else None
        for k, tier in zip(places, indicated, strict=True)
    ]
    since = [
        date.fromordinal(int(day)).isoformat() if tier is not None else None
        for tier, day in zip(held, days, strict=True)
    ]
    return pd.DataFrame(
        {
            "customer_id": features["customer_id"].to_numpy(),
            "tier": [now or then for now, then in zip(held, indicated, strict=True)],
            "tier_since": since,
            "indicated_tier": indicated,
            **{name: np.where(enough, getattr(scores, name), np.nan) for name in NUMBERS},
            "risk_level": [levels[k] if levels and k != NO_TIER else None for k in scores.risk],
            "borderline": [
                bool(near) if known else None
                for near, known in zip(scores.borderline, enough, strict=True)
            ],
            "rung": [RUNGS[k] for k in scores.rung],
            "currency": release.currency,
            "horizon_days": release.horizon_days,
            "cutoff": release.cutoff.isoformat(),
            "release": release.digest,
        }
    )


def write_scores(
    scores: pd.DataFrame,
    release: Release,
    folder: Path,
    lang: str,
    in_force: TiersInForce = NOTHING_IN_FORCE,
) -> list[Path]:
    """Write the scores as Parquet and as a CSV for spreadsheets; return both paths.

    The CSV is sorted by value, has a byte-order mark so that spreadsheets read it as UTF-8, has
    headers and tier labels in `lang`, and no cell that a spreadsheet would run as a formula.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{release.source}_{release.cutoff.isoformat()}"
    parquet, table = folder / f"{stem}.parquet", folder / f"{stem}.csv"
    replace_file(parquet, lambda path: scores.to_parquet(path, index=False))
    labels = {row["id"]: row[lang] for row in in_force.scheme}
    labels |= {tier.id: tier.label[lang] for tier in release.tiers}
    labels |= {level.id: level.label[lang] for level in release.policy.risk}
    labels |= RUNG_LABELS[lang]
    listed = scores.sort_values("expected_value", ascending=False, kind="stable")
    rows = listed[list(HEADERS[lang])].itertuples(index=False)
    replace_file(table, lambda path: _write_csv(path, _cells(rows, labels, lang), lang))
    return [parquet, table]


def write_lookup(
    release: Release,
    features: pd.DataFrame,
    online: Path,
    in_force: TiersInForce = NOTHING_IN_FORCE,
) -> Path:
    """Write the look-up the service reads to ``online/DIGEST`` and return it.

    Beside each customer's features stand the scores that the release gives them, so an answer is
    one read; they are those of the offline list bit for bit. Behind these stands the tier in force.
    """
    folder = online / release.digest
    columns = tuple(name for name in features.columns if name != "customer_id")
    rows = np.ascontiguousarray(features[list(release.columns)].to_numpy(dtype=np.float64))
    scores = release.score(rows)
    stored = {name: getattr(scores, name) for name in STORED_SCORES}
    standing = in_force.of(features["customer_id"].tolist())
    stored |= dict(zip(STORED_STANDING, standing, strict=True))
    meta = {"release": release.digest, "tiers_in_force": list(in_force.scheme)}
    write_online(folder, columns, features, meta, stored)
    return folder


def score_everybody(release: Release, tables: Tables, config: Config, state: Path) -> list[Path]:
    """Write the lists and the look-up of every customer at the release's cutoff; return the paths.

    Beside the scores stand the tiers in force, as they were published last.
    """
    snapshot = release.feature_snapshot()
    features = read_or_build_features(tables, snapshot, config.features, state)
    in_force = read_in_force(state, release.source)
    scores = build_scores(release, features, in_force)
    lists = write_scores(scores, release, state / "scores", config.lang, in_force)
    return [*lists, write_lookup(release, features, state / "online", in_force)]


def escape_formula(cell: str) -> str:
    """Return a cell that no spreadsheet runs: a leading sign of a formula is quoted.

    >>> escape_formula("=1+1"), escape_formula("00123")
    ("'=1+1", '00123')
    """
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _cells(
    rows: Iterable[Sequence[object]], labels: dict[str, str], lang: str
) -> Iterable[list[str]]:
    for customer_id, tier, *rest in rows:
        label = labels[str(tier)] if tier else NO_TIER_LABEL[lang]
        cells = [_cell(value, labels, lang) for value in rest]
        yield [escape_formula(str(customer_id)), escape_formula(label), *cells]


def _cell(value: object, labels: dict[str, str], lang: str) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return YES_OR_NO[lang][value]
    return f"{value:.4f}" if isinstance(value, float) else labels.get(str(value), str(value))


def _write_csv(path: Path, rows: Iterable[list[str]], lang: str) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS[lang].values())
        writer.writerows(rows)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside `path`, then put it in its place in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    temporary.replace(path)
