"""Our load driver, exchanger and name server beside the tools that people measure with, in one run.

    python benchmarks/peers.py [ROUNDS]

The peers are Debian packages: smtp-source and smtp-sink (postfix), nsd, dnsperf. Where one is missing its
rows are left out, with the reason. Each round measures both sides, one after the other; shown are medians of
the rounds' ratios, ours to theirs, beside the bar that the project sets itself. Exit status 1: a bar was
missed. Everything stays on loopback.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

from conformance.bench.driver import Driver, Load, Step

SINK_PORT, OUR_SINK_PORT, NSD_PORT, OUR_DNS_PORT = 2526, 2527, 5301, 5300
KIB = b"From: a@here.example\r\nSubject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 12
LOCK_STEP = (
    Step(b"MAIL FROM:<a@here.example>\r\n", b"2"),
    Step(b"RCPT TO:<b@there.example>\r\n", b"2"),
    Step(b"DATA\r\n", b"3"),
    Step(KIB + b".\r\n", b"2"),
)
PIPELINED = (Step(b"".join(step.said for step in LOCK_STEP), b"2232"),)
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


def tool(name: str) -> str:
    """Where a peer is; sbin is looked into as well. Raises LookupError with what to install."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/bin")
    if found is None:
        package = {"smtp-source": "postfix", "smtp-sink": "postfix"}.get(name, name)
        raise LookupError(f"{name} is not here: apt-get install {package}")
    return found


