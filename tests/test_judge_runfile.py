"""The run file: whole or refused, and what a cut-off one still tells."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import EXIT_USAGE, UsageError
from conformance.judge.runfile import PartialRun, RunHeader, read_reached, read_run, verdict_line
from conformance.judge.runwriter import RunWriter
from conformance.pod.observation import Observation
from conformance.pod.record import Observe, Record
from conformance.targets.names import parse_target
from tests.judge_samples import BASE, CHANGE, GUARD, NOON, PPA, SAMPLES, STOCK, deviation, verdict, write

Lines = list[dict[str, Any]]


def writer(path: Path) -> RunWriter:
    header = RunHeader(PPA, NOON.isoformat(), "0.1.0", "tmpfs", "--patch 0005")
    return RunWriter(path, header, now=NOON.isoformat)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    seen = Observation(log=["\x00\u2028\udc80 \xe9"])
    given = [
        replace(verdict(BASE, PPA), record=Record((Observe(at=0.5, seen=seen),))),
        verdict(CHANGE, PPA, "unmet", deviations=[deviation()]),
        verdict(GUARD, PPA, "unmet", "met", seen="once 421"),
    ]
    run = read_run(write(tmp_path / "new" / "run.jsonl", PPA, given))
    assert list(run.verdicts) == given
    assert run.target == PPA
    assert (run.header.suite, run.header.queue, run.header.started) == ("0.1.0", "tmpfs", NOON.isoformat())
    assert run.footer.exit_status == 0
    assert run.footer.counts["unstable"] == 1


def test_the_lines_are_those_of_the_schema(tmp_path: Path) -> None:
    header, first, *_, footer = [json.loads(line) for line in write(tmp_path / "r").read_text().splitlines()]
    assert (header["kind"], header["schema"], header["target"]) == ("header", 2, PPA.to_json())
    assert first["kind"] == "verdict"
    counts = dict.fromkeys(("unmet", "invalid", "unsupported", "unexpected", "unstable"), 0)
    counts |= {"met": 3, "expected": 3}
    assert footer == {"kind": "footer", "counts": counts, "exit_status": 0, "finished": NOON.isoformat()}


def test_flaws_stand_in_the_header_where_there_are_some(tmp_path: Path) -> None:
    flawed = parse_target("reference-ppa~0006.dropped,smtpd.noop-resets")
    path = write(tmp_path / "flawed.jsonl", flawed)
    assert json.loads(path.read_text().splitlines()[0])["target"]["flaws"] == list(flawed.flaws)
    assert read_run(path).target == flawed
    assert read_run(write(tmp_path / "plain.jsonl")).target == PPA
    assert "flaws" not in PPA.to_json()


def test_each_line_stands_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("the run before")
    out = writer(path)
    part = tmp_path / "run.jsonl.part"
    assert PartialRun(part).header is not None
    for number, requirement in enumerate(reversed(SAMPLES), 1):
        out.write(verdict_line(verdict(requirement, PPA)))
        partial = PartialRun(part)
        assert len(partial.verdicts) == number
        assert partial.problem == f"line {number + 2}: the footer is missing"
        assert partial.kept.startswith(f"what was recorded is kept in {part}: {number} verdict")
        assert read_reached(part).cut_off == f"{number} verdict{'s' * (number > 1)}"
        assert path.read_text() == "the run before", "what stands in its place gives it to a whole run only"
    out.finish()
    assert [each.requirement for each in read_run(path).verdicts] == [each.name for each in SAMPLES]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_cut_off_at_any_octet_is_refused_and_never_a_short_success(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl", PPA, [verdict(one, PPA) for one in (BASE, CHANGE)]).read_bytes()
    cut = tmp_path / "cut.jsonl"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(UsageError) as caught:
            read_run(cut)
        assert f"{cut}: line {whole[:length].count(10) + 1}: " in caught.value.message
        assert caught.value.hint
        assert caught.value.exit_status == EXIT_USAGE
        assert len(PartialRun(cut).verdicts) == max(0, whole[:length].count(b"\n") - 1)


def test_a_file_with_any_line_missing_or_with_more_after_its_footer_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    short = tmp_path / "short.jsonl"
    for missing in range(len(whole)):
        short.write_bytes(b"".join(whole[:missing] + whole[missing + 1 :]))
        with pytest.raises(UsageError, match=r"short\.jsonl: line \d"):
            read_run(short)
    short.write_bytes(b"".join([*whole, b"{"]))
    with pytest.raises(UsageError, match="line 6: the line is cut off"):
        read_run(short)


def edited(path: Path, edit: Callable[[Lines], Any]) -> Path:
    lines = [json.loads(line) for line in write(path).read_text().splitlines()]
    edit(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda lines: lines[0].update(schema=1), "line 1: schema is 1; this version"),
        (lambda lines: lines[0].update(started="noon"), "line 1: 'noon' is no time"),
        (lambda lines: lines[0].update(started="2024-05-01T12:00:00"), "line 1: .* is no time"),
        (lambda lines: lines[0]["target"].update(kind="exim"), "line 1: runheader.target.kind is 'exim'"),
        (lambda lines: lines[0]["target"].update(location="/etc"), "line 1: .*unknown: 'location'"),
        (lambda lines: lines[1].update(kind="remark"), "line 2: kind is 'remark'"),
        (lambda lines: lines.insert(1, lines[0]), "line 2: the header"),
        (lambda lines: lines.insert(2, lines[1]), "line 3: a second verdict on"),
        (lambda lines: lines[1].update(verdict="fine"), "line 2: verdict.verdict is 'fine'"),
        (lambda lines: lines[1].update(record={"acts": [{"act": "look"}]}), "line 2: .*, none of prepare"),
        (lambda lines: lines[-1]["counts"].update(met=4), "line 5: the footer counts"),
        (lambda lines: lines[-1]["counts"].pop("unstable"), "line 5: the footer counts"),
        (lambda lines: lines[-1].update(exit_status=7), "line 5: exit status 7 has no meaning"),
        (lambda lines: lines[-1].update(exit_status=2), "line 5: exit status 2 has no meaning"),
        (lambda lines: lines.append(lines[-1]), "line 6: there is more after the footer"),
    ],
)
def test_a_changed_file_is_refused_with_its_line(
    tmp_path: Path, edit: Callable[[Lines], Any], complaint: str
) -> None:
    path = edited(tmp_path / "run.jsonl", edit)
    with pytest.raises(UsageError, match=rf"run\.jsonl: {complaint}"):
        read_run(path)


def test_a_footer_that_claims_success_over_a_regression_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", PPA, [verdict(CHANGE, PPA, "unmet")])
    path.write_text(path.read_text().replace('"exit_status": 1', '"exit_status": 0'))
    with pytest.raises(UsageError, match="exit status 0, but the verdicts say 1"):
        read_run(path)


@pytest.mark.parametrize(
    "octets",
    [b"", b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\n", b"{" * 99, b"[" * 200_000 + b"\n", b"NaN\n"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(octets)
    with pytest.raises(UsageError, match=r"run\.jsonl: line 1: "):
        read_run(path)


def test_a_place_that_cannot_be_read_or_written_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.jsonl: No such file"):
        read_run(tmp_path / "absent.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out"):
        writer(tmp_path / "file" / "run.jsonl")


def test_the_writer_refuses_what_no_reader_would_accept(tmp_path: Path) -> None:
    out = writer(tmp_path / "run.jsonl")
    out.write(verdict_line(verdict(CHANGE, PPA, "unmet")))
    with pytest.raises(ValueError, match="has its verdict already"):
        out.write(verdict_line(verdict(CHANGE, PPA)))
    with pytest.raises(ValueError, match="as_expected"):
        out.write(verdict_line(replace(verdict(BASE, PPA), as_expected=False)))
    with pytest.raises(ValueError, match="no verdict's line"):
        out.write("{}")
    out.finish()
    run = read_run(out.path)
    assert [verdict.requirement for verdict in run.verdicts] == [CHANGE.name]
    assert run.footer.exit_status == 1


def test_a_run_may_end_worse_than_its_verdicts_and_one_of_nothing_is_whole(tmp_path: Path) -> None:
    path = edited(tmp_path / "run.jsonl", lambda lines: lines[-1].update(exit_status=3))
    assert read_run(path).footer.exit_status == 3
    run = read_run(write(tmp_path / "nothing.jsonl", STOCK, []))
    assert (run.verdicts, run.footer.exit_status) == ((), 4)


@pytest.mark.parametrize("number", ["1" + "0" * 5000, "1" + "0" * 400, "1e400", "NaN", "null", '"1"'])
def test_a_number_that_cannot_be_is_told_in_one_line(tmp_path: Path, number: str) -> None:
    path = write(tmp_path / "run.jsonl")
    rows = path.read_text().splitlines(keepends=True)
    changed = re.sub(r'"seconds": [0-9.e-]+', f'"seconds": {number}', rows[1])
    assert changed != rows[1]
    path.write_text("".join([rows[0], changed, *rows[2:]]))
    with pytest.raises(UsageError, match="line 2: ") as caught:
        read_run(path)
    assert len(caught.value.message) < len(str(path)) + 150
    assert "sys." not in caught.value.message


def test_a_run_of_an_earlier_version_claims_the_distributions_patches_besides(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", replace(PPA, patches=("0004",)), [verdict(BASE, PPA)])
    assert read_run(path).target.patches == ("0004",)
    header, *lines = path.read_text().splitlines()
    earlier = json.loads(header)
    del earlier["base"]
    path.write_text("\n".join([json.dumps(earlier), *lines, ""]))
    assert read_run(path).target.patches == ("0001", "0002", "0003", "0004")
