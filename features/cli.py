"""How every command of the house ends: its exit code, its two lines on stderr, its Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from features.disk import find_disk_fault
from features.errors import EXIT_BAD_INPUT, EXIT_DONE, InputError, TierwiseError, did_you_mean

EXIT_INTERRUPTED = 130
DEFAULT_CONFIG = Path("config.toml")
DEFAULT_STATE = Path("state")


def build_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every command shares."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="settings (TOML)")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="folder for all results")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def exit_with(main: Callable[[Sequence[str]], int], arguments: Sequence[str] | None = None) -> None:
    """Run `main` and leave the process with the house's exit code.

    An error that a user can mend is printed to stderr in two lines: what was found and
    expected, then what to do. A traceback is shown only with ``--debug``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = main(given)
    except TierwiseError as error:
        if "--debug" in given:
            raise
        code = _tell(error, given)
    except Exception as error:
        fault = None if "--debug" in given else find_disk_fault(error)
        if fault is None:
            raise
        code = _tell(fault, given)
    except KeyboardInterrupt:
        print("interrupted: nothing half-written was left behind", file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _tell(error: TierwiseError, given: Sequence[str]) -> int:
    """Print an error in two lines, and return its exit code."""
    lang = _language(given)
    found, do = error.lines(lang)
    error_word, do_word = ("错误：", "处理：") if lang == "zh" else ("error: ", "do: ")
    print(f"{error_word}{found}\n  {do_word}{do}", file=sys.stderr)
    return error.exit_code


def _language(given: Sequence[str]) -> str:
    """Return `lang` of the settings in use, English where they cannot be read."""
    path = DEFAULT_CONFIG
    for word, after in zip(given, [*given[1:], ""], strict=True):
        if word == "--config":
            path = Path(after)
        elif word.startswith("--config="):
            path = Path(word.partition("=")[2])
    try:
        lang = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("lang", "en")
    except (OSError, ValueError):
        return "en"
    return lang if lang in {"en", "zh"} else "en"


Command = Callable[[Sequence[str]], int]


class Commands:
    """The jobs of one folder: ``python -m FOLDER JOB [options]``.

    A job is a function that takes the arguments after its name and returns an exit code; the
    first line of its docstring is its help.

    Parameters
    ----------
    program : str
        Such as ``python -m features``.
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self._known: dict[str, Command] = {}

    def add(self, name: str) -> Callable[[Command], Command]:
        """Register the decorated function as the job `name`."""

        def register(function: Command) -> Command:
            self._known[name] = function
            return function

        return register

    def parser(self, name: str) -> argparse.ArgumentParser:
        """Return a parser for the job `name` with the options that every command shares."""
        return build_parser(f"{self.program} {name}", self._known[name].__doc__)

    def run(self, arguments: Sequence[str]) -> int:
        """Run the job that the first argument names; return its exit code."""
        if not arguments or arguments[0] in {"-h", "--help"}:
            print(self._usage(), file=sys.stdout if arguments else sys.stderr)
            return EXIT_DONE if arguments else EXIT_BAD_INPUT
        name = arguments[0]
        if name not in self._known:
            raise InputError(
                f"no command {name}; {did_you_mean(name, self._known)}",
                f"run: {self.program} --help",
            )
        return self._known[name](arguments[1:])

    def _usage(self) -> str:
        width = max(map(len, self._known))
        told = "\n".join(
            f"  {name:{width}} {(job.__doc__ or '').splitlines()[0]}"
            for name, job in self._known.items()
        )
        return f"usage: {self.program} COMMAND [--help]\n\n{told}"
