"""The jobs of training: ``python -m training JOB``, such as train, promote, score or assign."""

from __future__ import annotations

from features.cli import exit_with
from training.jobs import JOBS

if __name__ == "__main__":
    exit_with(JOBS.run)
