"""The measure of explore: a flaw that shows is found, one that cannot is not, and the page says which."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis")

FUZZING = Path(__file__).parents[1] / "fuzzing"


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program; as `python fuzzing/explore_zoo.py` does it is imported from its own directory."""
    monkeypatch.syspath_prepend(str(FUZZING))
    return importlib.import_module("explore_zoo")


def run(zoo: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["explore_zoo.py", "--sessions", "64", "-n", "1", *arguments])
    return int(zoo.main())


def test_a_flaw_that_every_session_shows_is_found_at_once(zoo: Any) -> None:
    (trial,) = zoo.measured(["0006.dropped"], 1, 64, 1)
    assert trial.area
    assert trial.build == "reference-ppa"
    assert trial.shows


def test_a_flaw_that_no_scenario_can_show_is_not_found(zoo: Any) -> None:
    (trial,) = zoo.measured(["remote.misuse-unnoticed"], 1, 32, 1)  # a [deliver] has recipients
    assert (trial.area, trial.build, trial.sessions) == ("", "reference-stock", 32)


def test_the_same_seed_finds_the_same(zoo: Any) -> None:
    flaws = ["0006.dropped", "smtpd.log-twice", "0004.dropped"]
    assert list(zoo.measured(flaws, 2, 64, 1)) == list(zoo.measured(flaws, 2, 64, 1))


def test_the_page_names_what_is_found_and_what_is_not(
    zoo: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "explore.md"
    asked = ("-k", "0006.dropped", "-k", "misuse-unnoticed", "--out", str(out))
    assert run(zoo, monkeypatch, *asked, "--bar", "50") == 0
    page = out.read_text()
    assert "**1 of 2 flaws are found (50.0 %)**" in page
    assert page.index("## Not found") < page.index("remote.misuse-unnoticed") < page.index("## Found")
    assert page.index("## Found") < page.index("| `0006.dropped` |")
    assert "not found: remote.misuse-unnoticed" in capsys.readouterr().out
    assert run(zoo, monkeypatch, *asked, "--bar", "51") == 1
