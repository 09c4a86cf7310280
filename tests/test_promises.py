"""The promises as data: each has a case or says why not."""

import dataclasses
import fnmatch
import json
from collections import Counter
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue.builtin import PATCHES, STOCK_PATCHES
from conformance.catalogue.promises import FILE, load_promises
from conformance.cli import main
from conformance.errors import UsageError
from conformance.project.form import NO_PROJECT, Project

NAMES = list(all_requirements())
GOOD = """
[[promise]]
id = "0006.code"
section = "0006"
text = "A verb that is not known gets 500."
requirements = ["0006.unknown.code"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "promises.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_section_has_promises_and_every_pattern_names_a_requirement() -> None:
    """The reverse is no mistake: a requirement's own docstring is its promise, where none names it."""
    empty = [
        f"{promise.id}: {pattern}"
        for promise in load_promises()
        for pattern in promise.patterns
        if not fnmatch.filter(NAMES, pattern)
    ]
    assert not empty, f"these patterns in {FILE.name} name nothing"
    counts = Counter(one.section for one in load_promises())
    assert set(counts) == set(PATCHES)
    assert all(count >= 5 for section, count in counts.items() if section not in STOCK_PATCHES)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("[[promise]]", "[promise]", "two brackets"),
        ("[[promise]]", "[[promises]]", "Only"),
        ('id = "0006.code"\n', "", "missing: id"),
        ('"0006.code"', '"0007.code"', "an id reads 0006"),
        ('"0006.code"', '"0006.Code!"', "an id reads 0006"),
        ('section = "0006"', 'section = "0012"', "no section '0012'"),
        ("gets 500.", '"', "line"),
        ("A verb that is not known gets 500.", " ", "text is empty"),
        ('["0006.unknown.code"]', '"0006.unknown.code"', "no list of names"),
        ('["0006.unknown.code"]', "[]", "either requirements or"),
        ('["0006.unknown.code"]', '["0006.*"]\nuncovered = "why"', "either requirements or"),
        ("requirements =", "requirement =", "unknown key: requirement"),
        (GOOD, GOOD + GOOD, "two promises are called '0006.code'"),
    ],
)
def test_a_mistake_in_the_file_is_told(tmp_path: Path, before: str, after: str, word: str) -> None:
    assert load_promises(written(tmp_path, GOOD))
    with pytest.raises(UsageError, match=word) as raised:
        load_promises(written(tmp_path, GOOD.replace(before, after)))
    assert "promises.toml" in str(raised.value)


def test_list_tells_promises_with_their_requirements(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--promises", "--patch", "0009", "-k", "exit 111"]) == 0
    told = capsys.readouterr().out
    assert "0009.exit-111\n      Exit 111: 421 unable to verify, connection closed.\n" in told
    assert "0009.exit-111.temporary" in told
    assert "0009.exit-100" not in told


def test_list_tells_promises_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--promises", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["promises"]
    assert [one["id"] for one in told] == [one.id for one in load_promises()]
    assert {"0006.verb.8bit"} <= {name for one in told for name in one["requirements"]}


def promise_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command find a catalogue with the promises of a file alone."""
    project = Project()
    promises = tuple(load_promises(path))
    vars(project)["catalogue"] = dataclasses.replace(NO_PROJECT.catalogue, promises=promises)
    monkeypatch.setattr("conformance.cli.find_project", lambda named: project)


def test_list_tells_what_has_no_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_one = GOOD.replace('requirements = ["0006.unknown.code"]', 'uncovered = "it cannot be seen"')
    other = GOOD.replace("0006.code", "0006.rest").replace("0006.unknown.code", "0006.[s-v]*")
    path = written(tmp_path, open_one + other)
    promise_only(path, monkeypatch)
    assert main(["list", "--without-a-case", "--patch", "0006"]) == 0
    told = capsys.readouterr().out
    assert "0006.code\n    A verb that is not known gets 500.\n    it cannot be seen\n" in told
    assert "0006.empty-line is named by no promise" in told
    assert "0006.unknown.code is named" not in told


def test_list_says_so_when_nothing_is_without_a_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD.replace("0006.unknown.code", "*"))
    promise_only(path, monkeypatch)
    assert main(["list", "--without-a-case"]) == 0
    told = capsys.readouterr().out
    assert told == "every promise has a case\nevery requirement is named by a promise\n"
