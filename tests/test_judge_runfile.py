"""The run file: whole or refused, and what a cut-off one still tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import EXIT_USAGE, UsageError
from conformance.judge.runfile import RunWriter, read_partial, read_run
from conformance.pod.observation import Observation
from conformance.pod.record import Observe, Record
from tests.judge_samples import BASE, CHANGE, GUARD, NOON, PPA, SAMPLES, STOCK, deviation, verdict, write

Lines = list[dict[str, Any]]


def writer(path: Path) -> RunWriter:
    return RunWriter(path, PPA, suite="0.1.0", queue="tmpfs", selection="--patch 0005", now=lambda: NOON)


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
    assert header["kind"] == "header"
    assert header["schema"] == 2
    assert header["target"] == PPA.to_json()
    assert first["kind"] == "verdict"
    assert footer == {
        "kind": "footer",
        "counts": {
            "met": 3,
            "unmet": 0,
            "invalid": 0,
            "unsupported": 0,
            "expected": 3,
            "unexpected": 0,
            "unstable": 0,
        },
        "exit_status": 0,
        "finished": NOON.isoformat(),
    }


def test_each_line_stands_in_the_file_at_once(tmp_path: Path) -> None:
    with writer(tmp_path / "run.jsonl") as out:
        assert read_partial(out.path).header is not None
        for number, requirement in enumerate(SAMPLES, 1):
            out.write(verdict(requirement, PPA))
            assert len(read_partial(out.path).verdicts) == number
        out.finish()
        assert read_partial(out.path).problem == ""


def test_an_exception_leaves_no_footer_and_says_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"

    def interrupted() -> None:
        with writer(path) as out:
            out.write(verdict(BASE, PPA))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    partial = read_partial(path)
    assert (len(partial.verdicts), partial.problem) == (1, "line 3: the footer is missing")
    assert partial.kept == f"what was recorded is kept in {path}: 1 verdict"
    with pytest.raises(UsageError, match="footer is missing"):
        read_run(path)


def test_leaving_early_without_an_exception_leaves_no_footer_either(tmp_path: Path) -> None:
    with writer(tmp_path / "run.jsonl") as out:
        out.write(verdict(BASE, PPA))
    with pytest.raises(UsageError, match="footer is missing"):
        read_run(out.path)


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
        assert len(read_partial(cut).verdicts) == max(0, whole[:length].count(b"\n") - 1)


def test_anything_behind_the_footer_is_refused_even_without_its_line_end(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl")
    path.write_bytes(path.read_bytes() + b"{")
    with pytest.raises(UsageError, match="line 6: the line is cut off"):
        read_run(path)


def test_a_file_with_any_line_missing_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    short = tmp_path / "short.jsonl"
    for missing in range(len(whole)):
        short.write_bytes(b"".join(whole[:missing] + whole[missing + 1 :]))
        with pytest.raises(UsageError, match=r"short\.jsonl: line \d"):
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
        (lambda lines: lines[0].pop("schema"), "line 1: schema is None"),
        (lambda lines: lines[0].pop("queue"), "line 1: missing: queue"),
        (lambda lines: lines[0].update(suite=1), "line 1: suite is 1"),
        (lambda lines: lines[0].update(started="noon"), "line 1: 'noon' is no time"),
        (lambda lines: lines[0].update(started="2024-05-01T12:00:00"), "line 1: .* is no time"),
        (lambda lines: lines[0]["target"].update(kind="exim"), "line 1: kind of target is 'exim'"),
        (lambda lines: lines[0]["target"].update(patches=[5]), "line 1: patches and packages"),
        (lambda lines: lines[0]["target"].pop("name"), "line 1: missing: name"),
        (lambda lines: lines[1].update(kind="remark"), "line 2: kind is 'remark'"),
        (lambda lines: lines[1].pop("kind"), "line 2: kind is None"),
        (lambda lines: lines.insert(1, lines[0]), "line 2: the header"),
        (lambda lines: lines.insert(2, lines[1]), "line 3: a second verdict on"),
        (lambda lines: lines[1].update(verdict="fine"), "line 2: verdict is 'fine'"),
        (lambda lines: lines[1].update(record={"acts": 7}), r"line 2: record\.acts is 7"),
        (lambda lines: lines[1].update(record={"acts": [None]}), r"line 2: record\.acts\[0\] is None"),
        (lambda lines: lines[1].update(record={"acts": [{"act": "send"}]}), "line 2: .*: missing: at"),
        (lambda lines: lines[1].update(record={"acts": [{"act": "look"}]}), "line 2: .*, none of prepare"),
        (lambda lines: lines[-1]["counts"].update(met=4), "line 5: the footer counts"),
        (lambda lines: lines[-1]["counts"].pop("unstable"), "line 5: the footer counts"),
        (lambda lines: lines[-1]["counts"].update(met=3.0), "line 5: the footer counts"),
        (lambda lines: lines[-1].update(exit_status=7), "line 5: exit status 7 has no meaning"),
        (lambda lines: lines[-1].update(exit_status=2), "line 5: exit status 2 has no meaning"),
        (lambda lines: lines[-1].update(exit_status=False), "line 5: exit_status is False"),
        (lambda lines: lines.append(lines[-1]), "line 6: there is more after the footer"),
        (lambda lines: lines.append(lines[1]), "line 6: there is more after the footer"),
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
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\xff\n",
        b"{" * 99,
        b"[" * 200_000 + b"\n",
        b'{"kind": NaN}\n',
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(octets)
    with pytest.raises(UsageError, match=r"run\.jsonl: line 1: "):
        read_run(path)


def test_a_file_that_is_missing_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.jsonl: No such file"):
        read_run(tmp_path / "absent.jsonl")


def test_a_place_that_cannot_be_written_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--out"):
        writer(tmp_path / "file" / "run.jsonl")


def test_the_writer_refuses_what_no_reader_would_accept(tmp_path: Path) -> None:
    with writer(tmp_path / "run.jsonl") as out:
        out.write(verdict(CHANGE, PPA, "unmet"))
        with pytest.raises(ValueError, match="has its verdict already"):
            out.write(verdict(CHANGE, PPA))
        with pytest.raises(ValueError, match="as_expected"):
            out.write(replace(verdict(BASE, PPA), as_expected=False))
        with pytest.raises(ValueError, match="no meaning"):
            out.finish(256)
        with pytest.raises(ValueError, match="the verdicts say 1"):
            out.finish(0)
        assert out.finish() == 1
    assert [one.requirement for one in read_run(out.path).verdicts] == [CHANGE.name]


def test_a_run_may_end_worse_than_its_verdicts(tmp_path: Path) -> None:
    with writer(tmp_path / "run.jsonl") as out:
        out.write(verdict(CHANGE, PPA))
        assert out.finish(3) == 3
    assert read_run(out.path).footer.exit_status == 3


def test_a_run_of_nothing_is_whole_and_says_so(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "run.jsonl", STOCK, []))
    assert (run.verdicts, run.footer.exit_status) == ((), 4)
