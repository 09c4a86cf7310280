"""qmail-smtpd's engine: the same session however its octets are cut, and what each patch changes in it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import pytest

from conformance.catalogue import PPA_PATCHES
from conformance.reference import acts
from conformance.reference.smtpd import SmtpdSettings, session

CONTROL = {"me": "mx.here.example\n", "rcpthosts": "here.example\n"}
ENVELOPE = "MAIL FROM:<x@there.example>\r\nRCPT TO:<alice@here.example>\r\n"
PPA = frozenset(PPA_PATCHES)


class Driver:
    """Serves an engine from a list of pieces, then closes; keeps what came out."""

    def __init__(self, settings: SmtpdSettings, pieces: Iterable[bytes], **results: Any) -> None:
        self.output = b""
        self.queued: list[acts.Enqueue] = []
        self.checked: list[acts.CheckPassword | acts.CheckRecipient] = []
        self.slept = 0.0
        self.status: int | None = None
        arriving = iter(pieces)
        engine = session(settings)
        result: Any = None
        while True:
            try:
                act = engine.send(result)
            except StopIteration as stop:
                self.status = stop.value
                return
            result = None
            match act:
                case acts.Receive():
                    result = next(arriving, b"")
                case acts.Send(octets):
                    self.output += octets
                case acts.Now():
                    result = 800_000_000.0
                case acts.Enqueue():
                    self.queued.append(act)
                    result = results.get("queued", acts.Queued(77))
                case acts.CheckPassword():
                    self.checked.append(act)
                    result = results.get("password", 0)
                case acts.CheckRecipient():
                    self.checked.append(act)
                    result = results.get("recipient", 0)
                case acts.VerifyRecipient():
                    result = results.get("verify", "valid")
                case acts.Sleep(seconds):
                    self.slept += seconds

    @property
    def replies(self) -> list[str]:
        return self.output.decode("latin-1").split("\r\n")[1:-1]


def talk(
    said: str,
    patches: frozenset[str] = frozenset(),
    environment: dict[str, str] | None = None,
    control: dict[str, str] | None = None,
    **results: Any,
) -> Driver:
    """A session in which `said` comes whole; octet by octet it must come out the same."""

    def settings() -> SmtpdSettings:
        return SmtpdSettings(
            {**CONTROL, **(control or {})}, environment or {}, patches, checkprogram=("checkpassword", "true")
        )

    octets = said.encode("latin-1")
    whole = Driver(settings(), [octets], **results)
    single = Driver(settings(), [octets[at : at + 1] for at in range(len(octets))], **results)
    assert single.output == whole.output
    assert single.queued == whole.queued
    assert single.status == whole.status
    return whole


def test_a_message_is_queued_with_the_received_field_of_qmail() -> None:
    driver = talk("HELO a(b\r\n" + ENVELOPE + "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    assert driver.replies == [
        "250 mx.here.example", "250 ok", "250 ok", "354 go ahead",
        "250 ok 800000000 qp 77", "221 mx.here.example",
    ]  # fmt: skip
    assert driver.queued == [
        acts.Enqueue(
            b"Received: from unknown (HELO a?b) (unknown)\n"
            b"  by unknown with SMTP; 9 May 1995 06:13:20 -0000\n"
            b"Subject: x\n\n.dot\n",
            b"x@there.example",
            (b"alice@here.example",),
        )
    ]
    assert driver.status == 0


@pytest.mark.parametrize("end", ["\n.\n", "\n.\r\n", "\r\n.\n", "\r\n\n.\r\n"])
def test_a_bare_line_feed_ends_the_session(end: str) -> None:
    driver = talk(ENVELOPE + "DATA\r\nx" + end + "MAIL FROM:<a@b.example>\r\n")
    assert driver.replies[-1].startswith("451 See http://pobox.com/~djb/docs/smtplf.html")
    assert not driver.queued


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
    driver = talk(ENVELOPE + f"DATA\r\n{line}\r\n.\r\n")
    assert driver.queued[0].message.endswith(b"-0000\n" + stored.encode("ascii"))


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
    control = {"rcpthosts": "here.example\n.here.example\n"}
    driver = talk(f"MAIL FROM:<>\r\nRCPT TO:{argument}\r\nDATA\r\n\r\n.\r\n", control=control)
    assert driver.queued[0].recipients == (address,)


def test_an_address_of_900_octets_passes_and_of_901_does_not() -> None:
    lengths = [900, 901]
    said = "".join(f"MAIL FROM:<{'a' * (length - 13)}@here.example>\r\n" for length in lengths)
    assert talk(said).replies == ["250 ok", "555 syntax error (#5.5.4)"]


def test_trouble_in_the_queue_is_told() -> None:
    said = ENVELOPE + "DATA\r\n.\r\n"
    assert talk(said, queued=acts.Queued(1, "Zqq crashed (#4.3.0)")).replies[-1] == "451 qq crashed (#4.3.0)"
    assert talk(said, queued=acts.Queued(1, "Dno (#5.3.0)")).replies[-1] == "554 no (#5.3.0)"


def test_verification_is_immediate_deferred_or_off() -> None:
    said = ENVELOPE + "DATA\r\n.\r\n"
    assert talk(said, environment={"VERIFY": ":"}, verify="invalid").replies[1][:3] == "550"
    assert talk(said, environment={"VERIFY": "DEFER"}, verify="invalid").replies[2][:3] == "554"
    assert talk(said, environment={"VERIFY": ""}, verify="invalid").queued
    driver = talk(said, environment={"VERIFY": ":"}, verify="timeout")
    assert driver.replies[1:] == ["451 qv temporary failure (#4.3.0)"]


@pytest.mark.parametrize(("patches", "code"), [(frozenset(), "502"), (PPA, "500")])
def test_0006_unknown_commands(patches: frozenset[str], code: str) -> None:
    driver = talk("\r\nFOO\r\n\xff\r\n" + ENVELOPE, patches)
    assert [reply[:3] for reply in driver.replies] == [code, code, code, "250", "250"]


@pytest.mark.parametrize("box", ["a%b", "!ab", "a@b", '"a%b"', "@route.example:a!b"])
def test_0007_relay_characters(box: str) -> None:
    said = f"MAIL FROM:<>\r\nRCPT TO:<{box}@here.example>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n.\r\n"
    assert talk(said).replies[1] == "250 ok"
    driver = talk(said, PPA)
    assert driver.replies[1] == "553 we don't relay (#5.7.1)"
    assert driver.queued[0].recipients == (b"a@here.example",)


@pytest.mark.parametrize(
    ("mode", "announced"),
    [
        (None, ""), ("", "LOGIN PLAIN"), ("+cram", "LOGIN PLAIN CRAM-MD5"), ("CRAM", "CRAM-MD5"), ("-", ""),
        ("-x", ""), ("!", "LOGIN PLAIN"), ("!cram", "CRAM-MD5"), ("!+cram", "LOGIN PLAIN CRAM-MD5"),
    ],
)  # fmt: skip
def test_0008_modes(mode: str | None, announced: str) -> None:
    environment = {} if mode is None else {"SMTPAUTH": mode}
    driver = talk("EHLO x\r\nMAIL FROM:<>\r\n", PPA, environment)
    lines = [reply[4:] for reply in driver.replies if reply[4:].startswith("AUTH")]
    assert lines == ([f"AUTH {announced}"] if announced else [])
    assert driver.replies[-1][:3] == ("530" if (mode or "").startswith("!") else "250")


def test_0008_success_lasts_and_failure_waits() -> None:
    plain = "AUTH PLAIN " + base64.b64encode(b"\0alice\0pw").decode("ascii") + "\r\n"
    outside = "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<a@other.example>\r\nDATA\r\n.\r\n"
    driver = talk(plain + outside, PPA, {"SMTPAUTH": ""})
    assert driver.replies[0][:3] == "235"
    assert b"(alice@unknown)" in driver.queued[0].message
    assert b"with ESMTPA;" in driver.queued[0].message
    for verdict in (1, 111, acts.MISSING):
        driver = talk(plain + outside, PPA, {"SMTPAUTH": ""}, password=verdict)
        assert (driver.replies[0][:3], driver.slept, driver.queued) == ("535", 5.0, [])
    assert talk(plain, PPA, {"SMTPAUTH": ""}, password=acts.CRASHED).replies[0][:3] == "454"


def test_0008_challenges_are_fresh() -> None:
    driver = talk("AUTH CRAM-MD5\r\n*\r\nAUTH CRAM-MD5\r\n*\r\n", PPA, {"SMTPAUTH": "cram"})
    challenges = [base64.b64decode(reply[4:]) for reply in driver.replies if reply.startswith("334")]
    assert len(set(challenges)) == 2


@pytest.mark.parametrize(
    ("status", "reply"),
    [(0, "250"), (1, "250"), (100, "553"), (111, "421"), (120, "421"), (acts.CRASHED, "421")],
)
def test_0009_exits(status: int | str, reply: str) -> None:
    environment = {"RCPTCHECK": "/check", "TCPREMOTEIP": "127.0.0.9"}
    driver = talk(ENVELOPE + "NOOP\r\n", PPA, environment, recipient=status)
    assert driver.replies[1][:3] == reply
    assert len(driver.replies) == (2 if reply == "421" else 3)
    check = driver.checked[0]
    assert isinstance(check, acts.CheckRecipient)
    envelope = {"SENDER": "x@there.example", "RECIPIENT": "alice@here.example"}
    assert check.environment == {**environment, **envelope}
