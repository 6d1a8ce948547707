"""Record a run on customers under contract: one parent run, a nested run a candidate."""

from __future__ import annotations

from pathlib import Path

from features.config import Config
from training.contract.choose import CHAMPION
from training.contract.release import contract_releases
from training.contract.report import write_contract_reports
from training.contract.run import ContractResult
from training.record import REPORTS
from training.registry import Registry, Version


def model_name(source: str) -> str:
    """Return the name of a source's registered model."""
    return f"churn_{source}"


def record_contract(
    result: ContractResult, config: Config, registry: Registry, state: Path
) -> Version:
    """Log the run with its pictures and tables, and register the release.

    Parameters
    ----------
    result : ContractResult
        A written release and what speaks for it.
    config : Config
        Logged whole.
    registry : Registry
        Where to.
    state : Path
        Pictures and tables are kept in ``state/reports/DIGEST`` too.
    """
    release = result.release
    source = release.source
    reports = write_contract_reports(result, state / REPORTS / release.digest[:12])
    champion = result.metrics[CHAMPION]
    with registry.run(f"train {source}") as run_id:
        for name, metrics in result.metrics.items():
            if name == CHAMPION:
                continue
            with registry.run(name, nested=True):
                registry.log(metrics=metrics, tags={"model": name, "source": source})
        registry.log(
            parameters={
                "source": source,
                "seed": config.training.seed,
                "data": release.lineage["data"][:12],
                "code": release.lineage["code"][:12],
                "n_customers": len(result.table),
                "twin_share": result.twin_share,
            },
            metrics=champion
            | {
                "auc_less_logistic": result.less_logistic.value,
                "auc_less_logistic_lower95": result.less_logistic.lower95,
                "skill_p_value": result.skill.p_value,
            },
            tags={"source": source, "winner": release.candidate, "release": release.digest},
        )
        registry.log_folder(reports, "report")
        registry.log_json(config.model_dump(mode="json"), "configuration.json")
        return registry.register(
            run_id,
            contract_releases(state, source) / release.digest,
            {
                "source": source,
                "model": release.candidate,
                "data": release.lineage["data"],
                "ngini": repr(2 * champion["auc"] - 1),
            },
            model_name(source),
        )
