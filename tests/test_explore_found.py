"""What explore found on real qmail: the reference does it too."""

import asyncio
import base64
import hmac
from typing import Any

import pytest

from conformance.explore.document import Document, made
from conformance.explore.playing import ReferenceSide
from conformance.pod import record as acts
from conformance.pod.observation import Observation
from conformance.targets.names import parse_target


def played(document: Document, target: str = "reference-stock") -> tuple[str, Observation]:
    """What qmail-smtpd said, or qmail-remote reported, and what was seen."""
    record = asyncio.run(ReferenceSide(parse_target(target)).play(made(document)))
    said = "".join(act.data or "" for act in record.acts if isinstance(act, acts.Receive))
    reported = "".join(act.result.report for act in record.acts if isinstance(act, acts.Remote))
    return said or reported, next(act.seen for act in record.acts if isinstance(act, acts.Observe))


def test_addresses_before_the_cut_of_an_answer_are_tried() -> None:
    """dns_mxip keeps what dns_ipplus had appended when it found the rest malformed."""
    report, _ = played(
        {
            "zones": {"big.example": "@ MX 10 one\none A 127.0.0.4\n"},
            "padding": [{"name": "one.big.example", "type": "A", "octets": 1232}],
            "deliver": [{"recipients": ["b@big.example"]}],
        }
    )
    assert "#4.4.1" in report, "no connection, rather than no host"


def test_an_answer_to_the_first_attempt_is_taken_during_the_second() -> None:
    report, seen = played(
        {
            "latency": 1.1,
            "zones": {"big.example": "@ MX 10 mx\nmx A 127.0.0.2\n"},
            "deliver": [{"recipients": ["b@big.example"]}],
        }
    )
    assert report.startswith("r")
    assert len([question for question in seen.questions if question.type == "MX"]) == 2


def test_a_mute_qmail_verify_is_logged_with_the_errno_that_was_left() -> None:
    said, seen = played(
        {
            "session": "> MAIL FROM:<>\n< *\n> RCPT TO:<bob@here.example>\n< *\n",
            "verifying": "mute",
            "environment": {"VERIFY": ":"},
        }
    )
    assert said.endswith("451 qv temporary failure (#4.3.0)\r\n")
    assert any("temporary failure (file does not exist)" in line for line in seen.log)


def test_the_address_of_double_bounces_ends_at_a_nul() -> None:
    _, seen = played(
        {
            "session": "> MAIL FROM:<b@gone.example>\n< *\n> RCPT TO:<nobody@here.example>\n< *\n"
            "> DATA\n< *\n| hello\n< *\n",
            "delivering": True,
            "control": {"doublebounceto": "alice\u0000more"},
            "zones": {".": "@ TXT x\n"},
        }
    )
    assert any("to remote alice@" in line or "to local alice@" in line for line in seen.log)


def test_a_program_leaves_a_line_of_the_log_without_its_end() -> None:
    _, seen = played(
        {
            "session": "> MAIL FROM:<>\n< *\n> RCPT TO:<bob@here.example>\n< *\n> DATA\n< *\n| x\n< *\n",
            "queue-program": {"default": 63, "complains": "one\r\ntwo ", "reads": True},
        }
    )
    assert seen.log[-3] == "one\r"
    assert seen.log[-2].startswith("two qmail-smtpd: pid ")


def test_the_root_is_asked_about_as_any_name() -> None:
    _, seen = played({"deliver": [{"recipients": ["b@big.example"], "host": "."}]}, "reference-ppa")
    assert [(question.name, question.type) for question in seen.questions] == [("", "MX"), ("", "A")]


def test_a_backslash_in_a_name_is_an_escape_or_the_name_is_none() -> None:
    def asked(host: str) -> list[str]:
        _, seen = played({"deliver": [{"recipients": ["b@big.example"], "host": host}]}, "reference-ppa")
        return [question.name for question in seen.questions if question.type == "MX"]

    assert asked("\\098ig.example") == asked("\\big.example") == ["big.example"]
    assert asked("\\98ig.example") == asked("big.example\\") == asked("\\256ig.example") == []


