"""The program of the internet container: the world on sockets, driven through standard input and output.

    python3 -m conformance.internet.agent [--dns-port 53] [--address-of-smtp 127.0.0.1:25]
                                          [--target-agent 127.0.0.1:7025]

Requests are frames (see `frames`) of `{"id": n, "op": name, …}`, answered by `{"id": n, "result": …}` or
`{"id": n, "failure": message}`. They are served concurrently. Octets are Latin-1 text. The operations are
the methods of `Agent` whose names begin with `op_`. At the end of its input the program ends.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import traceback
from typing import Any

from conformance import __version__
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError
from conformance.internet import frames
from conformance.internet.clients import Clients
from conformance.internet.loading import run_driver
from conformance.internet.servers import InternetSight, Servers
from conformance.internet.targetlink import TargetLink
from conformance.pod.base import octets, text
from conformance.pod.world import World

Address = tuple[str, int]


class Agent:
    """The operations of the control channel, each a method that takes the fields of its request."""

    def __init__(self, dns_port: int, smtp: Address, target: Address) -> None:
        self._servers = Servers(("127.0.0.1", dns_port))
        self._clients = Clients(smtp)
        self._target = TargetLink(target)

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request, whatever happens: a failure is an answer too."""
        number = op = None
        try:
            fields = dict(request)
            number, op = fields.pop("id", None), fields.pop("op", None)
            operation = getattr(self, f"op_{op}", None)
            if operation is None:
                raise ConformanceError(f"there is no operation {op!r}")
            return {"id": number, "result": await operation(**fields)}
        except ConformanceError as error:
            return {"id": number, "failure": str(error)}
        except Exception as error:  # the host must hear of it, or it would wait for ever
            traceback.print_exc()
            return {"id": number, "failure": f"{op}: {type(error).__name__}: {error}"}

    async def op_hello(self) -> dict[str, str]:
        """The version of the suite in this container."""
        return {"suite": __version__}

    async def op_world(self, world: dict[str, Any]) -> None:
        """Replace the world, clear the logs, drop the connections of earlier cases."""
        self._clients.abort()
        await self._servers.set_world(World.from_json(world))

    async def op_sight(self) -> InternetSight:
        """Questions, exchanges and stray questions since the world was set."""
        return self._servers.sight()

    async def op_connect(self) -> int:
        """Number of a new connection to the target's SMTP server."""
        return await self._clients.connect()

    async def op_send(self, connection: int, data: str) -> bool:
        """Send octets; False when the server no longer takes any."""
        return await self._clients.get(connection).send(octets(data))

    async def op_receive(self, connection: int, limit: float) -> str | None:
        """The next octets: null when silent for `limit` seconds, "" when the server closed."""
        received = await self._clients.get(connection).receive(limit)
        return None if received is None else text(received)

    async def op_shut(self, connection: int) -> None:
        """Half close a connection."""
        self._clients.get(connection).shut()

    async def op_close(self, connection: int) -> None:
        """Close a connection."""
        self._clients.close(connection)

    async def op_target(self, request: list[str], limit: float) -> list[str]:
        """Ask the target agent and give back its answer."""
        return [text(item) for item in await self._target.ask([octets(item) for item in request], limit)]

    async def op_load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
        """Run a load driver, a process of its own; its result, or `failure` where qmail ended it."""
        return await run_driver(driver, load, limit)

    async def op_counts(self) -> dict[str, int]:
        """How many questions, stray ones among them, and accepted messages there were."""
        sight = self._servers.sight()
        messages = sum(len(exchange["messages"]) for exchange in sight["exchanges"])
        return {
            "questions": len(sight["questions"]),
            "stray": len(sight["stray"]),
            "messages": messages,
        }

    def close(self) -> None:
        """Close every socket."""
        self._clients.abort()
        self._target.close()
        self._servers.close()


class _Input(asyncio.Protocol):
    """Requests as they come in; the end of the input ends the program."""

    def __init__(self, agent: Agent, output: asyncio.WriteTransport, ended: asyncio.Future[int]) -> None:
        self._agent = agent
        self._output = output
        self._ended = ended
        self._decoder = frames.Decoder()
        self._tasks: set[asyncio.Task[None]] = set()

    def data_received(self, data: bytes) -> None:
        try:
            requests = self._decoder.feed(data)
        except ValueError as error:
            print(f"agent: the control channel is broken: {error}", file=sys.stderr)
            _end(self._ended, EXIT_WORLD)
            return
        for request in requests:
            task = asyncio.create_task(self._serve(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: dict[str, Any]) -> None:
        self._output.write(frames.encode(await self._agent.answer(request)))

    def connection_lost(self, exc: Exception | None) -> None:
        _end(self._ended, EXIT_AS_EXPECTED)


class _Output(asyncio.BaseProtocol):
    """The other direction; when nobody reads any more the program ends."""

    def __init__(self, ended: asyncio.Future[int]) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        _end(self._ended, EXIT_AS_EXPECTED)


def _end(ended: asyncio.Future[int], status: int) -> None:
    if not ended.done():
        ended.set_result(status)


async def _run(dns_port: int, smtp: Address, target: Address) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    # As the first process of a container it would otherwise ignore the signals that end it.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, ended, EXIT_AS_EXPECTED)
    agent = Agent(dns_port, smtp, target)
    output, _ = await loop.connect_write_pipe(lambda: _Output(ended), sys.stdout.buffer)
    incoming = _Input(agent, output, ended)
    await loop.connect_read_pipe(lambda: incoming, sys.stdin.buffer)
    status = await ended
    agent.close()
    return status


def _address(word: str) -> Address:
    host, _, port = word.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{word!r} is not of the form 127.0.0.1:25")
    return host, int(port)


def main() -> int:
    parser = argparse.ArgumentParser(prog="agent", description="The internet of a pod, on loopback.")
    parser.add_argument("--dns-port", type=int, default=53, help="port of the DNS server on 127.0.0.1")
    parser.add_argument("--address-of-smtp", type=_address, default=("127.0.0.1", 25), metavar="HOST:PORT")
    parser.add_argument("--target-agent", type=_address, default=("127.0.0.1", 7025), metavar="HOST:PORT")
    options = parser.parse_args()
    return asyncio.run(_run(options.dns_port, options.address_of_smtp, options.target_agent))


if __name__ == "__main__":
    sys.exit(main())
