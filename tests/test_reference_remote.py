"""qmail-remote's engine and resolver: sequences of questions, reports, routes and credentials."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

import pytest

from conformance.catalogue import PPA_PATCHES
from conformance.pod.configuration import Configuration
from conformance.pod.observation import MxSession, Question, RemoteResult
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.reference.control import ControlFiles
from conformance.reference.dnsmessage import Malformed, encode_name, expand_name
from conformance.reference.remote_auth import choose_method, cram_digest
from conformance.reference.routes import Route, choose
from conformance.reference.send import remote_report
from conformance.targets.embedded import ReferencePod

ZONE = """$ORIGIN big.example.
$TTL 60
@ IN SOA ns hostmaster 1 1 1 1 1
@ IN NS ns
@ IN MX 10 mx
mx IN A 127.0.0.2
alias IN CNAME mx
loop IN CNAME loop2
loop2 IN CNAME loop
own IN MX 5 self
self IN A 127.0.0.1
"""
PPA = frozenset(PPA_PATCHES)


def deliver(
    world: World,
    patches: tuple[str, ...] = (),
    host: str = "big.example",
    limit: float = 60.0,
    control: dict[str, str] | None = None,
    message: bytes = b"a: b\n\nc\n",
) -> tuple[RemoteResult, list[Question], list[MxSession]]:
    async def act() -> tuple[RemoteResult, list[Question], list[MxSession]]:
        pod = ReferencePod(patches)
        files = {"me": "mx.here.example\n", "timeoutremote": "5\n", **(control or {})}
        await pod.prepare(world, Configuration(control=files))
        result = await pod.remote(host, "a@here.example", [f"b@{host}"], message, limit)
        seen = await pod.observe()
        return result, seen.questions, seen.mx_sessions

    return asyncio.run(act())


def world(*, steps: dict[str, str | list[str]] | None = None, **around: list[object]) -> World:
    return World(zones=[ZONE], exchangers=[Exchanger(steps=steps or {})], **around)  # type: ignore[arg-type]


def asked(questions: list[Question]) -> list[str]:
    names = ("big.example", "mx.big.example")
    return [f"{question.type} {question.over}" for question in questions if question.name in names]


@pytest.mark.parametrize(
    ("patches", "octets", "letters", "sequence"),
    [
        ((), 512, "K", ["ANY udp", "MX udp", "A udp"]),
        ((), 4096, "Z", ["ANY udp", "MX udp", "MX tcp"]),
        (("0005",), 512, "K", ["ANY udp", "MX udp", "A udp"]),
        (("0005",), 4096, "K", ["ANY udp", "MX udp", "MX tcp", "MX tcp", "A udp"]),
        (("0004", "0005"), 65535, "K", ["MX udp", "MX tcp", "MX tcp", "A udp"]),
    ],
)
def test_the_questions_of_a_large_answer(
    patches: tuple[str, ...], octets: int, letters: str, sequence: list[str]
) -> None:
    padded = world(paddings=[Padding("big.example", "MX", octets, "last")])
    result, questions, _ = deliver(padded, patches)
    assert result.report.split("\0")[-2][0] == letters
    assert asked(questions) == sequence


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_failures_of_the_server_are_temporary_and_asked_again(rcode: str) -> None:
    failing = world(faults=[Fault("big.example", "rcode", "MX", rcode=rcode)])
    result, questions, _ = deliver(failing, ("0004",))
    assert result.report.startswith("ZSorry, I couldn't find any host by that name. (#4.1.2)")
    assert asked(questions) == ["MX udp", "MX udp"]


def test_a_dropped_question_costs_the_resolvers_time() -> None:
    result, questions, _ = deliver(world(faults=[Fault("big.example", "drop", "MX")]), ("0004",))
    assert (result.seconds, len(questions)) == (2.0, 2)


def test_a_stalled_answer_over_tcp_hangs_stock_and_is_temporary_with_0005() -> None:
    paddings: list[object] = [Padding("big.example", "MX", 4096)]
    stalled = world(paddings=paddings, faults=[Fault("big.example", "stall", "MX", over="tcp", length=9)])
    result, _, _ = deliver(stalled)
    assert not result.ended
    result, _, _ = deliver(stalled, ("0005",))
    assert result.report.startswith("Z")
    assert result.ended


@pytest.mark.parametrize(
    "fault",
    [
        Fault("big.example", "cut", "MX", length=11),
        Fault("big.example", "patch", "MX", offset=13, octets="zzz"),
    ],
)
def test_rubbish_is_no_answer(fault: Fault) -> None:
    result, _, _ = deliver(world(faults=[fault]), ("0004",))
    assert result.report.startswith("Z")


def test_aliases_are_rewritten_on_stock_and_kept_with_0004() -> None:
    _, questions, sessions = deliver(world(), host="alias.big.example")
    assert sessions[0].recipients == ["b@mx.big.example"]
    _, patched, sessions = deliver(world(), ("0004",), host="alias.big.example")
    assert sessions[0].recipients == ["b@alias.big.example"]
    assert len(patched) < len(questions)


@pytest.mark.parametrize(
    ("steps", "report"),
    [
        ({"connect": "421 no"}, "ZConnected to 127.0.0.2 but greeting failed.\nRemote host said: 421 no\n\0"),
        ({"connect": "554 no"}, "ZConnected to 127.0.0.2 but greeting failed.\nRemote host said: 554 no\n\0"),
        ({"HELO": "550 no", "EHLO": "550 no"},
         "ZConnected to 127.0.0.2 but my name was rejected.\nRemote host said: 550 no\n\0"),
        ({"MAIL": "550-a\r\n550 b"},
         "DConnected to 127.0.0.2 but sender was rejected.\nRemote host said: 550-a\n550 b\n\0"),
        ({"RCPT": "450 x"}, "s127.0.0.2 does not like recipient.\nRemote host said: 450 x\n\0"
                            "DGiving up on 127.0.0.2.\n\0"),
        ({"DATA": "451 x"}, "r\0Z127.0.0.2 failed on DATA command.\nRemote host said: 451 x\n\0"),
        ({"message": "554 x"}, "r\0D127.0.0.2 failed after I sent the message.\nRemote host said: 554 x\n\0"),
        ({"message": "close"},
         "r\0ZConnected to 127.0.0.2 but connection died. Possible duplicate! (#4.4.2)\n\0"),
        ({"DATA": "stall"}, "r\0ZConnected to 127.0.0.2 but connection died. (#4.4.2)\n\0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("patches", [(), PPA_PATCHES])
def test_reports(steps: dict[str, str | list[str]], report: str, patches: tuple[str, ...]) -> None:
    assert deliver(world(steps=steps), patches)[0].report == report


def test_partial_lines_own_addresses_and_no_host() -> None:
    assert "partial final lines. (#5.6.2)" in deliver(world(), message=b"a: b\n\nc")[0].report
    assert "(#5.4.6)" in deliver(world(), host="own.big.example")[0].report
    unknown = deliver(world(), host="none.big.example")[0].report
    assert "any host named none.big.example. (#5.1.2)" in unknown


SENDERS = (
    "@example.com|generic|passwd\n.sub.example.com|other|otherpw\nmail@example.com|test|testpass\n"
    "info@example.com:smtp.example.com:26|other|other:pw\n"
)


@pytest.mark.parametrize(
    ("sender", "route"),
    [
        (b"x@Example.com", Route(None, 25, b"generic", b"passwd")),
        (b"x@a.sub.example.com", Route(None, 25, b"other", b"otherpw")),
        (b"mail@example.com", Route(None, 25, b"test", b"testpass")),
        (b"info@example.com", Route(b"smtp.example.com", 26, b"other", b"other:pw")),
        (b"x@sub.example.com", Route(b"relay.example", 25, b"", b"")),
    ],
)
def test_the_manual_pages_lines_of_authsenders(sender: bytes, route: Route) -> None:
    control = ControlFiles({"authsenders": SENDERS, "smtproutes": ":relay.example\n"})
    assert choose(control, b"host.example", sender, PPA, frozenset()) == route
    stock = choose(control, b"host.example", sender, frozenset(), frozenset())
    assert stock == Route(b"relay.example")


def test_methods_are_found_in_any_order_and_case() -> None:
    def chosen(line: bytes) -> bytes | None:
        return choose_method(b"250-mx\n250-" + line + b"\n250 8BITMIME\n", frozenset())

    assert chosen(b"AUTH LOGIN PLAIN CRAM-MD5") == b"CRAM-MD5"
    assert chosen(b"auth xoauth2 login Plain") == b"PLAIN"
    assert chosen(b"AUTH=LOGIN") == b"LOGIN"
    assert chosen(b"AUTH GSSAPI") is None
    assert chosen(b"AUTHOR LOGIN") is None


def test_the_digest_is_that_of_rfc_2195() -> None:
    challenge, secret = b"<1896.697170952@postoffice.reston.mci.net>", b"tanstaaftanstaaf"
    assert cram_digest(challenge, secret) == b"b913a602c7eda7a495b4e6e7334d3890"
    assert cram_digest(challenge, secret).decode() == hmac.digest(secret, challenge, hashlib.md5).hex()


def test_no_announcement_no_credentials_and_no_early_success() -> None:
    control = {"authsenders": ":[127.0.0.2]|user|secret\n"}
    result, _, sessions = deliver(world(), PPA_PATCHES, control=control)
    note = "no supported AUTH method found, continuing without authentication."
    assert result.report.startswith(f"r\0K{note}\n")
    assert sessions[0].credentials == 0
    result, _, _ = deliver(world(steps={"message": "451 x"}), PPA_PATCHES, control=control)
    assert [report[:1] for report in result.report.split("\0")] == ["r", "Z", ""]


def test_an_expired_password_is_temporary_at_once() -> None:
    exchanger = Exchanger(auth=["PLAIN"], users={"user": "secret"}, steps={"AUTH": "432 expired"})
    control = {"authsenders": ":[127.0.0.2]|user|secret\n"}
    result, _, _ = deliver(World(zones=[ZONE], exchangers=[exchanger]), PPA_PATCHES, control=control)
    assert result.report.startswith("ZConnected to 127.0.0.2 but password expired.\n")
    assert result.seconds == 0


@pytest.mark.parametrize(
    ("output", "report"),
    [
        (b"r\0Kok\n\0", b"Kok\n"),
        (b"hno\n\0DGiving up\n\0", b"Dno\nGiving up\n"),
        (b"slater\n\0DGiving up\n\0", b"Zlater\nGiving up\n"),
        (b"", b"Zqmail-remote produced no output.\n"),
        (b"r\0", b"D"),
    ],
)
def test_reports_for_qmail_send(output: bytes, report: bytes) -> None:
    assert remote_report(0, output) == report


def test_names_are_read_within_bounds() -> None:
    message = b"\0" * 12 + encode_name(b"a.b\\.c.example")
    assert expand_name(message, len(message), 12) == (b"a.b\\.c.example", len(message) - 12)
    for rubbish in (b"\xc0\x0c", b"\x05ab", b"\xc0", b"\x80a\0", b"\xc0\xff"):
        with pytest.raises(Malformed):
            expand_name(b"\0" * 12 + rubbish, 12 + len(rubbish), 12)
    with pytest.raises(Malformed):
        encode_name(b"a" * 64 + b".example")
