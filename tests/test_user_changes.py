"""What changes for users: worse, better and otherwise than on the build of before, in every form."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.cli.reporting import write_site
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_USAGE
from conformance.judge.comparison import Comparison, compare
from conformance.judge.user_changes import user_changes
from conformance.judge.verdict import Verdict, VerdictName
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.record import Prepare, Record
from conformance.pod.world import World
from conformance.report.markdown import markdown
from conformance.report.terminal import Detail, render
from conformance.report.user_changes import seen_with
from conformance.targets.target import Target
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, deviation, run, verdict, write
from tests.report_samples import NASTY, page, with_texts

LOST = replace(GUARD, severity="loses mail")
SAID = replace(GUARD, name="0005.words", severity="wrong words")
OTHER = replace(CHANGE, name="0005.other", promise="A host is asked.")
REASON = "the buffer is too small"
KNOWN = deviation(requirement="*", seen=("Z, *",))

Told = pytest.CaptureFixture[str]


def made(sample: object, target: Target, *attempts: VerdictName, seen: str = "Z, 17 told") -> Verdict:
    unmet = attempts[-1:] == ("unmet",)
    return verdict(sample, target, *attempts, seen=seen if unmet else "", deviations=[KNOWN] if unmet else [])  # type: ignore[arg-type]


def between(
    old: VerdictName, new: VerdictName, *, before: str = "Z, 1 a", after: str = "Z, 2 b"
) -> Comparison:
    one = made(BASE, STOCK, old, seen=before)
    other = made(BASE, PPA, new, seen=after)
    return compare([run(STOCK, [one]), run(PPA, [other])])


def sample() -> Comparison:
    """Two promises are worse for one cause, one is better, one is broken in another way."""
    old = [
        made(SAID, STOCK, "met"),
        made(LOST, STOCK, "met"),
        verdict(CHANGE, STOCK, "unmet", seen="assert 1 == 2"),
        verdict(OTHER, STOCK, "unmet", seen="nobody was asked"),
    ]
    new = [
        made(SAID, PPA, "unmet"),
        made(LOST, PPA, "unmet", seen="Z, 250 was answered\nassert 250 == 553"),
        verdict(CHANGE, PPA),
        made(OTHER, PPA, "unmet"),
    ]
    return compare([run(STOCK, old), run(PPA, new, path=Path("reports/ppa.jsonl"))])


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (between("met", "unmet"), "worse"),
        (between("unmet", "met"), "better"),
        (between("unmet", "unmet"), "different"),
        (between("unmet", "unmet", before="Z, qp 17 a", after="Z, qp 18 a"), None),
        (between("unmet", "unmet", before="Z, a\nat 1", after="Z, a\nat 2"), None),
        (between("met", "met"), None),
        (between("met", "invalid"), None),
        (between("unsupported", "unmet"), None),
    ],
)
def test_what_kind_a_change_is_of(found: Comparison, kind: str | None) -> None:
    [changes] = user_changes(found)
    assert [each for each, of_kind in changes.kinds.items() if of_kind] == ([kind] if kind else [])


def test_one_cause_is_one_change_and_what_costs_most_comes_first() -> None:
    [changes] = user_changes(sample())
    [worse] = changes.kinds["worse"]
    assert [row.requirement for row in worse.rows] == [LOST.name, SAID.name]
    assert (worse.cause, worse.severity) == (REASON, "loses mail")
    assert user_changes(compare([run(PPA)])) == []
    third = run(replace(PPA, name="third"), [made(each, PPA, "met") for each in (SAID, LOST, CHANGE, OTHER)])
    several = compare([*sample().runs, third])
    assert [(each.before, each.after) for each in user_changes(several)] == [(0, 1), (0, 2)]


def test_what_did_not_repeat_says_nothing() -> None:
    unstable = verdict(BASE, PPA, "met", "unmet")
    [changes] = user_changes(compare([run(STOCK, [verdict(BASE, STOCK)]), run(PPA, [unstable])]))
    assert not any(changes.kinds.values())


SUMMARY = "From stock to ppa: 2 worse (1 loses mail, 1 wrong words), 1 better, 1 different"
LINES = (
    "stock keeps these promises, and ppa does not; all of them with nothing configured besides.",
    "stock keeps it; ppa: Z, 250 was answered",
    "stock does not have 0005; ppa: Z, 17 told",
    REASON,
    "0005: DNS answers larger than 512 octets: 1 promise",
)


def test_it_is_the_first_section_of_every_form(tmp_path: Path) -> None:
    index = page(write_site(sample(), tmp_path))
    forms = (
        render(sample(), width=500),
        unescape(re.sub(r"\\(.)", r"\1", markdown(sample()))),
        index.text,
    )
    for text in forms:
        places = [text.index(part) for part in ("What changes for your users", SUMMARY, "0005 falls short")]
        assert places == sorted(places)
        for part in LINES:
            assert part in text
    assert index.links[1] == f"requirements/{LOST.name}.html#target-2", "the evidence of the worst"
    assert "The evidence of one: qmail-conformance reproduce REQUIREMENT --from reports/ppa.jsonl" in forms[0]


@pytest.mark.parametrize("text", NASTY)
def test_whatever_the_texts_are_the_section_shows_them_and_does_nothing(text: str, tmp_path: Path) -> None:
    new = with_texts(text).runs[0]
    old = [replace(each, verdict="met", seen="", expected="met", deviation=None) for each in new.verdicts]
    old = [replace(each, as_expected=True, unstable=False) for each in old]
    before = replace(new, verdicts=tuple(old), header=replace(new.header, target=replace(STOCK, name="old")))
    found = compare([before, new])
    assert user_changes(found)[0].kinds["worse"]
    said = markdown(found)
    assert re.findall(r"<[^>]*>", said) == ["<details>", "<summary>", "</summary>", "</details>"]
    assert "\n# heading" not in said
    assert all(char.isprintable() or char == "\n" for char in said + render(found, detail="all"))
    page(write_site(found, tmp_path))  # raises where an element of the text is one of the page


DETAILS: dict[Detail, tuple[bool, bool, bool]] = {
    # Whether it has the section, each line of what is better, and the matrix.
    "quiet": (False, False, False),
    "normal": (True, False, False),
    "differences": (True, True, False),
    "verbose": (True, True, False),
    "all": (True, True, True),
}


@pytest.mark.parametrize("detail", DETAILS)
def test_how_much_a_terminal_shows(detail: Detail) -> None:
    text = render(sample(), detail=detail, width=500)
    section, better, matrix = DETAILS[detail]
    assert (SUMMARY in text) is section
    assert ("stock does not have 0005; ppa keeps it" in text) is better
    assert ("deviation known; ? invalid" in text) is matrix
    assert ("exit status 0" in text) is (detail != "differences")
    assert ("run file: " in text) is (detail not in ("quiet", "differences"))


def test_a_long_list_of_known_deviations_is_cut_short_and_the_worst_stay() -> None:
    verdicts = [
        replace(made(replace(BASE, name=f"base.{i:02}"), PPA, "unmet"), severity="wrong words")
        for i in range(30)
    ]
    verdicts = [
        replace(each, deviation={**(each.deviation or {}), "reason": f"reason {i:02}"})
        for i, each in enumerate(verdicts)
    ]
    verdicts[20] = replace(verdicts[20], severity="loses mail")
    text = render(compare([run(PPA, verdicts)]))
    assert "reason 20" in text
    assert "reason 04" not in text
    assert "… and 25 more; --verbose shows them all." in text
    assert "reason 29" in render(compare([run(PPA, verdicts)]), detail="verbose")


def test_compare_prints_the_differences_alone(tmp_path: Path, capsys: Told) -> None:
    stored = [str(write(tmp_path / f"{target.name}.jsonl", target)) for target in (STOCK, PPA)]
    assert main(["compare", *stored, "--differences"]) == EXIT_AS_EXPECTED
    told = capsys.readouterr().out
    assert "From stock to ppa: 0 worse, 1 better, 0 different" in told
    assert "exit status" not in told
    assert main(["compare", *stored, "--differences", "-q"]) == EXIT_USAGE


def test_a_run_stops_at_the_first_failure_and_goes_on_later(tmp_path: Path, capsys: Told) -> None:
    out = tmp_path / "out"
    flawed = ["run", "reference-ppa~0006.dropped", "--patch", "0006", "-q", "-n", "1"]
    assert main([*flawed, "-x", "--out", str(out)]) == EXIT_REGRESSION
    told = capsys.readouterr()
    assert "1 unexpected (1 wrong words), cut off after" in " ".join(told.out.split())
    assert "case" not in told.out + told.err.partition("\n")[2], "no progress and no number of cases"
    [part] = out.glob("*.jsonl.part")
    assert main([*flawed, "--resume", str(out)]) == EXIT_REGRESSION
    assert not part.exists()
    assert main([*flawed, "--maxfail", "0", "--out", str(out)]) == EXIT_USAGE


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        (Configuration(), ""),
        (Configuration(control={"me": "x\n"}, delivering=True), ""),
        (Configuration(password_check=PasswordCheck()), "SMTPAUTH set"),
        (Configuration(recipient_check=RecipientCheck()), "RCPTCHECK set"),
        (Configuration(environment={"VERIFY": ""}, verifying=True), "VERIFY set"),
        (Configuration(control={"smtproutes": ":x|u|p\n"}), "credentials for mail that goes out"),
        (
            Configuration(password_check=PasswordCheck(), recipient_check=RecipientCheck()),
            "SMTPAUTH set and RCPTCHECK set",
        ),
    ],
)
def test_what_was_configured_besides_is_told(configuration: Configuration, told: str) -> None:
    prepared = Record((Prepare(at=0.0, world=World(), configuration=configuration),))
    other = replace(made(LOST, PPA, "unmet"), record=prepared)
    assert seen_with(other) == told
    found = compare([run(STOCK, [made(LOST, STOCK, "met")]), run(PPA, [other])])
    text = render(found, width=500)
    assert f"; {'0' if told else 'all'} of them with nothing configured besides." in text
    assert (f". Seen with {told}\n" in text) == bool(told)
