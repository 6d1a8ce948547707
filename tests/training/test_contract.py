"""Customers under contract: designs, candidates, the choice among them, and what is released."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import SplineTransformer, StandardScaler

from features.config import Config, TrainingSettings
from features.contract.table import ContractTable
from features.errors import InputError, NoSkillError, ReleaseError
from features.progress import Progress
from training.contract import candidates, run
from training.contract.candidates import CANDIDATES, fit_all, fit_candidate
from training.contract.choose import (
    Calibration,
    calibrate,
    choose,
    fold_by_twins,
    twin_share,
)
from training.contract.design import learn_design
from training.contract.models import logit_model_from
from training.contract.release import load_contract_release
from training.contract.report import build_contract_scores, write_contract_scores
from training.contract.run import ContractResult, train_contract
from training.judge.churn import evaluate_churn, pr_auc

QUIET = Progress(lambda: 0.0, out=StringIO())
SMALL = Config(training=TrainingSettings(minimum_customers=100))


def draw_table(n: int = 600, seed: int = 0, *, noise: bool = False) -> ContractTable:
    """Customers whose bill, plan and months decide, on a known logit, whether they leave."""
    rng = np.random.default_rng(seed)
    months = rng.integers(1, 72, n).astype(float)
    bill = rng.normal(60, 20, n)
    plan = rng.choice(["month", "one year", "two years"], n)
    logit = -0.8 - 0.04 * (months - 30) + 0.02 * (bill - 60) + 1.6 * (plan == "month")
    left = rng.random(n) < 1 / (1 + np.exp(-logit))
    bill[rng.random(n) < 0.05] = np.nan
    return ContractTable(
        source="phones",
        digest="d" * 64,
        customer_ids=tuple(f"c{i:05d}" for i in range(n)),
        label=(rng.permutation(left) if noise else left).astype(float),
        numbers=pd.DataFrame({"months": months, "bill": bill}),
        categories=pd.DataFrame({"plan": plan, "agent": rng.choice(["x", "y"], n)}),
        audit_only=pd.DataFrame({"gender": rng.choice(["F", "M"], n)}),
    )


@pytest.fixture(scope="module", autouse=True)
def small_trees():
    """Fewer trees and draws: the worlds here are small, and so is the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SHALLOW_ROUNDS", 40)
        patch.setattr(candidates, "SHALLOW_SEEDS", 1)
        patch.setattr(candidates, "LARGE_ROUNDS", 10)
        patch.setattr(run, "ERROR_DRAWS", 10)
        patch.setattr(run, "SKILL_DRAWS", 100)
        patch.setattr(run, "DIFFERENCE_DRAWS", 50)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_trees: None) -> ContractResult:
    return train_contract(draw_table(), SMALL, tmp_path_factory.mktemp("contract"), QUIET)


# --- the design ------------------------------------------------------------------------------


def test_a_design_has_a_column_a_value_and_an_explicit_unknown():
    table = draw_table(200)
    design = learn_design(table)
    assert design.columns == (
        "months", "bill", "plan=month", "plan=one year", "plan=two years", "plan=?",
        "agent=x", "agent=y", "agent=?",
    )  # fmt: skip
    odd = pd.DataFrame({"plan": ["month", "never seen", None], "agent": ["y", "x", "x"]})
    matrix = design.matrix(pd.DataFrame({"months": [1, 2, 3], "bill": [np.nan, 5, 6]}), odd)
    np.testing.assert_array_equal(
        matrix.values,
        [
            [1, np.nan, 1, 0, 0, 0, 0, 1, 0],
            [2, 5, 0, 0, 0, 1, 1, 0, 0],
            [3, 6, 0, 0, 0, 1, 1, 0, 0],
        ],
    )


def test_a_value_that_fewer_than_five_bear_is_unknown():
    table = draw_table(200)
    table.categories.loc[:3, "agent"] = "rare"
    assert "rare" not in learn_design(table).levels["agent"]


