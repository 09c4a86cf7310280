"""A scenario can say all that a world and a configuration can be, and a reproduction loses nothing of it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.internet import Internet, zone_text
from conformance.cases.qmail import Qmail
from conformance.internet.zones import load_zone
from conformance.pod.configuration import (
    CHECKPROGRAM,
    SUBPROGRAM,
    Configuration,
    HostTimeouts,
    PasswordCheck,
    Program,
    QueueProgram,
    RecipientCheck,
)
from conformance.pod.ordinary import CONTROL
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.reproduce.directory import directory
from conformance.scenario.playing import play
from conformance.scenario.reading import load_scenario
from conformance.targets.ready import Images
from tests.pods import ScriptedPod
from tests.reproductions import scene_of

FILE = Path(__file__).parent / "scenarios" / "everything.toml"
WORLD = World(
    zones=[
        zone_text("big.example", "@ MX 10 mx\nmx A 127.0.0.5\nhost A 127.0.0.6"),
        load_zone("here.example"),
    ],
    paddings=[Padding("big.example", "MX", 900, "last")],
    faults=[
        Fault("big.example", "rcode", type="MX", over="udp", rcode="REFUSED", times=1),
        Fault("big.example", "delay", type="A", seconds=2.0),
        Fault("mx.big.example", "patch", octets="\xff\0", offset=6),
        Fault("host.big.example", "cut", length=20),
    ],
    exchangers=[
        Exchanger(
            "127.0.0.5", 2525, "mx.big.example", {"MAIL": ["451 no", "250 ok"], "QUIT": "close"},
            ["SIZE"], ["PLAIN"], {"someone": "made-up"}, False, True, ["LOGIN"], 0.5,
        )
    ],
    tcp="refuse",
    latency=0.5,
)  # fmt: skip
CONFIGURATION = Configuration(
    CONTROL | {"databytes": "1000\n"},
    {"RELAYCLIENT": "", "SMTPAUTH": "!"},
    RecipientCheck({"bob@here.example": 100}, 111, "hello", "crash", "oh", True, [1, 2]),
    PasswordCheck(
        "crash",
        Program(default=3),
        Program({"bob@here.example": 1}, 2, "a", "hang", "b", True, [4]),
        ["mx.here.example", CHECKPROGRAM, SUBPROGRAM],
    ),
    {"alice/.qmail-list": "&bob@here.example\n"},
    True,
    "timeout:2",
    "mute",
    [HostTimeouts("127.0.0.9", 2, 60)],
    QueueProgram({"bob@here.example": 31}, 53, "hello", "hang", "oh", False, [71], False, "F\0\0"),
    ["info@here.example"],
    {"filter": Program({"bob@here.example": 99}, 100, "c", "crash", "d", True, [111])},
    {"alice/.qmail-list": "0666"},
    Program({"bob@here.example": 32}, 54, "r", "hang", "ah", True, [72]),
)

#: What stands in for a value that has no default, or in whose absence there is no world.
OTHERS: dict[str, Any] = {
    "name": "here.example", "action": "drop", "type": "TXT", "octets": 700, "zones": WORLD.zones[:1],
    "address": "127.0.0.8",
}  # fmt: skip


def parts(value: Any) -> Iterator[Any]:
    """Every dataclass in a value, itself first."""
    if is_dataclass(value):
        yield value
        value = [getattr(value, field.name) for field in fields(value)]
    for item in value if isinstance(value, list) else []:
        yield from parts(item)


def default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return OTHERS.get(field.name, field.default_factory())
    return OTHERS[field.name] if field.default is MISSING else field.default


def swapped(value: Any, old: Any, new: Any) -> Any:
    """The value with `new` wherever `old` itself stands."""
    if value is old:
        return new
    if isinstance(value, list):
        return [swapped(item, old, new) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{name: swapped(item, old, new) for name, item in vars(value).items()})
    return value


EVERY_PART = [*parts(WORLD), *parts(CONFIGURATION)]
EVERY_FIELD = [
    pytest.param(part, field, id=f"{type(part).__name__}.{field.name}-{number}")
    for number, part in enumerate(EVERY_PART)
    for field in fields(part)
    if getattr(part, field.name) != default(field)
]


class Prepared(ScriptedPod):
    """Keeps what it was prepared as."""

    def __init__(self, *octets: bytes) -> None:
        super().__init__(*octets)
        self.set_ups: list[tuple[World, Configuration]] = []

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self.set_ups.append((world, configuration))


def test_a_scenario_says_every_field_and_is_played_so() -> None:
    scenario, internet, pod = load_scenario(FILE), Internet(), Prepared(b"220 mx\r\n")
    asyncio.run(play(scenario, internet, Qmail(pod, internet)))
    assert pod.set_ups == [(WORLD, CONFIGURATION)]


@pytest.mark.parametrize(
    "kind",
    [World, Exchanger, Fault, Padding, Configuration, RecipientCheck, PasswordCheck, Program, QueueProgram],
)
def test_each_field_is_other_than_without_a_word(kind: type) -> None:
    """So a field that is new fails here until a scenario can say it."""
    made = [part for part in EVERY_PART if type(part) is kind]
    for field in fields(kind):
        assert any(getattr(part, field.name) != default(field) for part in made), field.name


@pytest.mark.parametrize(("part", "field"), EVERY_FIELD)
def test_a_reproduction_depends_on_each_field(part: Any, field: Field[Any]) -> None:
    whole = replace(scene_of("0006.unknown.code"), world=WORLD, configuration=CONFIGURATION)
    files = directory(whole, Images())
    other = directory(swapped(whole, part, replace(part, **{field.name: default(field)})), Images())
    assert {name for name in files if files[name] != other.get(name)} - {"README.md"}


def test_a_set_up_is_made_when_something_has_changed_and_only_then() -> None:
    internet, pod = Internet(), Prepared()
    qmail = Qmail(pod, internet)

    async def case() -> None:
        changes: list[Callable[[], object]] = [
            lambda: qmail.control.update(databytes="1\n"),
            lambda: internet.zone("big.example"),
            lambda: setattr(internet, "latency", 0.1),
            lambda: internet.exchanger("127.0.0.9", silent=True),
            lambda: setattr(qmail, "delivering", True),
        ]
        for change in changes:
            await qmail.observe()
            await qmail.observe()
            change()
        internet.exchanger("127.0.0.9", silent=True)  # which it is
        await qmail.observe()

    asyncio.run(case())
    first, control, zone, latency, exchanger, last = pod.set_ups
    assert first == (World(exchangers=[Exchanger()]), Configuration(CONTROL))
    assert control[1] == replace(first[1], control=CONTROL | {"databytes": "1\n"})
    assert zone[0] == replace(first[0], zones=[zone_text("big.example")])
    assert latency[0] == replace(zone[0], latency=0.1)
    assert exchanger[0] == replace(latency[0], exchangers=[Exchanger("127.0.0.9", silent=True)])
    assert last == (exchanger[0], replace(control[1], delivering=True))
