"""Our load driver, exchanger and name server beside the tools that people measure with, in one run.

    python benchmarks/peers.py [ROUNDS] [--report-only] [--require-peers] [--packages DIR]

The peers are Debian packages: smtp-source and smtp-sink (postfix), nsd, dnsperf. Those that are not on the
PATH are fetched and unpacked without being installed (see `peerpackages`). Each round measures both sides of
every row in turns, and sums them up: the same load takes 25 or 45 us of CPU a message, by what else the
host of the machine has to do. The rounds of a row are spread over the whole run, so that a machine that is
slower for half a minute spoils a round of each and not a whole row. Shown are medians of the rounds' ratios,
ours to theirs, beside the bar that the project sets itself. What is measured stays on loopback.

Where a peer cannot be had its rows are left out, with the reason and what to do: that is no failure unless
`--require-peers` says so. Exit status: 0 every bar that was measured holds, or `--report-only`; 1 a bar was
missed; 2 a wrong argument; 3 a server or a tool failed, or a required peer is missing.
"""

import argparse
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bars import Table
from peerpackages import PeerMissing, Peers, Tool, peers

from conformance.bench.inside.driver import Load, LoadStep, run
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_WORLD, WorldError

KIB = b"From: a@here.example\r\nSubject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 12
LOCK_STEP = (
    LoadStep(b"MAIL FROM:<a@here.example>\r\n", b"2"),
    LoadStep(b"RCPT TO:<b@there.example>\r\n", b"2"),
    LoadStep(b"DATA\r\n", b"3"),
    LoadStep(KIB + b".\r\n", b"2"),
)
PIPELINED = (LoadStep(b"".join(step.said for step in LOCK_STEP), b"2232"),)
ZONE = """$ORIGIN plain.example.
$TTL 60
@ SOA ns hostmaster 1 1 1 1 1
@ NS ns
ns A 127.0.0.1
@ MX 10 mx
mx A 127.0.0.2
"""
MANY = "".join(f"big MX 20 host-number-{number:05d}-xxxxxx\n" for number in range(113))
NSD = """server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: {directory}
  database: ""
  pidfile: {directory}/pid
  xfrdfile: {directory}/xfrd
  zonelistfile: {directory}/list
  server-count: 1
  tcp-count: 200
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: plain.example
  zonefile: plain.zone
"""
OURS = """
import asyncio, sys
from conformance.internet.servers import Servers
from conformance.pod.world import World
async def serve():
    await Servers(("127.0.0.1", int(sys.argv[1]))).set_world(World(zones=[sys.argv[2]]))
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(serve())
"""


