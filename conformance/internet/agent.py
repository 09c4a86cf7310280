"""The program of the internet container: the world on sockets, driven through standard input and output.

    python3 -m conformance.internet.agent [--dns-port 53] [--address-of-smtp 127.0.0.1:25]
                                          [--target-agent 127.0.0.1:7025]

Requests are frames (see `frames`) of `{"id": n, "op": name, …}`, answered by `{"id": n, "result": …}` or
`{"id": n, "failure": message}`; one without an id is not answered. They begin in order and are served
concurrently. The operations are the methods of `Agent` whose names begin with `op_`. At the end of its input
the program ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, cast

from conformance import __version__
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError, WorldError
from conformance.internet import frames
from conformance.internet.clients import Clients, Conversation
from conformance.internet.loading import SinkProcess, run_driver
from conformance.internet.servers import InternetSight, Servers
from conformance.internet.targetlink import TargetLink
from conformance.pod.base import Says
from conformance.pod.world import World

Address = tuple[str, int]

#: Told a result, or why there is none.
Tell = Callable[[Any], None]
Fail = Callable[[Exception], None]

#: Has the one or the other told, once.
Telling = Callable[[Tell, Fail], None]

_READ_AT_ONCE = 65536


class Agent:
    """The operations of the control channel, each a method that takes the fields of its request.

    An operation gives its result, a coroutine of it, or a function that has it told when there is one. A task
    for each, and a turn of the loop for each step of it, would cost half as much again.
    """

    def __init__(self, dns_port: int, smtp: Address, target: Address) -> None:
        self._servers = Servers(("127.0.0.1", dns_port))
        self._clients = Clients(smtp)
        self._target = TargetLink(target)
        self._sink: SinkProcess | None = None
        self._under_way: set[asyncio.Future[Any]] = set()

    def serve(self, request: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
        """Begin one request and `answer` it, at once or later, whatever happens: a failure is an answer too.

        A field `first` holds what `op_prepare` takes, to be done before; the answer then tells how long the
        world has stood (`stood`, seconds).
        """
        fields = dict(request)
        number, op, first = fields.pop("id", None), fields.pop("op", None), fields.pop("first", None)
        extra: dict[str, Any] = {}
        now = asyncio.get_running_loop().time
        stood = 0.0

        def tell(result: Any) -> None:
            if first is not None:
                extra["stood"] = now() - stood
            answer({"id": number, "result": result, **extra})

        def fail(error: Exception) -> None:
            answer({"id": number, "failure": _said(op, error)})

        def begin(_: None) -> None:
            nonlocal stood
            stood = now()
            self._run(lambda: self._operation(op)(**fields), tell, fail)

        if first is None:
            begin(None)
        else:
            self._run(lambda: self.op_prepare(**first), begin, fail)

    def _operation(self, op: object) -> Callable[..., Any]:
        operation = getattr(self, f"op_{op}", None)
        if operation is None:
            raise ConformanceError(f"there is no operation {op!r}")
        return cast(Callable[..., Any], operation)

    def _run(self, operation: Callable[[], Any], tell: Tell, fail: Fail) -> None:
        """Have an operation's result told, or why there is none."""

        def conclude(task: asyncio.Future[Any]) -> None:
            self._under_way.discard(task)
            if task.cancelled():  # the program ends
                return
            error = task.exception()
            if isinstance(error, Exception):
                fail(error)
            else:
                tell(task.result())

        try:
            result = operation()
            if callable(result):
                result(tell, fail)
                return
            if not isinstance(result, Coroutine):
                tell(result)
                return
        except Exception as error:  # the host must hear of it, or it would wait for ever
            fail(error)
            return
        task = asyncio.ensure_future(result)
        self._under_way.add(task)  # or it might be collected
        task.add_done_callback(conclude)

    def op_hello(self) -> dict[str, str]:
        """The version of the suite in this container."""
        return {"suite": __version__}

    def op_world(self, world: dict[str, Any]) -> Coroutine[Any, Any, None] | None:
        """Replace the world, clear the logs, drop the connections of earlier cases."""
        self._clients.abort()
        if self._sink is not None:
            return self._world_without_sink(world)
        self._servers.set_world(World.from_json(world))
        return None

    async def _world_without_sink(self, world: dict[str, Any]) -> None:
        await self._end_sink()
        self._servers.set_world(World.from_json(world))

    def op_prepare(self, request: list[bytes], limit: float, world: dict[str, Any]) -> Telling:
        """Ask the target agent, and when all went well there set the world.

        The target first: what ran for the case before must not ask its questions in the new world.
        """

        def telling(tell: Tell, fail: Fail) -> None:
            def done(_: list[bytes]) -> None:
                self._run(lambda: self.op_world(world), tell, fail)

            self._ask(request, limit, done, fail, soon=True)

        return telling

    def op_look(self, request: list[bytes], limit: float) -> Telling:
        """The target agent's answer, and what the internet has seen by then."""

        def telling(tell: Tell, fail: Fail) -> None:
            def done(told: list[bytes]) -> None:
                tell((told, self._servers.sight()))

            self._ask(request, limit, done, fail, soon=request == [b"look"])

        return telling

    def op_sight(self) -> InternetSight:
        """Questions, exchanges and stray questions since the world was set."""
        return self._servers.sight()

    async def op_connect(self) -> int:
        """Number of a new connection to the target's SMTP server."""
        return await self._clients.connect()

    def op_send(self, connection: int, data: bytes) -> Telling | bool:
        """Send octets; False when the server no longer takes any."""
        taken = self._clients.get(connection).send(data)
        if isinstance(taken, bool):
            return taken
        return lambda tell, _: taken.add_done_callback(lambda done: tell(done.result()))

    def op_receive(self, connection: int, limit: float) -> Telling:
        """The next octets: None when silent for `limit` seconds, b"" when the server closed."""
        client = self._clients.get(connection)
        return lambda tell, _: client.hear(limit, tell)

    def op_converse(
        self, connection: int | None, says: Says, limit: float, replies: int = 1
    ) -> Telling | Coroutine[Any, Any, Any]:
        """Several exchanges on a connection, or on a new one after its greeting; see `Combining.converse`.

        Its number, and of each exchange whether its octets were taken, how many seconds ago they were sent,
        and each piece received with the seconds since.
        """
        if connection is None:
            number = self._clients.connect_at_once()
            if number is None:
                return self._converse_later(says, limit, replies)
            return self._conversing(number, says, limit, replies, greeted=False)
        return self._conversing(connection, says, limit, replies, greeted=True)

    def op_converse_and_settle(
        self, says: Says, limit: float, request: list[bytes], settling: float
    ) -> Telling:
        """`op_converse` on a new connection; where all was said and answered, its end, and `op_look`.

        What the first tells, what the second tells (None where that was left undone), and how many seconds
        after the first.
        """

        def telling(tell: Tell, fail: Fail) -> None:
            def conversed(told: tuple[int, list[Any]]) -> None:
                number, exchanges = told
                pieces = exchanges[-1][2]
                if len(exchanges) <= len(says) or not pieces or not pieces[-1][0]:
                    tell((number, exchanges, None, 0.0))
                    return
                now = asyncio.get_running_loop().time
                then = now()

                def looked(sight: Any) -> None:
                    tell((number, exchanges, sight, now() - then))

                self._clients.close(number)
                self._run(lambda: self.op_look(request, settling), looked, fail)

            self._run(lambda: self.op_converse(None, says, limit), conversed, fail)

        return telling

    async def _converse_later(self, says: Says, limit: float, replies: int) -> Any:
        number = await self._clients.connect()
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._conversing(number, says, limit, replies, greeted=False)(told.set_result, told.set_exception)
        return await told

    def _conversing(self, number: int, says: Says, limit: float, replies: int, *, greeted: bool) -> Telling:
        client = self._clients.get(number)

        def telling(tell: Tell, _: Fail) -> None:
            talk = Conversation(client, says, limit, lambda: done(), replies)

            def done() -> None:
                now = asyncio.get_running_loop().time()
                heard = [
                    (taken, now - sent, [(received, now - at) for received, at in pieces])
                    for taken, sent, pieces in talk.heard
                ]
                tell((number, heard))

            talk.speak() if greeted else talk.listen()

        return telling

    def op_shut(self, connection: int) -> None:
        """Half close a connection."""
        self._clients.get(connection).shut()

    def op_close(self, connection: int) -> None:
        """Close a connection."""
        self._clients.close(connection)

    def op_target(self, request: list[bytes], limit: float) -> Telling:
        """Ask the target agent and give back its answer."""
        return lambda tell, fail: self._ask(request, limit, tell, fail)

    def _ask(self, request: list[bytes], limit: float, tell: Tell, fail: Fail, *, soon: bool = False) -> None:
        def told(answer: list[bytes] | WorldError) -> None:
            if isinstance(answer, WorldError):
                fail(answer)
            else:
                tell(answer)

        self._target.ask(request, limit, told, soon=soon)

    async def op_load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
        """Run a load driver, a process of its own; its result, or `failure` where qmail ended it."""
        return await run_driver(driver, load, limit)

    async def op_sink(self, addresses: list[Address], refusing: bool, stamped: bool) -> list[Address]:
        """Exchangers for a load, a process of its own, in place of those that stood; where they listen."""
        await self._end_sink()
        self._sink = await SinkProcess.start(addresses, refusing=refusing, stamped=stamped)
        return self._sink.addresses

    async def op_taken(self) -> dict[str, Any]:
        """What the sink accepted; it ends with that."""
        if self._sink is None:
            raise ConformanceError("there is no sink")
        sink, self._sink = self._sink, None
        return await sink.taken()

    def op_counts(self) -> dict[str, int]:
        """How many questions, and stray ones among them, there were."""
        sight = self._servers.sight()
        return {"questions": len(sight["questions"]), "stray": len(sight["stray"])}

    async def _end_sink(self) -> None:
        if self._sink is not None:
            sink, self._sink = self._sink, None
            await sink.stop()

    def close(self) -> None:
        """Close every socket, end what still runs."""
        if self._sink is not None:
            self._sink.kill()
        self._clients.abort()
        self._target.close()
        self._servers.close()


