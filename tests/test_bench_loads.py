"""The load driver as a process beside the internet's servers, and what is made of its result."""

import asyncio
from typing import Any

import pytest

from conformance.bench import loads
from conformance.bench.inside.deliveries import Deliveries
from conformance.bench.inside.driver import Load, LoadStep
from conformance.bench.inside.processes import SinkProcess, run_driver
from conformance.bench.scenarios import SCENARIOS, LoadScenario
from conformance.bench.subject import Fails, Subject
from conformance.errors import WorldError
from conformance.internet.nameserver import NameServer
from conformance.pod.base import PodFailure
from conformance.pod.codec import encode
from tests.agents import free_port
from tests.bench_samples import FakeAgent, Serve, lines, server

NOOP = LoadStep(b"NOOP\r\n", b"2")


def drive(serve: Serve, limit: float = 20.0, driver: str = "driver") -> dict[str, Any]:
    with server(serve) as port:
        load = Load("127.0.0.1", port, 2, 6, (), (NOOP,), (LoadStep(b"QUIT\r\n", b"2"),))
        return asyncio.run(run_driver(driver, encode(load), limit))


def kind(connection: Any) -> None:
    connection.sendall(b"220 mx\r\n")
    for _ in lines(connection):
        connection.sendall(b"250 ok\r\n")


def mute(connection: Any) -> None:
    connection.recv(1)


def test_the_drivers_result_comes_back_and_what_the_server_did_is_a_failure_of_the_target() -> None:
    result = drive(kind)
    assert result["units"] == len(result["latencies"]) == 6
    assert result["cpu"] > 0
    assert "554 no" in drive(lambda connection: connection.sendall(b"554 no\r\n"))["failure"]


@pytest.mark.parametrize(
    ("serve", "limit", "driver", "why"),
    [
        (mute, 0.3, "driver", "not ended within"),
        (kind, 20.0, "deliveries", "status 1"),  # another kind of load: an exception, not the server's doing
    ],
)
def test_a_broken_driver_is_the_worlds_failure(serve: Serve, limit: float, driver: str, why: str) -> None:
    with pytest.raises(WorldError, match=why):
        drive(serve, limit, driver)


@pytest.mark.parametrize("driver", ["driver", "deliveries"])
def test_a_server_that_does_not_listen_is_the_worlds_failure(driver: str) -> None:
    port = free_port()
    load = Load("127.0.0.1", port, 1, 1, (), (NOOP,), ())
    deliveries = Deliveries("127.0.0.1", port, 1, 1, b"Subject: x\n\nx\n")
    with pytest.raises(WorldError, match="refused"):
        asyncio.run(run_driver(driver, encode(load if driver == "driver" else deliveries), 20.0))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_can_be_set_up(scenario: LoadScenario) -> None:
    """Its zones are read, its answers have their size."""
    NameServer(loads.world(scenario))
    assert loads.configuration(scenario).delivering is (scenario.direction == "mixed")
    assert loads.load(scenario, 1000).units == 1000 // (10 if scenario.direction == "mixed" else 1)
    above = loads.ceiling(scenario, 1000)
    assert (above.address, above.port) in loads.sink(scenario)["addresses"]
    assert above.address != "127.0.0.1"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_sink_answers_every_load_of_the_ceiling_as_expected(scenario: LoadScenario) -> None:
    units = scenario.sessions

    async def go() -> tuple[dict[str, Any], dict[str, Any]]:
        served = await SinkProcess.start(**{**loads.sink(scenario), "addresses": [("127.0.0.1", 0)]})
        load = encode(loads.ceiling(scenario, units))
        load["address"], load["port"] = served.addresses[0]
        return await run_driver("driver", load, 20.0), await served.taken()

    done, taken = asyncio.run(go())
    assert done["units"] == units, done
    accepted = units if scenario.doing == "messages" else 0
    assert sum(envelope[3] for envelope in taken["envelopes"]) == accepted


def test_a_sink_that_cannot_listen_or_has_ended_is_the_worlds_failure() -> None:
    async def ended() -> None:
        served = await SinkProcess.start([("127.0.0.1", 0)], refusing=False, stamped=False)
        await served.stop()
        await served.taken()

    with server(mute) as port, pytest.raises(WorldError, match="in use"):
        asyncio.run(SinkProcess.start([("127.0.0.1", port)], refusing=False, stamped=False))
    with pytest.raises(WorldError, match="does not say what it took"):
        asyncio.run(ended())


@pytest.mark.parametrize("octets", [300, 512, 1024, 102400])
def test_a_message_has_its_size_and_is_ordinary(octets: int) -> None:
    message = loads.message_text(octets)
    assert len(message) == octets
    assert message.endswith(b"\r\n")
    assert b"\r\n\r\n" in message
    assert all(len(line) <= 998 and not line.startswith(b".") for line in message.split(b"\r\n"))
    assert b"\n" not in message.replace(b"\r\n", b"")