def test_a_table_without_a_column_of_the_design_is_refused():
    table = draw_table(200)
    renamed = table.numbers.rename(columns={"months": "month"})
    with pytest.raises(InputError, match='no column "months"; did you mean "month"'):
        learn_design(table).matrix(renamed, table.categories)


# --- the candidates --------------------------------------------------------------------------


def test_the_spline_logistic_is_that_of_scikit_learn():
    table = draw_table(400)
    table.numbers["bill"] = table.numbers["bill"].fillna(50.0)
    design = learn_design(table)
    matrix = design.matrix(table.numbers, table.categories)
    y = table.label > 0
    ours = fit_candidate("spline_logistic", design, matrix, y, 0).logits(matrix)
    blocks = [matrix.values]
    for name in design.numbers:
        x = matrix[name]
        knots = np.unique(np.quantile(x, np.linspace(0, 1, 6)))[:, None]
        blocks.append(SplineTransformer(degree=3, knots=knots).fit_transform(x[:, None]))
    scaled = StandardScaler().fit_transform(np.hstack(blocks))
    peer = LogisticRegression(C=0.05, max_iter=2000).fit(scaled, y).decision_function(scaled)
    np.testing.assert_allclose(ours, peer, atol=2e-3)


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_survives_json_and_scores_a_row_alone_as_among_others(name: str):
    table = draw_table(300)
    design = learn_design(table)
    matrix = design.matrix(table.numbers, table.categories)
    model = fit_all(design, matrix, table.label > 0, 0)[name]
    told = json.loads(json.dumps(model.to_numbers(), sort_keys=True))
    again = logit_model_from(told, model.to_texts())
    np.testing.assert_allclose(again.logits(matrix), model.logits(matrix), atol=1e-12)
    together = again.logits(matrix)
    alone = [again.logits(matrix.take(np.array([i])))[0] for i in range(20)]
    np.testing.assert_array_equal(alone, together[:20])


def test_the_single_column_is_the_one_that_tells_most():
    table = draw_table(800)
    table.numbers["bill"] = np.where(table.label > 0, 1.0, 0.0) + table.numbers["months"] / 1e3
    design = learn_design(table)
    matrix = design.matrix(table.numbers, table.categories)
    told = fit_candidate("single_column", design, matrix, table.label > 0, 0).to_numbers()
    assert told["column"] == "bill"


# --- folds, choice and calibration -----------------------------------------------------------


def test_customers_equal_in_every_feature_share_a_fold():
    table = draw_table(100)
    doubled = table.take(np.repeat(np.arange(100), 2))
    fold = fold_by_twins(doubled, 5, "fold")
    np.testing.assert_array_equal(fold[::2], fold[1::2])
    assert set(fold) == set(range(5))
    assert twin_share(doubled) == 1.0
    assert twin_share(table) == 0.0


def test_of_equally_good_candidates_the_simplest_is_chosen():
    y = np.array([True, False, True, False])
    assert choose(dict.fromkeys(CANDIDATES, 1.0 * y), y) == "constant"


def test_calibration_finds_the_truth_and_never_turns_the_order():
    rng = np.random.default_rng(1)
    logit = rng.normal(size=20_000)
    y = rng.random(20_000) < 1 / (1 + np.exp(-(0.5 + 2 * logit)))
    found = calibrate(logit, y)
    assert found.intercept == pytest.approx(0.5, abs=0.06)
    assert found.slope == pytest.approx(2.0, abs=0.08)
    turned = calibrate(-logit, y)
    assert turned.slope == 0.0
    assert turned.probabilities(logit[:1])[0] == pytest.approx(y.mean())
    assert Calibration(0.0, 1.0).probabilities(np.zeros(1))[0] == 0.5


# --- metrics ---------------------------------------------------------------------------------