def _said(op: object, error: Exception) -> str:
    if isinstance(error, ConformanceError):
        return str(error)
    traceback.print_exception(error)
    return f"{op}: {type(error).__name__}: {error}"


class _Input:
    """Requests as they come in; the end of the input ends the program."""

    def __init__(self, agent: Agent, output: asyncio.WriteTransport, ended: asyncio.Future[int]) -> None:
        self._agent = agent
        self._output = output
        self._ended = ended
        self._decoder = frames.Decoder()

    def readable(self) -> None:
        """Take in what waits on standard input."""
        try:
            data = os.read(sys.stdin.fileno(), _READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            _end(self._ended, EXIT_AS_EXPECTED)
            return
        try:
            requests = self._decoder.feed(data)
        except ValueError as error:
            print(f"agent: the control channel is broken: {error}", file=sys.stderr)
            _end(self._ended, EXIT_WORLD)
            return
        for request in requests:
            self._agent.serve(request, self._answer)

    def _answer(self, answer: dict[str, Any]) -> None:
        if answer["id"] is not None:
            self._output.write(frames.encode(answer))
        elif "failure" in answer:
            print(f"agent: {answer['failure']}", file=sys.stderr)


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
    # Read by ourselves: asyncio's transport takes a fresh buffer of 256 KiB from the kernel for each read.
    os.set_blocking(sys.stdin.fileno(), False)
    loop.add_reader(sys.stdin.fileno(), _Input(agent, output, ended).readable)
    # What stands now stands for good; the collector need not look through it again and again.
    gc.freeze()
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
