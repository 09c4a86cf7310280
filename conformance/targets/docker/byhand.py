"""The internet container of `docker/compose.yml`: a standing world, to look around in the target by hand.

    python3 -m conformance.targets.docker.byhand

It serves the zones of `fixtures/dns-zones/` and exchangers that accept everything, sets the target up with
mail delivered, and keeps that until it is stopped.
"""

import asyncio
import signal
import sys

from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError
from conformance.internet.zones import read_zone
from conformance.places import data
from conformance.pod.addresses import DNS, SMTPD, TARGET_AGENT, exchanger
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, PasswordCheck
from conformance.pod.mailboxes import load_users
from conformance.pod.ordinary import CONTROL, DOMAIN, HOST
from conformance.pod.world import Exchanger, World
from conformance.targets.sockets import SocketPod
from conformance.targets.target_agent import TargetAgent

CONFIGURATION = Configuration(
    control=CONTROL | {"locals": f"{DOMAIN}\n{HOST}\n"},
    environment={"SMTPAUTH": "+cram"},
    password_check=PasswordCheck(),
    delivering=True,
)


def standing_world() -> World:
    """The zones of the fixtures, and an exchanger on each of 127.0.0.2 to 127.0.0.9."""
    files = sorted(data("fixtures", "dns-zones").glob("*.zone"))
    zones = [read_zone(file) for file in files]
    exchangers = [Exchanger(address=exchanger(number)[0]) for number in range(8)]
    return World(zones=zones, exchangers=exchangers)


async def stand(pod: SocketPod, stop: asyncio.Event) -> None:
    """Keep the world up until `stop` is set. PodFailure when the target ends before."""
    try:
        await pod.agent.make_users(load_users().values())
        await pod.prepare(standing_world(), CONFIGURATION)
        print("the world stands: {} on {}:{}, DNS on {}:{}".format(HOST, *SMTPD, *DNS), flush=True)
        await stop.wait()
    finally:
        await pod.dispose()


async def _main() -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await stand(SocketPod(TargetAgent(TARGET_AGENT), SMTPD, DNS), stop)
    except (PodFailure, ConformanceError) as error:
        print(error, file=sys.stderr)
        return EXIT_WORLD
    return EXIT_AS_EXPECTED


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
