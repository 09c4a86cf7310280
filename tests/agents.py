"""Servers on loopback for tests, a target's agent among them; and the internet's agent as a process."""

import asyncio
import contextlib
import functools
import itertools
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from conformance.targets.target_agent import packed, unpacked

#: Beyond any wait that these tests mean: it turns a hang into a failure.
LONG = 20.0

#: Serves one connection, which is closed afterwards.
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A coroutine as a test, which fails when it takes LONG."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), LONG))

    return run


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, LONG at most."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody has, over TCP or UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):  # taken over UDP
                udp.bind((address, port))
                return port


@asynccontextmanager
async def served(serve: Serve, port: int = 0) -> AsyncIterator[tuple[str, int]]:
    """A server on loopback, and where it listens."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The last when the loop ends.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


async def request_of(reader: asyncio.StreamReader) -> list[bytes]:
    """The next request to a target's agent."""
    return unpacked(await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big")))


class FakeTarget:
    """A target's agent, which notes what it is asked and says "ok" unless `says` names another answer."""

    def __init__(self, says: dict[bytes, list[bytes]] | None = None) -> None:
        self.says = {b"still": [b"ok", b"0", b"0"]} | (says or {})
        self.asked: list[list[bytes]] = []
        self.heard = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.asked.append(await request_of(reader))
            writer.write(packed(self.says.get(self.asked[-1][0], [b"ok"])))
            self.heard.set()


class Failure(Exception):
    """The agent answered an operation with a failure."""


class Driver:
    """The host's end of the control channel."""

    def __init__(self, process: asyncio.subprocess.Process, dns: int, smtp: int, target: int) -> None:
        self.process, self.dns, self.smtp, self.target = process, dns, smtp, target
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            self._waiting.pop(answer["id"]).set_result(answer)

    def write(self, octets: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(octets)

    async def do(self, op: str, **fields: Any) -> Any:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self.write(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
        answer = await self._waiting[number]
        if "failure" in answer:
            raise Failure(answer["failure"])
        return answer["result"]

    async def ended(self) -> tuple[int, str]:
        """When the agent has ended, its exit status and what it wrote as errors."""
        assert self.process.stderr is not None
        errors = await self.process.stderr.read()
        return await self.process.wait(), errors.decode()

    async def end(self) -> tuple[int, str]:
        """The same, after the end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.ended()


@asynccontextmanager
async def agent(program: str = "conformance.targets.agent") -> AsyncIterator[Driver]:
    """An agent, which is killed in the end if it still runs."""
    dns, smtp, target = free_port(), free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", program, "--ports", str(dns), str(smtp), str(target),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )  # fmt: skip
    try:
        yield Driver(process, dns, smtp, target)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def driven(test: Callable[[Driver], Awaitable[None]], *program: str) -> Callable[[], None]:
    """A coroutine as a test of an agent, which ends well and without a complaint when its input does."""

    async def whole() -> None:
        async with agent(*program) as driver:
            await test(driver)
            assert await driver.end() == (0, "")

    return on_a_loop(whole)


def measured(test: Callable[[Driver], Awaitable[None]]) -> Callable[[], None]:
    """The same, of the agent of a pod that is measured."""
    return driven(test, "conformance.bench.inside.measuring_agent")