def test_an_address_that_begins_with_alias_is_in_no_table() -> None:
    said, _ = played(
        {
            "session": "> MAIL FROM:<>\n< *\n> RCPT TO:<alias-x@here.example>\n"
            "< *\n> RCPT TO:<x@here.example>\n< *\n",
            "verifying": True,
            "aliases": ["info@here.example"],
            "environment": {"VERIFY": ":"},
            "dot-qmail": {"alias/.qmail-default": "#"},
        }
    )
    assert [line[:3] for line in said.splitlines()] == ["220", "250", "250", "550"]


def test_parameters_stand_behind_the_path_and_a_space() -> None:
    def codes(*arguments: str) -> list[str]:
        chat = "".join(f"> MAIL FROM:{each}\n< *\n" for each in arguments)
        said, _ = played({"session": chat, "control": {"databytes": "10"}}, "reference-ppa")
        return [line[:3] for line in said.splitlines()[1:]]

    assert codes("<> SIZE=11", '<">"@b.example> SIZE=11', "<a> x=y SIZE=11") == ["552"] * 3
    assert codes("<>SIZE=11", "<>x\tSIZE=11", "<> x\tSIZE=11") == ["250"] * 3


@pytest.mark.parametrize(
    ("envelope", "copied"),
    [
        ("Fa@b.example\0Xbob@here.example\0\0", 0),
        (f"Fa@b.example\0T{'b' * 1003}\0\0", 1024),
        (f"Fa@b.example\0T{'b' * 1002}\0\0", None),
    ],
)
def test_a_message_that_is_given_up_in_its_envelope_leaves_two_files(
    envelope: str, copied: int | None
) -> None:
    """qmail-queue goes with 91 or 11 and removes nothing; whole buffers of 256 octets were written."""
    _, seen = played(
        {
            "session": "> MAIL FROM:<>\n< *\n> RCPT TO:<bob@here.example>\n< *\n> DATA\n< *\n| x\n< *\n",
            "queue-program": {"gives": envelope},
        }
    )
    if copied is None:
        assert len(seen.queue) == 1
    else:
        assert not seen.queue
        assert [(file.path, len(file.octets)) for file in seen.files] == [
            ("queue/intd/1", copied),
            ("queue/mess/1/1", 0),
        ]


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [("x", "yz", "yz"), ("", "yz", "Z"), ("x", "y" * 31, "y" * 31), ("x", "y" * 32, "y" * 31 + "Z")],
)
def test_a_second_name_is_written_over_the_first_as_far_as_there_is_room(
    first: str, second: str, named: str
) -> None:
    _, seen = played(
        {
            "session": f"> MAIL FROM:<a@b.example> AUTH={first} AUTH={second}\n< *\n"
            "> RCPT TO:<bob@here.example>\n< *\n> DATA\n< *\n| x\n< *\n"
        },
        "reference-ppa~0008.parameter-believed",
    )
    assert f"({named}@127.0.0.1)" in seen.queue[0].octets


@pytest.mark.parametrize(("mode", "challenges"), [("", False), ("cram", True)])
def test_a_challenge_is_handed_on_where_it_was_offered(mode: str, challenges: bool) -> None:
    _, seen = played(
        {
            "session": "> AUTH CRAM-MD5\n< 334 *\n> \\{cram-md5:alice}\n< *\n",
            "auth": {"mode": mode},
        },
        "reference-ppa~0008.unoffered-methods,0008.final-byte-with-cram-only",
    )
    (call,) = seen.hook_calls
    assert bool(call.challenge) == challenges


