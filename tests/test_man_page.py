"""The man page that a wheel holds says what the parser does."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]

for needed in ("argparse_manpage", "hatchling"):
    pytest.importorskip(needed, reason="what builds a wheel is not here, and makes the page")


@pytest.fixture(scope="module")
def page() -> str:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.man_page(str(ROOT)))


def test_it_has_every_command_with_its_options(page: str) -> None:
    plain = page.replace("\\-", "-")
    assert plain.startswith('.TH QMAIL-CONFORMANCE "1"')
    assert "\nqmail-conformance - say, with evidence, " in plain
    for command in COMMANDS:
        assert f"'qmail-conformance {command}'" in plain
    for text in ("\\fB--maxfail\\fR", "so many cases at a time", "Exit status: 0: every verdict"):
        assert text in plain


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man")
def test_man_has_nothing_to_say_against_it(page: str, tmp_path: Path) -> None:
    path = tmp_path / "qmail-conformance.1"
    path.write_text(page, encoding="utf-8")
    words = ["man", "--warnings", "-l", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
