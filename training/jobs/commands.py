"""The table of jobs that the modules beside this one fill."""

from __future__ import annotations

from features.cli import Commands

JOBS = Commands("python -m training")
