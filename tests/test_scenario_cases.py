"""A scenario that names a requirement is a case like any other, and nothing else need be edited."""

import asyncio
from pathlib import Path

import pytest

from conformance.cases.attempt import replay
from conformance.cases.collection import all_requirements, case_of, load_catalogue
from conformance.catalogue.builtin import BUILT_IN, PPA_PATCHES
from conformance.catalogue.catalogue import Catalogue
from conformance.catalogue.part import Part
from conformance.errors import UsageError
from conformance.pod.secrets import Secrets
from conformance.targets.embedded import ReferencePod
from tests.pods import attempt

SCENARIO = (Path(__file__).parent / "scenarios" / "requirement.toml").read_text(encoding="utf-8")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of scenarios."""
    (tmp_path / "a-bug.toml").write_text(SCENARIO, encoding="utf-8")
    (tmp_path / "no-case.toml").write_text("session = '> QUIT'\n", encoding="utf-8")
    return tmp_path


def made(directory: Path) -> Catalogue:
    """The catalogue of these scenarios alone."""
    return load_catalogue([Part(BUILT_IN.patches, scenarios=(directory,))])


def test_a_file_with_a_requirement_becomes_a_case_that_says_what_it_saw(directory: Path) -> None:
    catalogue = made(directory)
    (known,) = catalogue.requirements.values()
    assert (known.name, known.patch, known.role) == ("0006.unknown.tried", "0006", "change")
    assert (known.level, known.promise) == ("must", "An unknown verb is answered with 500.")
    assert known.case == "a-bug.toml::test_a_bug"
    case = catalogue.cases[known.name]
    none = Secrets({})
    assert asyncio.run(attempt(case, ReferencePod(PPA_PATCHES), none)).outcome == "met"
    found = asyncio.run(attempt(case, ReferencePod(()), none))
    assert found.outcome == "unmet"
    assert found.seen == "line 4: < 500 after FROB; seen: 502 unimplemented (#5.5.1)"
    assert asyncio.run(replay(case, found.record, none)).seen == found.seen


def test_a_file_may_say_what_its_failure_costs(directory: Path) -> None:
    costs = SCENARIO.replace("[requirement]", "[requirement]\nseverity = 'crashes'")
    (directory / "a-bug.toml").write_text(costs, encoding="utf-8")
    assert made(directory).requirements["0006.unknown.tried"].severity == "crashes"


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("0006.unknown.tried", "0006", "a name reads"),
        ("0006.unknown.tried", "0066.unknown", "no patch 0066"),
        ('promise = "An unknown verb is answered with 500."', 'promise = ""', "needs a docstring"),
        ('source = "patch:0006 smtpd-502-to-500"', "", "source is missing"),
        ("[requirement]", "[requirement]\nrole = 'gard'", "known: change, guard"),
        ("[requirement]", "[requirement]\nroll = 'guard'", "did you mean 'role'"),
        ("[requirement]", "[requirement]\nseverity = 'bad'", "known: loses mail, lets somebody in"),
    ],
)
def test_a_wrong_claim_is_told_with_its_file(directory: Path, before: str, after: str, word: str) -> None:
    (directory / "a-bug.toml").write_text(SCENARIO.replace(before, after), encoding="utf-8")
    with pytest.raises(UsageError, match=word) as raised:
        made(directory)
    assert "a-bug.toml" in str(raised.value)


def test_two_files_with_one_requirement_are_told(directory: Path) -> None:
    (directory / "b-bug.toml").write_text(SCENARIO.replace("with 500.", "with 500!"), encoding="utf-8")
    with pytest.raises(UsageError, match="decided by two cases"):
        made(directory)


def test_the_collection_finds_the_fixtures_case() -> None:
    known = all_requirements()["0009.exit-100.pipelined"]
    assert known.case == "rcptcheck-pipelined.toml::test_rcptcheck_pipelined"
    assert case_of(known).__name__ == "test_rcptcheck_pipelined"
