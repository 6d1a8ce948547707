"""Score every customer with a release: the list a CRM manager works from, and the look-up."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from features.online import write_online
from training.release import Release
from training.scores import NO_TIER, STORED_SCORES

HEADERS = {
    "en": {
        "customer_id": "Customer",
        "tier": "Tier",
        "expected_value": "Expected value",
        "p_churn": "P(churn)",
        "value_at_risk": "Value at risk",
        "currency": "Currency",
        "horizon_days": "Horizon (days)",
        "cutoff": "As of",
    },
    "zh": {
        "customer_id": "客户编号",
        "tier": "等级",
        "expected_value": "预期价值",
        "p_churn": "流失概率",
        "value_at_risk": "风险价值",
        "currency": "币种",
        "horizon_days": "预测天数",
        "cutoff": "截至",
    },
}
NO_TIER_LABEL = {"en": "(too little data)", "zh": "（数据不足）"}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def build_scores(release: Release, features: pd.DataFrame) -> pd.DataFrame:
    """Return one row a customer, in order of the feature table.

    Parameters
    ----------
    release : Release
        What scores.
    features : DataFrame
        ``customer_id`` and at least the release's columns.

    Returns
    -------
    DataFrame
        customer_id, tier (id, None where there is too little data), expected_value and
        value_at_risk (currency; NaN where there is too little data), p_churn, currency,
        horizon_days, cutoff (ISO date), release (digest).
    """
    rows = np.ascontiguousarray(features[list(release.columns)].to_numpy(dtype=np.float64))
    scores = release.score(rows)
    enough = scores.tier != NO_TIER
    ids = [tier.id for tier in release.tiers]
    return pd.DataFrame(
        {
            "customer_id": features["customer_id"].to_numpy(),
            "tier": [ids[k] if k != NO_TIER else None for k in scores.tier],
            "expected_value": np.where(enough, scores.expected_value, np.nan),
            "p_churn": np.where(enough, scores.p_churn, np.nan),
            "value_at_risk": np.where(enough, scores.value_at_risk, np.nan),
            "currency": release.currency,
            "horizon_days": release.horizon_days,
            "cutoff": release.cutoff.isoformat(),
            "release": release.digest,
        }
    )


def write_scores(scores: pd.DataFrame, release: Release, folder: Path, lang: str) -> list[Path]:
    """Write the scores as Parquet and as a CSV for spreadsheets; return both paths.

    The CSV is sorted by value, has a byte-order mark so that spreadsheets read it as UTF-8, has
    headers and tier labels in `lang`, and no cell that a spreadsheet would run as a formula.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{release.source}_{release.cutoff.isoformat()}"
    parquet, table = folder / f"{stem}.parquet", folder / f"{stem}.csv"
    _replace(parquet, lambda path: scores.to_parquet(path, index=False))
    labels = {tier.id: tier.label[lang] for tier in release.tiers}
    listed = scores.sort_values("expected_value", ascending=False, kind="stable")
    rows = listed[list(HEADERS[lang])].itertuples(index=False)
    _replace(table, lambda path: _write_csv(path, _cells(rows, labels, lang), lang))
    return [parquet, table]


def write_lookup(release: Release, features: pd.DataFrame, online: Path) -> Path:
    """Write the look-up the service reads to ``online/DIGEST`` and return it.

    Beside each customer's features stand the scores that the release gives them, so an answer is
    one read; they are those of the offline list bit for bit.
    """
    folder = online / release.digest
    columns = tuple(name for name in features.columns if name != "customer_id")
    rows = np.ascontiguousarray(features[list(release.columns)].to_numpy(dtype=np.float64))
    scores = release.score(rows)
    stored = {name: getattr(scores, name) for name in STORED_SCORES}
    write_online(folder, columns, features, {"release": release.digest}, stored)
    return folder


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
        numbers = [
            f"{v:.4f}" if isinstance(v, float) and not np.isnan(v) else "" if v != v else str(v)
            for v in rest
        ]
        label = labels[str(tier)] if tier else NO_TIER_LABEL[lang]
        yield [escape_formula(str(customer_id)), escape_formula(label), *numbers]


def _write_csv(path: Path, rows: Iterable[list[str]], lang: str) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS[lang].values())
        writer.writerows(rows)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside `path`, then put it in its place in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    temporary.replace(path)
