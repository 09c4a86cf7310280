"""Files of known deviations: what they may say, and what is refused with file and entry."""

from datetime import date
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.errors import EXIT_USAGE, UsageError
from conformance.judge.deviations import DIRECTORY, load_deviations
from conformance.reference.flaws import FLAWS
from conformance.targets.target import Target
from tests.judge_samples import CHANGE, GUARD

KNOWN = [CHANGE.name, GUARD.name]
WHOLE = {
    "target": '"qmail=1.06-6*"',
    "requirement": f'"{CHANGE.name}"',
    "reason": '"the buffer\\n is too small"',
    "source": '"debian/patches/0005"',
    "since": "2024-05-01",
    "shows": '"Z, deferred"',
    "seen": '"<delivery * died>"',
}
TEXTS = [key for key in WHOLE if key not in ("since", "seen")]


def entry(**changes: str | None) -> str:
    keys: dict[str, str | None] = {**WHOLE, **changes}
    lines = [f"{key} = {value}\n" for key, value in keys.items() if value is not None]
    return "[[deviation]]\n" + "".join(lines)


def written(directory: Path, *entries: str, name: str = "known.toml") -> Path:
    (directory / name).write_text("\n".join(entries), encoding="latin-1")
    return directory


def test_a_whole_entry_is_read_with_its_place(tmp_path: Path) -> None:
    text = entry(patches='["0005", "0007"]', flaw='"0005.tcp-hangs"', seen="['a  b', \"it's * c\"]")
    [known] = load_deviations(KNOWN, written(tmp_path, text))
    assert (known.target, known.requirement, known.verdict) == (("qmail=1.06-6*",), CHANGE.name, "unmet")
    assert (known.patches, known.since) == (("0005", "0007"), date(2024, 5, 1))
    assert (known.reason, known.flaw) == ("the buffer is too small", "0005.tcp-hangs")
    assert known.seen == ("a b", "it's * c")
    assert known.place == f"{tmp_path / 'known.toml'}, deviation 1"


@pytest.mark.parametrize("seen", ["a", "[]", "* died*", "* 554 *", "AUTH*", "it's*x y*, it's"])
def test_what_is_short_but_says_something_is_taken(tmp_path: Path, seen: str) -> None:
    [known] = load_deviations(KNOWN, written(tmp_path, entry(seen=f'"{seen}"')))
    assert known.seen == (seen,)


def test_files_are_read_in_order_of_their_names_and_others_left_alone(tmp_path: Path) -> None:
    written(tmp_path, entry(target='"b"'), name="b.toml")
    written(tmp_path, entry(target='"a"'), name="a.toml")
    written(tmp_path, "no toml", name="notes.txt")
    assert [known.target for known in load_deviations(KNOWN, tmp_path)] == [("a",), ("b",)]
    assert load_deviations(KNOWN, tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        *((entry(**{key: None}), f"missing: {key}") for key in WHOLE if key != "since"),
        (entry(since=None), "since is no date"),
        *((entry(**{key: '"  "'}), f"{key} is empty") for key in TEXTS),
        *((entry(**{key: "3"}), f"{key} is no text") for key in TEXTS),
        (entry(flaw="3"), "flaw is no text"),
        *((entry(hides=hides), "hides is no list of texts") for hides in ('"0005.x"', "[5]")),
        *((entry(seen=seen), "seen is neither a text nor a list") for seen in ("3", "[3]")),
        *((entry(seen=seen), "seen fits whatever is seen") for seen in ('"* *"', '["a", ""]')),
        *(
            (entry(seen=f'"{seen}"'), f"seen is '{seen}', which fits nearly anything")
            for seen in ("*a*", "<*>", "*reply*", "* 12 *", "*no*", "* no *")
        ),
        (entry(seen="[]"), "missing: seen"),
        (entry(verdict='"met"'), "seen is for what is unmet, and it is met"),
        (entry(seen=f"'{'x' * 201}'"), "seen is longer than 200 characters"),
        (entry(seen="'a*b*c*d*e*f*'"), "seen is longer than 200 characters or has over 5"),
        (entry(since='"2024-05-01"'), "since is no date"),
        (entry(since="2024-05-01T12:00:00Z"), "since is no date"),
        (entry(verdict='"invalid"'), "verdict is 'invalid'"),
        (entry(patches='"0007"'), "patches is '0007'"),
        (entry(patches='["0999"]'), "patches is"),
        (entry(patches='["base"]'), "patches is"),
        (entry(patches="[7]"), "patches is"),
        (entry(patches="[[]]"), "patches is"),
        (entry(requirement=f"'0005.{'[' * 5000}'"), "requirement is longer than 200 characters"),
        (entry(until="2025-01-01"), "unknown key: until"),
        (entry(requirement='"0005.mx.tcp"'), "no requirement is named '0005.mx.tcp'"),
        (entry(requirement='"0006.*"'), "no requirement is named"),
    ],
)
def test_a_wrong_entry_is_named_with_its_file(tmp_path: Path, text: str, complaint: str) -> None:
    directory = written(tmp_path, entry(target='"stock"'), text)
    with pytest.raises(UsageError) as caught:
        load_deviations(KNOWN, directory)
    assert f"{tmp_path / 'known.toml'}, deviation 2: {complaint}" in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_status == EXIT_USAGE


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[deviation]\n", "line 1"),
        ("\xff", "UTF-8"),
        ("[deviation]\n", "no list of tables"),
        ("deviation = [1]\n", "no list of tables"),
        ("[[deviations]]\n", "unknown: deviations"),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=rf"known\.toml.*{complaint}"):
        load_deviations(KNOWN, written(tmp_path, text))


