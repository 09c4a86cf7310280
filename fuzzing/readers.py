"""What is fuzzed: for each reader inputs that are right, and what must hold of whatever it is given.

A reader gives a value or refuses with a UsageError. Where that is cheap more is asked of a value: what was
read and written is read as the same, and it can be shown.
"""

import asyncio
import contextlib
import io
import itertools
import json
import random
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from dnslib import DNSRecord
from mutations import JSON, OCTETS, TEXT, Mutation

from conformance.bench.plots import plots
from conformance.bench.results import conclusion, read_bench
from conformance.bench.throughput_table import markdown as bench_markdown
from conformance.cases.collection import all_requirements, case_of
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.requirements import Case
from conformance.cli.keywords import matcher
from conformance.errors import UsageError
from conformance.internet.exchanger import ExchangerSession
from conformance.internet.nameserver import NameServer
from conformance.internet.zones import parse_zone, read_zone
from conformance.judge.comparison import compare
from conformance.judge.decider import of_record
from conformance.judge.deviations import load_deviations
from conformance.judge.runfile import read_run, verdict_line
from conformance.judge.runwriter import RunWriter
from conformance.judge.verdict import Verdict
from conformance.pod.base import PodFailure
from conformance.pod.codec import decode, encode
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.secrets import Secrets
from conformance.pod.world import Exchanger, Fault, FaultAction, Padding, World
from conformance.reference import acts
from conformance.reference.build import Build
from conformance.reference.lookup import Lookup, LookupFailed, NameNotFound
from conformance.report import changes, export
from conformance.report.alignment import side_by_side
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.story import events_of
from conformance.report.terminal import render
from conformance.reproduce.zonefiles import zone_files
from conformance.scenario import pieces
from conformance.scenario.making import load_transcript
from conformance.scenario.playing import play
from conformance.scenario.reading import load_scenario, read_scenario
from conformance.smtp.reply import ReplyReader
from conformance.targets.docker.debs import read_deb
from conformance.targets.embedded import ReferencePod
from conformance.targets.names import parse_target

ROOT = Path(__file__).resolve().parents[1]
PPA = parse_target("reference-ppa")