def cpu_of(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that a process and its children in it (nsd forks) have used."""
    total = 0
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if process.pid in (int(directory.name), int(fields[1]), int(fields[2])):
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, from when its port answers until the block is left."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
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
                    raise LookupError(f"{command[0]} does not answer on port {port}") from None
        yield process
    finally:
        process.terminate()
        process.wait(10)


Figures = tuple[float, float]  #: rate a second, and seconds of CPU for one


def source(port: int, sessions: int, count: int, kept: bool) -> Figures:
    """smtp-source's rate and CPU."""
    command = [tool("smtp-source"), "-s", str(sessions), "-m", str(count), "-l", "1024"]
    command += ["-d"] * kept + ["-f", "a@here.example", "-t", "b@there.example", f"127.0.0.1:{port}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / seconds, cpu / count


def drive(port: int, sessions: int, count: int, kept: bool, unit: tuple[Step, ...]) -> Figures:
    """The rate and CPU of our driver."""
    hello, quit_ = (Step(b"HELO c.example\r\n", b"2"),), (Step(b"QUIT\r\n", b"2"),)
    load = Load("127.0.0.1", port, sessions, count, hello, unit, quit_, per_connection=0 if kept else 1)
    result = Driver(load).run()
    return result.units / result.seconds, result.cpu / result.units


class Table:
    """Rows as they come; remembers whether a bar was missed."""

    def __init__(self) -> None:
        self.missed = False

    def row(self, what: str, ratio: float, bar: float, *, most: bool) -> None:
        held = ratio <= bar if most else ratio >= bar
        self.missed |= not held
        sign = "at most" if most else "at least"
        print(f"  {what:<66}{ratio:6.2f}   {sign} {bar:4.2f}   {'' if held else 'MISSED'}", flush=True)

    @staticmethod
    def left_out(what: str, why: Exception) -> None:
        print(f"  {what}: left out: {why}", flush=True)


def load_driver(table: Table, rounds: int) -> None:
    """Driver against smtp-source, both into smtp-sink."""
    with running([tool("smtp-sink"), *as_root("-u"), f"127.0.0.1:{SINK_PORT}", "1024"], SINK_PORT):
        for sessions in (10, 50):
            for kept in (True, False):
                count = 8000 if kept else 3000
                made: list[tuple[Figures, Figures, Figures]] = []
                for _ in range(rounds):
                    theirs = source(SINK_PORT, sessions, count, kept)
                    step = drive(SINK_PORT, sessions, count, kept, LOCK_STEP)
                    made.append((theirs, step, drive(SINK_PORT, sessions, count, kept, PIPELINED)))
                how = f"driver, {sessions} sessions, {'kept connections' if kept else 'a connection each'}"
                rate, cpu = (median(one[1][i] / one[0][i] for one in made) for i in (0, 1))
                piped = median(one[2][1] / one[0][1] for one in made)
                table.row(f"{how}: rate, lock-step", rate, 1.0, most=False)
                table.row(f"{how}: CPU, lock-step", cpu, 0.95 if kept else 1.0, most=True)
                table.row(f"{how}: CPU, pipelined", piped, 0.30 if kept else 0.75, most=True)


def as_root(option: str) -> list[str]:
    """smtp-sink wants to be told whom to run as when root starts it."""
    return [option, "root"] if os.geteuid() == 0 else []


def exchanger(table: Table, rounds: int) -> None:
    """Our exchanger against smtp-sink, driven by smtp-source."""
    ours = [sys.executable, "-m", "conformance.bench.sink", f"127.0.0.1:{OUR_SINK_PORT}"]
    with ExitStack() as stack:
        theirs = [tool("smtp-sink"), *as_root("-u"), f"127.0.0.1:{SINK_PORT}", "1024"]
        peers = (
            (stack.enter_context(running(theirs, SINK_PORT)), SINK_PORT),
            (stack.enter_context(running(ours, OUR_SINK_PORT)), OUR_SINK_PORT),
        )
        for sessions, kept in ((10, True), (10, False), (50, True)):
            ratios = []
            for _ in range(rounds):
                spent = []
                for process, port in peers:
                    before = cpu_of(process)
                    source(port, sessions, 8000 if kept else 3000, kept)
                    spent.append(cpu_of(process) - before)
                ratios.append(spent[1] / spent[0])
            how = f"exchanger, {sessions} sessions, {'kept connections' if kept else 'a connection each'}"
            table.row(f"{how}: CPU", median(ratios), 1.0, most=True)


def dns_rate(port: int, question: Path, over: str, clients: int = 1) -> float:
    """Answers a second, by dnsperf."""
    command = [tool("dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-d", str(question)]
    command += ["-l", "2", "-q", "20", "-m", over, "-c", str(clients)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.findall(r"Queries per second:\s+([0-9.]+)", said)[0])


def after_truncation(port: int, question: Path) -> float:
    """Whole answers of 4 KiB a second, as a resolver gets them: over UDP, and after TC over TCP."""
    message = bytes.fromhex("12340100000100000000000003626967") + b"\x05plain\x07example\x00\x00\x0f\x00\x01"
    count, began = 1500, time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        udp.settimeout(5)
        for _ in range(count):
            udp.send(message)
            if not udp.recv(512)[2] & 2:
                raise LookupError("an answer of 4 KiB came over UDP")
            with socket.create_connection(("127.0.0.1", port), timeout=5) as tcp:
                tcp.sendall(len(message).to_bytes(2, "big") + message)
                got = tcp.recv(65536)
                while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
                    got += tcp.recv(65536)
    return count / (time.perf_counter() - began)


def name_server(table: Table, rounds: int) -> None:
    """Our name server against nsd: small answers by dnsperf, large ones also by a resolver's way."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        directory = Path(scratch)
        (directory / "plain.zone").write_text(ZONE + MANY)
        (directory / "nsd.conf").write_text(NSD.format(port=NSD_PORT, directory=directory))
        small, large = directory / "small", directory / "large"
        small.write_text("plain.example MX\n")
        large.write_text("big.plain.example MX\n")
        tool("dnsperf")
        stack.enter_context(running([tool("nsd"), "-d", "-c", str(directory / "nsd.conf")], NSD_PORT))
        ours = [sys.executable, "-c", OURS, str(OUR_DNS_PORT), ZONE + MANY]
        stack.enter_context(running(ours, OUR_DNS_PORT))
        kinds: tuple[tuple[str, float, Callable[[int], float]], ...] = (
            ("small answers over UDP: rate", 0.85, lambda port: dns_rate(port, small, "udp")),
            ("4 KiB by TC and TCP: rate", 0.95, lambda port: after_truncation(port, large)),
            ("small answers, kept TCP connections: rate", 2.0, lambda port: dns_rate(port, small, "tcp", 4)),
            ("4 KiB, kept TCP connections: rate", 2.0, lambda port: dns_rate(port, large, "tcp", 4)),
        )
        for what, bar, rate in kinds:
            ratios = []
            for _ in range(rounds):
                theirs = rate(NSD_PORT)
                ratios.append(rate(OUR_DNS_PORT) / theirs)
            table.row(f"name server, {what}", median(ratios), bar, most=False)


def main(arguments: list[str]) -> int:
    rounds = int(arguments[0]) if arguments else 5
    table = Table()
    print(f"ours to theirs, medians of {rounds} rounds measured side by side")
    for what, measure in (
        ("load driver beside smtp-source", load_driver),
        ("exchanger beside smtp-sink", exchanger),
        ("name server beside nsd", name_server),
    ):
        try:
            measure(table, rounds)
        except LookupError as error:
            table.left_out(what, error)
    return int(table.missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
