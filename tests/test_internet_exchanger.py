"""A scripted exchanger says what its script says, checks credentials, and keeps every octet."""

import base64
import hmac
from typing import Any

import pytest

from conformance.internet.exchanger import ExchangerSession, Output
from conformance.pod.observation import AcceptedMessage, TranscriptEntry
from conformance.pod.world import Exchanger

USERS = {"user@here.example": "made up, with 8-bit \xe9"}
LETTER = b"Subject: x\r\n\r\n..dot\r\n..\r\nend\r\n"


def session(**script: Any) -> ExchangerSession:
    begun = ExchangerSession(Exchanger(**script), 0.0)
    begun.open(0.0)
    return begun


def said(spoken: ExchangerSession, octets: bytes, at: float = 1.0) -> str:
    return spoken.receive(octets, at).octets.decode("latin-1")


def talk(spoken: ExchangerSession, *lines: str) -> str:
    return "".join(said(spoken, line.encode("latin-1") + b"\r\n") for line in lines)


def b64(plain: str) -> str:
    return base64.b64encode(plain.encode("latin-1")).decode()


def test_a_whole_session_is_accepted_and_kept() -> None:
    spoken = ExchangerSession(Exchanger(address="127.0.0.3", host="mx.plain.example"), 0.0)
    assert spoken.open(0.5) == Output(b"220 mx.plain.example ESMTP\r\n")
    assert talk(spoken, "EHLO here.example") == "250-mx.plain.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
    envelope = ("mail FROM:<a@here.example> BODY=8BITMIME", "RCPT TO:<b@plain.example>")
    assert talk(spoken, *envelope) == "250 ok\r\n" * 2
    assert talk(spoken, 'RCPT TO:<"x>y"@plain.example>', "DATA") == "250 ok\r\n354 go ahead\r\n"
    assert said(spoken, LETTER) == ""
    assert said(spoken, b".\r\n", 2.0) == "250 ok\r\n"
    assert spoken.receive(b"QUIT\r\n", 3.0) == Output(b"221 mx.plain.example\r\n", "close")
    seen = spoken.seen
    assert seen.address == "127.0.0.3"
    assert seen.helo == "EHLO here.example"
    recipients, octets = ["b@plain.example", '"x>y"@plain.example'], "Subject: x\r\n\r\n.dot\r\n.\r\nend\r\n"
    assert seen.messages == [AcceptedMessage("a@here.example", recipients, octets)]
    assert seen.transcript[:2] == [
        TranscriptEntry(0.5, "event", "connected"),
        TranscriptEntry(0.5, "exchanger", "220 mx.plain.example ESMTP\r\n"),
    ]
    assert seen.transcript[-3:] == [
        TranscriptEntry(3.0, "client", "QUIT\r\n"),
        TranscriptEntry(3.0, "exchanger", "221 mx.plain.example\r\n"),
        TranscriptEntry(3.0, "event", "closed"),
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_cut_into_packets_does_not_show(size: int) -> None:
    octets = (
        b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n" + LETTER + b".\r\n"
        b"RSET\nMAIL FROM:<a@x.example>\nRCPT TO:<b@x.example>\nDATA\n.\r\nQUIT\r\n"
    )
    spoken = session()
    replies = "".join(said(spoken, octets[i : i + size]) for i in range(0, len(octets), size))
    codes = " ".join(line[:3] for line in replies.split("\r\n")[3:])
    assert codes == "250 250 354 250 250 250 250 354 250 221 "
    assert [message.octets[-5:] for message in spoken.seen.messages] == ["end\r\n", ""]
    heard = "".join(entry.text for entry in spoken.seen.transcript if entry.source == "client")
    assert heard.encode("latin-1") == octets


def test_a_bare_line_feed_ends_no_message() -> None:
    spoken = session()
    talk(spoken, "EHLO x", "MAIL FROM:<>", "RCPT TO:<b@x.example>", "DATA")
    for octets in (b"a\n.\n", b"\n.\r\n", b"x\r\n.\n", b"\r.\r\n"):
        assert spoken.receive(octets, 1.0) == Output()
    assert talk(spoken, "", ".") == "250 ok\r\n"
    assert spoken.seen.messages[0].octets == "a\n.\n\n.\r\nx\r\n\n\r.\r\n\r\n"


def test_steps_are_replied_to_in_order_and_by_address() -> None:
    steps: dict[str, Any] = {"RCPT": ["450 later", "550 no"], "RCPT <b@x.example>": "251 will forward"}
    for _ in range(2):  # lists are used up per session
        spoken = session(steps=steps)
        recipients = [f"RCPT TO:<{a}@x.example>" for a in "abcd"]
        replies = talk(spoken, "EHLO x", "MAIL FROM:<a@x.example>", *recipients)
        assert replies.split("\r\n")[4:-1] == ["450 later", "251 will forward", "550 no", "550 no"]
        assert spoken.seen.recipients == ["b@x.example"]


def test_a_correct_host_wants_the_right_order() -> None:
    spoken = session(steps={"MAIL": ["550 no", "250 ok"]})
    talk(spoken, "EHLO x")
    envelope = ("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    assert talk(spoken, *envelope)[:15] == "550 no\r\n503 MAI"
    assert spoken.seen.sender is None
    replies = talk(spoken, "MAIL FROM:<>", "RSET", "RCPT TO:<b@x.example>")
    assert replies == "250 ok\r\n250 ok\r\n503 MAIL first\r\n"
    assert spoken.seen.sender == ""
    assert talk(spoken, "NOOP", "VRFY x") == "250 ok\r\n502 unimplemented\r\n"


def test_a_message_counts_only_when_it_was_accepted() -> None:
    spoken = session(steps={"DATA": ["451 later", "354 go ahead"], "message": ["554 no", "close"]})
    letter = ("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x", ".")
    assert talk(spoken, "EHLO x", *letter[:3], "NOOP").endswith("451 later\r\n250 ok\r\n")
    assert talk(spoken, *letter).endswith("554 no\r\n")
    assert spoken.seen.messages == []
    talk(spoken, *letter[:-1])
    assert spoken.receive(b".\r\n", 1.0) == Output(end="close")
    assert spoken.seen.messages == []


@pytest.mark.parametrize(
    ("reply", "output"),
    [
        ("close", Output(end="close")),
        ("reset", Output(end="reset")),
        ("stall", Output(end="stall")),
        ("421 bye; close", Output(b"421 bye\r\n", "close")),
        ("220-a\r\n220 b; stall", Output(b"220-a\r\n220 b\r\n", "stall")),
        ("220 semicolons; stay", Output(b"220 semicolons; stay\r\n")),
    ],
)
def test_acts_in_the_place_of_replies_and_after_them(reply: str, output: Output) -> None:
    assert ExchangerSession(Exchanger(steps={"connect": reply}), 0.0).open(0.0) == output


def test_a_stalled_session_listens_and_says_nothing() -> None:
    spoken = session(steps={"MAIL": "stall"})
    talk(spoken, "EHLO x")
    assert spoken.receive(b"MAIL FROM:<>\r\nNOOP\r\n", 1.0) == Output(end="stall")
    assert said(spoken, b"QUIT\r\n", 2.0) == ""
    spoken.closed(3.0)
    assert spoken.seen.transcript[-3:] == [
        TranscriptEntry(1.0, "event", "stalled"),
        TranscriptEntry(2.0, "client", "QUIT\r\n"),
        TranscriptEntry(3.0, "event", "client closed"),
    ]


def test_a_closed_session_hears_nothing_and_is_left_by_nobody() -> None:
    spoken = session(steps={"*": "close"})
    assert spoken.receive(b"XYZ\r\nNOOP\r\n", 1.0) == Output(end="close")
    assert said(spoken, b"NOOP\r\n") == ""
    spoken.closed(2.0)
    assert spoken.seen.transcript[-1] == TranscriptEntry(1.0, "event", "closed")


@pytest.mark.parametrize(("piece", "times"), [(b"x" * 65536, 130), (b"NOOP\r\n" * 500, 30)])
def test_a_client_that_floods_is_reset_and_seen(piece: bytes, times: int) -> None:
    spoken = session()
    said = [spoken.receive(piece, 1.0).end for _ in range(times)]
    assert said[0] == "open"
    assert said[-1] == "reset"
    events = [entry.text for entry in spoken.seen.transcript if entry.source == "event"]
    assert events == ["connected", "flooded", "reset"]
    assert sum(len(entry.text) for entry in spoken.seen.transcript) < 8_400_000


def test_an_old_host_knows_no_ehlo() -> None:
    spoken = session(ehlo=False, auth=["PLAIN"])
    assert talk(spoken, "EHLO x", "HELO x") == "502 unimplemented\r\n250 mx.test.example\r\n"
    assert spoken.seen.helo == "HELO x"
    assert talk(spoken, "AUTH PLAIN") == "502 unimplemented\r\n"


# AUTH


def authenticating(**script: Any) -> ExchangerSession:
    spoken = session(users=USERS, **{"auth": ["X-OTHER", "plain", "LOGIN", "CRAM-MD5"], **script})
    talk(spoken, "EHLO x")
    return spoken


def dialogues(user: str, password: str) -> list[list[str]]:
    """What a client says to authenticate by each method, with an initial response and without."""
    challenge = base64.b64decode(talk(authenticating(), "AUTH CRAM-MD5")[4:])  # a host's is always the same
    digest = hmac.new(password.encode("latin-1"), challenge, "md5").hexdigest()
    plain = b64(f"\0{user}\0{password}")
    return [
        [f"AUTH PLAIN {plain}"],
        ["AUTH PLAIN", plain],
        [f"AUTH LOGIN {b64(user)}", b64(password)],
        ["AUTH LOGIN", b64(user), b64(password)],
        ["AUTH cram-md5", b64(f"{user} {digest}")],
    ]


@pytest.mark.parametrize(
    ("user", "password", "reply"),
    [
        ("user@here.example", USERS["user@here.example"], "235 ok"),
        ("user@here.example", "wrong", "535 authentication failed"),
        ("nobody@here.example", "", "535 authentication failed"),
    ],
)
def test_right_credentials_are_accepted_and_wrong_ones_refused(user: str, password: str, reply: str) -> None:
    for lines in dialogues(user, password):
        spoken = authenticating()
        assert talk(spoken, *lines).split("\r\n")[-2] == reply
        accepted = reply.startswith("235")
        assert spoken.seen.user == (user if accepted else "")
        assert spoken.seen.credentials == (2 if "LOGIN" in lines[0] else 1)
        again = talk(spoken, "AUTH LOGIN")
        assert again == ("503 already authenticated\r\n" if accepted else "334 VXNlcm5hbWU6\r\n")


def test_the_digest_is_that_of_rfc_2195() -> None:
    """The example of the RFC: its challenge, user, secret and digest."""
    challenge = "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
    spoken = session(auth=["CRAM-MD5"], users={"tim": "tanstaaftanstaaf"}, steps={"challenge": challenge})
    talk(spoken, "EHLO x")
    assert talk(spoken, "AUTH CRAM-MD5") == challenge + "\r\n"
    assert talk(spoken, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw") == "235 ok\r\n"
    assert spoken.seen.user == "tim"


def test_the_script_has_the_last_word_on_credentials() -> None:
    spoken = authenticating(steps={"AUTH": ["432 expired", "235 well"]})
    ((user, password),) = USERS.items()
    assert talk(spoken, *dialogues(user, password)[0]) == "432 expired\r\n"
    assert spoken.seen.user == ""
    assert talk(spoken, *dialogues("other", "wrong")[0]) == "235 well\r\n"
    assert spoken.seen.user == "other"


def test_credentials_that_cannot_be_read_are_credentials() -> None:
    spoken = authenticating()
    assert talk(spoken, "AUTH PLAIN", "=not base64=") == "334 \r\n535 authentication failed\r\n"
    half = talk(spoken, f"AUTH LOGIN {b64('user')}", "*")
    assert half == "334 UGFzc3dvcmQ6\r\n501 authentication cancelled\r\n"
    assert spoken.seen.credentials == 2


def test_methods_are_announced_as_written_and_unknown_ones_are_refused() -> None:
    spoken = session(auth=["x-other", "Plain"])
    assert talk(spoken, "EHLO x").endswith("250-8BITMIME\r\n250 AUTH x-other Plain\r\n")
    for method in ("X-OTHER", "LOGIN"):
        assert talk(spoken, f"AUTH {method}") == "504 unrecognized authentication type\r\n"
    assert talk(spoken, "AUTH PLAIN") == "334 \r\n"


def test_credentials_for_a_host_that_asked_for_none_are_counted() -> None:
    spoken = session(users=USERS)
    talk(spoken, "EHLO x")
    assert talk(spoken, f"AUTH PLAIN {b64('secret')}") == "502 unimplemented\r\n"
    assert spoken.seen.credentials == 1
    talk(spoken, "AUTH LOGIN", b64("user"), b64("password"))
    assert spoken.seen.credentials == 3
    talk(spoken, "NOOP", b64("no longer"))
    assert spoken.seen.credentials == 3
    assert spoken.seen.user == ""


@pytest.mark.parametrize(
    ("announced", "accepts", "reply"),
    [
        ([], ["PLAIN"], "334 \r\n"),
        (["PLAIN"], [], "502 unimplemented\r\n"),
        (["PLAIN"], ["LOGIN"], "504 unrecognized authentication type\r\n"),
        (["PLAIN"], None, "334 \r\n"),
    ],
)
def test_what_is_announced_and_what_is_accepted_are_two_things(
    announced: list[str], accepts: list[str] | None, reply: str
) -> None:
    spoken = session(auth=announced, accepts=accepts)
    talk(spoken, "EHLO x")
    assert talk(spoken, "AUTH PLAIN") == reply


@pytest.mark.parametrize(
    ("steps", "lines", "by_reset", "quit", "ended"),
    [
        ({}, ["QUIT"], False, True, "closed"),
        ({"QUIT": "stall"}, ["QUIT"], False, True, "client closed"),
        ({}, ["NOOP"], False, False, "client closed"),
        ({}, ["NOOP"], True, False, "client reset"),
        ({"NOOP": "250 ok; close"}, ["NOOP"], False, False, "closed"),
        ({"NOOP": "reset"}, ["NOOP"], False, False, "reset"),
        ({"NOOP": "deaf"}, ["NOOP", "QUIT"], False, False, "client closed"),
        ({"*": "500 no; stall"}, ["QUITE"], False, False, "client closed"),
    ],
)
def test_how_a_session_ended(
    steps: dict[str, str], lines: list[str], by_reset: bool, quit: bool, ended: str
) -> None:
    spoken = session(steps=steps)
    talk(spoken, *lines)
    spoken.closed(2.0, by_reset=by_reset)
    assert (spoken.seen.quit, spoken.seen.ended) == (quit, ended)


def test_a_session_that_is_open_has_not_ended() -> None:
    spoken = session(steps={"NOOP": "stall"})
    assert spoken.seen.ended == ""
    talk(spoken, "NOOP")
    assert spoken.seen.ended == ""
