"""Does to a pod all that a generated scenario says. It runs where the pod's sockets are."""

from pathlib import Path

from conformance.cases.qmail import DELIVERY_LIMIT
from conformance.explore.driving import Driver, Exchange
from conformance.pod.base import Pod
from conformance.scenario.chat import Chat
from conformance.scenario.form import Scenario
from conformance.scenario.reading import read_scenario
from conformance.smtp.session import Session


async def act_text(pod: Pod, text: str, path: str) -> None:
    """Act out the scenario of a file's text, as a script."""
    await act(read_scenario(text, Path(path)), pod)


async def act(scenario: Scenario, pod: Pod) -> list[list[Exchange]]:
    """Do all that the scenario says, and observe; the exchanges of each chat."""
    await pod.prepare(scenario.world, scenario.configuration)
    exchanges = [await _session(chat, pod) for chat in scenario.sessions]
    for each in scenario.deliveries:
        await pod.remote(each.host, each.sender, list(each.recipients), each.message, each.limit)
    if scenario.configuration.delivering:
        await pod.wait_until_idle(DELIVERY_LIMIT)
    await pod.observe()
    return exchanges


async def _session(chat: Chat, pod: Pod) -> list[Exchange]:
    """One connection, to the very end: what qmail says too much is heard, and its process has ended."""
    connection = await pod.connect()
    driver = Driver(Session(pod, connection))
    exchanges = await driver.drive(chat)
    await driver.end()
    await pod.close(connection)
    return exchanges
