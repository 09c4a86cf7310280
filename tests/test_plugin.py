"""The plugin, for people who live in pytest: selection, outcomes, and workers that die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conformance.cases.collection import DIRECTORY
from conformance.plugin import _is_doubtful

DYING_CASE = '''
import os, signal
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement("base.test.dies", source="rfc5321:1")
async def test_that_kills_its_worker(qmail: Qmail) -> None:
    """A case that takes its worker with it."""
    os.kill(os.getpid(), signal.SIGKILL)
'''


def _pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_expected_verdicts_pass_or_fail_as_expected() -> None:
    done = _pytest(
        str(DIRECTORY),
        "--target",
        "reference-stock",
        "--target",
        "reference-ppa",
        "-k",
        "0006.empty-line",
        "-v",
    )
    assert done.returncode == 0, done.stdout
    assert "test_empty_line[reference-stock] XFAIL" in done.stdout
    assert "test_empty_line[reference-ppa] PASSED" in done.stdout


def test_an_unexpected_verdict_fails_with_the_assertion() -> None:
    done = _pytest(
        str(DIRECTORY),
        "--target",
        "reference-ppa",
        "-k",
        "0006.empty-line",
        QMAIL_CONFORMANCE_FLAWS="0006.dropped",
    )
    assert done.returncode == 1
    assert "== 500" in done.stdout


def test_markers_select() -> None:
    done = _pytest(
        str(DIRECTORY), "--target", "reference-ppa", "--patch", "0006", "-k", "change", "--collect-only", "-q"
    )
    assert "test_0006_unknown.py::test_unknown_verb[reference-ppa]" in done.stdout
    assert "test_known_verbs" not in done.stdout


def test_a_patch_is_selected_by_its_marker() -> None:
    expression = "patch(number='0007') and requirement(role='guard')"
    done = _pytest(str(DIRECTORY), "--target", "reference-ppa", "-m", expression, "--collect-only", "-q")
    tests = [line for line in done.stdout.splitlines() if "::" in line]
    assert tests
    assert {line.partition("::")[0].rpartition("/")[2] for line in tests} == {"test_0007_relay.py"}
    assert not any("::test_percent[" in line for line in tests)


def test_an_unknown_target_is_one_line_and_a_usage_error() -> None:
    done = _pytest(str(DIRECTORY), "--target", "sendmail")
    assert done.returncode == 4
    assert "there is no target 'sendmail'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_that_dies_is_the_worlds_failure_and_the_rest_is_kept(tmp_path: Path) -> None:
    package = tmp_path / "dying"
    package.mkdir()
    (package / "pytest.ini").write_text((DIRECTORY / "pytest.ini").read_text())
    for name in ("__init__.py", "test_0006_unknown.py"):
        (package / name).write_text((DIRECTORY / name).read_text())
    (package / "test_dying.py").write_text(DYING_CASE)
    program = f"""
import pathlib, sys
from conformance.cli import conduct, main
from conformance.cases import collection
sys.path.insert(0, {str(tmp_path)!r})
import dying.test_dying
conduct.DIRECTORY = pathlib.Path({str(package)!r})
sys.exit(main(["run", "reference-ppa", "-n", "2", "--out", {str(tmp_path / "out")!r}]))
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    _, *verdicts, footer = map(
        json.loads, (tmp_path / "out" / "reference-ppa.jsonl").read_text().splitlines()
    )
    by_name = {verdict["requirement"]: verdict["verdict"] for verdict in verdicts}
    assert by_name.pop("base.test.dies") == "invalid"
    assert set(by_name.values()) == {"met"}
    assert footer["exit_status"] == 3


def test_an_unexpected_verdict_is_believed_when_it_comes_twice() -> None:
    assert not _is_doubtful(["met"], "met")
    assert _is_doubtful(["unmet"], "met")
    assert not _is_doubtful(["unmet", "unmet"], "met")
    assert not _is_doubtful(["unmet", "met"], "met")
    assert _is_doubtful(["invalid", "unmet"], "met")
    assert not _is_doubtful(["invalid", "invalid", "invalid"], "met")
    assert not _is_doubtful(["unsupported"], "met")