def test_the_same_entry_twice_is_refused_across_files(tmp_path: Path) -> None:
    written(tmp_path, entry(patches='["0005", "0007"]'), name="a.toml")
    written(tmp_path, entry(patches='["0007", "0005"]', reason='"another"'), name="b.toml")
    with pytest.raises(UsageError, match=r"b\.toml, deviation 1: the same as .*a\.toml, deviation 1"):
        load_deviations(KNOWN, tmp_path)


def test_names_are_not_checked_when_not_all_cases_are_known(tmp_path: Path) -> None:
    written(tmp_path, entry(requirement='"0006.later"'))
    assert [known.requirement for known in load_deviations(None, tmp_path)] == ["0006.later"]


def test_the_files_of_the_package_are_in_order_and_each_entry_has_a_flaw_that_does_it() -> None:
    assert DIRECTORY.is_dir()
    known = load_deviations(all_requirements())
    # What the model does not stand for need have no flaw: the zoo is of netqmail.
    modelled = [each for each in known if each.flaw or "notqmail" not in each.place]
    assert [each.place for each in modelled if not {each.flaw, *each.hides} <= FLAWS.keys()] == []
    assert len(modelled) > len(known) / 2


def test_requirements_of_one_cause_are_one_entry_with_what_is_seen_of_each(tmp_path: Path) -> None:
    one = entry(
        requirement=f'["{CHANGE.name}", "{GUARD.name}"]',
        target='["qmail=1.06-6*", "qmail=1.06-7"]',
        seen=f'{{ "0005.mx.*" = "Z", "{GUARD.name}" = ["a", "b"] }}',
        severity='"crashes"',
    )
    change, guard = load_deviations(KNOWN, written(tmp_path, one))
    assert (change.requirement, change.seen) == (CHANGE.name, ("Z",))
    assert (guard.requirement, guard.seen) == (GUARD.name, ("a", "b"))
    assert change.place == guard.place
    assert change.target == guard.target == ("qmail=1.06-6*", "qmail=1.06-7")
    assert change.severity == guard.severity == "crashes"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (entry(requirement="[]"), "requirement is empty"),
        (entry(target='["a", 3]'), "target is no text"),
        (entry(target='["a", "a"]'), "target has the same twice"),
        (entry(severity='"bad"'), "severity is 'bad'"),
        (entry(seen='{ "0006.*" = "Z" }'), f"seen: nothing is said of {CHANGE.name}"),
        (entry(seen='{ "0005.*" = "Z", "*" = "Y" }'), "seen: 0005.* and * speak of"),
    ],
)
def test_a_wrong_list_or_table_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_deviations(KNOWN, written(tmp_path, text))
    assert f"{tmp_path / 'known.toml'}, deviation 1: {complaint}" in caught.value.message


def test_what_is_said_of_a_name_is_said_of_it_with_flaws(tmp_path: Path) -> None:
    [known] = load_deviations(KNOWN, written(tmp_path, entry(target='"candidate"')))
    flawed = Target("candidate~0006.dropped", "reference", flaws=("0006.dropped",))
    assert known.concerns(flawed)
    assert not known.concerns(Target("candidate~2", "debs"))
