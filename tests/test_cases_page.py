"""docs/cases.md is true: its examples run and can fail, and what it names of the handles is what there is."""

import json
import re
from pathlib import Path

import pytest

from conformance.cases.checking import HANDLES, SESSION, check_case, handle_attributes
from conformance.cases.collection import all_requirements, case_of
from conformance.cli import main
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION
from conformance.places import data
from conformance.project.reading import FILE

PAGE = data("docs", "cases.md").read_text(encoding="utf-8")

#: What only the suite itself needs, or what stands behind a method that the page has.
_OURS = {
    "internet": {"arrange", "is_of_a_file", "seen", "zones", "paddings", "faults", "exchangers", "tcp"},
    "qmail": {
        *("configure", "check_ends", "ended_by_signal", "programs", "signal"),
        *("password_check", "recipient_check", "queue_program", "timeouts"),
    },
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the page's example as its file of cases."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "test_example.py").write_text(example, encoding="utf-8")
    (tmp_path / FILE).write_text('cases = ["cases"]\n', encoding="utf-8")
    return tmp_path / FILE


def run(project: Path, target: str) -> tuple[int, dict[str, str]]:
    out = project.parent / f"out-{target}"
    status = main(["run", target, "-k", "example", "--project", str(project), "--out", str(out)])
    (file,) = out.glob("*.jsonl")
    _, *lines, _ = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return status, {line["requirement"]: line["verdict"] for line in lines}


def test_the_examples_are_met_and_tell_builds_apart(project: Path) -> None:
    names = ["0009.example.asked-once", "base.example.next-exchanger", "base.example.noop"]
    assert run(project, "reference-ppa") == (EXIT_AS_EXPECTED, dict.fromkeys(sorted(names), "met"))
    status, found = run(project, "reference-stock")
    assert (status, found["0009.example.asked-once"]) == (EXIT_AS_EXPECTED, "unmet")
    status, found = run(project, "reference-ppa~smtpd.noop-resets")
    assert (status, found["base.example.noop"]) == (EXIT_REGRESSION, "unmet")


@pytest.mark.parametrize("handle", HANDLES)
def test_all_that_a_handle_has_is_there_and_nothing_else(handle: str) -> None:
    named = set(re.findall(rf"\b{handle}\.(\w+)", PAGE))
    known = {name for name in handle_attributes(handle) if not name.startswith("_")}
    assert named == known - _OURS[handle]


def test_all_that_a_session_has_is_there_and_nothing_else() -> None:
    known = {name for name in handle_attributes(SESSION) if not name.startswith("_")}
    assert set(re.findall(r"\bsmtp\.(\w+)", PAGE)) == known


def test_no_case_of_the_suite_itself_would_be_refused() -> None:
    for requirement in all_requirements().values():
        check_case(case_of(requirement))
