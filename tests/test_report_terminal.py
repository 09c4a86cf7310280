"""The terminal's report and the progress display."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.errors import EXIT_MEANINGS
from conformance.judge.comparison import Comparison, compare
from conformance.judge.verdict import Verdict, VerdictName
from conformance.report.progress import Progress
from conformance.report.terminal import render, show, wants_colour
from conformance.report.words import conclusion, mark, one_line, printable, say
from tests.judge_samples import (
    BASE,
    CHANGE,
    GUARD,
    PPA,
    REFERENCE,
    REFERENCE_PPA,
    SAMPLES,
    STOCK,
    deviation,
    many,
    run,
    verdict,
)

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def with_change(*attempts: VerdictName, known: bool = False, seen: str = "") -> Comparison:
    given = verdict(CHANGE, PPA, *attempts, deviations=[deviation()] if known else [], seen=seen)
    return compare([run(PPA, [verdict(BASE, PPA), given, verdict(GUARD, PPA)])])


@pytest.mark.parametrize(
    ("one", "cell"),
    [
        (verdict(CHANGE, PPA), "met"),
        (verdict(CHANGE, STOCK), "unmet"),
        (verdict(CHANGE, PPA, "unmet"), "unmet!"),
        (verdict(CHANGE, STOCK, "met"), "met!"),
        (verdict(CHANGE, PPA, "unmet", deviations=[deviation()]), "unmet~"),
        (verdict(CHANGE, PPA, "met", deviations=[deviation()]), "met!"),
        (verdict(CHANGE, PPA, "invalid"), "?"),
        (verdict(CHANGE, PPA, "unsupported"), "-"),
        (verdict(CHANGE, PPA, "unmet", "met"), "met*"),
    ],
)
def test_each_kind_of_verdict_has_its_mark(one: Verdict, cell: str) -> None:
    assert mark(one) == cell


def test_the_matrix_is_grouped_by_patch_with_aligned_columns() -> None:
    text = render(compare([run(STOCK), run(PPA)]), width=100)
    lines = text.splitlines()
    heads = [line for line in lines if line.split() == ["stock", "ppa"]]
    assert len(heads) == 2
    stock, ppa = heads[0].index("stock"), heads[0].index("ppa")
    row = next(line for line in lines if line.startswith(f"  {CHANGE.name} "))
    assert row[stock:].startswith("unmet ")
    assert row[ppa:] == "met"
    assert lines.index("0005: DNS answers larger than 512 octets") < lines.index(row)


def test_the_first_line_says_that_a_reference_is_not_qmail() -> None:
    lines = render(compare([run(REFERENCE), run(REFERENCE_PPA)])).splitlines()
    assert lines[:2] == [
        "reference-stock is an executable specification, not qmail",
        "reference-ppa is an executable specification, not qmail",
    ]
    packaged = replace(PPA, name="debs:out", kind="debs", packages={"qmail-reference": "1"})
    assert "not qmail" in render(compare([run(packaged)])).splitlines()[0]
    assert "not qmail" not in render(compare([run(STOCK), run(PPA)]))


def test_the_end_says_counts_paths_and_what_the_exit_status_means() -> None:
    made = compare([run(STOCK), run(PPA, path=Path("reports/ppa.jsonl"))])
    lines = render(made).splitlines()
    assert lines[-1] == f"exit status 0: {EXIT_MEANINGS[0]}"
    assert lines[-3:-1] == ["run file: reports/run.jsonl", "run file: reports/ppa.jsonl"]
    assert "stock: 3 verdicts: 2 met, 1 unmet; 3 as expected, 0 unexpected" in lines
    assert "1 of 3 requirements tell the targets apart, each as expected" in lines
    assert conclusion(made).startswith("stock, ppa: 6 verdicts: 5 met, 1 unmet; 6 as expected, 0 unexpected")


def test_success_names_what_it_does_not_speak_of() -> None:
    for attempts, aside in ((("unmet", "met"), "1 unstable"), (("unsupported",), "1 unsupported")):
        last = render(with_change(*attempts), width=200).splitlines()[-1]
        assert last == f"exit status 0: {EXIT_MEANINGS[0]} ({aside} aside)"


def test_where_the_queue_was_is_said() -> None:
    assert "queue: memory" in render(compare([run(PPA, queue="memory")]), width=200)


def test_an_unexpected_verdict_is_shown_with_promise_citation_sight_and_command() -> None:
    text = render(with_change("unmet", "unmet", seen="deferred:\nZ"), width=200)
    for part in (
        "regression: met was expected, and it is unmet",
        CHANGE.promise,
        CHANGE.source,
        "seen: deferred: Z",
        f"qmail-conformance run ppa -k {CHANGE.name}",
        "exit status 1",
    ):
        assert part in text


def test_an_unexpected_agreement_is_as_loud_as_a_regression() -> None:
    text = render(with_change("met", known=True), width=200)
    assert "unexpected agreement: the deviation known since 2024-05-01 no longer shows" in text
    assert "met!" in text
    assert "exit status 1" in text
    weak = render(compare([run(STOCK, [verdict(CHANGE, STOCK, "met")])]), width=200)
    assert "unexpected agreement: met although the target does not claim patch 0005" in weak


def test_a_known_deviation_stands_there_with_its_reason_and_is_not_red() -> None:
    text = render(with_change("unmet", known=True), width=300)
    assert "the buffer is too small (since 2024-05-01; https://bugs.example/17)" in text
    assert "exit status 0" in text
    assert "regression" not in text.partition("exit status")[0]


def test_two_hundred_regressions_do_not_bury_the_end() -> None:
    requirements = [one for one in many(43) if one.role == "change"]
    text = render(compare([run(PPA, [verdict(one, PPA, "unmet") for one in requirements])]))
    assert text.count("repeat: ") == 20
    assert f"and {len(requirements) - 20} more" in text


@pytest.mark.parametrize("width", [1, 20, 33, 40, 60, 80, 132, 400])
@pytest.mark.parametrize("colour", [False, True])
def test_no_width_breaks_the_page(width: int, colour: bool) -> None:
    targets = [replace(STOCK, name=f"debs:some/long/directory/{i}@0004,0005", kind="debs") for i in range(30)]
    runs = [run(one, [verdict(requirement, one) for requirement in many(2)]) for one in targets]
    text = render(compare(runs), width=width, colour=colour)
    plain = [line for line in COLOUR.sub("", text).splitlines() if "run file: " not in line]
    assert max(len(line) for line in plain) <= max(width, 20)
    folded = "".join(text.split())
    assert all(requirement.name in folded for requirement in many(2))


def test_colour_never_moves_a_column() -> None:
    made = compare([run(STOCK), run(PPA, [verdict(one, PPA, "unmet") for one in SAMPLES])])
    coloured = render(made, colour=True)
    assert "\x1b[1;31m" in coloured
    assert COLOUR.sub("", coloured) == re.sub(r" +$", "", render(made), flags=re.MULTILINE)


def test_colours_are_for_terminals_and_where_nobody_forbids_them() -> None:
    assert wants_colour(Terminal(), {})
    assert not wants_colour(io.StringIO(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert wants_colour(Terminal(), {"NO_COLOR": ""})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})


def test_text_from_outside_cannot_move_the_cursor() -> None:
    nasty = "\x1b[2J\x07\u202egnirts\r\n\ud800\x9b1m"
    target = replace(PPA, name=f"image:{nasty}", packages={nasty: nasty})
    bad = replace(verdict(CHANGE, target, "unmet", seen=nasty), promise=nasty, source=nasty)
    text = render(compare([run(target, [bad], queue=nasty, path=Path("r\x1b[2J.jsonl"))]))
    assert set(text) - {"\n"} == set(printable(text.replace("\n", "")))
    assert "\\x1b[2J\\x07\\u202egnirts" in one_line(nasty)


def test_a_stream_of_a_narrow_encoding_is_no_error() -> None:
    octets = io.BytesIO()
    stream = io.TextIOWrapper(octets, encoding="ascii", newline="\n")
    say(stream, "caf\u00e9 \ud800\n")
    show(with_change("unmet", seen="\u00e9"), stream)
    stream.flush()
    assert octets.getvalue().startswith(b"caf\\xe9 \\ud800\n")


def progress(stream: io.StringIO, total: int) -> Progress:
    return Progress(stream, total, label="ppa", environment={})


def test_progress_on_a_terminal_rewrites_one_line() -> None:
    stream = Terminal()
    display = progress(stream, 3)
    display.start(CHANGE.name)
    display.step(verdict(CHANGE, PPA, "unmet"))
    display.step(verdict(GUARD, PPA))
    display.finish()
    display.finish()
    text = stream.getvalue()
    assert text.count("\n") == 1
    last = text.split("\r")[-1]
    assert last == "ppa 2/3, 1 unexpected\x1b[K\n"
    assert f"ppa 0/3, 0 unexpected {CHANGE.name}" in text


def test_progress_elsewhere_is_a_line_every_ten_per_cent() -> None:
    stream = io.StringIO()
    display = progress(stream, 64)
    for _ in range(64):
        display.start(CHANGE.name)
        display.step(verdict(CHANGE, PPA, "invalid"))
    display.finish()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "ppa 7/64 (10 %), 0 unexpected, 7 invalid"
    assert lines[-1] == "ppa 64/64 (100 %), 0 unexpected, 64 invalid"


@pytest.mark.parametrize("total", [0, 1, 3])
def test_progress_survives_more_than_was_awaited(total: int) -> None:
    stream = Terminal()
    display = progress(stream, total)
    for _ in range(5):
        display.step(verdict(CHANGE, PPA))
    display.finish()
    assert stream.getvalue().split("\r")[-1].startswith("ppa 5/5, 0 unexpected")
    lines = io.StringIO()
    awaited = progress(lines, total)
    for _ in range(5):
        awaited.step(verdict(CHANGE, PPA))
    assert lines.getvalue().count("100 %") == 1


def test_progress_keeps_to_the_terminals_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    display = progress(stream, 3)
    display.start("0005." + "long-" * 40)
    assert all(len(line.removesuffix("\x1b[K")) <= 29 for line in stream.getvalue().split("\r"))