@dataclass(frozen=True)
class Fuzzer:
    """`read` reads the input at a path, whose name ends with `suffix`; a refusal is a UsageError."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], None]
    mutations: Sequence[Mutation] = TEXT
    suffix: str = ".input"


def files(*patterns: str) -> Callable[[], list[bytes]]:
    """The content of the repository's files that fit."""
    return lambda: [path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def scenario(path: Path) -> None:
    """A scenario: it crosses the seam as it is, can be cut into pieces, and is played on the reference."""
    read = load_scenario(path)
    for value in (read.world, read.configuration):
        assert decode(type(value), json.loads(json.dumps(encode(value), allow_nan=False))) == value
    for cut in (pieces.blocks, pieces.answered_lines, pieces.single_lines):
        cut(read.source)
    for _ in zip(range(5), pieces.shorter_values(read.source), strict=False):
        pass
    internet = Internet()
    with contextlib.suppress(PodFailure):
        asyncio.run(play(read, internet, Qmail(ReferencePod(PPA.patches), internet)))


def transcript(path: Path) -> None:
    """A transcript: what is made of it is a scenario."""
    read_scenario(load_transcript(path).scenario, path)


def zone(path: Path) -> None:
    """A zone: it is served, and read again after it was written for another name server."""
    text = read_zone(path)
    read = parse_zone(text, str(path))
    server = NameServer(World([text]))
    for name in {read.origin, *(str(record.rname).rstrip(".") for record in read.records[:5])}:
        for kind in ("A", "MX", "ANY"):
            response = server.answer(bytes(DNSRecord.question(name, kind).pack()), "tcp", 0.0)
            assert response.octets is not None
            DNSRecord.parse(response.octets)
    for written in zone_files(World([text])).values():
        again = {str(record) for record in parse_zone(written).records}
        assert {str(record) for record in read.records} <= again


def reply(path: Path) -> None:
    """Replies, and a client's lines at an exchanger: the same in however many pieces they come."""
    octets = path.read_bytes()
    chance = random.Random(zlib.crc32(octets))
    cuts = sorted(
        {0, len(octets), *(chance.randrange(len(octets) + 1) for _ in range(chance.choice((1, 5, 50))))}
    )
    split = [octets[start:end] for start, end in itertools.pairwise(cuts)]
    assert _replies([octets]) == _replies(split)
    assert _at_exchanger([octets]) == _at_exchanger(split)


def _replies(parts: Sequence[bytes]) -> Any:
    reader, found = ReplyReader(), []
    for part in parts:
        reader.feed(part)
        while (one := reader.take()) is not None:
            found.append((one, one.enhanced))
    return found, reader.pending


def _at_exchanger(parts: Sequence[bytes]) -> Any:
    session = ExchangerSession(Exchanger(auth=["PLAIN", "LOGIN", "CRAM-MD5"], users={"bob": "made-up"}), 0.0)
    sent = session.open(0.0).octets + b"".join(session.receive(part, 0.0).octets for part in parts)
    return sent, replace(session.seen, transcript=[])  # its pieces are those of the network


def served() -> World:
    """A world with each kind of trouble in it."""
    zones = [data.decode() for data in files("fixtures/dns-zones/*.zone")()]
    faults = [Fault("plain.example", kind, over=over, octets="\0\xff", length=9, offset=4, times=3)
              for kind in get_args(FaultAction) for over in ("udp", "tcp")]  # fmt: skip
    return World(zones, [Padding("plain.example", "MX", 4096)], faults)


def datagram(path: Path) -> None:
    """A question to our name server, and the same octets as an answer to the reference's resolver."""
    octets = path.read_bytes()[:65535]
    server = NameServer(served())
    for over in ("udp", "tcp", "udp"):
        response = server.answer(octets, over, 0.0)
        assert response.octets is None or len(response.octets) <= 65535
        if response.octets is not None:
            _resolve(response.octets)
    assert len(json.dumps([encode(question) for question in server.questions])) < 10_000
    _resolve(octets)


def _resolve(octets: bytes) -> None:
    for build in (Build(()), Build(PPA.patches)):
        lookup = Lookup(build, "timeout:1 attempts:2 edns0", lambda: int.from_bytes(octets[:2], "big"))
        for engine in (lookup.by_mx(b"plain.example", 1), lookup.behind_aliases(b"plain.example")):
            result: Any = None
            clock = itertools.count()
            try:
                while True:
                    act = engine.send(result)
                    over_tcp = isinstance(act, acts.AskDns) and act.over == "tcp"
                    framed = acts.Stream(len(octets).to_bytes(2, "big") + octets)
                    result = next(clock) / 4 if isinstance(act, acts.Now) else framed if over_tcp else octets
            except (StopIteration, LookupFailed, NameNotFound):
                pass


def questions() -> list[bytes]:
    """Questions, and right answers to them."""
    server = NameServer(World(served().zones, served().paddings))
    names = ("plain.example", "many-records.example", "alias.cname-chain.example", "txt-heavy.example", "x")
    asked = [DNSRecord.question(name, kind).pack() for name in names for kind in ("MX", "A", "ANY", "TXT")]
    return [*asked, *(octets for question in asked if (octets := server.answer(question, "tcp", 0.0).octets))]


def run_file(path: Path) -> None:
    """A run: every line is written as it was read, judged again, and shown in every report."""
    run = read_run(path)
    for verdict in run.verdicts:
        data = json.loads(verdict_line(verdict))
        assert data.pop("kind") == "verdict"
        assert Verdict.from_json(data) == verdict
        known = all_requirements().get(verdict.requirement)
        if known is not None:
            asyncio.run(_judged(case_of(known), verdict))
        events = events_of(verdict.record)
        side_by_side(events, events[::2])
    comparison = compare([run])
    junit(comparison), markdown(comparison), render(comparison)
    export.dumps(export.to_json(comparison))
    changes.render(changes.changes(run, run))


async def _judged(case: Case, verdict: Verdict) -> None:
    await of_record(case, verdict)(False)


def short_runs() -> list[bytes]:
    """A run for each verdict of the sample."""
    made = []
    with tempfile.TemporaryDirectory() as directory:
        for path in sorted(ROOT.glob("reports/sample/*.jsonl")):
            run = read_run(path)
            for verdict in run.verdicts:
                writer = RunWriter(Path(directory) / "run.jsonl", replace(run.header, total=1))
                writer.write(verdict_line(verdict))
                writer.finish()
                made.append(writer.path.read_bytes())
    return made


def deviation(path: Path) -> None:
    """A file of deviations, and what each applies to."""
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        (Path(directory) / "deviations.toml").write_bytes(path.read_bytes())
        for found in load_deviations(directory=Path(directory)):
            found.applies_to("0007.rcpt.quoted", PPA)
            json.dumps(found.to_json())


def users(path: Path) -> None:
    """A file of users, whose passwords are hidden."""
    known = passwords(load_users(path))
    Secrets({name: password.encode("latin-1") for name, password in known.items()}).hide("a b c")


def bench(path: Path) -> None:
    """A stored bench, concluded and drawn."""
    read = read_bench(path)
    conclusion(read), plots(read), bench_markdown(read)
    assert read.from_json(json.loads(json.dumps(read.to_json()))) == read


def short_benches() -> list[bytes]:
    """A bench for each scenario of the sample."""
    whole = json.loads((ROOT / "reports/sample/bench/bench.json").read_text(encoding="utf-8"))
    return [json.dumps({**whole, "scenarios": [one]}, indent=1).encode() for one in whole["scenarios"]]


def deviations() -> list[bytes]:
    """Some tables of the file at a time."""
    whole = b"\n".join(files("conformance/deviations/*.toml")())
    tables = [b"[[deviation]]" + text for text in whole.split(b"[[deviation]]")[1:]]
    return [b"".join(tables[start : start + 3]) for start in range(0, len(tables), 3)]


def package(path: Path) -> None:
    """A .deb file."""
    read_deb(path)


def packages() -> list[bytes]:
    """The smallest package, its control archive in each compression."""
    control = b"Package: qmail\nVersion: 1.06-7\nArchitecture: amd64\n"
    made = []
    for ending in ("", "gz", "xz"):
        buffer, mode = io.BytesIO(), cast(Any, f"w:{ending}")
        with tarfile.open(fileobj=buffer, mode=mode) as archive:
            member = tarfile.TarInfo("./control")
            member.size = len(control)
            archive.addfile(member, io.BytesIO(control))
        content = buffer.getvalue()
        header = (
            f"{f'control.tar.{ending}'.rstrip('.'):<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        )
        made.append(b"!<arch>\n" + header.encode() + content)
    return made


def words(path: Path) -> None:
    """What stands on the command line: an expression, a target."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    refused = 0
    for read in (lambda: matcher(text)(("0005.mx.tcp-4096", "change")), lambda: parse_target(text)):
        try:
            read()
        except UsageError:
            refused += 1
    if refused == 2:
        raise UsageError("neither")


_WORDS = [
    b"mx and not (tcp or udp)", b"not not a", b"0005.mx or guard", b"stock", b"debs:build/1.06~2@0004",
    b"ppa", b"reference-ppa~0006.dropped", b"reference@0004,0009", b"image:localhost:5000/q@sha256:00",
]  # fmt: skip
_REPLIES = [
    b"220 mx.example ESMTP\r\n250-mx\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
    b"250 ok\r\n451 no (#4.3.0)\r\n",
    b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nS: x\r\n\r\n..\r\n.\r\nQUIT\r\n",
    b"EHLO a\r\nAUTH PLAIN AGJvYgBtYWRlLXVw\r\nAUTH LOGIN\r\nYm9i\r\nbWFkZS11cA==\r\nRSET\r\n",
    b"HELO a\nAUTH CRAM-MD5\r\nYm9iIDAw\r\n*\r\nNOOP\r\n",
]

FUZZERS: dict[str, Fuzzer] = {
    "scenario": Fuzzer(files("fixtures/scenarios/*.toml", "tests/scenarios/*.toml"), scenario),
    "transcript": Fuzzer(files("fixtures/transcripts/*.txt", "tests/transcripts/*.txt"), transcript),
    "zone": Fuzzer(files("fixtures/dns-zones/*.zone", "tests/data/*.zone"), zone),
    "reply": Fuzzer(lambda: _REPLIES, reply),
    "datagram": Fuzzer(questions, datagram, OCTETS),
    "run-file": Fuzzer(short_runs, run_file, JSON, ".jsonl"),
    "deviation": Fuzzer(deviations, deviation, suffix=".toml"),
    "users": Fuzzer(files("fixtures/mailboxes/users.toml"), users, suffix=".toml"),
    "bench": Fuzzer(short_benches, bench, JSON, ".json"),
    "package": Fuzzer(packages, package, OCTETS, ".deb"),
    "words": Fuzzer(lambda: _WORDS, words),
}
