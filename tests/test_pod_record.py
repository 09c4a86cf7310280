"""A record is enough to conclude the same again; another case's record is not."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

import pytest

from conformance.cases.attempt import attempt, replay
from conformance.cases.credentials import password, plain
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.base import Heard, PodFailure, Says
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.secrets import Secrets
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.targets.embedded import ReferencePod
from conformance.targets.keeper import fixture_secrets
from tests.pods import NOTHING_SEEN, CombiningPod, ScriptedPod

NO_SECRETS = Secrets({})


async def greets(qmail: Qmail) -> None:
    """A case for tests."""
    async with await qmail.connect() as smtp:
        assert smtp.greeting.code == 220
        assert (await smtp.command("NOOP")).code == 250


async def delivers(internet: Internet, qmail: Qmail) -> None:
    """Another one."""
    internet.load("plain.example")
    delivery = await qmail.remote("plain.example", "a@here.example", ["b@plain.example"])
    assert delivery.accepted
    assert internet.questions(type="MX")


async def authenticates(qmail: Qmail) -> None:
    """A case that shows a password to the pod."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235


@pytest.mark.parametrize("case", [greets, delivers, authenticates])
def test_a_record_survives_json_and_concludes_the_same(case) -> None:  # type: ignore[no-untyped-def]
    async def both() -> tuple[str, str]:
        pod = ReferencePod(("0004", "0005", "0006", "0007", "0008", "0009"))
        live = await attempt(case, pod, fixture_secrets())
        stored = json.loads(json.dumps(live.record))
        return live.verdict, (await replay(case, stored, fixture_secrets())).verdict

    assert asyncio.run(both()) == ("met", "met")


def test_an_unmet_record_stays_unmet() -> None:
    pod = ScriptedPod(b"220 mx\r\n", b"500 what\r\n")
    live = asyncio.run(attempt(greets, pod, NO_SECRETS))
    again = asyncio.run(replay(greets, live.record, NO_SECRETS))
    assert (live.verdict, again.verdict) == ("unmet", "unmet")


def test_a_changed_observation_changes_the_verdict() -> None:
    live = asyncio.run(attempt(greets, ScriptedPod(b"220 mx\r\n", b"250 ok\r\n"), NO_SECRETS))
    for act in live.record["acts"]:
        if act["act"] == "receive" and act["data"].startswith("250"):
            act["data"] = "451 no\r\n"
    assert asyncio.run(replay(greets, live.record, NO_SECRETS)).verdict == "unmet"


def test_the_record_of_another_case_is_invalid_and_no_verdict() -> None:
    live = asyncio.run(attempt(greets, ScriptedPod(b"220 mx\r\n", b"250 ok\r\n"), NO_SECRETS))
    result = asyncio.run(replay(delivers, live.record, NO_SECRETS))
    assert result.verdict == "invalid"
    assert "record" in result.seen or "recorded" in result.seen


def test_no_password_is_in_a_record() -> None:
    pod = ReferencePod(("0008",))
    live = asyncio.run(attempt(authenticates, pod, fixture_secrets()))
    written = json.dumps(live.record)
    assert plain("alice") not in written
    assert password("alice") not in written
    assert "<plain of alice>" in written


def test_a_pod_that_fails_is_no_verdict_about_qmail() -> None:
    class Broken(ScriptedPod):
        async def connect(self) -> int:
            raise PodFailure("the container has gone")

    result = asyncio.run(attempt(greets, Broken(), NO_SECRETS))
    assert (result.verdict, result.seen) == ("invalid", "the container has gone")


def test_a_stray_question_is_no_verdict_about_qmail() -> None:
    pod = ScriptedPod(sight={**NOTHING_SEEN, "stray": ["elsewhere.example MX"]})
    result = asyncio.run(attempt(delivers, pod, NO_SECRETS))
    assert result.verdict == "invalid"
    assert "elsewhere.example MX" in result.seen


def test_a_mistake_in_a_case_is_no_verdict_about_qmail() -> None:
    async def mistaken(qmail: Qmail) -> None:
        raise KeyError("oops")

    assert asyncio.run(attempt(mistaken, ScriptedPod(), NO_SECRETS)).verdict == "invalid"