def vacant_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def cpu_of(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that a process has used. Linux counts nanoseconds here, elsewhere ticks of 10 ms."""
    files = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


@contextmanager
def running(tool: Tool, arguments: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, from when its port answers until the block is left.

    Raises WorldError when it ends before, or does not answer within ten seconds.
    """
    process = subprocess.Popen(
        [tool.path, *arguments],
        env=tool.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                # Until it answers, its end is what to wait for.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.02)
                if process.returncode is not None or time.monotonic() > deadline:
                    raise WorldError(f"{tool.path} does not answer on port {port}") from None
        yield process
    finally:
        process.terminate()
        process.wait(10)


_TURNS = 4  #: of both sides in a round

Figures = tuple[float, float]  #: rate a second, and seconds of CPU for one


def together(turns: Sequence[Figures]) -> Figures:
    """The figures of several turns of one length."""
    return len(turns) / sum(1 / rate for rate, _ in turns), sum(cpu for _, cpu in turns) / len(turns)


def said_by(tool: Tool, arguments: list[str]) -> str:
    """What a tool wrote to standard output. Raises WorldError when it fails."""
    done = subprocess.run([tool.path, *arguments], env=tool.environment, capture_output=True, text=True)
    if done.returncode:
        hint = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise WorldError(f"{tool.path} failed with exit status {done.returncode}", hint)
    return done.stdout


def source(tool: Tool, port: int, sessions: int, count: int, kept: bool) -> Figures:
    """smtp-source's rate and CPU."""
    arguments = ["-s", str(sessions), "-m", str(count), "-l", "1024"]
    arguments += ["-d"] * kept + ["-f", "a@here.example", "-t", "b@there.example", f"127.0.0.1:{port}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said_by(tool, arguments)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / seconds, cpu / count


def drive(port: int, sessions: int, count: int, kept: bool, unit: tuple[LoadStep, ...]) -> Figures:
    """The rate and CPU of our driver."""
    hello, quit_ = (LoadStep(b"HELO c.example\r\n", b"2"),), (LoadStep(b"QUIT\r\n", b"2"),)
    load = Load("127.0.0.1", port, sessions, count, hello, unit, quit_, per_connection=0 if kept else 1)
    result = run(load)
    return result.units / result.seconds, result.cpu / result.units


@contextmanager
def smtp_sink(tools: Peers) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """smtp-sink and its port. It wants to be told whom to run as when root starts it."""
    port = vacant_port()
    arguments = [*(["-u", "root"] if os.geteuid() == 0 else []), f"127.0.0.1:{port}", "1024"]
    with running(tools.tool("smtp-sink"), arguments, port) as process:
        yield process, port


@dataclass(frozen=True)
class BarRow:
    """A line of the table: a figure that is at most, or else at least, its bar."""

    what: str
    bar: float
    most: bool


@dataclass(frozen=True)
class Probe:
    """Measures both sides once; the ratios, ours to theirs, in the order of the rows."""

    rows: tuple[BarRow, ...]
    measure: Callable[[], tuple[float, ...]]


Part = Callable[[Peers], AbstractContextManager[list[Probe]]]


@contextmanager
def load_driver(tools: Peers) -> Iterator[list[Probe]]:
    """Driver against smtp-source, both into smtp-sink."""
    smtp_source = tools.tool("smtp-source")
    with smtp_sink(tools) as (_, port):

        def measure(sessions: int, kept: bool) -> tuple[float, ...]:
            count = 8000 if kept else 3000
            figures = [
                (
                    source(smtp_source, port, sessions, count, kept),
                    drive(port, sessions, count, kept, LOCK_STEP),
                    drive(port, sessions, count, kept, PIPELINED),
                )
                for _ in range(_TURNS)
            ]
            (rate, cpu), step, piped = map(together, zip(*figures, strict=True))
            return step[0] / rate, step[1] / cpu, piped[1] / cpu

        probes = []
        for sessions in (10, 50):
            for kept in (True, False):
                how = f"driver, {sessions} sessions, {'kept connections' if kept else 'a connection each'}"
                # Plain Python beside C; qmail-smtpd takes ten times the CPU of either.
                rows = (
                    BarRow(f"{how}: rate, lock-step", 0.7, most=False),
                    BarRow(f"{how}: CPU, lock-step", 1.6, most=True),
                    BarRow(f"{how}: CPU, pipelined", 0.6 if kept else 1.1, most=True),
                )
                probes.append(Probe(rows, partial(measure, sessions, kept)))
        yield probes


@contextmanager
def exchanger(tools: Peers) -> Iterator[list[Probe]]:
    """Our exchanger against smtp-sink, driven by smtp-source."""
    smtp_source, port = tools.tool("smtp-source"), vacant_port()
    arguments = ["-m", "conformance.bench.inside.sink", f"127.0.0.1:{port}"]
    with smtp_sink(tools) as theirs, running(Tool(sys.executable), arguments, port) as process:
        ours = process, port

        def measure(sessions: int, kept: bool) -> tuple[float, ...]:
            spent = [0.0, 0.0]
            for turn in range(2 * _TURNS):
                process, port = (theirs, ours)[turn % 2]
                before = cpu_of(process)
                source(smtp_source, port, sessions, 8000 if kept else 3000, kept)
                spent[turn % 2] += cpu_of(process) - before
            return (spent[1] / spent[0],)

        probes = []
        for sessions, kept in ((10, True), (10, False), (50, True)):
            how = f"exchanger, {sessions} sessions, {'kept connections' if kept else 'a connection each'}"
            row = BarRow(f"{how}: CPU", 1.3, most=True)
            probes.append(Probe((row,), partial(measure, sessions, kept)))
        yield probes


def dns_rate(dnsperf: Tool, port: int, question: Path, over: str, clients: int = 1) -> float:
    """Answers a second, by dnsperf.

    As many questions are under way as it keeps by itself, 100. With 20 over TCP it was dnsperf that bound the
    rate: its threads waited for each other and our server, one third idle, for them; nsd was busy throughout.
    """
    arguments = ["-s", "127.0.0.1", "-p", str(port), "-d", str(question)]
    arguments += ["-l", "2", "-m", over, "-c", str(clients)]
    return float(re.findall(r"Queries per second:\s+([0-9.]+)", said_by(dnsperf, arguments))[0])


def after_truncation(port: int, question: Path) -> float:
    """Whole answers of 4 KiB a second, as a resolver gets them: over UDP, and after TC over TCP."""
    message = bytes.fromhex("12340100000100000000000003626967") + b"\x05plain\x07example\x00\x00\x0f\x00\x01"
    count, began = 400, time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        udp.settimeout(5)
        for _ in range(count):
            udp.send(message)
            if not udp.recv(512)[2] & 2:
                raise WorldError(f"the name server on port {port} sent an answer of 4 KiB over UDP")
            with socket.create_connection(("127.0.0.1", port), timeout=5) as tcp:
                tcp.sendall(len(message).to_bytes(2, "big") + message)
                got = tcp.recv(65536)
                while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
                    got += tcp.recv(65536)
    return count / (time.perf_counter() - began)


@contextmanager
def name_server(tools: Peers) -> Iterator[list[Probe]]:
    """Our name server against nsd: small answers by dnsperf, large ones also by a resolver's way."""
    dnsperf, nsd, nsd_port, our_port = tools.tool("dnsperf"), tools.tool("nsd"), vacant_port(), vacant_port()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        directory = Path(scratch)
        (directory / "plain.zone").write_text(ZONE + MANY)
        (directory / "nsd.conf").write_text(NSD.format(port=nsd_port, directory=directory))
        small, large = directory / "small", directory / "large"
        small.write_text("plain.example MX\n")
        large.write_text("big.plain.example MX\n")
        stack.enter_context(running(nsd, ["-d", "-c", str(directory / "nsd.conf")], nsd_port))
        arguments = ["-c", OURS, str(our_port), ZONE + MANY]
        stack.enter_context(running(Tool(sys.executable), arguments, our_port))

        def measure(rate: Callable[[int], float], times: int) -> tuple[float, ...]:
            pairs = [(rate(nsd_port), rate(our_port)) for _ in range(times)]
            theirs, ours = map(sum, zip(*pairs, strict=True))
            return (ours / theirs,)

        # All runs of qmail-remote of a measurement together ask three thousand questions a second, of which a
        # tenth of nsd's rate is several times as many: plain code that is known to be right beats the rest.
        # More turns where one question follows the other: its rate hangs on which cores both have.
        kinds: tuple[tuple[str, float, int, Callable[[int], float]], ...] = (
            ("small answers over UDP: rate", 0.12, 2, lambda port: dns_rate(dnsperf, port, small, "udp")),
            ("4 KiB by TC and TCP: rate", 0.25, 10, lambda port: after_truncation(port, large)),
            ("small answers, kept TCP: rate", 0.25, 3, lambda port: dns_rate(dnsperf, port, small, "tcp", 4)),
            ("4 KiB, kept TCP: rate", 0.25, 1, lambda port: dns_rate(dnsperf, port, large, "tcp", 4)),
        )
        yield [
            Probe((BarRow(f"name server, {what}", bar, most=False),), partial(measure, rate, times))
            for what, bar, times, rate in kinds
        ]


def positive(word: str) -> int:
    """A count on the command line."""
    if not word.isdigit() or not int(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of rounds")
    return int(word)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Ours beside the tools that people measure with.")
    made.add_argument("rounds", nargs="?", type=positive, default=7, help="rounds of measurements (7)")
    made.add_argument("--report-only", action="store_true", help="a missed bar is shown and is no failure")
    made.add_argument("--require-peers", action="store_true", help="a peer that cannot be had is a failure")
    made.add_argument(
        "--packages",
        type=Path,
        metavar="DIR",
        default=os.environ.get("QMAIL_PEERS") or None,
        help="keep the unpacked packages there for the next run (QMAIL_PEERS)",
    )
    return made


PARTS: tuple[tuple[str, Part], ...] = (
    ("load driver beside smtp-source", load_driver),
    ("exchanger beside smtp-sink", exchanger),
    ("name server beside nsd", name_server),
)


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    table, lacking, failed = Table(), False, False
    print(f"ours to theirs, measured side by side; medians of rounds: {options.rounds}", flush=True)
    with peers(options.packages) as tools, ExitStack() as stack:
        parts: dict[str, list[Probe]] = {}
        for what, part in PARTS:
            try:
                parts[what] = stack.enter_context(part(tools))
            except PeerMissing as reason:
                table.left_out(what, reason)
                lacking = True
            except WorldError as error:
                print(f"  {what}: failed: {error}", flush=True)
                failed = True
        figures: dict[tuple[str, BarRow], list[float]] = {}
        for number in range(options.rounds):
            for what, probes in list(parts.items()):
                print(f"  round {number + 1} of {options.rounds}: {what}", file=sys.stderr, flush=True)
                try:
                    for probe in probes:
                        for row, ratio in zip(probe.rows, probe.measure(), strict=True):
                            figures.setdefault((what, row), []).append(ratio)
                except WorldError as error:
                    print(f"  {what}: failed: {error}", flush=True)
                    failed = True
                    del parts[what]
        for what, probes in parts.items():
            for row in (row for probe in probes for row in probe.rows):
                table.row(row.what, median(figures[what, row]), row.bar, most=row.most)
    print(f"{table.rows - table.missed} of {table.rows} bars held")
    if failed or (lacking and options.require_peers):
        return EXIT_WORLD
    return EXIT_REGRESSION if table.missed and not options.report_only else EXIT_AS_EXPECTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