def came(
    times: int, recipient: str = "box@destination.example", sender: str = loads.SENDER
) -> tuple[str, list[str], int, int]:
    """An envelope as a sink tells it."""
    return sender, [recipient], 512, times


class FakePod(FakeAgent):
    """A pod whose driver, sink and counts say what they are told to."""

    def __init__(
        self,
        done: dict[str, Any] | None = None,
        *envelopes: tuple[str, list[str], int, int],
        stamps: int = 0,
        stray: int = 0,
        idle: bool = True,
    ) -> None:
        super().__init__()
        self._done = done or {"units": 100, "seconds": 2.0, "cpu": 0.1, "latencies": [0.01] * 100}
        self._cpu = iter([1.0, 2.5])
        self.answers |= {
            "load": lambda **load: dict(self._done),
            "taken": lambda: {"envelopes": envelopes or [came(100)], "latencies": [0.5] * stamps},
            "counts": lambda: {"questions": 300, "stray": stray},
            "cpu": lambda: next(self._cpu),
            "wait_until_idle": lambda **limits: idle,
        }


OUTBOUND = LoadScenario("outbound/some", "", "outbound", "deliveries")
MIXED = LoadScenario("mixed/some", "", "mixed", "messages", units=100)


def measure(pod: FakePod, scenario: LoadScenario = OUTBOUND) -> Any:
    return asyncio.run(Subject(pod).measure(scenario, 100))


def test_a_measurement_has_the_targets_cpu_and_its_questions() -> None:
    pod = FakePod()
    measurement = measure(pod)
    seen = (measurement.units, measurement.rate, measurement.target_cpu, measurement.questions)
    assert seen == (100, 50.0, 1.5, 300)
    assert list(pod.asked) == ["prepare", "sink", "remotes", "cpu", "load", "taken", "counts"]
    arguments = pod.asked["remotes"]["arguments"]
    assert arguments == ["destination.example", loads.SENDER, "box@destination.example"]
    assert pod.asked["load"]["driver"] == "deliveries"


@pytest.mark.parametrize(
    ("pod", "error", "why"),
    [
        (FakePod({"failure": "451 later"}), Fails, "451 later"),
        (FakePod(None, came(99)), Fails, "99 messages came for box@destination.example, and not 100"),
        (FakePod(None, came(90), came(11)), Fails, "101 messages came"),
        (FakePod(None, came(100), came(1, "box@other.example")), Fails, "came for 'box@other.example'"),
        (FakePod(None, came(100, sender="")), Fails, "came from ''"),
        (FakePod(stray=1), PodFailure, "no zone"),
    ],
)
def test_what_was_not_carried_out_is_no_measurement(pod: FakePod, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        measure(pod)


def test_an_alias_may_be_written_in_either_way() -> None:
    aliased = LoadScenario("outbound/alias", "", "outbound", "deliveries", aliases=5)
    assert measure(FakePod(None, came(60), came(40, "box@alias0.example")), aliased).units == 100
    with pytest.raises(Fails, match=r"came for 'box@alias1\.example'"):
        measure(FakePod(None, came(100), came(1, "box@alias1.example")), aliased)


TENS = [came(10, f"box@d{n}.example") for n in range(10)]
FILLED = {"units": 10, "seconds": 2.0, "cpu": 0.1, "latencies": [0.1] * 10}


def test_mixed_waits_for_the_queue_and_tells_what_a_message_takes_through_it() -> None:
    pod = FakePod(FILLED, *TENS, stamps=100)
    measurement = measure(pod, MIXED)
    assert measurement.units == 100
    assert measurement.seconds >= 2.0
    assert measurement.latencies == (0.5, 0.5, 0.5)
    assert pod.asked["sink"]["stamped"] is True
    with pytest.raises(Fails, match="queue was not empty"):
        measure(FakePod(FILLED, *TENS, stamps=100, idle=False), MIXED)
    with pytest.raises(PodFailure, match="99 of 100"):
        measure(FakePod(FILLED, *TENS, stamps=99), MIXED)


def test_the_ceiling_refuses_recipients_too_and_its_failure_is_the_worlds() -> None:
    pod = FakePod()
    refused = LoadScenario("inbound/refused", "", "inbound", "transactions", doing="recipients")
    asyncio.run(Subject(pod).ceiling(refused, 100))
    assert list(pod.asked) == ["prepare", "sink", "load"]
    assert pod.asked["sink"]["refusing"] is True
    with pytest.raises(WorldError, match="our exchanger failed"):
        asyncio.run(Subject(FakePod({"failure": "no"})).ceiling(OUTBOUND, 100))
