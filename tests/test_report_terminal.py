"""The terminal's report and the progress display."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.errors import EXIT_MEANINGS
from conformance.harmless import HarmlessStream
from conformance.judge.comparison import compare
from conformance.report.progress import Progress
from conformance.report.terminal import render, show, wants_colour
from conformance.report.words import conclusion
from tests.judge_samples import CHANGE, GUARD, PPA, REFERENCE, SAMPLES, STOCK, many, run, verdict
from tests.report_samples import beside, change

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_matrix_is_grouped_by_patch_with_aligned_columns() -> None:
    text = render(compare([run(STOCK), run(PPA)]), width=100, detail="all")
    lines = text.splitlines()
    heads = [line for line in lines if line.split() == ["stock", "ppa"]]
    assert len(heads) == 2
    stock, ppa = heads[0].index("stock"), heads[0].index("ppa")
    row = next(line for line in lines if line.startswith(f"  {CHANGE.name} "))
    assert row[stock:].startswith("unmet ")
    assert row[ppa:] == "met"
    assert lines.index("0005: DNS answers larger than 512 octets") < lines.index(row)


def test_the_first_line_says_that_a_package_of_the_reference_is_not_qmail() -> None:
    packaged = replace(PPA, name="debs:out", kind="debs", packages={"qmail-reference": "1"})
    lines = render(compare([run(REFERENCE), run(packaged)])).splitlines()
    sentence = "is an executable specification, not qmail"
    assert lines[:2] == [f"reference-stock {sentence}", f"debs:out {sentence}"]


def test_the_end_says_counts_paths_and_what_the_exit_status_means() -> None:
    made = compare([run(STOCK), run(PPA, path=Path("reports/ppa.jsonl"))])
    lines = render(made).splitlines()
    assert lines[-1] == f"exit status 0: {EXIT_MEANINGS[0]}"
    assert lines[-3:-1] == ["stock is as expected", "ppa is as expected"]
    assert lines[-5:-3] == ["run file: reports/run.jsonl", "run file: reports/ppa.jsonl"]
    assert "stock: 3 verdicts: 2 met, 1 unmet; 3 as expected, 0 unexpected" in lines
    assert "1 of 3 requirements tell the targets apart, each as expected" in lines
    assert conclusion(made).startswith("stock, ppa: 6 verdicts: 5 met, 1 unmet; 6 as expected, 0 unexpected")


def test_success_names_what_it_does_not_speak_of() -> None:
    for assessment, attempts in {"unstable": ("unmet", "met"), "unsupported": ("unsupported",)}.items():
        last = render(compare([beside(change(*attempts))]), width=200).splitlines()[-1]
        assert last == f"exit status 0: {EXIT_MEANINGS[0]} (1 {assessment} aside)"


def test_two_hundred_regressions_do_not_bury_the_end() -> None:
    verdicts = [verdict(sample, PPA, "unmet") for sample in many(43) if sample.role == "change"]
    text = render(compare([run(PPA, verdicts)]))
    assert text.count("repeat: ") == 20
    assert f"and {len(verdicts) - 20} more" in text


@pytest.mark.parametrize("width", [1, 20, 33, 40, 60, 80, 132, 400])
@pytest.mark.parametrize("colour", [False, True])
def test_no_width_breaks_the_page(width: int, colour: bool) -> None:
    targets = [replace(STOCK, name=f"debs:some/long/directory/{i}@0004,0005", kind="debs") for i in range(30)]
    runs = [run(target, [verdict(requirement, target) for requirement in many(2)]) for target in targets]
    text = render(compare(runs), width=width, colour=colour, detail="all")
    plain = [line for line in COLOUR.sub("", text).splitlines() if "run file: " not in line]
    assert max(len(line) for line in plain) <= max(width, 20)
    folded = "".join(text.split())
    assert all(requirement.name in folded for requirement in many(2))


def test_colour_never_moves_a_column() -> None:
    made = compare([run(STOCK), run(PPA, [verdict(sample, PPA, "unmet") for sample in SAMPLES])])
    coloured, plain = (render(made, colour=colour, detail="all") for colour in (True, False))
    assert "\x1b[1;31m" in coloured
    assert COLOUR.sub("", coloured) == re.sub(r" +$", "", plain, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("environment", "terminal", "file"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_colour_is_for_terminals_unless_the_environment_or_a_person_says_otherwise(
    environment: dict[str, str], terminal: bool, file: bool
) -> None:
    for stream, wanted in ((Terminal(), terminal), (io.StringIO(), file)):
        assert wants_colour(stream, environment) is wanted
        assert wants_colour(stream, environment, "always")
        assert not wants_colour(stream, environment, "never")


def test_a_stream_of_a_narrow_encoding_is_no_error() -> None:
    octets = io.BytesIO()
    stream = io.TextIOWrapper(octets, encoding="ascii", newline="\n")
    HarmlessStream(stream).write("caf\u00e9 \ud800\n")
    show(compare([beside(change("unmet", seen="\u00e9"))]), stream)
    stream.flush()
    assert octets.getvalue().startswith(b"caf\\xe9 \\ud800\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def test_progress_on_a_terminal_rewrites_one_line_within_its_width(terminal: Terminal) -> None:
    display = Progress(terminal, 3)
    display.start("0005." + "long-" * 40)
    display.step(verdict(CHANGE, PPA, "unmet"))
    display.step(verdict(GUARD, PPA))
    display.finish()
    display.finish()
    lines = terminal.getvalue().split("\r")
    assert lines[1].startswith("0/3, 0 unexpected 0005.long-")
    assert lines[-1] == "2/3, 1 unexpected\x1b[K\n"
    assert all(len(line.strip("\n").removesuffix("\x1b[K")) <= 39 for line in lines)
    assert terminal.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("passed", "done", "told"),
    [
        (4.0, 1, "1/10, 1 unexpected"),
        (10.0, 1, "1/10, 1 unexpected, 90 s left"),
        (11.0, 1, "1/10, 1 unexpected, 2 min left"),
        (6.5, 5, "5/10, 5 unexpected, 10 s left"),
        (60.0, 10, "10/10, 10 unexpected"),
    ],
)
def test_progress_tells_how_long_it_still_takes(
    passed: float, done: int, told: str, terminal: Terminal
) -> None:
    now = [0.0]
    display = Progress(terminal, 10, lambda: now[0])
    for at in range(done):
        now[0] = passed * (at + 1) / done
        display.step(verdict(CHANGE, PPA, "unmet"))
    display.finish()
    assert terminal.getvalue().split("\r")[-1] == f"{told}\x1b[K\n"


@pytest.mark.parametrize(
    ("total", "steps", "said"),
    [
        (64, 64, ["7/64 (10 %)", "64/64 (100 %)"]),
        (3, 5, ["1/3 (33 %)", "3/3 (100 %)"]),
        (1, 5, ["1/1 (100 %)"]),
        (0, 5, ["1/1 (100 %)"]),
    ],
)
def test_progress_elsewhere_is_a_line_every_ten_per_cent_and_survives_more_than_was_awaited(
    total: int, steps: int, said: list[str], terminal: Terminal
) -> None:
    stream = io.StringIO()
    for display in (Progress(terminal, total), Progress(stream, total)):
        for _ in range(steps):
            display.start(CHANGE.name)
            display.step(verdict(CHANGE, PPA, "invalid"))
        display.finish()
    lines = stream.getvalue().splitlines()
    assert len(lines) == max(min(total, 10), 1)
    for line, begins in zip((lines[0], lines[-1]), (said[0], said[-1]), strict=True):
        number = begins.partition("/")[0]
        assert line == f"{begins}, 0 unexpected, {number} invalid"
    assert terminal.getvalue().split("\r")[-1].startswith(f"{steps}/{max(total, steps)}, 0 unexpected")
