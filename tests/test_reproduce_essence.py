"""The essential lines: they tell the builds apart wherever the verdicts differ, and say the same in Perl."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.judge.runfile import Run, read_run
from conformance.pod.observation import TranscriptEntry
from conformance.reproduce.essence import commands, normalized_lines, reply_line
from conformance.reproduce.scene import scene
from tests.reproductions import perl, scene_of, written

SAMPLE = Path(__file__).resolve().parent.parent / "reports" / "sample"


@pytest.fixture(scope="module")
def sample() -> list[Run]:
    runs = [read_run(path) for path in sorted(SAMPLE.glob("*.jsonl"))]
    assert len(runs) == 2
    return runs


def test_wherever_the_verdicts_differ_so_do_the_essential_lines(sample: list[Run]) -> None:
    """Otherwise a reproduction would be "shown" on the build that it is to be told from."""
    one, other = ({verdict.requirement: verdict for verdict in run.verdicts} for run in sample)
    differing = [name for name in one if name in other and one[name].verdict != other[name].verdict]
    targets = [run.target for run in sample]
    assert differing
    for name in differing:
        ours, theirs = map(scene, (one[name], other[name]), targets)
        assert normalized_lines(ours) != normalized_lines(theirs), name


def test_times_numbers_and_challenges_are_no_part_of_them() -> None:
    first, second = scene_of("0008.cram.accepted"), scene_of("0008.cram.wrong-digest")
    assert "smtpd 0: 334" in normalized_lines(first)
    assert "smtpd 0: 235 2.0.0" in normalized_lines(first)
    assert "smtpd 0: 535 5.7.1" in normalized_lines(second)
    queued = normalized_lines(scene_of("base.accepted.queued"))
    assert [line for line in queued if line.startswith("queue: from <")]
    assert not [line for line in queued if " qp " in line]


def test_questions_commands_and_reports_are_part_of_them() -> None:
    lines = normalized_lines(scene_of("0005.mx.octets-4096"))
    assert lines[0] == "qmail-remote 0: report r K"
    assert "dns: big.example MX over udp" in lines
    assert "dns: big.example MX over tcp" in lines
    assert "exchanger 127.0.0.2:25: RCPT TO:<b@big.example>" in lines


def test_the_specifications_of_both_builds_are_told_apart() -> None:
    for name in ("0004.any.oversized-not-asked", "0006.unknown.code", "0009.exit-100.others-stand"):
        assert normalized_lines(scene_of(name)) != normalized_lines(scene_of(name, "reference-stock"))


REPLIES = (
    "220 mx.here.example ESMTP",
    "250-mx.here.example",
    "250-PIPELINING",
    "250 SIZE 0",
    "250-AUTH LOGIN PLAIN",
    "250 ok 1795376256 qp 40",
    "250 ok",
    "250",
    "250 ",
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
    "500 unrecognised (#5.5.2)",
    "334 PDQ0LjE3OTUzNzI1NTFAMD4=",
    "502 unimplemented (#5.5.1)",
    "235 ok, go ahead (#2.0.0)",
    "printed by the program",
    "25",
    "",
    "\xe4\xff",
)


def test_the_player_reduces_replies_to_the_same_lines(tmp_path: Path) -> None:
    written(scene_of("0006.unknown.code"), tmp_path)
    program = 'require "$ARGV[0]/play.pl"; while (<STDIN>) { chomp; print reply_line($_), "\\n"; }'
    lines = "".join(f"{reply}\n" for reply in REPLIES).encode("latin-1")
    said = perl(program, str(tmp_path), input=lines).decode().splitlines()
    assert said == [reply_line(reply) for reply in REPLIES]


def test_base64_and_secrets_in_perl(tmp_path: Path) -> None:
    written(scene_of("0008.cram.accepted"), tmp_path)
    program = """require "$ARGV[0]/common.pl";
        for my $size (0 .. 200) {
            my $octets = join '', map { chr(($_ * 37 + $size) % 256) } 1 .. $size;
            die $size if from_base64(to_base64($octets)) ne $octets;
        }
        print to_base64("\\0alice\\0wonderland-7"), "\\n", filled('<plain of alice>'), "\\n";
        print hidden('x wonderland-7 y ' . filled('<plain of alice>')), "\\n";"""
    encoded, filled, hidden = perl(program, str(tmp_path)).decode().splitlines()
    assert encoded == filled == "AGFsaWNlAHdvbmRlcmxhbmQtNw=="
    assert hidden == "x <password of alice> y <plain of alice>"


def test_commands_at_an_exchanger_leave_out_the_message_and_the_goodbye() -> None:
    transcript = [
        TranscriptEntry(0.0, "event", "connected"),
        TranscriptEntry(0.0, "exchanger", "220 x\r\n"),
        TranscriptEntry(0.0, "client", "MAIL FROM:<a@b.example>\r\nDATA\r\n"),
        TranscriptEntry(0.0, "exchanger", "250 ok\r\n"),
        TranscriptEntry(0.0, "exchanger", "354 go\r\n"),
        TranscriptEntry(0.0, "client", "Subject: x\r\n\r\nRCPT TO:<no@b.example>\r\n.\r\nQUIT\r\n"),
        TranscriptEntry(0.0, "exchanger", "250 ok\r\n"),
    ]
    assert list(commands(transcript)) == ["MAIL FROM:<a@b.example>", "DATA", "(message)"]


def test_no_message_begins_where_another_command_is_answered_with_354() -> None:
    transcript = [
        TranscriptEntry(0.0, "client", "MAIL FROM:<a@b.example>\r\n"),
        TranscriptEntry(0.0, "exchanger", "354 what\r\n"),
        TranscriptEntry(0.0, "client", "RCPT TO:<c@d.example>\r\n"),
        TranscriptEntry(0.0, "exchanger", "503 MAIL first\r\n"),
    ]
    assert list(commands(transcript)) == ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"]
