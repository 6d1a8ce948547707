"""Training for customers under contract: judge, choose, fit on everybody, level, release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.config import Config
from features.contract.table import ContractTable
from features.errors import InputError, NoSkillError
from features.progress import Progress
from training.contract.candidates import CANDIDATES, fit_candidate
from training.contract.choose import (
    CHAMPION,
    N_INNER,
    N_OUTER,
    Nested,
    calibrate,
    choose,
    judge_nested,
    twin_share,
)
from training.contract.design import learn_design
from training.contract.release import (
    ContractRelease,
    RiskBand,
    contract_releases,
    write_contract_release,
)
from training.judge.churn import evaluate_churn
from training.judge.resample import Difference, Skill, paired_bootstrap, permutation_skill
from training.leaks import check_no_answer
from training.lineage import describe_lineage
from training.tiers.risk import learn_risk

ERROR_DRAWS, SKILL_DRAWS, DIFFERENCE_DRAWS = 200, 300, 500
FEWEST_OF_A_KIND = 25  # five in each outer fold


@dataclass(frozen=True)
class ContractResult:
    """A written release and what speaks for it.

    Attributes
    ----------
    release : ContractRelease
    table : ContractTable
        The labelled customers.
    nested : Nested
        What each candidate said of customers it had not seen.
    metrics : dict
        By candidate, and of `CHAMPION`; as `evaluate_churn` with errors.
    skill : Skill
        Of the choice, against chance.
    less_logistic : Difference
        AUC of the choice less that of a logistic regression, paired over customers.
    twin_share : float
        Share of customers who are equal to another in every feature.
    """

    release: ContractRelease
    table: ContractTable
    nested: Nested
    metrics: dict[str, dict[str, float]]
    skill: Skill
    less_logistic: Difference
    twin_share: float


def check_trainable(table: ContractTable, config: Config) -> None:
    """Refuse a table too small to learn from.

    Raises
    ------
    InputError
        Naming how many customers of each kind there are and how many it takes.
    """
    n, n_churned = len(table), int((table.label > 0).sum())
    least = config.training.minimum_customers
    if n < least or min(n_churned, n - n_churned) < FEWEST_OF_A_KIND:
        raise InputError(
            f"{n} customers of whom it is known whether they left, {n_churned} did; expected at "
            f"least {least}, and {FEWEST_OF_A_KIND} of each kind",
            "add customers with a label, or lower training.minimum_customers",
        )


def judge(
    labelled: ContractTable, config: Config, tell: Progress
) -> tuple[Nested, dict[str, dict[str, float]]]:
    """Judge every candidate and the choice among them; return what they said and how good it was.

    Raises
    ------
    InputError
        If the table is too small, or a column is the answer.
    NoSkillError
        If a fold holds customers of one kind only.
    """
    check_trainable(labelled, config)
    design = learn_design(labelled)
    matrix = design.matrix(labelled.numbers, labelled.categories)
    churned = labelled.label > 0
    check_no_answer(matrix.columns, matrix.values, churned, config.features.meant)
    seed = config.training.seed
    nested = judge_nested(labelled, seed, tell)
    tell("bootstrap errors", 1.0)
    metrics = {
        name: evaluate_churn(churned, p, nested.fold, draws=ERROR_DRAWS, seed=seed)
        for name, p in nested.p_churn.items()
    }
    return nested, metrics


def train_contract(
    table: ContractTable, config: Config, state: Path, tell: Progress
) -> ContractResult:
    """Train a release for customers under contract; write it below ``state/contracts/SOURCE``.

    Raises
    ------
    InputError
        If the table is too small to learn from, or a column is the answer.
    NoSkillError
        If the choice ranks customers it has not seen no better than chance.
    """
    labelled = table.take(table.is_labelled)
    churned = labelled.label > 0
    seed = config.training.seed
    tell.expect(N_OUTER * (N_INNER + 1.0) + 4.0)
    nested, metrics = judge(labelled, config, tell)
    said = nested.p_churn[CHAMPION]
    skill = permutation_skill(churned, said, draws=SKILL_DRAWS, seed=seed)
    _check_skill(skill, table.source)
    less_logistic = paired_bootstrap(
        churned, said, nested.p_churn["logistic"], "auc_active", draws=DIFFERENCE_DRAWS, seed=seed
    )
    name = choose(nested.logits, churned)
    tell(f"final model: {name}", 2.0)
    design = learn_design(labelled)
    matrix = design.matrix(labelled.numbers, labelled.categories)
    calibration = calibrate(nested.logits[name], churned)
    unseen = calibration.probabilities(nested.logits[name])
    release = ContractRelease(
        source=table.source,
        candidate=name,
        design=design,
        model=fit_candidate(name, design, matrix, churned, seed),
        calibration=calibration,
        bands=_bands(labelled, unseen, config),
        lineage=describe_lineage(table.digest, config, {})
        | {
            "n_customers": len(labelled),
            "n_churned": int(churned.sum()),
            "twin_share": twin_share(labelled),
            "chosen_in_folds": list(nested.chosen),
            "nested": _finite(metrics[CHAMPION]),
        },
    )
    tell("release, pictures and record", 1.0)
    written = write_contract_release(release, labelled, contract_releases(state, table.source))
    return ContractResult(
        written, labelled, nested, metrics, skill, less_logistic, twin_share(labelled)
    )


def _check_skill(skill: Skill, source: str) -> None:
    if not skill.has_skill:
        raise NoSkillError(
            f"none of {len(CANDIDATES)} candidates tells who of {source} will leave better than "
            f"chance (p = {skill.p_value:.3f}, nGini at least {skill.lower95:.3f}); expected "
            "p < .05 and nGini above 0. Nothing is released",
            "bring columns that have to do with leaving, or more customers",
        )


def _bands(
    labelled: ContractTable, unseen: np.ndarray[Any, Any], config: Config
) -> tuple[RiskBand, ...]:
    """Learn the levels of churn on probabilities of models that had not seen the customer."""
    settings = config.training.risk
    stayed = np.where(labelled.label > 0, 0.0, 1.0)
    risk = learn_risk(labelled.customer_ids, unseen, stayed, settings, config.training.tiers)
    places = [settings.ids.index(level.id) for level in risk.levels]
    return tuple(
        RiskBand(
            id=level.id,
            label={"zh": settings.labels_zh[place], "en": settings.labels_en[place]},
            boundary_below=max(level.boundary_below, 0.0),
            share=level.n_customers / len(labelled),
            churned_share=_number(level.churned_share),
            churned_low95=_number(level.churned_share_low95),
            churned_high95=_number(level.churned_share_high95),
        )
        for place, level in zip(places, risk.levels, strict=True)
    )


def _number(value: float | None) -> float:
    return 0.0 if value is None else float(value)


def _finite(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if np.isfinite(value)}
