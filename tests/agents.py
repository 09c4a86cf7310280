"""The agent of an internet container as a process, driven by frames, and a server for it to talk to."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from dnslib import DNSRecord

from conformance.internet import frames
from conformance.pod.world import World

#: Beyond any wait that these tests mean: it turns a hang into a failure.
LONG = 20.0


class Failure(Exception):
    """The agent answered an operation with a failure."""


class Driver:
    """The host's end of the control channel, and clients of the agent's servers."""

    def __init__(self, process: asyncio.subprocess.Process, dns: int, smtp: int, target: int) -> None:
        self.process, self.dns, self.smtp, self.target = process, dns, smtp, target
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.answers: list[dict[str, Any]] = []  #: all of them, as they came
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        decoder = frames.Decoder()
        while octets := await self.process.stdout.read(65536):
            for answer in decoder.feed(octets):
                self.answers.append(answer)
                self._waiting.pop(answer["id"]).set_result(answer)

    async def do(self, op: str, **fields: Any) -> Any:
        assert self.process.stdin is not None
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self.process.stdin.write(frames.encode({"id": number, "op": op, **fields}))
        answer = await asyncio.wait_for(self._waiting[number], LONG)
        if "failure" in answer:
            raise Failure(answer["failure"])
        return answer["result"]

    async def world(self, **parts: Any) -> None:
        await self.do("world", world=World(**parts).to_json())

    async def ask_udp(self, name: str, qtype: str) -> DNSRecord:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", self.dns))
            await loop.sock_sendall(client, DNSRecord.question(name, qtype).pack())
            return DNSRecord.parse(await asyncio.wait_for(loop.sock_recv(client, 65536), LONG))

    async def ask_tcp(self, name: str, qtype: str) -> bytes:
        """All octets until the server closes, or the first whole answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.dns)
        asked = bytes(DNSRecord.question(name, qtype).pack())
        writer.write(struct.pack("!H", len(asked)) + asked)
        octets = b""
        while len(octets) < 2 or len(octets) < 2 + int.from_bytes(octets[:2], "big"):
            more = await asyncio.wait_for(reader.read(65536), LONG)
            if not more:
                break
            octets += more
        writer.close()
        return octets


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind((address, 0))
        port: int = tcp.getsockname()[1]
        udp.bind((address, port))
        return port


@asynccontextmanager
async def agent() -> AsyncIterator[Driver]:
    dns, smtp, target = free_port(), free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conformance.internet.agent",
        "--dns-port", str(dns),
        "--address-of-smtp", f"127.0.0.1:{smtp}",
        "--target-agent", f"127.0.0.1:{target}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    driver = Driver(process, dns, smtp, target)
    try:
        yield driver
    finally:
        assert process.stdin is not None
        process.stdin.close()
        status = await asyncio.wait_for(process.wait(), LONG)
    assert status == 0


def driven(case: Callable[[Driver], Awaitable[None]]) -> Callable[[], None]:
    """Run a coroutine against an agent of its own."""

    async def whole() -> None:
        async with agent() as driver:
            await case(driver)

    def run() -> None:
        asyncio.run(whole())

    run.__doc__ = case.__doc__
    return run


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends without another octet."""
    try:
        return await asyncio.wait_for(reader.read(), LONG) == b""
    except ConnectionResetError:
        return True


@asynccontextmanager
async def smtp_server(
    port: int, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[None]:
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
