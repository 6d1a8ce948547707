"""`make` from outside: what each target runs, in which environment, and when it refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
# What an outer `make test` hands down would change the answers.
INHERITED = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TIERWISE_DATA", "DATA", "ARGS", "PYTHON")


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in INHERITED} | variables
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile, the pins and an environment that is up to date."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / ".installed").touch()
    return folder


def test_make_alone_lists_every_target_with_a_line(clone: Path):
    listed = make(clone).stdout
    for target in (
        "setup", "setup-torch", "demo", "drill", "serve", "ui", "dashboard", "check", "test", "test-slow", "bench-%",
        "harden", "clean-state", "help",
    ):  # fmt: skip
        assert f"  make {target} " in listed


def test_setup_does_nothing_when_nothing_changed(clone: Path):
    assert make(clone, "-q", "setup").returncode == 0


@pytest.mark.parametrize("lock", ["main.txt", "dev.txt"])
def test_setup_installs_again_when_a_pin_changed(clone: Path, lock: str):
    later = (clone / ".venv" / ".installed").stat().st_mtime + 5
    os.utime(clone / "requirements" / lock, (later, later))
    assert make(clone, "-q", "setup").returncode == 1


def test_setup_without_python_says_what_to_install(clone: Path):
    shutil.rmtree(clone / ".venv")
    answer = make(clone, "setup", PYTHON="no-such-python")
    assert answer.returncode != 0
    assert answer.stderr.splitlines()[:2] == [
        'error: "no-such-python" is not a Python 3.11 with venv',
        "  do: install python3.11 and python3.11-venv, or give PYTHON=/path/to/python3.11",
    ]
    assert not (clone / ".venv").exists()


def test_setup_takes_the_installer_from_the_pins(clone: Path):
    (pin,) = [
        line
        for line in (clone / "requirements" / "dev.txt").read_text().splitlines()
        if line.startswith("uv==")
    ]
    (clone / ".venv" / ".installed").unlink()
    assert f"-m pip install --quiet --disable-pip-version-check '{pin}'" in (
        make(clone, "-n", "setup").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["serve"], "exec .venv/bin/python -m serving"),
        (["bench-quality"], ".venv/bin/python -m benchmarks.quality"),
        (["bench-two-words"], ".venv/bin/python -m benchmarks.two_words"),
        (["test", "ARGS=tests/features"], ".venv/bin/python -m pytest -n 2 --dist loadfile tests/features"),
        (
            ["test-slow"],
            ".venv/bin/python -m pytest -m slow -n 2 --dist loadfile --ignore=tests/serving\n"
            ".venv/bin/python -m pytest -m slow tests/serving",
        ),
        (["test-slow", "ARGS=tests/features"], ".venv/bin/python -m pytest -m slow tests/features"),
        (
            ["harden"],
            ".venv/bin/python -m pytest -m harden -n 2 \n"
            "TIERWISE_HARDEN=full .venv/bin/python -m pytest -m slow tests/hardening/test_disk.py "
            "tests/acts/test_kill_points.py\n"
            "TIERWISE_HARDEN=full .venv/bin/python -m pytest -m slow tests/serving/test_harden.py "
            "tests/serving/test_schema.py",
        ),
    ],
)  # fmt: skip
def test_each_target_runs_the_command_a_user_would_type(
    clone: Path, arguments: list[str], command: str
):
    assert make(clone, "-n", *arguments).stdout.strip() == command


@pytest.mark.parametrize("source", ["datasets/simulated_shop.toml", "datasets/cdnow.toml"])
def test_demo_goes_on_without_a_sentiment_model(clone: Path, source: str):
    told = make(clone, "-n", "demo", f"DATA={source}").stdout
    assert "sentiment-base ARGS= || \\\n" in told
    assert told.strip().splitlines()[-1] == f".venv/bin/python demo.py --source {source}"


def test_check_calls_the_four_tools(clone: Path):
    assert make(clone, "-n", "check").stdout.splitlines() == [
        ".venv/bin/ruff check .",
        ".venv/bin/ruff format --check .",
        ".venv/bin/mypy",
        ".venv/bin/lint-imports",
    ]


def test_ui_before_any_training_says_what_to_do(clone: Path):
    answer = make(clone, "ui")
    assert answer.returncode != 0
    assert answer.stderr.splitlines()[:2] == [
        "error: no state/mlflow.db; expected the record of a training run",
        "  do: run make demo first",
    ]


def test_ui_listens_on_loopback_only(clone: Path):
    assert "--host 127.0.0.1" in make(clone, "-n", "ui").stdout


def test_clean_state_removes_state_and_nothing_else(clone: Path):
    (clone / "state" / "tables").mkdir(parents=True)
    (clone / "config.toml").touch()
    assert make(clone, "clean-state").returncode == 0
    assert sorted(p.name for p in clone.iterdir()) == [
        ".venv", "Makefile", "config.toml", "requirements",
    ]  # fmt: skip


def read_environment(clone: Path, name: str, **variables: str) -> str:
    """What a command started by make finds in its environment."""
    show = f'show: ; @printenv {name} || echo "(not set)"'
    return make(clone, "-s", f"--eval={show}", "show", **variables).stdout.strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DO_NOT_TRACK", "true"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("BENTOML_DO_NOT_TRACK", "True"),
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("HF_HUB_OFFLINE", "1"),
    ],
)
def test_nothing_started_by_make_phones_home(clone: Path, name: str, value: str):
    assert read_environment(clone, name) == value


def test_real_data_beside_the_clone_are_found(clone: Path):
    data = clone.parent / "shared" / "data"
    data.mkdir(parents=True)
    assert read_environment(clone, "TIERWISE_DATA") == str(data)


def test_without_real_data_nothing_is_claimed(clone: Path):
    assert read_environment(clone, "TIERWISE_DATA") == "(not set)"


def test_a_folder_of_data_that_is_given_is_kept(clone: Path):
    (clone.parent / "shared" / "data").mkdir(parents=True)
    given = read_environment(clone, "TIERWISE_DATA", TIERWISE_DATA="elsewhere")
    assert given == "elsewhere"


def test_hooks_are_local_and_call_make():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    entries = [hook["entry"] for repository in hooks["repos"] for hook in repository["hooks"]]
    assert entries == ["make check", "make test"]


def test_ci_script_is_executable_bash_that_stops_at_the_first_failure():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines


@pytest.mark.parametrize("failing", ["check", "test", "test-slow"])
def test_ci_fails_when_a_part_of_it_fails(clone: Path, failing: str):
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    parts = ["setup", "check", "test", "test-slow"]
    recipes = [
        f"{part}: ; @{'exit 1' if part == failing else 'echo ran ' + part}" for part in parts
    ]
    (clone / "Makefile").write_text("\n".join(recipes) + "\n", encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k not in INHERITED}
    answer = subprocess.run(
        ["bash", ".ci/run"], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    ran = [line for line in answer.stdout.splitlines() if line.startswith("ran ")]
    assert ran == [f"ran {part}" for part in parts[: parts.index(failing)]]
