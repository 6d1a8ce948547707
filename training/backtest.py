"""The backtest: what the models of an earlier moment said, held against what then happened."""

from __future__ import annotations

from dataclasses import dataclass

from features.config import TrainingSettings
from features.progress import Progress
from features.snapshot import Snapshot
from training.cohort import Cohort, CohortSource
from training.judge.evaluate import evaluate_predictions
from training.judge.resample import Difference, Skill, paired_bootstrap, permutation_skill
from training.learn.baselines import fit_baselines
from training.learn.fit import Fitted, fit_blend, gather
from training.models.model import Model, Prediction
from training.split import plan_training

LEARNED = "blend"
SKILL_DRAWS = 300
DIFFERENCE_DRAWS = 1000
FIT_WEIGHT = 8.0  # a fit takes about as long as eight cohorts
JUDGE_WEIGHT = 3.0


@dataclass(frozen=True)
class Backtest:
    """Every model of one moment against the outcomes of the cohort at that moment.

    Attributes
    ----------
    cohort : Cohort
        Labelled; no model saw a row known at or after its cutoff.
    fitted : Fitted
        The learned model and what it learned from.
    models, predictions, metrics : dict
        By the name of the model; metrics as `evaluate_predictions`.
    best_baseline : str
        The baseline with the highest nGini.
    difference : Difference
        nGini of the learned model less that of the best baseline, paired over customers.
    skill : Skill
        Of the learned model, against chance.
    """

    cohort: Cohort
    fitted: Fitted
    models: dict[str, Model]
    predictions: dict[str, Prediction]
    metrics: dict[str, dict[str, float]]
    best_baseline: str
    difference: Difference
    skill: Skill

    @property
    def winner(self) -> str:
        """The model to release: the learned one where it ranks better than the best baseline."""
        return LEARNED if self.difference.value > 0 else self.best_baseline


def run_backtest(
    source: CohortSource,
    target: Snapshot,
    settings: TrainingSettings,
    tell: Progress,
) -> Backtest:
    """Fit every model for `target` on what was known before its cutoff, then look.

    Parameters
    ----------
    source : CohortSource
        Where cohorts come from.
    target : Snapshot
        A cutoff whose outcomes have matured.
    settings : TrainingSettings
        Of the training.
    tell : Progress
        Is told each step.

    Raises
    ------
    InputError
        If the outcomes have not matured, or the history is too short.
    NoSkillError
        If there is nothing to learn from.
    """
    lesson = gather(plan_training(target, settings), source, settings, tell)
    tell(f"models for {target.cutoff}", FIT_WEIGHT)
    fitted = fit_blend(lesson, settings)
    models: dict[str, Model] = {LEARNED: fitted.model, **fit_baselines(lesson, settings.scorecard)}
    predictions = {name: model.predict(lesson.target.features) for name, model in models.items()}
    tell(f"outcomes of {target.cutoff}", JUDGE_WEIGHT)
    cohort = source.labelled(lesson.target, source.tables.data_complete_before)
    source.check(cohort, source.settings.meant)
    metrics = {
        name: evaluate_predictions(
            cohort.value, prediction.value, prediction.p_active if name == LEARNED else None
        )
        for name, prediction in predictions.items()
    }
    best = max((n for n in models if n != LEARNED), key=lambda name: metrics[name]["ngini"])
    learned = predictions[LEARNED].value
    return Backtest(
        cohort=cohort,
        fitted=fitted,
        models=models,
        predictions=predictions,
        metrics=metrics,
        best_baseline=best,
        difference=paired_bootstrap(
            cohort.value,
            learned,
            predictions[best].value,
            draws=DIFFERENCE_DRAWS,
            seed=settings.seed,
        ),
        skill=permutation_skill(cohort.value, learned, draws=SKILL_DRAWS, seed=settings.seed),
    )
