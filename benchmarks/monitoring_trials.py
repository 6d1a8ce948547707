"""Trials of the statistics and of the gate: shifts, outliers, processor time, challengers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from statistics import median
from typing import Any

import numpy as np

from benchmarks.monitoring_shops import END, MADE_AT, Shop, weeks
from features.config import MonitoringSettings
from monitoring.drift import Drift, Window, measure_drift
from monitoring.look import score_window
from training.gate import Papers, Ruling, Trial, judge_challenger
from training.judge.evaluate import ngini
from training.models.matrix import Array
from training.reference import Moment, Reference, describe_column

N_ROWS = 5000
N_WINDOWS = 100
N_BETTER = 20
GATE_DRAWS = 200  # of each of a hundred rulings; a promotion draws a thousand
GATE_CUSTOMERS = 8400  # drawn for each ruling; with half as many a lead of .03 is less surely seen
CPU_ROWS, CPU_COLUMNS, CPU_ROUNDS = 100_000, 40, 3


def draw_windows(shop: Shop, n: int, seed: int) -> list[tuple[date, Array]]:
    """Return windows of `N_ROWS` customers at dates spread over the year after the release."""
    rng = np.random.default_rng(seed)
    days = list(weeks(MADE_AT, END))
    found = []
    for number in range(n):
        as_of = days[number * len(days) // n]
        _, rows = shop.window(as_of)
        found.append((as_of, rows[rng.choice(len(rows), N_ROWS, replace=len(rows) < N_ROWS)]))
    return found


def find_shifts(shop: Shop, seed: int) -> dict[str, Any]:
    """Shift one critical column of each window by half its standard deviation."""
    settings = shop.config.monitoring
    critical = [
        each.name
        for each in shop.reference.columns
        if each.importance >= settings.critical_importance
    ]
    found, missed = 0, []
    for number, (as_of, rows) in enumerate(draw_windows(shop, N_WINDOWS, seed)):
        name = critical[number % len(critical)]
        moved = rows.copy()
        place = shop.release.columns.index(name)
        moved[:, place] += 0.5 * np.nanstd(rows[:, place])
        drift = measure_drift(_plain(shop, moved, as_of), shop.reference, settings)
        if any(f.kind == "critical_input" and f.subject == name for f in drift.findings):
            found += 1
        else:
            missed.append(f"{name} on {as_of}")
    return {
        "windows": N_WINDOWS,
        "columns": len(critical),
        "found_share": found / N_WINDOWS,
        "missed": missed[:10],
    }


def count_changed_verdicts(shop: Shop, seed: int) -> dict[str, Any]:
    """Put one row at ten times the maximum of every column into each window.

    Half of the windows are shifted first, by up to half a standard deviation, so that many stand
    near their limits.
    """
    rng = np.random.default_rng(seed)
    changed = 0
    for number, (as_of, rows) in enumerate(draw_windows(shop, N_WINDOWS, seed + 1)):
        base = rows.copy()
        if number % 2:
            base += rng.uniform(0, 0.5) * np.nanstd(base, axis=0)
        struck = base.copy()
        struck[0] = 10 * np.nanmax(np.abs(base), axis=0)
        plain = score_window(shop.release, base, as_of)
        first = score_window(shop.release, struck[:1], as_of)  # rows are scored one by one
        hit = Window(
            as_of,
            plain.columns,
            struck,
            {name: np.append(first.scores[name], each[1:]) for name, each in plain.scores.items()},
            None
            if plain.tiers is None or first.tiers is None
            else np.append(first.tiers, plain.tiers[1:]),
        )
        before, after = (
            measure_drift(each, shop.reference, shop.config.monitoring) for each in (plain, hit)
        )
        changed += _verdict(before) != _verdict(after)
    return {"windows": N_WINDOWS, "verdicts_changed": changed}


def _verdict(drift: Drift) -> tuple[str, tuple[tuple[str, str], ...]]:
    return drift.status, tuple((each.kind, each.subject) for each in drift.findings)


def _plain(shop: Shop, rows: Array, as_of: date) -> Window:
    return Window(as_of, shop.release.columns, rows)


def measure_cpu(settings: MonitoringSettings, seed: int) -> dict[str, float]:
    """Time our verdict and Evidently's default drift report on the same rows, by turns."""
    from monitoring.report import run_default_drift

    rng = np.random.default_rng(seed)
    columns = tuple(f"column_{number}" for number in range(CPU_COLUMNS))
    made, now = (rng.lognormal(2, 1, (CPU_ROWS, CPU_COLUMNS)) for _ in range(2))
    earlier = [made[rng.permutation(CPU_ROWS)[: CPU_ROWS // 2]] for _ in range(9)]
    cutoffs = [MADE_AT - timedelta(days=45 * k) for k in range(10)]
    reference = Reference(
        MADE_AT,
        tuple(Moment(at, len(rows)) for at, rows in zip(cutoffs, [made, *earlier], strict=True)),
        tuple(
            describe_column(name, [rows[:, i] for rows in (made, *earlier)], 1 / CPU_COLUMNS)
            for i, name in enumerate(columns)
        ),
        (),
        (),
    )
    window = Window(MADE_AT + timedelta(days=30), columns, now)
    ours, theirs = [], []
    for _ in range(CPU_ROUNDS):
        ours.append(_cpu_of(lambda: measure_drift(window, reference, settings)))
        theirs.append(_cpu_of(lambda: run_default_drift(now, made, columns)))
    return {
        "rows": CPU_ROWS,
        "columns": CPU_COLUMNS,
        "ours_s": median(ours),
        "evidently_default_s": median(theirs),
        "evidently_default_over_ours": median(theirs) / median(ours),
    }


def _cpu_of(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def try_gate(
    outcome: Array, champion: Array, best: Array, baseline: Array, seed: int
) -> dict[str, Any]:
    """Put bad and truly better challengers before the gate.

    Parameters
    ----------
    outcome : array (n,)
        Net value of a matured cohort of a simulated shop.
    champion, best, baseline : array (n,)
        Expected value by an older release, by the best that anyone could know (the oracle), and by
        the best baseline.
    seed : int
        Of every draw.

    Notes
    -----
    Each trial is another bootstrap draw of customers, so no two see the same cohort. The better
    challengers are tried on draws of the cohort's own size, too.
    """
    rng = np.random.default_rng(seed)
    n = len(outcome)
    bad = dict.fromkeys(BAD, 0)
    per_kind = 60 // len(BAD)
    for name, make in BAD.items():
        for _ in range(per_kind):
            drawn = rng.integers(0, n, GATE_CUSTOMERS)
            trial = Trial(outcome[drawn], champion[drawn], champion[drawn], baseline[drawn])
            given, papers = make(trial, rng)
            bad[name] += judge_challenger(
                given, papers, seed=int(rng.integers(1000)), draws=GATE_DRAWS
            ).passes
    whole = Trial(outcome, best, champion, baseline)
    better = _try_better(whole, GATE_CUSTOMERS, rng)
    small = _try_better(whole, n, rng)
    return {
        "bad": per_kind * len(BAD),
        "bad_promoted": sum(bad.values()),
        "bad_promoted_by": bad,
        "customers": GATE_CUSTOMERS,
        "better": len(better),
        "better_promoted_share": _passed_share(better),
        "better_mean_difference": float(
            np.mean([each.figures["ngini_difference"] for each in better])
        ),
        "better_of_a_cohort": {"customers": n, "promoted_share": _passed_share(small)},
        "champion_ngini": ngini(outcome, champion),
        "baseline_ngini": ngini(outcome, baseline),
        "oracle_ngini": ngini(outcome, best),
    }


def _try_better(whole: Trial, n_customers: int, rng: np.random.Generator) -> list[Ruling]:
    """Judge challengers that lie between the champion and the oracle, nearer to the oracle."""
    rulings = []
    for _ in range(N_BETTER):
        drawn = rng.integers(0, len(whole.outcome), n_customers)
        champion, best = whole.champion[drawn], whole.challenger[drawn]
        weight = rng.uniform(0.5, 1.0)
        said = champion ** (1 - weight) * best**weight
        said *= champion.sum() / said.sum()
        baseline = None if whole.best_baseline is None else whole.best_baseline[drawn]
        trial = Trial(whole.outcome[drawn], said, champion, baseline)
        rulings.append(
            judge_challenger(
                trial, Papers(moved_share=0.05), seed=int(rng.integers(1000)), draws=GATE_DRAWS
            )
        )
    return rulings


def _passed_share(rulings: list[Ruling]) -> float:
    return sum(each.passes for each in rulings) / len(rulings)


Made = tuple[Trial, Papers]


def _shuffled(trial: Trial, rng: np.random.Generator) -> Made:
    return replace(trial, challenger=rng.permutation(trial.champion)), Papers()


def _leaked(trial: Trial, rng: np.random.Generator) -> Made:
    seen = np.maximum(trial.outcome, 0) * rng.lognormal(0, 0.5, len(trial.outcome))
    return replace(trial, challenger=seen + 0.1 * trial.champion), Papers()


def _old(trial: Trial, rng: np.random.Generator) -> Made:
    noise = rng.lognormal(0, 0.6, len(trial.champion))
    return replace(trial, challenger=trial.champion * noise), Papers()


def _wrong_unit(trial: Trial, rng: np.random.Generator) -> Made:
    return replace(trial, challenger=trial.champion * rng.choice([0.01, 100.0])), Papers()


def _inverted(trial: Trial, rng: np.random.Generator) -> Made:
    order = np.argsort(np.argsort(-trial.champion))
    return replace(trial, challenger=np.sort(trial.champion)[order]), Papers()


def _constant(trial: Trial, rng: np.random.Generator) -> Made:
    return replace(trial, challenger=np.full(len(trial.champion), 5.0)), Papers()


def _missing(trial: Trial, rng: np.random.Generator) -> Made:
    said = trial.champion.copy()
    said[rng.integers(len(said))] = np.nan
    return replace(trial, challenger=said), Papers()


def _same(trial: Trial, rng: np.random.Generator) -> Made:
    return replace(trial, challenger=trial.champion * 1.01), Papers()


def _baseline(trial: Trial, rng: np.random.Generator) -> Made:
    return replace(trial, challenger=np.asarray(trial.best_baseline)), Papers()


def _uncertified(trial: Trial, rng: np.random.Generator) -> Made:
    return _better(trial), Papers(is_certified=False)


def _moving(trial: Trial, rng: np.random.Generator) -> Made:
    return _better(trial), Papers(moved_share=0.25)


def _unfair(trial: Trial, rng: np.random.Generator) -> Made:
    return _better(trial), Papers(gaps=("region north: level 0.6",))


def _better(trial: Trial) -> Trial:
    """Return a challenger that is ahead by a little of what came."""
    seen = np.maximum(trial.outcome, 0)
    return replace(trial, challenger=trial.champion + 0.03 * seen)


BAD: dict[str, Callable[[Trial, np.random.Generator], Made]] = {
    "shuffled": _shuffled,
    "leaked": _leaked,
    "old_data": _old,
    "wrong_unit": _wrong_unit,
    "inverted": _inverted,
    "constant": _constant,
    "missing": _missing,
    "same": _same,
    "baseline": _baseline,
    "uncertified": _uncertified,
    "mass_move": _moving,
    "unfair": _unfair,
}
