"""The internet container of `docker/compose.yml`: a standing world, to look around in the target by hand.

    python3 -m conformance.targets.docker.byhand

It starts the agent as a child, gives it the zones of `fixtures/dns-zones/` and exchangers that accept
everything, sets the target up with mail delivered, and keeps that until it is stopped.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError
from conformance.internet.frames import Decoder
from conformance.places import data
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, PasswordCheck
from conformance.pod.mailboxes import load_users
from conformance.pod.world import Exchanger, World
from conformance.targets.docker.acts import AgentPod
from conformance.targets.docker.channel import Channel

CONTROL = {
    "me": "mx.here.example\n",
    "rcpthosts": "here.example\n",
    "locals": "here.example\nmx.here.example\n",
    "defaultdomain": "here.example\n",
    "plusdomain": "here.example\n",
}


CONFIGURATION = Configuration(
    control=CONTROL, environment={"SMTPAUTH": "+cram"}, password_check=PasswordCheck(), delivering=True
)


def standing_world() -> World:
    """The zones of the fixtures, and an exchanger on each of 127.0.0.2 to 127.0.0.9."""
    files = sorted(data("fixtures", "dns-zones").glob("*.zone"))
    zones = [file.read_text(encoding="utf-8") for file in files]
    exchangers = [Exchanger(address=f"127.0.0.{number}") for number in range(2, 10)]
    return World(zones=zones, exchangers=exchangers)


async def stand(agent: list[str], stop: asyncio.Event) -> None:
    """Keep the world up until `stop` is set. PodFailure when the agent or the target ends before."""
    process = await asyncio.create_subprocess_exec(
        *agent, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    channel = Channel(process.stdin.write)
    ended = asyncio.create_task(_hear(process.stdout, channel))
    try:
        pod = AgentPod(channel)
        await channel.request("hello")
        await pod.make_users(load_users().values())
        await pod.prepare(standing_world(), CONFIGURATION)
        print("the world stands: mx.here.example on 127.0.0.1:25, DNS on 127.0.0.1:53", flush=True)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not stop.is_set():
            raise PodFailure("the internet agent ended")
    finally:
        process.stdin.close()
        await process.wait()


async def _hear(output: asyncio.StreamReader, channel: Channel) -> None:
    decoder = Decoder()
    while octets := await output.read(1 << 16):
        channel.deliver(decoder.feed(octets))
    channel.lose("the internet agent ended")


async def _main() -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await stand([sys.executable, "-m", "conformance.internet.agent"], stop)
    except (PodFailure, ConformanceError) as error:
        print(error, file=sys.stderr)
        return EXIT_WORLD
    return EXIT_AS_EXPECTED


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