@pytest.mark.parametrize(("answer", "code"), [("true", "235"), ("false", "535")])
def test_a_program_that_reads_nothing_may_be_the_checkprogram(answer: str, code: str) -> None:
    said, _ = played(
        {
            "session": "> AUTH PLAIN \\{plain:alice}\n< *\n",
            "auth": {"mode": "", "subprogram": answer, "arguments": ["{subprogram}"]},
        },
        "reference-ppa",
    )
    assert said.splitlines()[-1].startswith(code)


def test_a_response_of_cram_md5_ends_at_a_nul() -> None:
    """The padding of a response with one octet too many is decoded to NULs."""
    flaws = "0008.unoffered-methods,0008.nul-asked,0008.skips-in-base64"
    chat = "> AUTH CRAM-MD5\n< 334 *\n> \\{cram-md5:alice}\\r\n< *\n"
    said, seen = played({"session": chat, "auth": {"mode": "cram"}}, f"reference-ppa~{flaws}")
    assert [call.ends for call in seen.hook_calls] == [3]
    assert said.splitlines()[-1].startswith("235")


def test_an_initial_response_may_crash_as_a_later_one() -> None:
    chat = "> AUTH PLAIN AA=\n< *\n"
    record = {"session": chat, "auth": {"mode": ""}}
    _, seen = played(record, "reference-ppa~0008.short-answer-crashes")
    assert seen.sessions[0].status == -11


def test_a_qmail_send_without_locals_and_me_does_not_start() -> None:
    document = {"session": "< *\n", "delivering": True, "control": {"me": False, "locals": False}}
    assert "alert: cannot start: unable to read controls" in played(document)[1].log
    document["control"] = {"me": False}
    assert not [line for line in played(document)[1].log if line.startswith("alert")]


def test_a_parameter_without_a_value_names_nobody() -> None:
    chat = "> MAIL FROM:<> AUTH\n< *\n> RCPT TO:<bob@here.example>\n< *\n> DATA\n< *\n| x\n< *\n"
    _, seen = played({"session": chat}, "reference-ppa~0008.parameter-believed")
    assert "from unknown (127.0.0.1)" in seen.queue[0].octets


def test_the_models_of_the_packages_can_be_made() -> None:
    """No two known deviations are about one decision of the reference."""
    for name in ("model-stock", "model-ppa"):
        said, _ = played({"session": "> NOOP\n< *\n"}, name)
        assert said.endswith("250 ok\r\n")


@pytest.mark.parametrize(
    ("recipient", "code"),
    [("a" * 248, "550"), ("a" * 249, "250"), ("bob-list/x", "250"), ("bob-none/x", "550")],
)
def test_a_recipient_whose_file_cannot_be_looked_for_is_let_in(recipient: str, code: str) -> None:
    said, _ = played(
        {
            "session": f"> MAIL FROM:<>\n< *\n> RCPT TO:<{recipient}@here.example>\n< *\n",
            "verifying": True,
            "environment": {"VERIFY": ":"},
            "dot-qmail": {"bob/.qmail-list": "#"},
        }
    )
    assert said.splitlines()[-1].startswith(code)


def test_any_program_may_stand_in_the_place_of_qmail_queue() -> None:
    chat = "> MAIL FROM:<>\n< *\n> RCPT TO:<bob@here.example>\n< *\n> DATA\n< *\n| x\n< *\n"
    said, _ = played({"session": chat, "environment": {"QMAILQUEUE": "/bin/false"}})
    assert said.endswith("451 qq temporary problem (#4.3.0)\r\n")


@pytest.mark.parametrize("chat", ["> AUTH PLAIN =\n< *\n", "> AUTH PLAIN\n< 334 *\n> =\n< *\n"])
def test_padding_alone_crashes_the_decoder_of_the_package(chat: str) -> None:
    _, seen = played({"session": chat, "auth": {"mode": ""}}, "reference-ppa~0008.any-base64")
    assert seen.sessions[0].status == -11


