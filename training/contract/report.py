"""What a run on customers under contract says to people: tables, groups and the list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from features.contract.table import ContractTable
from training.contract.choose import CHAMPION
from training.contract.release import ContractRelease
from training.contract.run import ContractResult
from training.judge.churn import CHURN_METRICS
from training.judge.evaluate import auc_active
from training.judge.pictures import calibration_curve, gain_curve
from training.report import lay_out
from training.score import escape_formula, replace_file

FEWEST_OF_A_GROUP = 50
RISK_COLUMNS = {
    "en": ("Risk", "From p(churn)", "Share", "Left", "95 % interval"),
    "zh": ("风险", "流失概率起点", "客户占比", "实际流失", "95% 区间"),
}
HEADERS = {
    "en": ("Customer", "P(churn)", "Risk", "Known"),
    "zh": ("客户编号", "流失概率", "风险", "已知结果"),
}
KNOWN = {"en": {1.0: "left", 0.0: "stayed"}, "zh": {1.0: "已流失", 0.0: "留存"}}


def risk_table(release: ContractRelease, lang: str) -> str:
    """Return the levels of churn as a table, the highest first."""
    rows = [
        (
            band.label[lang],
            f"{band.boundary_below:.3f}",
            f"{band.share:.0%}",
            f"{band.churned_share:.1%}",
            f"{band.churned_low95:.1%} .. {band.churned_high95:.1%}",
        )
        for band in reversed(release.bands)
    ]
    return lay_out([RISK_COLUMNS[lang], *rows])


def candidate_table(result: ContractResult) -> str:
    """Return every candidate's figures on customers it had not seen, the best first."""
    names = sorted(result.metrics, key=lambda name: -result.metrics[name]["auc"])
    rows = [
        (
            name + (" *" if name == result.release.candidate else ""),
            *(
                f"{result.metrics[name][m]:.4f} +-{result.metrics[name][m + '_se']:.4f}"
                for m in CHURN_METRICS
            ),
        )
        for name in names
    ]
    less, n = result.less_logistic, len(result.table)
    told = (
        f"{CHAMPION}: the candidate chosen anew inside each fold "
        f"({', '.join(sorted(set(result.nested.chosen)))}); * is released.\n"
        f"{CHAMPION} less logistic: AUC {less.value:+.4f}, 95 % [{less.lower95:+.4f}, "
        f"{less.upper95:+.4f}] over {n} customers, five folds.\n"
        f"{result.twin_share:.1%} of customers are equal to another in every feature; they share "
        "a fold. Near-copies do not, so where there are many, large trees look better than they "
        "would be on new customers."
    )
    return lay_out([("candidate", *CHURN_METRICS), *rows]) + "\n" + told


def group_table(result: ContractResult) -> str:
    """Return, by group of each audit-only column, who left, what was said, and how well ranked."""
    churned = result.table.label > 0
    p = result.nested.p_churn[CHAMPION]
    rows = []
    for column in result.table.audit_only.columns:
        groups = result.table.audit_only[column].fillna("(none)")
        for group, at in groups.groupby(groups).groups.items():
            place = np.asarray(at, dtype=np.int64)
            if len(place) < FEWEST_OF_A_GROUP:
                continue
            rows.append(
                (
                    f"{column} = {group}",
                    f"{len(place):,}",
                    f"{churned[place].mean():.1%}",
                    f"{p[place].mean():.1%}",
                    f"{auc_active(churned[place], p[place]):.3f}",
                )
            )
    return lay_out([("group", "customers", "left", "said", "auc"), *rows])


def write_contract_reports(result: ContractResult, folder: Path) -> Path:
    """Write tables and pictures of a release and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    churned = result.table.label > 0
    p = result.nested.p_churn
    calibration_curve(churned, p[CHAMPION], folder / "calibration.png", event="leave", done="left")
    others = {name: p[name] for name in ("logistic", "single_column")}
    gain_curve(
        churned.astype(np.float64), {CHAMPION: p[CHAMPION], **others}, folder / "gain.png",
        held="those who left",
    )  # fmt: skip
    for lang in ("en", "zh"):
        (folder / f"risk_{lang}.txt").write_text(risk_table(result.release, lang) + "\n", "utf-8")
    (folder / "models.txt").write_text(candidate_table(result) + "\n", "utf-8")
    if len(result.table.audit_only.columns):
        (folder / "groups.txt").write_text(group_table(result) + "\n", "utf-8")
    return folder


def build_contract_scores(release: ContractRelease, table: ContractTable) -> pd.DataFrame:
    """Return one row a customer: customer_id, p_churn, risk (id), known (1 left, 0 stayed), release.

    Raises
    ------
    InputError
        If the table lacks a column the release reads.
    """
    scores = release.score(table.numbers, table.categories)
    return pd.DataFrame(
        {
            "customer_id": table.customer_ids,
            "p_churn": scores.p_churn,
            "risk": [release.bands[level].id for level in scores.level],
            "known": table.label,
            "release": release.digest,
        }
    )


def write_contract_scores(
    scores: pd.DataFrame, release: ContractRelease, folder: Path, lang: str
) -> list[Path]:
    """Write the scores as Parquet and as a CSV for spreadsheets, the likeliest to leave first."""
    folder.mkdir(parents=True, exist_ok=True)
    parquet, table = folder / f"{release.source}.parquet", folder / f"{release.source}.csv"
    replace_file(parquet, lambda path: scores.to_parquet(path, index=False))
    labels = {band.id: band.label[lang] for band in release.bands}
    listed = scores.sort_values("p_churn", ascending=False, kind="stable")
    rows = pd.DataFrame(
        {
            "id": [escape_formula(c) for c in listed["customer_id"]],
            "p": [f"{p:.4f}" for p in listed["p_churn"]],
            "risk": [escape_formula(labels[risk]) for risk in listed["risk"]],
            "known": [KNOWN[lang].get(known, "") for known in listed["known"]],
        }
    )
    header = list(HEADERS[lang])
    replace_file(
        table, lambda path: rows.to_csv(path, index=False, header=header, encoding="utf-8-sig")
    )
    return [parquet, table]
