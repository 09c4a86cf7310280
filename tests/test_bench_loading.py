"""The load driver as a process beside the internet's servers, and what is made of its result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.bench.driver import Load, Step
from conformance.bench.loads import ceiling, configuration, inbound, message_text, mixed, outbound, world
from conformance.bench.scenarios import SCENARIOS, Scenario
from conformance.bench.subject import Fails, Subject
from conformance.errors import WorldError
from conformance.internet.loading import run_driver
from conformance.internet.nameserver import NameServer
from conformance.pod.base import PodFailure
from tests.bench_samples import Serve, lines, server


def drive(serve: Serve, limit: float = 20.0, driver: str = "driver") -> dict[str, Any]:
    with server(serve) as port:
        load = Load("127.0.0.1", port, 2, 6, (), (Step(b"NOOP\r\n", b"2"),), (Step(b"QUIT\r\n", b"2"),))
        return asyncio.run(run_driver(driver, load.to_json(), limit))


def kind(connection: Any) -> None:
    connection.sendall(b"220 mx\r\n")
    for _ in lines(connection):
        connection.sendall(b"250 ok\r\n")


def unkind(connection: Any) -> None:
    connection.sendall(b"554 no\r\n")


def mute(connection: Any) -> None:
    connection.recv(1)


def test_the_drivers_result_comes_back() -> None:
    result = drive(kind)
    assert result["units"] == len(result["latencies"]) == 6
    assert result["cpu"] > 0


def test_what_the_server_did_is_a_failure_of_the_target() -> None:
    assert "554 no" in drive(unkind)["failure"]


def test_a_driver_that_does_not_end_is_the_worlds_failure() -> None:
    with pytest.raises(WorldError, match="not ended within"):
        drive(mute, limit=0.3)


def test_a_server_that_does_not_listen_is_the_worlds_failure() -> None:
    with server(kind) as port:
        pass
    load = Load("127.0.0.1", port, 1, 1, (), (Step(b"NOOP\r\n", b"2"),), ())
    with pytest.raises(WorldError, match="refused"):
        asyncio.run(run_driver("driver", load.to_json(), 20.0))


def test_a_driver_that_breaks_is_the_worlds_failure() -> None:
    with pytest.raises(WorldError, match="status 1"):
        drive(kind, driver="deliveries")  # another kind of load: an exception, and not the server's doing


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_can_be_set_up(scenario: Scenario) -> None:
    """Its zones are read, its answers have their size, its loads survive JSON."""
    NameServer(world(scenario))
    assert configuration(scenario).delivering is (scenario.direction == "mixed")
    load = {"inbound": inbound, "outbound": outbound, "mixed": mixed}[scenario.direction](scenario, 1000)
    assert type(load).from_json(load.to_json()) == load
    assert ceiling(scenario, 1000).address != "127.0.0.1"


@pytest.mark.parametrize("octets", [300, 512, 1024, 102400])
def test_a_message_has_its_size_and_is_ordinary(octets: int) -> None:
    message = message_text(octets)
    assert len(message) == octets
    assert message.endswith(b"\r\n")
    assert b"\r\n\r\n" in message
    assert all(len(line) <= 998 and not line.startswith(b".") for line in message.split(b"\r\n"))
    assert b"\n" not in message.replace(b"\r\n", b"")


class Pod:
    """A pod whose driver and counts say what they are told to."""

    def __init__(self, done: dict[str, Any] | None = None, **counts: int) -> None:
        self._done = done or {"units": 100, "seconds": 2.0, "cpu": 0.1, "latencies": [0.01] * 100}
        self._counts = {"questions": 300, "stray": 0, "messages": 100, **counts}
        self._cpu = [1.0, 2.5]
        self.settles = True
        self.acts: list[str] = []

    async def prepare(self, world: object, configuration: object) -> None:
        self.acts.append("prepare")

    async def load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
        self.acts.append(driver)
        return dict(self._done)

    async def serve_remotes(self, host: str, sender: str, recipients: list[str]) -> None:
        self.acts.append(f"remotes {host}")

    async def counts(self) -> dict[str, int]:
        return self._counts

    async def cpu(self) -> float:
        return self._cpu.pop(0)

    async def settle(self, limit: float) -> bool:
        return self.settles

    async def dispose(self) -> None:
        self.acts.append("dispose")


OUTBOUND = Scenario("outbound/some", "", "outbound", "deliveries")
MIXED = Scenario("mixed/some", "", "mixed", "messages", units=100)


def measure(pod: Pod, scenario: Scenario = OUTBOUND) -> Any:
    return asyncio.run(Subject(pod).measure(scenario, 100))


def test_a_measurement_has_the_targets_cpu_and_its_questions() -> None:
    pod = Pod()
    measurement = measure(pod)
    assert (measurement.units, measurement.rate, measurement.target_cpu, measurement.questions) == (
        100,
        50.0,
        1.5,
        300,
    )
    assert pod.acts == ["prepare", "remotes destination.example", "deliveries"]


@pytest.mark.parametrize(
    ("pod", "error", "why"),
    [
        (Pod({"failure": "451 later"}), Fails, "451 later"),
        (Pod(messages=99), Fails, "99 messages came"),
        (Pod(messages=101), Fails, "101 messages came"),
        (Pod(stray=1), PodFailure, "no zone"),
    ],
)
def test_what_was_not_carried_out_is_no_measurement(pod: Pod, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        measure(pod)


def test_mail_that_comes_in_and_goes_out_again_is_a_failure() -> None:
    inbound = Scenario("inbound/some", "", "inbound", "messages")
    with pytest.raises(Fails, match="1 messages came to the exchangers, and not 0"):
        measure(Pod(messages=1), inbound)


def test_mixed_waits_for_the_queue() -> None:
    pod = Pod({"units": 10, "seconds": 2.0, "cpu": 0.1, "latencies": [0.1] * 10})
    measurement = measure(pod, MIXED)
    assert measurement.units == 100
    assert measurement.seconds >= 2.0
    assert measurement.latencies is None
    pod = Pod()
    pod.settles = False
    with pytest.raises(Fails, match="queue was not empty"):
        measure(pod, MIXED)


def test_an_exchanger_that_fails_is_the_worlds_failure() -> None:
    with pytest.raises(WorldError, match="our exchanger failed"):
        asyncio.run(Subject(Pod({"failure": "no"})).ceiling(OUTBOUND, 100))
