"""The suite in processes of its own, as a person runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Finished = subprocess.CompletedProcess[str]

#: Python as the pytest of people who judge a qmail with it; an entry point of an earlier version is left out.
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "conformance.plugin", "-p", "no:conformance")


def python(
    *arguments: str,
    directory: Path | None = None,
    told: str = "",
    executable: str = sys.executable,
    **environment: str,
) -> Finished:
    """Run Python with arguments, without colours and without what this shell has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    return subprocess.run(
        [executable, *arguments],
        cwd=directory,
        env={**kept, "NO_COLOR": "1", **environment},
        input=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_own_cases(
    directory: Path, files: Sequence[str], written: Mapping[str, str], processes: int, first: str = ""
) -> tuple[Finished, list[dict[str, Any]]]:
    """`run reference-ppa` over files of ours and over a project's own; its run file's lines.

    `first` is what the program does before.
    """
    program = first + own_program(directory, files, written, processes)
    root = Path(__file__).resolve().parent.parent
    done = python("-c", program, PYTHONPATH=f"{directory}{os.pathsep}{root}")
    return done, run_lines(directory / "out" / "reference-ppa.jsonl")


def own_program(directory: Path, files: Sequence[str], written: Mapping[str, str], processes: int) -> str:
    """What runs those files, a project's own among them, into `out`."""
    package = directory / "own"
    package.mkdir()
    for name, text in written.items():
        (package / name).write_text(text)
    project = directory / "qmail-conformance.toml"
    project.write_text('cases = ["own"]\n')
    own = [name for name in written if name.startswith("test_")]
    return f"""
import sys
from conformance.cli import case_run, main
case_run.process_count = lambda *_: {processes}
keyword, out = {" or ".join([*files, *own])!r}, {str(directory / "out")!r}
sys.argv[1:] = ["run", "reference-ppa", "-n", "{processes}", "-k", keyword, "--out", out]
sys.argv += ["--project", {str(project)!r}]
sys.exit(main())
"""


def run_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a run file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