@pytest.mark.parametrize(
    ("answers", "status"),
    [("> =\n< 334 *\n> \\{password:bob}\n< *\n", -11), ("> AA=\n< 334 *\n> A===\n< 501 *\n", 1)],
)
def test_login_crashes_where_what_was_not_read_is_used(answers: str, status: int) -> None:
    flaws = "0008.any-base64,0008.short-answer-crashes"
    document: Document = {"session": f"> AUTH LOGIN\n< 334 *\n{answers}", "auth": {"mode": ""}}
    _, seen = played(document, f"reference-ppa~{flaws}")
    assert seen.sessions[0].status == status


def challenged(text: str, **more: Any) -> Document:
    """Mail with credentials to a host whose challenge is this."""
    return {
        "control": {"authsenders": ":127.0.0.2|alice|made-up", "timeoutremote": 2},
        "exchanger": [{"address": "127.0.0.2", "auth": ["CRAM-MD5"], "steps": {"challenge": text}}],
        **more,
    }


@pytest.mark.parametrize("text", ["334", "334 "])
def test_an_empty_challenge_is_answered(text: str) -> None:
    report, seen = played(challenged(text, deliver=[{"recipients": ["b@big.example"]}]), "reference-ppa")
    assert "authentication was rejected (username+digest)" in report
    (session,) = seen.mx_sessions
    answer = next(entry.text for entry in session.transcript if entry.text.startswith("YWxpY2Ug"))
    digest = hmac.new(b"made-up", b"", "md5").hexdigest()
    assert base64.b64decode(answer) == f"alice {digest}".encode()


@pytest.mark.parametrize(
    ("text", "flaw", "crashes"),
    [
        ("334 AA=", "0008.short-challenge-crashes", True),
        ("334 AAA=", "0008.short-challenge-crashes", False),
        ("334", "0008.bare-challenge-crashes", True),
        ("334 ", "0008.bare-challenge-crashes", False),
    ],
)
def test_a_crash_of_qmail_remote_leaves_the_message_deferred(text: str, flaw: str, crashes: bool) -> None:
    chat = "> MAIL FROM:<>\n< *\n> RCPT TO:<b@big.example>\n< *\n> DATA\n< *\n| x\n< *\n"
    more: Document = {"session": chat, "delivering": True, "environment": {"RELAYCLIENT": ""}}
    zones = {"big.example": "@ MX 10 mx\nmx A 127.0.0.2\n"}
    _, seen = played(challenged(text, zones=zones, **more), f"reference-ppa~{flaw}")
    reported = [line for line in seen.log if line.startswith("delivery ")]
    assert reported[0].startswith("delivery 1: deferral: ")
    assert ("qmail-remote_crashed" in reported[0]) is crashes
    assert [message.recipients for message in seen.queue] == [["b@big.example"]]


def test_an_asterisk_before_a_nul_cancels_though_any_octets_are_base64() -> None:
    document: Document = {"session": "> AUTH LOGIN\n< 334 *\n> *\\0\n< *\n", "auth": {"mode": ""}}
    said, _ = played(document, "reference-ppa~0008.any-base64")
    assert said.splitlines()[-1].startswith("501 ")


def test_after_an_answer_over_tcp_to_another_question_the_right_one_is_waited_for() -> None:
    document: Document = {
        "padding": [{"name": "big.example", "octets": 600}],
        "fault": [{"name": "big.example", "action": "patch", "octets": "\0\0", "over": "tcp"}],
        "deliver": [{"recipients": ["b@big.example"]}],
    }
    report, _ = played(document, "reference-ppa~0005.tcp-hangs")
    assert report == ""


def test_a_name_that_points_at_the_id_of_its_message_is_none() -> None:
    document: Document = {
        "fault": [{"name": "big.example", "action": "patch", "offset": 30, "octets": "\0\0"}],
        "zones": {"big.example": "@ MX 10 mx\nmx A 127.0.0.2\n"},
        "deliver": [{"recipients": ["b@big.example"]}],
    }
    report, _ = played(document, "reference-ppa")
    assert report.startswith("ZSorry, I couldn't find any host")