async def does_everything(qmail: Qmail) -> None:
    """A case in which every act occurs that may be done with others."""
    async with qmail.session() as smtp:
        await smtp.envelope("a@b.example", ["alice@here.example"])
        assert (await smtp.data(b"Subject: x\r\n\r\nx\r\n")).code == 250
        assert [reply.text for reply in await smtp.pipeline(["NOOP", "RSET"])] == ["one", "two"]
        assert (await smtp.say(b"NO", b"OP\r\n")).text == "three"
    assert (await qmail.delivered())["mailboxes"] == {}
    assert (await qmail.deliver("a@b.example", ["alice@here.example"]))["queue"] == []
    with pytest.raises(AssertionError, match="no host has accepted"):
        await qmail.remote("plain.example", "a@here.example", ["b@plain.example"])


def test_acts_that_are_done_at_once_are_recorded_one_by_one() -> None:
    said = [b"220 mx\r\n", b"250 mx\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n"]
    said += [b"250 one\r\n", b"250 two\r\n", b"250 three\r\n"]
    said += [*said[:6], b"221 bye\r\n"]

    def acts(pod: ScriptedPod) -> list[dict[str, Any]]:
        live = asyncio.run(attempt(does_everything, pod, NO_SECRETS))
        assert live.verdict == "met", live.seen
        assert asyncio.run(replay(does_everything, live.record, NO_SECRETS)).verdict == "met"
        return [{key: value for key, value in act.items() if key != "at"} for act in live.record["acts"]]

    at_once = CombiningPod(*said)
    assert acts(at_once) == acts(ScriptedPod(*said))
    assert at_once.several == [4, 2, 2, 1, "settle and look", 7, "settle and look", "remote and look"]


def test_acts_bear_the_times_at_which_they_were_done() -> None:
    class Late(CombiningPod):
        """Answers when all is over, and then says when it was."""

        async def prepare(self, world: World, configuration: Configuration) -> None:
            self.stood = None
            self._begun = time.monotonic()

        async def converse(
            self, connection: int | None, says: Says, limit: float, replies: int = 1
        ) -> tuple[int, list[Heard]]:
            self.stood = self._begun + 1
            one = {"taken": True, "sent": self._begun + 2, "received": [(b"220 mx\r\n", self._begun + 3)]}
            two = {"taken": True, "sent": self._begun + 4, "received": [(b"250 mx\r\n", self._begun + 5)]}
            return 7, [one, two]  # type: ignore[list-item]

    async def case(qmail: Qmail) -> None:
        async with qmail.session():
            pass

    live = asyncio.run(attempt(case, Late(), NO_SECRETS))
    told = [(act["act"], round(act["at"], 1)) for act in live.record["acts"][:-1]]
    assert told == [("prepare", 1), ("connect", 2), ("receive", 3), ("send", 4), ("receive", 5)]


def test_a_case_and_its_record_see_the_same_hidden_octets() -> None:
    secrets = Secrets({"alice": b"wonderland", "bob": b"password"})
    hidden = secrets.hide(["short", "wonderland", "x" * 300 + "wonderland", {"wonderland": "a password"}])
    tokens = ["short", "<password of alice>", "x" * 300 + "<password of alice>"]
    assert hidden == [*tokens, {"<password of alice>": "a <password of bob>"}]
    many = [f"r{number}@here.example" for number in range(100)]
    assert secrets.hide(many) == many
    assert secrets.hide([*many, "wonderland"]) == [*many, "<password of alice>"]
    with_none = Secrets({"carol": b"", "bob": b"password"})
    assert with_none.hide(["a text", "a password"]) == ["a text", "a <password of bob>"]


def test_worlds_and_configurations_are_json_of_their_own() -> None:
    world = World(
        zones=["$ORIGIN a.example.\n"],
        paddings=[Padding("a.example", "MX", 513)],
        faults=[Fault("a.example", "drop", times=2)],
        exchangers=[Exchanger(steps={"MAIL": ["451 no", "250 ok"]}, silent=True)],
    )
    checks = RecipientCheck({"c": 1}), PasswordCheck()
    configuration = Configuration({"me": "x\n"}, {"A": "b"}, *checks, {"a": "b"}, verifying=True)
    for whole in (world, configuration):
        assert whole.to_json() == asdict(whole)
        assert list(whole.to_json()) == list(asdict(whole)), "in the same order"
    assert World.from_json(world.to_json()) == world
    json_of_it = world.to_json(), configuration.to_json()
    before = json.dumps(json_of_it)
    for changing in (world.zones, world.paddings, world.faults, world.exchangers):
        changing.clear()
    for changing in (configuration.control, configuration.environment, configuration.dot_qmail):
        changing.clear()
    assert json.dumps(json_of_it) == before, "what the case does later is not in the record"
