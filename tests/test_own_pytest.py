"""A run is the suite's own: what its caller has set and installed for other tests decides nothing in it."""

from pathlib import Path

import pytest

from tests.processes import python, run_lines

#: A plugin of somebody else's, after which no test is called.
FOREIGN = """
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    pytest.skip("not today")
"""
ENTRY_POINT = "[pytest11]\nforeign = foreign\n"


@pytest.mark.parametrize(
    "environment",
    [{"PYTEST_ADDOPTS": "-k nothing --no-such-option"}, {"PYTEST_PLUGINS": "foreign"}, {}],
    ids=["options", "plugin", "installed plugin"],
)
def test_options_and_plugins_of_other_tests_change_no_run(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "foreign.py").write_text(FOREIGN)
    if not environment:
        installed = tmp_path / "foreign-1.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
        (installed / "entry_points.txt").write_text(ENTRY_POINT)
    words = ("run", "reference-ppa", "--patch", "0006", "--out", "out")
    done = python("-m", "conformance", *words, directory=tmp_path, PYTHONPATH=str(tmp_path), **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [
        line for line in run_lines(tmp_path / "out" / "reference-ppa.jsonl") if line["kind"] == "verdict"
    ]
    assert len(found) == 15
    assert {each["as_expected"] for each in found} == {True}
