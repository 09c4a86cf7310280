"""The program of the internet container: plays scripts beside a target, as standard input asks for.

    python3 -m conformance.targets.agent [--ports DNS SMTP AGENT]

A request is a line of JSON, `{"id": n, "op": name, …}`, answered by a line `{"id": n, "result": …}` or
`{"id": n, "failure": message}`. At the end of its input the program ends.
"""

import argparse
import asyncio
import faulthandler
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from conformance import __version__
from conformance.cases.attempt import Played, play
from conformance.cases.script import Script
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError
from conformance.pod.addresses import DNS, SMTPD, TARGET_AGENT, Address
from conformance.pod.base import PodFailure
from conformance.pod.codec import decode, encode
from conformance.pod.mailboxes import load_users
from conformance.pod.secrets import fixture_secrets
from conformance.targets.sockets import SocketPod
from conformance.targets.target_agent import TargetAgent

#: Octets of one request: a script with the text of its module, or a load.
_LONGEST_REQUEST = 1 << 26

#: Seconds beyond a script's own limit after which it is held to hang.
_LATENESS = 5.0


class Agent:
    """Serves requests on one pod. `operations`: what can be asked for, by name."""

    def __init__(self, pod: SocketPod) -> None:
        self.pod = pod
        self.operations: dict[str, Callable[..., Awaitable[Any]]] = {"hello": self._hello, "play": self._play}

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, whatever happens: a failure is an answer too."""
        fields = dict(request)
        number, name = fields.pop("id", None), fields.pop("op", None)
        try:
            if name not in self.operations:
                raise ConformanceError(f"there is no operation {name!r}")
            return {"id": number, "result": await self.operations[name](**fields)}
        except (ConformanceError, PodFailure) as error:
            return {"id": number, "failure": str(error)}
        except Exception as error:  # the host must hear of it, or it would wait for ever
            traceback.print_exception(error)
            return {"id": number, "failure": f"{name}: {type(error).__name__}: {error}"}

    async def _hello(self) -> dict[str, str]:
        """Make the accounts; the version of the suite in this container."""
        await self.pod.agent.make_users(load_users().values())
        return {"suite": __version__}

    async def _play(self, script: dict[str, Any]) -> dict[str, Any]:
        """Play a script; what came of it. One that holds the event loop up ends this program."""
        wanted, before = decode(Script, script), asyncio.all_tasks()
        faulthandler.dump_traceback_later(wanted.limit + _LATENESS, exit=True)
        try:
            played = await play(wanted, self.pod, fixture_secrets())
            try:
                await self.pod.agent.stood_still()
            except PodFailure as error:  # what was seen may be so because of that
                why = str(error)
                played = Played(played.record.with_failure(why), "invalid", why, played.seconds)
        finally:
            faulthandler.cancel_dump_traceback_later()
            for left in asyncio.all_tasks() - before:  # the next case is not to meet them
                left.cancel()
        answer: dict[str, Any] = encode(played)
        return answer

    async def close(self) -> None:
        """Close every socket, end what still runs."""
        await self.pod.dispose()


async def _run(made: type[Agent], dns: Address, smtp: Address, target: Address) -> int:
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=_LONGEST_REQUEST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    ours = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a case prints is no answer
    answers, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, ours)
    # As the first process of a container it would otherwise ignore the signals that end it.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, requests.feed_eof)
    agent = made(SocketPod(TargetAgent(target), smtp, dns))

    async def serve(request: dict[str, Any]) -> None:
        answers.write(json.dumps(await agent.answer(request)).encode("ascii") + b"\n")

    serving: set[asyncio.Task[None]] = set()  # what nobody holds might be collected
    try:
        while line := await requests.readline():
            task = asyncio.create_task(serve(json.loads(line)))
            serving.add(task)
            task.add_done_callback(serving.discard)
    except ValueError as error:
        print(f"agent: the control channel is broken: {error}", file=sys.stderr)
        return EXIT_WORLD
    finally:
        await agent.close()
    return EXIT_AS_EXPECTED


def main(made: type[Agent] = Agent) -> int:
    """The program, with this kind of agent; its exit status."""
    parser = argparse.ArgumentParser(prog="agent", description="The internet of a pod, on loopback.")
    names = ("DNS", "SMTP", "AGENT")
    what = "ports on 127.0.0.1: of the DNS server, of qmail-smtpd, of the target's agent (%(default)s)"
    usual = [port for _, port in (DNS, SMTPD, TARGET_AGENT)]
    parser.add_argument("--ports", type=int, nargs=3, default=usual, metavar=names, help=what)
    return asyncio.run(_run(made, *(("127.0.0.1", port) for port in parser.parse_args().ports)))


if __name__ == "__main__":
    sys.exit(main())
