"""The promises as data: each has a case or says why not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue import PATCHES
from conformance.catalogue.promises import FILE, Promise, complaints, load_promises, unnamed
from conformance.cli import main
from conformance.errors import UsageError

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


def test_promises_and_requirements_fit_together() -> None:
    found = complaints(load_promises(), NAMES)
    assert not found, f"mend {FILE.name}: {'; '.join(found)}"


def test_every_section_has_promises() -> None:
    counts = Counter(one.section for one in load_promises())
    assert set(counts) == set(PATCHES)
    assert all(count >= 5 for count in counts.values())


def test_a_pattern_that_names_nothing_is_seen() -> None:
    promise = Promise("0006.code", "0006", "It is so.", ("0006.unknown.cod",))
    assert "0006.code: no requirement is named '0006.unknown.cod'" in complaints([promise], NAMES)


def test_a_requirement_that_no_promise_names_is_seen() -> None:
    promise = Promise("0006.all", "0006", "It is so.", ("0006.*",))
    strays = unnamed([promise], ["0006.unknown.code", "0007.rcpt.bang"])
    assert strays == ["0007.rcpt.bang"]
    assert complaints([promise], ["0006.empty-line", "0007.rcpt.bang"]) == []


def test_a_promise_may_say_why_it_has_no_case(tmp_path: Path) -> None:
    text = GOOD.replace('requirements = ["0006.unknown.code"]', 'uncovered = "it cannot be seen"')
    (promise,) = load_promises(written(tmp_path, text))
    assert promise.uncovered == "it cannot be seen"
    assert promise.requirements(NAMES) == []
    assert complaints([promise], []) == []


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("[[promise]]", "[promise]", "two brackets"),
        ("[[promise]]", "[[promises]]", "only"),
        ('id = "0006.code"\n', "", "id is missing"),
        ('"0006.code"', '"0007.code"', "an id reads 0006"),
        ('"0006.code"', '"0006.Code!"', "an id reads 0006"),
        ('section = "0006"', 'section = "0003"', "no section '0003'"),
        ("gets 500.", '"', "line"),
        ("A verb that is not known gets 500.", " ", "text is missing"),
        ('["0006.unknown.code"]', '"0006.unknown.code"', "no list of names"),
        ('["0006.unknown.code"]', "[]", "either requirements or"),
        ('["0006.unknown.code"]', '["0006.*"]\nuncovered = "why"', "either requirements or"),
        ("requirements =", "requirement =", "unknown key: requirement"),
    ],
)
def test_a_mistake_in_the_file_is_told(tmp_path: Path, before: str, after: str, word: str) -> None:
    assert load_promises(written(tmp_path, GOOD))
    with pytest.raises(UsageError, match=word) as raised:
        load_promises(written(tmp_path, GOOD.replace(before, after)))
    assert "promises.toml" in str(raised.value)


def test_the_same_id_twice_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"two promises are called '0006.code'"):
        load_promises(written(tmp_path, GOOD + GOOD))


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


def test_list_tells_what_has_no_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_one = GOOD.replace('requirements = ["0006.unknown.code"]', 'uncovered = "it cannot be seen"')
    other = GOOD.replace("0006.code", "0006.rest").replace("0006.unknown.code", "0006.[s-v]*")
    path = written(tmp_path, open_one + other)
    monkeypatch.setattr("conformance.cli.listing.load_promises", lambda: load_promises(path))
    assert main(["list", "--without-a-case", "--patch", "0006"]) == 0
    told = capsys.readouterr().out
    assert "0006.code\n    A verb that is not known gets 500.\n    it cannot be seen\n" in told
    assert "0006.empty-line is named by no promise" in told
    assert "0006.unknown.code is named" not in told


def test_list_says_so_when_nothing_is_without_a_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD.replace("0006.unknown.code", "*"))
    monkeypatch.setattr("conformance.cli.listing.load_promises", lambda: load_promises(path))
    assert main(["list", "--without-a-case"]) == 0
    told = capsys.readouterr().out
    assert told == "every promise has a case\nevery requirement is named by a promise\n"
