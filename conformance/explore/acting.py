"""Does to a pod all that a generated scenario says. It runs where the pod's sockets are."""

from pathlib import Path

from conformance.cases.qmail import DELIVERY_LIMIT
from conformance.explore.driving import Done, Driver
from conformance.pod.base import Pod
from conformance.scenario.chat import Chat, Write
from conformance.scenario.form import Scenario
from conformance.scenario.reading import read_scenario
from conformance.smtp.session import Session

#: Lines of a client from which on a session is a long one.
_MANY = 60


async def act_text(pod: Pod, text: str, path: str) -> None:
    """Act out the scenario of a file's text, as a script."""
    await act(read_scenario(text, Path(path)), pod)


async def act(scenario: Scenario, pod: Pod) -> list[Done]:
    """Do all that the scenario says, and observe; what was done in each chat."""
    await pod.prepare(scenario.world, scenario.configuration)
    done: list[Done] = []
    for number, chat in enumerate(scenario.sessions, 1):
        done.append(await _session(chat, pod))
        for signal in scenario.signals_after(number):
            await pod.wait_until_idle(DELIVERY_LIMIT)
            await pod.signal(signal.name, signal.control)
            await pod.wait_until_idle(DELIVERY_LIMIT)
    for each in scenario.deliveries:
        await pod.remote(each.host, each.sender, list(each.recipients), each.message, each.limit)
    if scenario.configuration.delivering:
        await pod.wait_until_idle(DELIVERY_LIMIT)
    await pod.observe()
    return done


async def _session(chat: Chat, pod: Pod) -> Done:
    """One connection, to the very end: what qmail says too much is heard, and its process has ended."""
    connection = await pod.connect()
    driver = Driver(Session(pod, connection))
    if is_long(chat):  # then it is seen what the process holds at the beginning, and at the end
        await driver.greet(chat)
        await pod.observe()
        await driver.drive(chat)
        await pod.observe()
    else:
        await driver.drive(chat)
    await driver.end()
    await pod.close(connection)
    return driver.done


def is_long(chat: Chat) -> bool:
    """Whether so much is said that something would be left of it, if anything were."""
    said = (step.octets() for step in chat.steps if isinstance(step, Write))
    return sum(octets.count(b"\n") for octets in said) >= _MANY
