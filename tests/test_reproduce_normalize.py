"""The normalized lines: they tell the builds apart wherever the verdicts differ, and say the same in Perl."""

from pathlib import Path
from typing import Literal

import pytest

from conformance.judge.runfile import Run, read_run
from conformance.pod.observation import TranscriptEntry
from conformance.reproduce.normalize import commands, normalized_lines, reply_line
from conformance.reproduce.scene import scene
from tests.reproductions import perl, scene_of, written

SAMPLE = Path(__file__).resolve().parent.parent / "reports" / "sample"


@pytest.fixture(scope="module")
def sample() -> list[Run]:
    return [read_run(SAMPLE / f"debs-{name}.jsonl") for name in ("stock", "ppa")]


def test_wherever_the_verdicts_differ_so_do_the_normalized_lines(sample: list[Run]) -> None:
    """Otherwise a reproduction would be "shown" on the build that it is to be told from."""
    first, second = ({verdict.requirement: verdict for verdict in run.verdicts} for run in sample)
    differing = [name for name in first if name in second and first[name].verdict != second[name].verdict]
    assert differing
    for name in differing:
        ours, theirs = map(scene, (first[name], second[name]), [run.target for run in sample])
        assert normalized_lines(ours) != normalized_lines(theirs), name


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("0008.cram.accepted", ["smtpd 0: 334", "smtpd 0: 235 2.0.0"]),
        ("0008.cram.wrong-digest", ["smtpd 0: 535 5.7.1"]),
        ("0009.exit-100.others-stand", ["program rcptcheck: RECIPIENT=bob@here.example"]),
        (
            "0005.mx.octets-4096",
            [
                "qmail-remote 0: report r K", "dns: big.example MX over udp", "dns: big.example MX over tcp",
                "exchanger 127.0.0.2:25: RCPT TO:<b@big.example>",
            ],
        ),
    ],
)  # fmt: skip
def test_replies_questions_commands_reports_are_part_of_them(requirement: str, expected: list[str]) -> None:
    lines = normalized_lines(scene_of(requirement))
    assert [line for line in expected if line not in lines] == []


def test_the_specifications_of_both_builds_are_told_apart_and_not_by_process_numbers() -> None:
    for name in ("0004.any.oversized-not-asked", "0006.unknown.code", "0009.exit-100.others-stand"):
        assert normalized_lines(scene_of(name)) != normalized_lines(scene_of(name, "reference-stock"))
    assert not [line for line in normalized_lines(scene_of("base.accepted.queued")) if " qp " in line]


REPLIES = (
    "220 mx.here.example ESMTP", "250-mx.here.example", "250-PIPELINING", "250 SIZE 0", "250-AUTH LOGIN",
    "250 ok 1795376256 qp 40", "250 ok", "250", "250 ", "553 sorry, not in my list (#5.7.1)",
    "500 unrecognised (#5.5.2)", "334 PDQ0LjE3OTUzNzI1NTFAMD4=", "502 unimplemented (#5.5.1)",
    "235 ok, go ahead (#2.0.0)", "printed by the program", "25", "", "\xe4\xff",
)  # fmt: skip


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


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (  # the message and the goodbye are left out
            [
                "220 x",
                "MAIL FROM:<a@b.example>\r\nDATA",
                "354 go",
                "RCPT TO:<no@b.example>\r\n.\r\nQUIT",
                "250 ok",
            ],
            ["MAIL FROM:<a@b.example>", "DATA", "(message)"],
        ),
        (  # 354 to another command begins no message
            ["220 x", "MAIL FROM:<a@b.example>", "354 what", "RCPT TO:<c@d.example>", "503 no"],
            ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"],
        ),
    ],
)
def test_commands_at_an_exchanger(said: list[str], expected: list[str]) -> None:
    sides: list[Literal["exchanger", "client"]] = ["exchanger", "client"]
    transcript = [TranscriptEntry(0.0, "event", "connected")]
    transcript += [TranscriptEntry(0.0, sides[turn % 2], f"{words}\r\n") for turn, words in enumerate(said)]
    assert list(commands(transcript)) == expected
