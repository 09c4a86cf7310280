"""What people wait for: the wall time of `compare` on two targets in Docker, and how a far engine changes it.

    python benchmarks/compare.py TARGET TARGET [--rounds N] [--delay MS] [--report-only]

Each round (3) runs the comparison twice, in turn: as it is, and with so many milliseconds (25) added to
whatever is sent to the engine, by a small proxy before its socket. Shown are medians: seconds, CPU of all
processes of the command for each case, and the ratio beside its bar. Exit status 1: a bar was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bars import Table

ENGINE = "/var/run/docker.sock"


class Proxy:
    """A socket before the engine's; what goes to the engine is `delay` seconds late, and still in order."""

    def __init__(self, path: Path, delay: float) -> None:
        self._path = path
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        engine, to_engine = await asyncio.open_unix_connection(ENGINE)
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def hear() -> None:
            while True:
                data = await client.read(1 << 16)
                late.put_nowait((time.monotonic() + self._delay, data))
                if not data:
                    return

        async def pass_on() -> None:
            while True:
                due, data = await late.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    to_engine.write_eof()
                    return
                to_engine.write(data)

        async def answer() -> None:
            while data := await engine.read(1 << 16):
                to_client.write(data)

        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as group:
                for work in (hear(), pass_on(), answer()):
                    group.create_task(work)
        for writer in (to_engine, to_client):
            writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)


@contextlib.contextmanager
def delayed(milliseconds: float) -> Iterator[dict[str, str]]:
    """The environment of a command that reaches the engine by way of the proxy."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "engine.sock"
        proxy = Proxy(path, milliseconds / 1000)
        try:
            yield os.environ | {"DOCKER_HOST": f"unix://{path}"}
        finally:
            proxy.close()


def measured(targets: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall time, and milliseconds of CPU for each case."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "conformance", "compare", *targets, "--out", out]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        verdicts = [path.read_text().count('{"kind": "verdict"') for path in Path(out).glob("*.jsonl")]
    wall = time.monotonic() - began
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, 1000 * cpu / sum(verdicts)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="the wall time of a comparison, with a near and a far engine"
    )
    parser.add_argument("targets", nargs=2, metavar="TARGET")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=25.0, metavar="MS", help="added to each request (25)")
    parser.add_argument("--report-only", action="store_true", help="a missed bar is no failure")
    options = parser.parse_args()
    measured(options.targets, dict(os.environ))  # images are built, and files read, once before
    near, far = [], []
    for _ in range(options.rounds):
        near.append(measured(options.targets, dict(os.environ)))
        with delayed(options.delay) as environment:
            far.append(measured(options.targets, environment))
    seconds = median(wall for wall, _ in near)
    print(f"{'seconds of compare':48}{seconds:8.1f}")
    print(f"{'milliseconds of CPU for each case':48}{median(cpu for _, cpu in near):8.1f}")
    table = Table()
    ratio = median(wall for wall, _ in far) / seconds
    table.row(f"with {options.delay:g} ms for each request: ratio", ratio, 1.3, most=True)
    return int(bool(table.missed) and not options.report_only)


if __name__ == "__main__":
    sys.exit(main())
