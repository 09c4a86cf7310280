"""The load driver as a process beside the internet's servers, and what is made of its result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.bench.deliveries import Deliveries
from conformance.bench.driver import Load, Step
from conformance.bench.loading import SinkProcess, run_driver
from conformance.bench.loads import (
    SENDER,
    ceiling,
    configuration,
    inbound,
    message_text,
    mixed,
    outbound,
    sink,
    world,
)
from conformance.bench.scenarios import SCENARIOS, Scenario
from conformance.bench.subject import Fails, Subject
from conformance.errors import WorldError
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


@pytest.mark.parametrize("driver", ["driver", "deliveries"])
def test_a_server_that_does_not_listen_is_the_worlds_failure(driver: str) -> None:
    with server(kind) as port:
        pass
    loads = {
        "driver": Load("127.0.0.1", port, 1, 1, (), (Step(b"NOOP\r\n", b"2"),), ()),
        "deliveries": Deliveries("127.0.0.1", port, 1, 1, b"Subject: x\n\nx\n"),
    }
    with pytest.raises(WorldError, match="refused"):
        asyncio.run(run_driver(driver, loads[driver].to_json(), 20.0))


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
    above = ceiling(scenario, 1000)
    assert (above.address, above.port) in sink(scenario)["addresses"]
    assert above.address != "127.0.0.1"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_sink_answers_every_load_of_the_ceiling_as_expected(scenario: Scenario) -> None:
    units = scenario.sessions

    async def go() -> tuple[dict[str, Any], dict[str, Any]]:
        served = await SinkProcess.start(**{**sink(scenario), "addresses": [("127.0.0.1", 0)]})
        load = ceiling(scenario, units).to_json()
        load["address"], load["port"] = served.addresses[0]
        return await run_driver("driver", load, 20.0), await served.taken()

    done, taken = asyncio.run(go())
    assert done["units"] == units, done
    accepted = units if scenario.doing == "messages" else 0
    assert sum(envelope[3] for envelope in taken["envelopes"]) == accepted


def test_a_sink_that_cannot_listen_is_the_worlds_failure() -> None:
    with server(mute) as port, pytest.raises(WorldError, match="in use"):
        asyncio.run(SinkProcess.start([("127.0.0.1", port)], refusing=False, stamped=False))


def test_a_sink_that_has_ended_is_the_worlds_failure() -> None:
    async def go() -> None:
        served = await SinkProcess.start([("127.0.0.1", 0)], refusing=False, stamped=False)
        await served.stop()
        await served.taken()

    with pytest.raises(WorldError, match="does not say what it took"):
        asyncio.run(go())


@pytest.mark.parametrize("octets", [300, 512, 1024, 102400])
def test_a_message_has_its_size_and_is_ordinary(octets: int) -> None:
    message = message_text(octets)
    assert len(message) == octets
    assert message.endswith(b"\r\n")
    assert b"\r\n\r\n" in message
    assert all(len(line) <= 998 and not line.startswith(b".") for line in message.split(b"\r\n"))
    assert b"\n" not in message.replace(b"\r\n", b"")


def came(
    times: int, recipient: str = "box@destination.example", sender: str = SENDER
) -> tuple[str, list[str], int, int]:
    """An envelope as a sink tells it."""
    return sender, [recipient], 512, times


class Pod:
    """A pod whose driver, sink and counts say what they are told to."""

    def __init__(
        self,
        done: dict[str, Any] | None = None,
        *envelopes: tuple[str, list[str], int, int],
        stamps: int = 0,
        stray: int = 0,
    ) -> None:
        self._done = done or {"units": 100, "seconds": 2.0, "cpu": 0.1, "latencies": [0.01] * 100}
        self._taken = {"envelopes": envelopes or [came(100)], "latencies": [0.5] * stamps, "cpu": 0.1}
        self._stray = stray
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

    async def sink(self, addresses: object, *, refusing: bool, stamped: bool) -> None:
        self.acts.append("sink" + " refusing" * refusing + " stamped" * stamped)

    async def taken(self) -> dict[str, Any]:
        return self._taken

    async def counts(self) -> dict[str, int]:
        return {"questions": 300, "stray": self._stray}

    async def cpu(self) -> float:
        return self._cpu.pop(0)

    async def wait_until_idle(self, limit: float) -> bool:
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
    assert pod.acts == ["prepare", "sink", "remotes destination.example", "deliveries"]


@pytest.mark.parametrize(
    ("pod", "error", "why"),
    [
        (Pod({"failure": "451 later"}), Fails, "451 later"),
        (Pod(None, came(99)), Fails, "99 messages came for box@destination.example, and not 100"),
        (Pod(None, came(90), came(11)), Fails, "101 messages came"),
        (Pod(None, came(100), came(1, "box@other.example")), Fails, "came for 'box@other.example'"),
        (Pod(None, came(100, sender="")), Fails, "came from ''"),
        (Pod(stray=1), PodFailure, "no zone"),
    ],
)
def test_what_was_not_carried_out_is_no_measurement(pod: Pod, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        measure(pod)


def test_an_alias_may_be_written_in_either_way() -> None:
    aliased = Scenario("outbound/alias", "", "outbound", "deliveries", aliases=5)
    assert measure(Pod(None, came(60), came(40, "box@alias0.example")), aliased).units == 100
    with pytest.raises(Fails, match=r"came for 'box@alias1\.example'"):
        measure(Pod(None, came(100), came(1, "box@alias1.example")), aliased)


TENS = [came(10, f"box@d{n}.example") for n in range(10)]
FILLED = {"units": 10, "seconds": 2.0, "cpu": 0.1, "latencies": [0.1] * 10}


def test_mixed_waits_for_the_queue_and_tells_what_a_message_takes_through_it() -> None:
    pod = Pod(FILLED, *TENS, stamps=100)
    measurement = measure(pod, MIXED)
    assert measurement.units == 100
    assert measurement.seconds >= 2.0
    assert measurement.latencies == (0.5, 0.5, 0.5)
    assert "sink stamped" in pod.acts
    pod.settles = False
    pod._cpu = [1.0, 2.0]
    with pytest.raises(Fails, match="queue was not empty"):
        measure(pod, MIXED)


def test_a_message_that_does_not_tell_its_time_is_the_worlds_failure() -> None:
    with pytest.raises(PodFailure, match="99 of 100"):
        measure(Pod(FILLED, *TENS, stamps=99), MIXED)


def test_the_ceiling_of_refused_recipients_refuses_them_too() -> None:
    pod = Pod()
    refused = Scenario("inbound/refused", "", "inbound", "transactions", doing="recipients")
    asyncio.run(Subject(pod).ceiling(refused, 100))
    assert pod.acts == ["prepare", "sink refusing", "driver"]


def test_an_exchanger_that_fails_is_the_worlds_failure() -> None:
    with pytest.raises(WorldError, match="our exchanger failed"):
        asyncio.run(Subject(Pod({"failure": "no"})).ceiling(OUTBOUND, 100))
