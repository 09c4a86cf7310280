"""qmail-remote's engine and resolver: sequences of questions, reports, routes and credentials."""

import asyncio
from collections.abc import Sequence

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.pod.configuration import Configuration
from conformance.pod.observation import Question
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.dialogue import Dialogue, Report
from conformance.reference.dnsmessage import Malformed, encode_name, expand_name
from conformance.reference.queue import Message
from conformance.reference.remote_auth import RemoteAuthentication
from conformance.reference.routes import Route, Routes
from conformance.reference.rspawn import QmailRspawn
from conformance.reference.tcpto import TimedOut, TimeoutTable
from conformance.targets.embedded import ReferencePod

ZONE = """$ORIGIN big.example.
$TTL 60
@ IN SOA ns hostmaster 1 1 1 1 1
@ IN NS ns
@ IN MX 10 mx
mx IN A 127.0.0.2
"""
AUTHENTICATION = RemoteAuthentication(Dialogue(Report(), "127.0.0.2", 5.0))


def deliver(
    patches: tuple[str, ...] = (),
    steps: dict[str, str | list[str]] | None = None,
    paddings: Sequence[Padding] = (),
    faults: Sequence[Fault] = (),
    host: str = "big.example",
) -> tuple[str, list[Question]]:
    """The report of one qmail-remote, and the questions that it asked."""

    async def act() -> tuple[str, list[Question]]:
        pod = ReferencePod(patches)
        exchangers = [Exchanger(steps=steps or {})]
        world = World(zones=[ZONE], exchangers=exchangers, paddings=list(paddings), faults=list(faults))
        await pod.prepare(world, Configuration({"me": "mx.here.example\n", "timeoutremote": "5\n"}))
        recipients, message = ["b@big.example"], b"a: b\n\nc\n"
        result = await pod.remote(host, "a@here.example", recipients, message, 60.0)
        return result.report, (await pod.observe()).questions

    return asyncio.run(act())


@pytest.mark.parametrize(
    ("patches", "octets", "letter", "sequence"),
    [
        ((), 512, "K", ["ANY udp", "MX udp", "A udp"]),
        ((), 4096, "Z", ["ANY udp", "MX udp", "MX tcp"]),
        (("0005",), 512, "K", ["ANY udp", "MX udp", "A udp"]),
        (("0005",), 4096, "K", ["ANY udp", "MX udp", "MX tcp", "MX tcp", "A udp"]),
        (("0004", "0005"), 65535, "K", ["MX udp", "MX tcp", "MX tcp", "A udp"]),
    ],
)
def test_the_questions_of_a_large_answer(
    patches: tuple[str, ...], octets: int, letter: str, sequence: list[str]
) -> None:
    report, questions = deliver(patches, paddings=[Padding("big.example", "MX", octets, "last")])
    assert report.split("\0")[-2][0] == letter
    assert [f"{question.type} {question.over}" for question in questions] == sequence


@pytest.mark.parametrize(
    ("host", "asked"),
    [("mx.big.example", ["MX", "A", "A"]), ("big.example", ["MX", "A"])],
    ids=["the question before was another", "the octets before are no name"],
)
@pytest.mark.parametrize("patches", [("0004",), ("0004", "0005")])
def test_a_question_that_is_cut_is_read_on_in_the_answer_before(
    patches: tuple[str, ...], host: str, asked: list[str]
) -> None:
    cut = Fault("mx.big.example", "cut", type="A", length=14, times=1)
    assert [question.type for question in deliver(patches, faults=[cut], host=host)[1]] == asked


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
    assert deliver(patches, steps=steps)[0] == report


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
    assert Routes(Build(PPA_PATCHES), control).choose(b"host.example", sender) == route
    assert Routes(Build(), control).choose(b"host.example", sender) == Route(b"relay.example")


@pytest.mark.parametrize(
    ("line", "method"),
    [
        (b"AUTH LOGIN PLAIN CRAM-MD5", b"CRAM-MD5"),
        (b"auth xoauth2 login Plain", b"PLAIN"),
        (b"AUTH=LOGIN", b"LOGIN"),
        (b"AUTH GSSAPI", None),
        (b"AUTHOR LOGIN", None),
    ],
)
def test_methods_are_found_in_any_order_and_case(line: bytes, method: bytes | None) -> None:
    assert AUTHENTICATION.method(b"250-mx\n250-" + line + b"\n250 8BITMIME\n") == method


def test_the_digest_is_that_of_rfc_2195() -> None:
    challenge, secret = b"<1896.697170952@postoffice.reston.mci.net>", b"tanstaaftanstaaf"
    assert AUTHENTICATION.digest(challenge, secret) == b"b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("output", "report"),
    [
        (b"r\0Kok\n\0", b"Kok\n"),
        (b"hno\n\0DGiving up\n\0", b"Dno\nGiving up\n"),
        (b"slater\n\0DGiving up\n\0", b"Zlater\nGiving up\n"),
        (b"", b"Zqmail-remote produced no output.\n"),
        (b"r\0", b"Z"),
        (b"\0Dno\n\0", b"DDno\n"),
        (b"r\0Kok\n", b"Zok\n"),
        (b"Kok\n", b"Z"),
    ],
)
def test_reports_for_qmail_send(output: bytes, report: bytes) -> None:
    rspawn = QmailRspawn(lambda *_: (0, output))
    assert rspawn.deliver(Message(1, 1, 1, b"", [], b""), b"b@big.example") == report


def test_names_are_read_within_bounds() -> None:
    message = b"\0" * 12 + encode_name(b"a.b\\.c.example")
    assert expand_name(message, len(message), 12) == (b"a.b\\.c.example", len(message) - 12)
    for rubbish in (b"\xc0\x0c", b"\x05ab", b"\xc0", b"\x80a\0", b"\xc0\xff"):
        with pytest.raises(Malformed):
            expand_name(b"\0" * 12 + rubbish, 12 + len(rubbish), 12)
    with pytest.raises(Malformed):
        encode_name(b"a" * 64 + b".example")
    assert encode_name(b"a\\046b\\\\.c\\z") == b"\4a.b\\\2cz\0"
    for wrong in (b"a\\", b"\\98", b"\\256"):
        with pytest.raises(Malformed):
            encode_name(wrong)


def test_the_table_of_time_outs_is_the_file_that_qmail_keeps() -> None:
    record = b"\x7f\0\0\x02\x02\0\0\0" + (1_000_000_000).to_bytes(4, "little") + bytes(4)
    table = TimeoutTable.read(record + bytes(1008))
    assert table.known() == [TimedOut("127.0.0.2", 2, 1_000_000_000)]
    assert table.octets() == record + bytes(1008)
    table.timed_out("127.0.0.3", 2_000_000_000)
    assert TimeoutTable.read(table.octets()).known()[1:] == [TimedOut("127.0.0.3", 1, 2_000_000_000)]
