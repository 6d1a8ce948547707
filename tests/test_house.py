"""The rules that hold for the house as a whole: its files, its pins, its settings, its contracts."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import BaseModel

from features.config import Config, read_config

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("features", "training", "serving", "monitoring", "datasets", "benchmarks", "drills")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("main.txt", "dev.txt", "onnx.txt", "torch.txt")
LEAST_SAFE = {
    "bentoml": "1.4.39",
    "mlflow": "3.17",
    "starlette": "1.3.1",
    "pyarrow": "14.0.1",
    "lightgbm": "4.6",
    "torch": "2.10",
}
LEFT_OUT = {"shap", "numba", "llvmlite", "torch", "onnx", "pyspark"}
# Taken apart so that this file does not name them itself.
INDEX_HOSTS = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "hugging" + "face.co")
# A container of BentoML keeps its state under its own home, on every machine.
MACHINE_FOLDERS = ("work/", "root/", "opt/", "home/(?!bentoml/)")


def read_lines(lock: str) -> list[str]:
    """The lines of a file of pins without its reference to another."""
    lines = (ROOT / "requirements" / lock).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("-r ")]


def read_pins(*locks: str) -> dict[str, str]:
    pins = [line.split("==") for lock in locks for line in read_lines(lock)]
    return {canonicalize_name(name): version for name, version in pins}


def list_committed() -> list[Path]:
    """What git has, or would take."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git work tree")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def read_commands(document: Path) -> Iterator[str]:
    """The command lines of a document: in its fenced blocks, and in `make ...` in its text."""
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            yield line.strip().removeprefix("$ ").partition("  #")[0].strip()
    yield from re.findall(r"`(make [^`\n]+)`", text)


