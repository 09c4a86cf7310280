"""The answers file and the script that replays it send what the name server sends, octet by octet."""

import random
from pathlib import Path

import pytest
from dnslib import DNSRecord

from conformance.internet.nameserver import NameServer
from conformance.pod.world import Fault, Padding, Transport, World
from conformance.reproduce.answersfile import answer_lines, answers, question
from conformance.reproduce.recipe import programs
from conformance.reproduce.zonefiles import zone_files
from tests.reproductions import perl

ZONE = "$ORIGIN big.example.\n$TTL 60\n@ MX 10 mx\n@ TXT hello\nmx A 127.0.0.2\nwww CNAME mx\n"

FAULTS = {
    "none": [],
    "drop": [Fault("big.example", "drop", type="MX", over="udp")],
    "delay": [Fault("big.example", "delay", seconds=2.0)],
    "rcode": [Fault("big.example", "rcode", type="ANY", rcode="NOTIMP")],
    "untruncated": [Fault("big.example", "untruncated", over="udp")],
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


def ask(directory: Path, world: World, asked: list[tuple[bytes, Transport]]) -> list[str]:
    """What dns.pl would send in a world to each question: hexadecimal, "-" for nothing, options."""
    program = (Path(__file__).parent / "data" / "answers.pl").read_text()
    (directory / "answers.txt").write_text(answers(world), encoding="ascii")
    lines = "".join(f"{over} {message.hex()}\n" for message, over in asked)
    return perl(program, str(directory), input=lines.encode()).decode().splitlines()


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_the_script_sends_what_the_name_server_sends(faults: list[Fault], replayed: Path) -> None:
    world = World(zones=[ZONE], faults=faults, paddings=[Padding("big.example", "MX", 1500)])
    lines = list(answer_lines(world))
    assert len(lines) == len({(line.name, line.type, line.over) for line in lines})
    asked: list[tuple[bytes, Transport]] = [
        (question(name, type, None, number), over)
        for number, name in enumerate(NAMES, 77)
        for type in ("MX", "A", "ANY")
        for over in ("udp", "tcp")
    ]
    for (message, over), sent in zip(asked, ask(replayed, world, asked), strict=True):
        right = NameServer(world).answer(message, over, 0.0)
        words = ["-" if right.octets is None else right.octets.hex()]
        words += [f"delay={right.delay:g}"] if right.delay else []
        words += [f"first={right.limit}"] if right.limit is not None else []
        words += [f"then={right.end}"] if right.end != "open" else []
        assert sent == " ".join(words), DNSRecord.parse(message).q


def test_a_fault_that_strikes_a_few_times_gives_way_to_the_right_answer(replayed: Path) -> None:
    world = World(zones=[ZONE], faults=[Fault("big.example", "drop", times=2)])
    questions = [question("big.example", type) for type in ("MX", "A", "MX")]
    asked: list[tuple[bytes, Transport]] = [(message, "udp") for message in questions]
    server = NameServer(world)
    right = [server.answer(message, over, 0.0).octets for message, over in asked]
    assert ask(replayed, world, asked) == ["-" if octets is None else octets.hex() for octets in right]
    assert right[:2] == [None, None]
    assert right[2] is not None


@pytest.mark.parametrize(
    ("octets", "edns", "truncated"),
    [(512, None, False), (1000, None, True), (1000, 1200, False), (4096, 1200, True), (65535, None, True)],
)
def test_a_padded_answer_is_written_down_whole(octets: int, edns: int | None, truncated: bool) -> None:
    lines = answer_lines(World(zones=[ZONE], paddings=[Padding("big.example", "MX", octets)]), (), edns)
    found = {(line.name, line.type, line.over): line.response.octets or b"" for line in lines}
    assert len(found["big.example", "MX", "tcp"]) == octets
    assert DNSRecord.parse(found["big.example", "MX", "udp"]).header.tc == truncated
    assert (len(found["big.example", "MX", "udp"]) == octets) != truncated


def test_a_zone_file_holds_the_fillers_and_what_a_name_server_wants() -> None:
    world = World(zones=[ZONE], paddings=[Padding("big.example", "MX", 4096)])
    [(name, text)] = zone_files(world).items()
    assert name == "big.example.zone"

    def records(world: World, type: str) -> set[str]:
        octets = NameServer(world).answer(question("big.example", type), "tcp", 0.0).octets
        return {str(record.rdata) for record in DNSRecord.parse(octets).rr}

    alone = World(zones=[text])
    assert records(alone, "MX") == records(world, "MX")
    assert records(alone, "SOA")
    assert records(alone, "NS")


def test_questions_of_any_spelling_come_back_as_they_were_asked(replayed: Path) -> None:
    world = World(zones=[ZONE])
    chance = random.Random(4)
    spelt = ["".join(chance.choice((c.lower(), c.upper())) for c in "mx.big.example") for _ in range(20)]
    asked: list[tuple[bytes, Transport]] = [(question(name, "A"), "udp") for name in spelt]
    for name, sent in zip(spelt, ask(replayed, world, asked), strict=True):
        assert str(DNSRecord.parse(bytes.fromhex(sent)).q.qname) == f"{name}."
