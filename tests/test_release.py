"""What `tox run -e release` refuses, and what it makes of the changelog. CI shows that it builds."""

import importlib.machinery
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def command(name: str) -> Any:
    """A program of `.ci/`, which has no .py behind its name."""
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / ".ci" / name))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


release = command("release")

CHANGES = "# Changelog\n\n## [Unreleased]\n\n- New.\n\n## [0.1.0] - 2026-01-01\n\n- First.\n"


def test_what_is_unreleased_gets_the_heading_of_the_version() -> None:
    assert release.with_heading(CHANGES, "0.2.0", "2026-12-01") == CHANGES.replace(
        "- New.", "## [0.2.0] - 2026-12-01\n\n- New."
    )


@pytest.mark.parametrize(
    ("changelog", "version", "message"),
    [
        (CHANGES, "0.1.0", "raise __version__"),
        (CHANGES.replace("- New.\n", ""), "0.2.0", "nothing below Unreleased"),
        ("# Changelog\n", "0.2.0", "no heading"),
    ],
)
def test_a_version_that_cannot_be_published_is_told(changelog: str, version: str, message: str) -> None:
    with pytest.raises(release.Wrong, match=message):
        release.with_heading(changelog, version, "2026-12-01")


def test_this_version_can_be_published() -> None:
    version = release.version_of((ROOT / "conformance" / "__init__.py").read_text())
    assert f"## [{version}] - " in release.with_heading((ROOT / "CHANGELOG.md").read_text(), version, "x")


GOOD = [
    "conformance/py.typed",
    "q-0.1.0.data/data/share/man/man1/qmail-conformance.1",
    "q-0.1.0.dist-info/licenses/LICENSE",
    "conformance/cases/test_base_auth.py",
]


@pytest.mark.parametrize(
    ("names", "page", "faults"),
    [
        (GOOD, "[a](https://far.example/a) [b](#b)", []),
        ([*GOOD, "tests/pods.py"], "", ["tests/pods.py is a file of the tests"]),
        (GOOD[1:], "", ["conformance/py.typed is missing"]),
        (GOOD, "[a](docs/a.md)", ["the link docs/a.md leads nowhere"]),
    ],
)
def test_what_is_wrong_with_a_wheel_is_told(names: list[str], page: str, faults: list[str]) -> None:
    assert release.faults_of_wheel(names, f"Name: q\n\n{page}") == faults


def test_the_page_of_an_index_leads_to_the_repository() -> None:
    """Its links are absolute, those of pictures lead to the picture, and nothing else changes."""
    page = (ROOT / "README.md").read_text()
    hooks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]
    shown = page
    for change in hooks["fancy-pypi-readme"]["substitutions"]:
        shown = re.sub(change["pattern"], change["replacement"], shown)
    assert re.findall(r"\]\((?![a-z]+:|#)", shown) == []
    assert "](https://code.example/qmail-conformance/raw/main/docs/screenshot.png)](" in shown
    assert re.sub("https://code.example/qmail-conformance/(blob|raw)/main/", "", shown) == page