def read_targets() -> tuple[set[str], list[str]]:
    """The targets of the Makefile, and the stems of its pattern rules."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z][a-z-]*%?):(?!=)", text, flags=re.MULTILINE))
    return {n for n in names if "%" not in n}, [n.rstrip("%") for n in names if "%" in n]


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_the_one_in_this_repository(name: str):
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name / "__init__.py"


def test_the_application_is_never_built():
    assert "build-system" not in PYPROJECT


def test_the_goals_are_the_shared_ones_unchanged():
    shared = ROOT.parent / "shared" / "goals.toml"
    if not shared.is_file():
        pytest.skip("no ../shared/goals.toml")
    assert (ROOT / "benchmarks" / "goals.toml").read_bytes() == shared.read_bytes()


def test_every_goal_can_be_evaluated():
    goals = tomllib.loads((ROOT / "benchmarks" / "goals.toml").read_text(encoding="utf-8"))["goal"]
    assert goals
    for goal in goals:
        assert set(goal) == {"bench", "path", "op", "limit"}, goal
        assert goal["op"] in {"<=", ">=", "=="}, goal


def test_no_file_names_an_index_or_a_folder_of_one_machine():
    folders = "|".join(MACHINE_FOLDERS)
    hosts = "|".join(re.escape(host) for host in INDEX_HOSTS)
    forbidden = re.compile(rf"{hosts}|(?<![\w.}}*-])/(?:{folders})")
    found = []
    for path in list_committed():
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if hit := forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {hit.group()}")
    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_exactly(lock: str):
    lines = read_lines(lock)
    assert lines
    loose = [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line)]
    assert loose == []


def test_no_package_is_pinned_twice():
    names = [canonicalize_name(line.split("==")[0]) for lock in LOCKS for line in read_lines(lock)]
    assert sorted(names) == sorted(set(names))


def test_pins_satisfy_what_pyproject_asks_for():
    main, both = read_pins("main.txt"), read_pins("main.txt", "dev.txt")
    torch, onnx = read_pins("torch.txt"), read_pins("onnx.txt")
    groups = PYPROJECT["dependency-groups"]
    for wanted, pins in (
        (PYPROJECT["project"]["dependencies"], main),
        (groups["dev"], both),
        (groups["torch"], torch),
        (groups["onnx"], onnx),
    ):
        for requirement in map(Requirement, wanted):
            version = pins.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement.name} is not pinned"
            assert requirement.specifier.contains(version), f"{requirement} against {version}"


def test_the_application_runs_without_what_the_house_leaves_out():
    assert LEFT_OUT.isdisjoint(read_pins("main.txt", "dev.txt"))


@pytest.mark.parametrize(("name", "least"), LEAST_SAFE.items())
def test_no_pin_is_below_the_least_safe_version(name: str, least: str):
    assert Version(read_pins(*LOCKS)[name]) >= Version(least)


def test_what_is_installed_is_what_is_pinned():
    pins = read_pins("main.txt", "dev.txt")
    installed = {
        canonicalize_name(found.metadata["Name"]): found.version
        for found in importlib.metadata.distributions()
    }
    different = {
        name: (pinned, installed.get(name))
        for name, pinned in pins.items()
        if name not in installed or Version(installed[name]) != Version(pinned)
    }
    assert different == {}, "run make setup"


def list_keys(settings: BaseModel) -> dict[str, Any]:
    """Every setting by its dotted key."""
    keys: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            keys |= {f"{name}.{inner}": v for inner, v in list_keys(value).items()}
        else:
            keys[name] = value
    return keys


def list_toml_keys(table: dict[str, Any]) -> set[str]:
    keys: set[str] = set()
    for name, value in table.items():
        inner = list_toml_keys(value) if isinstance(value, dict) else None
        keys |= {name} if inner is None else {f"{name}.{key}" for key in inner}
    return keys


def test_config_toml_names_every_setting_and_no_other():
    table = tomllib.loads((ROOT / "config.toml").read_text(encoding="utf-8"))
    assert list_toml_keys(table) == set(list_keys(Config()))


def test_config_toml_holds_the_defaults():
    assert list_keys(read_config(ROOT / "config.toml")) == list_keys(Config())


def test_every_setting_says_what_it_means():
    def check_described(model: type[BaseModel]) -> None:
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                check_described(field.annotation)
            else:
                assert field.description, f"{model.__name__}.{name}"

    check_described(Config)


def test_layers_are_held_in_the_order_of_the_data():
    linter = PYPROJECT["tool"]["importlinter"]
    first = next(c["layers"] for c in linter["contracts"] if c["type"] == "layers")
    assert first == ["monitoring", "serving", "training", "features"]
    assert set(linter["root_packages"]) == set(PACKAGES)


def test_contracts_name_modules_that_exist():
    named = set()
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]:
        for key in ("layers", "source_modules", "forbidden_modules", "modules"):
            named |= {m for m in contract.get(key, []) if m.partition(".")[0] in PACKAGES}
    missing = [
        name
        for name in sorted(named)
        if not (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()
        and not (ROOT / name.replace(".", "/") / "__init__.py").is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_documents_show_make_targets_that_exist(document: str):
    if not (ROOT / document).is_file():
        pytest.skip(f"no {document} yet")
    targets, stems = read_targets()
    shown = set()
    for command in read_commands(ROOT / document):
        for call in re.findall(r"\bmake ((?:[A-Za-z_]+=\S+ )*)([a-z][a-z-]*)", command):
            shown.add(call[1])
    assert shown, "no make command is shown"
    unknown = {t for t in shown if t not in targets and not t.startswith(tuple(stems))}
    assert unknown == set()


def test_entry_points_of_mlflow_are_commands_of_the_house():
    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))
    assert set(project["entry_points"]) >= {"ingest", "features", "train", "promote", "score"}
    for name, entry in project["entry_points"].items():
        words = shlex.split(entry["command"])
        assert words[:2] == ["python", "-m"], name
        assert words[2] in PACKAGES, name
        assert set(re.findall(r"\{(\w+)\}", entry["command"])) == set(entry["parameters"]), name
        for parameter in entry["parameters"].values():
            assert set(parameter) == {"type", "default"}, name


@pytest.mark.parametrize(
    "module",
    ["features", pytest.param("training", marks=pytest.mark.slow)],  # imports mlflow
)
def test_every_job_of_mlflow_is_one_that_its_module_lists(module: str):
    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))
    wanted = set()
    for entry in project["entry_points"].values():
        _, _, of_module, job, *_ = entry["command"].split()
        if of_module == module:
            wanted.add(job)
    assert wanted
    told = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = set(re.findall(r"^ {2,4}(\w+)", told, flags=re.MULTILINE))
    assert wanted <= listed


def test_mlflow_builds_its_environment_from_the_pins():
    environment = yaml.safe_load((ROOT / "python_env.yaml").read_text(encoding="utf-8"))
    assert environment["dependencies"] == ["-r requirements/main.txt"]
    assert PYPROJECT["project"]["requires-python"] == f"=={environment['python']}.*"
