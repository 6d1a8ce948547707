"""A release for customers under contract: in one folder all that scores them, checked when read.

The same kind of folder as a release of tiers (`training.artifact`): JSON numbers, LightGBM texts,
golden rows, a manifest; no pickle and no time stamp. The service does not answer for it:
``python -m training score --source`` writes the list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.contract.table import ContractTable
from features.errors import ReleaseError
from training.artifact import current_release, json_bytes, read_files, write_files
from training.boundaries import TierBoundaries
from training.contract.choose import Calibration
from training.contract.design import Design, design_from
from training.contract.models import LogitModel, logit_model_from
from training.models.booster import BoosterError
from training.models.matrix import Array

NUMBERS, GOLDEN, TREES = "contract.json", "golden.json", "trees/"
N_GOLDEN = 24
CONTRACTS = "contracts"


@dataclass(frozen=True)
class RiskBand:
    """One level of churn as it is released.

    Attributes
    ----------
    id : str
        Of the scheme.
    label : dict
        ``zh`` and ``en``.
    boundary_below : float
        Least p_churn that belongs to it; 0 at the bottom.
    share, churned_share : float
        Of customers; and of them those who left, among customers the model had not seen.
    churned_low95, churned_high95 : float
        Wilson's interval of it.
    """

    id: str
    label: dict[str, str]
    boundary_below: float
    share: float
    churned_share: float
    churned_low95: float
    churned_high95: float


@dataclass(frozen=True)
class ContractScores:
    """What a release says of each customer: probability to leave, and level (0 the lowest)."""

    p_churn: Array
    level: NDArray[np.int64]


@dataclass(frozen=True)
class ContractRelease:
    """A model of churn of customers under contract.

    Attributes
    ----------
    source, candidate : str
        Name of the source, and of the candidate that was chosen.
    design, model, calibration
        From raw columns to a probability.
    bands : tuple of RiskBand
        Lowest first.
    lineage : dict
        Digests of data, configuration and code, versions, and the figures of the nested choice.
    digest : str
        sha256 of the manifest; empty before it is written.
    """

    source: str
    candidate: str
    design: Design
    model: LogitModel
    calibration: Calibration
    bands: tuple[RiskBand, ...]
    lineage: dict[str, Any]
    digest: str = ""

    def score(self, numbers: pd.DataFrame, categories: pd.DataFrame) -> ContractScores:
        """Score rows of raw columns (as of `ContractTable`); a row's scores are its own.

        Raises
        ------
        InputError
            If a column the release reads is missing.
        """
        matrix = self.design.matrix(numbers, categories)
        p_churn = self.calibration.probabilities(self.model.logits(matrix))
        cuts = TierBoundaries(tuple(band.boundary_below for band in self.bands[1:]))
        return ContractScores(p_churn, cuts.assign(p_churn))


def contract_releases(state: Path, source: str) -> Path:
    """Return the folder of a source's releases of this kind."""
    return state / CONTRACTS / source / "releases"


def write_contract_release(
    release: ContractRelease, table: ContractTable, releases: Path
) -> ContractRelease:
    """Write a release to ``releases/DIGEST``; return it as it will be loaded, with its digest.

    Parameters
    ----------
    release : ContractRelease
        Without a digest.
    table : ContractTable
        Of which some rows are kept as golden, spread over the ranking.
    releases : Path
        Folder of the source's releases.
    """
    files = {TREES + name: text.encode() for name, text in release.model.to_texts().items()}
    files[NUMBERS] = json_bytes(_to_numbers(release))
    reloaded = _from_files(files)
    files[GOLDEN] = json_bytes(_golden(reloaded, table))
    return replace(reloaded, digest=write_files(files, releases))


def load_contract_release(folder: Path) -> ContractRelease:
    """Check and read a release; its golden rows must give the answers that were kept.

    Raises
    ------
    ReleaseError
        If a file is missing, foreign or changed, or the golden rows come out otherwise.
    """
    digest, files = read_files(folder)
    try:
        release = replace(_from_files(files), digest=digest)
        golden = json.loads(files[GOLDEN])
        numbers = pd.DataFrame(golden["numbers"], dtype="float64")
        scores = release.score(numbers, pd.DataFrame(golden["categories"], index=numbers.index))
        same = np.array_equal(scores.p_churn, golden["p_churn"])
        same = same and np.array_equal(scores.level, golden["level"])
    except (ValueError, LookupError, TypeError, AttributeError, BoosterError) as cause:
        raise ReleaseError(
            f"{folder} cannot be read ({type(cause).__name__}: {cause}); expected a release for "
            "customers under contract",
            "restore it from the registry, or train again",
        ) from cause
    if not same:
        raise ReleaseError(
            f"{folder} does not reproduce its golden rows; expected the answers it was made with",
            "use the library versions named in its lineage, or train again",
        )
    return release


def load_current_contract(state: Path, source: str) -> ContractRelease:
    """Check and read the promoted release of a source.

    Raises
    ------
    ReleaseError
        If nothing has been promoted, or as `load_contract_release`.
    """
    return load_contract_release(current_release(contract_releases(state, source)))


def _to_numbers(release: ContractRelease) -> dict[str, Any]:
    return {
        "source": release.source,
        "candidate": release.candidate,
        "design": release.design.to_numbers(),
        "model": release.model.to_numbers(),
        "calibration": asdict(release.calibration),
        "bands": [asdict(band) for band in release.bands],
        "lineage": release.lineage,
    }


def _from_files(files: Mapping[str, bytes]) -> ContractRelease:
    told = json.loads(files[NUMBERS])
    texts = {n.removeprefix(TREES): c.decode() for n, c in files.items() if n.startswith(TREES)}
    return ContractRelease(
        source=told["source"],
        candidate=told["candidate"],
        design=design_from(told["design"]),
        model=logit_model_from(told["model"], texts),
        calibration=Calibration(**told["calibration"]),
        bands=tuple(RiskBand(**band) for band in told["bands"]),
        lineage=told["lineage"],
    )


def _golden(release: ContractRelease, table: ContractTable) -> dict[str, Any]:
    scores = release.score(table.numbers, table.categories)
    order = np.argsort(scores.p_churn, kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(N_GOLDEN, len(order))).round().astype(int)]
    numbers, categories = table.numbers.iloc[rows], table.categories.iloc[rows]
    return {
        "numbers": {
            str(name): [None if np.isnan(v) else v for v in column.tolist()]
            for name, column in numbers.items()
        },
        "categories": {
            str(name): [None if pd.isna(v) else v for v in column.tolist()]
            for name, column in categories.items()
        },
        "p_churn": scores.p_churn[rows].tolist(),
        "level": scores.level[rows].tolist(),
    }
