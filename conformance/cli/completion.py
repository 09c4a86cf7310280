"""`completion`: what a shell needs to complete commands, options, targets, patches and files, by shtab."""

import argparse
import re
from collections.abc import Mapping
from typing import Any

import shtab

from conformance.cli import parser
from conformance.errors import EXIT_AS_EXPECTED
from conformance.scenario.named import named_scenarios
from conformance.targets.names import NAMES

_PATCHES = "_qmail_conformance_patches"
_TARGETS = "_qmail_conformance_targets_file"  #: by `_file` shtab knows that names of files are among them
_SCENARIOS = "_qmail_conformance_scenarios_file"

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")

_SHELLS = ("bash", "zsh")

_PREAMBLES = {
    "bash": """
{patches}() {{ compgen -W "{numbers}" -- "$1"; }}
{targets}() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}
{scenarios}() {{ compgen -W "{examples}" -- "$1"; compgen -f -- "$1"; }}
""",
    "zsh": """
{patches}() {{ compadd {numbers} }}
{targets}() {{ compadd {names}; _files }}
{scenarios}() {{ compadd {examples}; _files }}
""",
}


def run(options: argparse.Namespace) -> int:
    """Print it for `options.shell`, with the project's own patches and names of targets."""
    whole = parser(options.project)
    _mark(whole)
    words = {
        "numbers": " ".join(options.project.series.patches),
        "names": " ".join((*options.project.aliases, *NAMES)),
        # A shell expands these words, and anybody may have named a file.
        "examples": " ".join(filter(_PLAIN.fullmatch, named_scenarios(options.project))),
    }
    functions = {"patches": _PATCHES, "targets": _TARGETS, "scenarios": _SCENARIOS}
    preamble = _PREAMBLES[options.shell].format(**functions, **words)
    print(shtab.complete(whole, options.shell, preamble=preamble))
    return EXIT_AS_EXPECTED


def _mark(whole: argparse.ArgumentParser) -> None:
    """Say of each argument what completes it, by what stands for its value in the help."""
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _mark(each)
        elif action.nargs != 0 and not action.choices:
            complete = _complete(str(action.metavar or action.dest.upper()))
            if complete is not None:
                setattr(action, "complete", complete)  # noqa: B010  argparse knows no such attribute


def _complete(value: str) -> Mapping[str, Any] | None:
    if "TARGET" in value:
        return dict.fromkeys(_SHELLS, _TARGETS)
    if value == "SCENARIO":
        return dict.fromkeys(_SHELLS, _SCENARIOS)
    if value == "PATCH":
        return dict.fromkeys(_SHELLS, _PATCHES)
    if "DIR" in value:
        return shtab.DIRECTORY
    return shtab.FILE if "FILE" in value or "." in value else None