def test_pr_auc_is_the_average_precision_of_scikit_learn_with_ties():
    rng = np.random.default_rng(2)
    y = rng.random(500) < 0.3
    p = np.round(rng.random(500) * 0.7 + 0.3 * y, 1)
    assert pr_auc(y, p) == pytest.approx(average_precision_score(y, p), abs=1e-12)


def test_ranked_figures_are_means_over_folds():
    y = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    p = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1, 0.05, 0.15])
    fold = np.repeat([0, 1], 4)
    assert evaluate_churn(y, p, fold)["auc"] == pytest.approx((0.75 + 0.5) / 2)


# --- the release -----------------------------------------------------------------------------


def test_the_champion_beats_a_column_alone_and_its_choice_is_told(trained: ContractResult):
    assert trained.skill.has_skill
    assert trained.metrics["champion"]["auc"] > trained.metrics["single_column"]["auc"] + 0.03
    assert len(trained.nested.chosen) == 5
    assert trained.release.candidate in CANDIDATES[2:]


def test_probabilities_of_the_release_are_at_the_level_of_those_who_left(trained: ContractResult):
    table = trained.table
    said = trained.release.score(table.numbers, table.categories).p_churn
    assert said.mean() == pytest.approx(table.label.mean(), abs=0.02)
    unseen = trained.release.calibration.probabilities(
        trained.nested.logits[trained.release.candidate]
    )
    assert np.corrcoef(said, unseen)[0, 1] > 0.95


def test_levels_rise_in_the_share_that_left(trained: ContractResult):
    shares = [band.churned_share for band in trained.release.bands]
    assert shares == sorted(shares)
    assert len(shares) >= 2
    assert trained.release.bands[0].boundary_below == 0.0


def test_a_release_loads_to_the_same_scores_and_refuses_a_change(
    trained: ContractResult, tmp_path: Path
):
    again = train_contract(draw_table(), SMALL, tmp_path, QUIET)
    assert again.release.digest == trained.release.digest
    folder = tmp_path / "contracts" / "phones" / "releases" / again.release.digest
    loaded = load_contract_release(folder)
    new = draw_table(50, seed=9)
    np.testing.assert_array_equal(
        loaded.score(new.numbers, new.categories).p_churn,
        trained.release.score(new.numbers, new.categories).p_churn,
    )
    numbers = folder / "contract.json"
    numbers.write_text(re.sub(r'"slope": \d', '"slope": 9', numbers.read_text()))
    with pytest.raises(ReleaseError, match="has been changed"):
        load_contract_release(folder)


def test_the_list_names_customers_without_a_label_and_runs_no_formula(
    trained: ContractResult, tmp_path: Path
):
    table = draw_table(30, seed=3)
    ids = ("=cmd()", *table.customer_ids[1:])
    table = replace(table, customer_ids=ids, label=np.append([np.nan], table.label[1:]))
    scores = build_contract_scores(trained.release, table)
    assert scores["p_churn"].between(0, 1).all()
    _, path = write_contract_scores(scores, trained.release, tmp_path, "en")
    listed = pd.read_csv(path)
    assert listed["P(churn)"].is_monotonic_decreasing
    row = listed[listed["Customer"] == "'=cmd()"].iloc[0]
    assert pd.isna(row["Known"])


# --- worlds without anything to learn --------------------------------------------------------


@pytest.mark.slow
def test_shuffled_labels_have_no_skill(tmp_path: Path):
    with pytest.raises(NoSkillError, match="none of 8 candidates tells who of phones will leave"):
        train_contract(draw_table(noise=True), SMALL, tmp_path, QUIET)
    assert not (tmp_path / "contracts").exists()


def test_too_few_customers_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"60 customers of whom it is known .* at least 100"):
        train_contract(draw_table(60), SMALL, tmp_path, QUIET)


def test_a_column_that_is_the_label_is_refused(tmp_path: Path):
    table = draw_table()
    table.numbers["months"] = table.label
    with pytest.raises(InputError, match="months alone tells who will be active"):
        train_contract(table, SMALL, tmp_path, QUIET)
