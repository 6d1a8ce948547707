"""``python -m serving.check FOLDER``: load a release in a process that may die of it.

LightGBM's parser is not safe against a damaged text: it may end the process. So a release is parsed
the first time here, where nothing is lost, and must reproduce its golden rows; the service parses the
same bytes, held to the same digest, only after this has ended well.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from features.cli import exit_with
from features.errors import EXIT_DONE, ReleaseError

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
LONGEST_REASON = 2000


def main(arguments: Sequence[str]) -> int:
    """Load the release in a folder, print its digest and return 0."""
    from training.release import load_release

    (folder,) = arguments
    print(load_release(Path(folder)).digest)  # noqa: T201
    return EXIT_DONE


def check_in_child(folder: Path) -> None:
    """Load a release in a throw-away process.

    Raises
    ------
    ReleaseError
        With the reason of that process, or that it died.
    """
    command = [sys.executable, "-m", "serving.check", str(folder.resolve())]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=False, text=True
        )
    except subprocess.TimeoutExpired as cause:
        raise ReleaseError(
            f"{folder} was not loaded within {SECONDS} s; expected a release",
            "restore it from the registry, or train again",
        ) from cause
    if done.returncode == EXIT_DONE and done.stdout.strip() == folder.name:
        return
    lines = done.stderr[-LONGEST_REASON:].strip().splitlines()
    if done.returncode == ReleaseError.exit_code and len(lines) >= 2:
        raise ReleaseError(
            lines[-2].removeprefix("error: "), lines[-1].strip().removeprefix("do: ")
        )
    raise ReleaseError(
        f"loading {folder} ended with code {done.returncode}; expected 0",
        "restore it from the registry, or train again",
    )


if __name__ == "__main__":
    exit_with(main)
