"""What tests share: where real data lies, and a small shop taken the whole way once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets that TIERWISE_DATA names; the test is skipped without it."""
    named = os.environ.get("TIERWISE_DATA")
    folder = Path(named) if named else Path("data")
    if not folder.is_dir():
        pytest.skip(f"no real data: TIERWISE_DATA is {named!r} and there is no folder data")
    return folder
