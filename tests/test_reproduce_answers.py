"""The answers file and the script that replays it send what the name server sends, octet by octet."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from dnslib import DNSRecord

from conformance.internet.nameserver import NameServer
from conformance.pod.world import Fault, Padding, Transport, World
from conformance.reproduce.answers import answer_lines, answers, question
from conformance.reproduce.recipe import programs
from conformance.reproduce.zonefiles import zone_files
from tests.reproductions import perl

ZONE = "$ORIGIN big.example.\n$TTL 60\n@ MX 10 mx\n@ TXT hello\nmx A 127.0.0.2\nwww CNAME mx\n"

FAULTS = {
    "none": [],
    "drop": [Fault("big.example", "drop", type="MX", over="udp")],
    "delay": [Fault("big.example", "delay", seconds=2.0)],
    "rcode": [Fault("big.example", "rcode", type="ANY", rcode="NOTIMP")],
    "truncate": [Fault("big.example", "truncate", over="udp")],
    "hinfo": [Fault("big.example", "hinfo")],
    "cut": [Fault("big.example", "cut", type="MX", length=20)],
    "cut in the header": [Fault("big.example", "cut", type="MX", length=7)],
    "patch": [Fault("big.example", "patch", octets="\xff\x00", offset=6)],
    "raw": [Fault("mx.big.example", "raw", octets="\x81\x80\x00")],
    "close": [Fault("big.example", "close", length=9)],
    "stall": [Fault("big.example", "stall", length=3)],
    "any name": [Fault("*", "rcode", rcode="SERVFAIL")],
    "the first of two": [
        Fault("big.example", "drop", type="ANY"),
        Fault("big.example", "rcode", rcode="REFUSED"),
    ],
}
NAMES = ("big.example", "BIG.Example", "mx.big.example", "www.big.example", "none.big.example", "else.test")


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    for name, content in programs().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "out").mkdir()
    return tmp_path


def ask(directory: Path, asked: list[tuple[bytes, Transport]]) -> list[str]:
    """What dns.pl would send to each question, one process for all: hexadecimal, "-" for nothing, options."""
    program = """
        require "$ARGV[0]/dns.pl"; read_answers();
        while (<STDIN>) {
            chomp; my ($over, $hex) = split / /;
            my ($octets, $entry) = answer_to(pack('H*', $hex), $over);
            print join(' ', defined $octets ? unpack 'H*', $octets : '-',
                map { defined $entry->{$_} ? "$_=$entry->{$_}" : () } 'delay', 'first', 'then'), "\\n";
        }"""
    lines = "".join(f"{over} {message.hex()}\n" for message, over in asked)
    return perl(program, str(directory), input=lines.encode()).decode().splitlines()


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_the_script_sends_what_the_name_server_sends(faults: list[Fault], replayed: Path) -> None:
    world = World(zones=[ZONE], faults=faults, paddings=[Padding("big.example", "MX", 1500)])
    (replayed / "answers.txt").write_text(answers(world), encoding="ascii")
    asked: list[tuple[bytes, Transport]] = [
        (question(name, type, None, number), over)
        for number, name in enumerate(NAMES, 77)
        for type in ("MX", "A", "ANY")
        for over in ("udp", "tcp")
    ]
    for (message, over), sent in zip(asked, ask(replayed, asked), strict=True):
        right = NameServer(world).answer(message, over, 0.0)
        words = ["-" if right.octets is None else right.octets.hex()]
        words += [f"delay={right.delay:g}"] if right.delay else []
        words += [f"first={right.limit}"] if right.limit is not None else []
        words += [f"then={right.end}"] if right.end != "open" else []
        assert sent == " ".join(words), DNSRecord.parse(message).q


def test_a_fault_that_strikes_a_few_times_gives_way_to_the_right_answer(replayed: Path) -> None:
    world = World(zones=[ZONE], faults=[Fault("big.example", "drop", times=2)])
    (replayed / "answers.txt").write_text(answers(world), encoding="ascii")
    asked: list[tuple[bytes, Transport]] = [
        (question("big.example", type), "udp") for type in ("MX", "A", "MX")
    ]
    server = NameServer(world)
    right = [server.answer(message, over, 0.0).octets for message, over in asked]
    assert ask(replayed, asked) == ["-" if octets is None else octets.hex() for octets in right]
    assert right[:2] == [None, None]
    assert right[2] is not None


def test_each_question_has_one_line_where_no_fault_is_counted() -> None:
    faults = [Fault("big.example", "drop"), Fault("*", "rcode", rcode="REFUSED")]
    lines = list(answer_lines(World(zones=[ZONE], faults=faults)))
    assert len(lines) == len({(line.name, line.type, line.over) for line in lines})


@pytest.mark.parametrize("octets", [512, 4096, 65535])
def test_a_padded_answer_is_written_down_whole(octets: int) -> None:
    world = World(zones=[ZONE], paddings=[Padding("big.example", "MX", octets)])
    sent = {(line.name, line.type, line.over): line.response.octets for line in answer_lines(world)}
    whole = sent["big.example", "MX", "tcp"]
    assert whole is not None
    assert len(whole) == octets
    over_udp = sent["big.example", "MX", "udp"]
    assert over_udp is not None
    assert DNSRecord.parse(over_udp).header.tc == (octets > 512)


def test_with_edns_more_fits_into_a_datagram() -> None:
    world = World(zones=[ZONE], paddings=[Padding("big.example", "MX", 1000)])
    sizes = {}
    for edns in (None, 1200):
        sent = {
            (line.name, line.type, line.over): line.response.octets for line in answer_lines(world, (), edns)
        }
        sizes[edns] = len(sent["big.example", "MX", "udp"] or b"")
    assert sizes[1200] == 1000
    assert sizes[None] < 512


def test_a_zone_file_holds_the_fillers_and_what_a_name_server_wants() -> None:
    world = World(zones=[ZONE], paddings=[Padding("big.example", "MX", 4096)])
    [(name, text)] = zone_files(world).items()
    assert name == "big.example.zone"
    server = NameServer(World(zones=[text]))
    answer = server.answer(question("big.example", "MX"), "tcp", 0.0).octets
    padded = NameServer(world).answer(question("big.example", "MX"), "tcp", 0.0).octets
    assert answer is not None
    assert padded is not None
    records = {str(record.rdata) for record in DNSRecord.parse(answer).rr}
    assert records == {str(record.rdata) for record in DNSRecord.parse(padded).rr}
    for type in ("SOA", "NS"):
        apex = server.answer(question("big.example", type), "tcp", 0.0).octets
        assert apex is not None
        assert DNSRecord.parse(apex).rr


def test_questions_of_any_spelling_come_back_as_they_were_asked(replayed: Path) -> None:
    world = World(zones=[ZONE])
    (replayed / "answers.txt").write_text(answers(world), encoding="ascii")
    chance = random.Random(4)
    spelt = ["".join(chance.choice((c.lower(), c.upper())) for c in "mx.big.example") for _ in range(20)]
    asked: list[tuple[bytes, Transport]] = [(question(name, "A"), "udp") for name in spelt]
    for name, sent in zip(spelt, ask(replayed, asked), strict=True):
        assert str(DNSRecord.parse(bytes.fromhex(sent)).q.qname) == f"{name}."
