"""qmail-smtpd's engine: the same session however its octets are cut, and to the octet what qmail stores.

What each patch changes in it, and the codes of its replies, the cases ask of the reference.
"""

from collections.abc import Iterable
from typing import Any

import pytest

from conformance.reference import acts
from conformance.reference.client import Client
from conformance.reference.driver import drive
from conformance.reference.smtpd import SmtpdSettings, session
from conformance.reference.smtpd_auth import Authentication

CONTROL = {"me": "mx.here.example\n", "rcpthosts": "here.example\n.here.example\n"}
ENVELOPE = "MAIL FROM:<x@there.example>\r\nRCPT TO:<alice@here.example>\r\n"


class Session:
    """A session in which the client says some pieces, then closes; the ports keep what came out."""

    def __init__(self, pieces: Iterable[bytes], queued: acts.Queued) -> None:
        self.output = b""
        self.queued: list[acts.Enqueue] = []
        self._arriving = iter(pieces)
        self._result = queued
        self.status = drive(session(SmtpdSettings(CONTROL)), self)

    def receive(self, limit: float) -> bytes:
        return next(self._arriving, b"")

    def send(self, said: bytes) -> None:
        self.output += said

    def now(self) -> float:
        return 800_000_000.0

    def nothing(self, *given: Any) -> None:
        pass

    log = close = nothing

    def enqueue(self, act: acts.Enqueue) -> acts.Queued:
        self.queued.append(act)
        return self._result

    @property
    def replies(self) -> list[str]:
        return self.output.decode("latin-1").split("\r\n")[1:-1]


def talk(said: str, queued: acts.Queued = acts.Queued(77)) -> Session:  # noqa: B008  it cannot change
    """A session in which `said` comes whole; octet by octet it must come out the same."""
    octets = said.encode("latin-1")
    whole = Session([octets], queued)
    single = Session([octets[at : at + 1] for at in range(len(octets))], queued)
    assert (single.output, single.queued, single.status) == (whole.output, whole.queued, whole.status)
    return whole


def test_a_message_is_queued_with_the_received_field_of_qmail() -> None:
    done = talk("HELO a(b\r\n" + ENVELOPE + "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    assert done.replies == [
        "250 mx.here.example", "250 ok", "250 ok", "354 go ahead",
        "250 ok 800000000 qp 77", "221 mx.here.example",
    ]  # fmt: skip
    assert done.queued == [
        acts.Enqueue(
            b"Received: from unknown (HELO a?b) (unknown)\n"
            b"  by unknown with SMTP; 9 May 1995 06:13:20 -0000\n"
            b"Subject: x\n\n.dot\n",
            b"x@there.example",
            (b"alice@here.example",),
            environment={},
        )
    ]
    assert done.status == 0


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        (".a", "a\n"),
        ("..", ".\n"),
        (".\r", ".\r\n"),
        (".\rx", ".\rx\n"),
        ("a\r\r", "a\r\r\n"),
        ("\ra", "\ra\n"),
    ],
)
def test_dots_and_carriage_returns_are_stored_as_qmail_does(line: str, stored: str) -> None:
    done = talk(ENVELOPE + f"DATA\r\n{line}\r\n.\r\n")
    assert done.queued[0].message.endswith(b"-0000\n" + stored.encode("ascii"))


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ('<"a b"@here.example>', b"a b@here.example"),
        ("<@one.example,@two.example:a@here.example> x", b"a@here.example"),
        ("a@here.example trailing", b"a@here.example"),
        ('<"a>b"@here.example>', b"a>b@here.example"),
        ("<a\\>b@here.example>", b"a>b@here.example"),
        ("<a@[127.0.0.1]>", b"a@mx.here.example"),
    ],
)
def test_addresses_are_read_as_qmail_does(argument: str, address: bytes) -> None:
    done = talk(f"MAIL FROM:<>\r\nRCPT TO:{argument}\r\nDATA\r\n\r\n.\r\n")
    assert done.queued[0].recipients == (address,)


@pytest.mark.parametrize(
    ("error", "reply"),
    [("Zqq crashed (#4.3.0)", "451 qq crashed (#4.3.0)"), ("Dno (#5.3.0)", "554 no (#5.3.0)")],
)
def test_trouble_in_the_queue_is_told(error: str, reply: str) -> None:
    assert talk(ENVELOPE + "DATA\r\n.\r\n", acts.Queued(1, error)).replies[-1] == reply


def test_a_variable_of_tcpserver_that_is_empty_is_told_as_it_is() -> None:
    client = Client({"TCPREMOTEIP": "", "TCPREMOTEHOST": "", "TCPLOCALHOST": "", "TCPLOCALIP": "127.0.0.1"})
    assert client.received(0).startswith(b"Received: from  ()\n  by  with SMTP")


def test_the_last_space_of_a_response_ends_the_user() -> None:
    parted = Authentication.user_and_digest(Authentication.__new__(Authentication), b"two  words  0123")
    assert parted == (b"two  words ", b"0123")
