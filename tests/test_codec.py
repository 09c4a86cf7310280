"""What is written is read back the same; what does not fit is an error that names the place."""

import json
import re
from typing import Any

import pytest

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.pod.codec import decode, encode
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.observation import (
    AcceptedMessage,
    HookCall,
    MxSession,
    Observation,
    Question,
    QueuedMessage,
    TranscriptEntry,
)
from conformance.pod.record import Act, Connect, Failure, Observe, Prepare, Receive, Record, Send
from conformance.pod.world import Exchanger, Fault, Padding, World

WORLD = World(
    zones=["$ORIGIN a.example.\n"],
    paddings=[Padding("a.example", "MX", 513)],
    faults=[Fault("a.example", "drop", times=2), Fault("b.example", "delay", seconds=0.5, octets="\xff\0")],
    exchangers=[Exchanger(steps={"MAIL": ["451", "250 ok"], "RCPT": "close"}, users={"a": "b"}, silent=True)],
    tcp="refuse",
)
CONFIGURATION = Configuration(
    {"me": "x\n"}, {"A": "b"}, RecipientCheck({"c": 1}), PasswordCheck("crash"), {"a": "b"}, verifying=True
)
SESSION = MxSession(
    "127.0.0.2",
    25,
    [TranscriptEntry(0.5, "event", "connected"), TranscriptEntry(0.75, "client", "\xff")],
    sender="",
    recipients=["b@c.example"],
    messages=[AcceptedMessage(None, ["b@c.example"], "x\r\n")],
)
OBSERVATION = Observation(
    [Question("A.example", "TYPE65", "udp", "", 0, False, 0.25)],
    [SESSION, MxSession("127.0.0.3", 26)],
    [QueuedMessage("", ["a@b.example"], "\n")],
    {"alice": ["one", "two"]},
    [HookCall("checkpassword", ["x"], "/", {"A": ""}, "alice", "<c>", True)],
    ["line"],
    ["x. A"],
)
ACTS: list[Act] = [
    Prepare(at=0.25, world=WORLD, configuration=CONFIGURATION),
    Prepare(at=0.25, world=World(), configuration=Configuration(verifying="mute")),
    Prepare(at=0.25, world=World(), configuration=Configuration()),
    Send(at=1.0, connection=0, data="\0\xff", taken=False),
    Receive(at=1.0, connection=0, data=None),
    Receive(at=1.0, connection=0, data=""),
    Observe(at=3.0, seen=OBSERVATION),
    Failure(at=4.0, reason="gone"),
]


@pytest.mark.parametrize(
    "value",
    [*ACTS, Played(Record(tuple(ACTS)), "unmet", "no", 0.5), Script("m", "f", {"a": "b"}, "text", 0.5)],
)
def test_what_is_written_is_read_back_as_it_was(value: Any) -> None:
    assert decode(type(value), json.loads(json.dumps(encode(value)))) == value


def test_what_is_written_has_the_fields_in_order_and_a_life_of_its_own() -> None:
    entry = TranscriptEntry(0.5, "client", "x")
    assert json.dumps(encode(entry)) == '{"at": 0.5, "source": "client", "text": "x"}'
    world = World(zones=["a"])
    written = encode(world)
    world.zones.append("b")
    assert written["zones"] == ["a"]


def test_what_has_a_default_may_be_missing_and_numbers_without_a_point_are_numbers() -> None:
    script = decode(Script, {"module": "m", "function": "f", "limit": 3})
    assert (script, type(script.limit)) == (Script("m", "f", limit=3.0), float)


CONNECT = {"act": "connect", "at": 0.5, "connection": 0}
FAULT = {"name": "a", "action": "drop"}


@pytest.mark.parametrize(
    ("kind", "data", "complaint"),
    [
        (Record, [], "record is [], not an object"),
        (Record, {"acts": {}}, "record.acts is {}, not a list"),
        (Record, {"acts": [], "b": 1, "a": 1}, "record: unknown: 'a', 'b'"),
        (Record, {"acts": [CONNECT, 1]}, "record.acts[1] is 1, none of prepare, connect, send, "),
        (Record, {"acts": [{**CONNECT, "act": "leave"}]}, "record.acts[0] is {'act': 'leave', "),
        (Record, {"acts": [{**CONNECT, "act": ["connect"]}]}, "record.acts[0] is {'act': ['connect'], "),
        (Record, {"acts": [{"act": "connect"}]}, "record.acts[0]: missing: at, connection"),
        (Record, {"acts": [{**CONNECT, "data": ""}]}, "record.acts[0]: unknown: 'data'"),
        (Connect, {**CONNECT, "connection": "0"}, "connect.connection is '0', not of type int"),
        (Connect, {**CONNECT, "connection": True}, "connect.connection is True, not of type int"),
        (Connect, {**CONNECT, "act": "close"}, "connect.act is 'close', not one of connect"),
        (Receive, {"at": 1, "connection": 0, "data": 1}, "receive.data is 1, not of type str"),
        (Send, {"at": 1, "connection": 0, "data": "", "taken": 1}, "send.taken is 1, not of type bool"),
        (Fault, {**FAULT, "action": "explode"}, "fault.action is 'explode', not one of drop, delay, "),
        (World, {"faults": [FAULT, {**FAULT, "over": None}]}, "world.faults[1].over is None, not one of udp"),
        (World, {"zones": ["a", b"b"]}, "world.zones[1] is b'b', not of type str"),
        (Configuration, {"control": []}, "configuration.control is [], not an object"),
        (Configuration, {"control": {"me": 1}}, "configuration.control.me is 1, not of type str"),
        (Configuration, {"verifying": "loud"}, "configuration.verifying is 'loud', not "),
        (Exchanger, {"steps": {"MAIL": ["250 ok", 1]}}, "exchanger.steps.MAIL is "),
        (Connect, "x" * 100, "connect is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx …, not an object"),
    ],
)
def test_what_does_not_fit_is_an_error_with_its_place(kind: type, data: object, complaint: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(complaint)):
        decode(kind, data)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1" + "0" * 400, "true", '"1"', "null"])
def test_a_time_is_a_number_of_a_size_that_can_be(number: str) -> None:
    data = json.loads(f'{{"acts": [{{"act": "connect", "at": {number}, "connection": 0}}]}}')
    told = r"^record\.acts\[0\]\.at is .*, not a number of a size that can be$"
    with pytest.raises(ValueError, match=told):
        decode(Record, data)
