"""A record is enough to conclude the same again, and nothing else is believed; another case's is not."""

import asyncio
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import pytest

from conformance.cases.attempt import Attempt, judge, record, replay
from conformance.cases.credentials import password, plain
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.catalogue.requirements import Case
from conformance.pod import recording
from conformance.pod.base import PodFailure
from conformance.pod.codec import decode, encode
from conformance.pod.installation import Installation
from conformance.pod.observation import Observation, SmtpdProcess
from conformance.pod.record import Act, Failure, Prepare, Receive, Record
from conformance.pod.secrets import Secrets, fixture_secrets
from conformance.pod.world import World
from conformance.targets.embedded import ReferencePod
from tests.pods import ScriptedPod, attempt

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


async def asks(internet: Internet, qmail: Qmail) -> None:
    """A case that gives qmail names of its own."""
    internet.zone("plain.example", "@ MX 10 far.example.\n")
    qmail.control["smtproutes"] = ":route.example:25\n"
    await qmail.remote("plain.example", "a@here.example", ["b@Forgotten.Example"])


async def authenticates(qmail: Qmail) -> None:
    """A case that shows a password to the pod."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235


async def does_everything(internet: Internet, qmail: Qmail) -> None:
    """A case in which every act occurs."""
    internet.zone("first.example")
    async with qmail.session() as first, qmail.session() as second:
        assert (await second.say(b"NO", b"OP\r\n")).code == 250
        await first.pause(0.5)
        await first.half_close()
    internet.zone("second.example")
    assert (await qmail.deliver("a@b.example", ["alice@here.example"])).queue == []
    await qmail.reread()
    assert (await qmail.packages("upgrade")).packages
    with pytest.raises(AssertionError, match="no host has accepted"):
        await qmail.remote("plain.example", "a@here.example", ["b@plain.example"])


async def stays(qmail: Qmail) -> None:
    """`greets`, without a close at the end."""
    smtp = await qmail.connect()
    assert [(await smtp.reply()).code, (await smtp.command("NOOP")).code] == [220, 250]


async def observes(qmail: Qmail) -> None:
    """A case that sets up the same as `greets`."""
    await qmail.observe()


def tried(case: Case, pod: ScriptedPod, secrets: Secrets = NO_SECRETS) -> Attempt:
    return asyncio.run(asyncio.wait_for(attempt(case, pod, secrets), 20))


def stored(record: Record) -> Record:
    return decode(Record, json.loads(json.dumps(encode(record))))


def test_a_close_that_an_older_case_did_not_end_with_says_nothing() -> None:
    made = tried(stays, ReferencePod(()))
    again = asyncio.run(replay(greets, made.record, NO_SECRETS))
    assert (made.outcome, again.outcome) == ("met", "met"), again.seen


def test_a_record_of_the_time_before_ends_were_looked_at_is_judged_as_it_was() -> None:
    made = tried(greets, ReferencePod(()))
    *older, look = made.record.acts
    assert look.act == "observe"
    again = asyncio.run(replay(greets, Record(tuple(older)), NO_SECRETS))
    assert (again.outcome, again.seen) == ("met", "")


@pytest.mark.parametrize("words", ["", "the code is wrong"])
def test_a_session_that_a_signal_ended_is_unmet_whatever_the_case_is_about(words: str) -> None:
    async def says(qmail: Qmail) -> None:
        await greets(qmail)
        if words:
            raise AssertionError(words)

    died = [SmtpdProcess(41, status=0), SmtpdProcess(41, status=-11)]
    result = tried(says, ScriptedPod(b"220 mx\r\n", b"250 ok\r\n", seen=Observation(sessions=died)))
    why = "qmail-smtpd was ended by signal 11 (connection 0)"
    assert (result.outcome, result.seen) == ("unmet", f"{words}\n{why}".strip())


def test_sessions_are_looked_at_before_another_set_up_too() -> None:
    async def changes(qmail: Qmail) -> None:
        await greets(qmail)
        qmail.control["databytes"] = "1\n"
        await qmail.observe()

    died = Observation(sessions=[SmtpdProcess(41, status=-6)])
    result = tried(changes, ScriptedPod(b"220 mx\r\n", b"250 ok\r\n", seen=died))
    assert result.seen == "qmail-smtpd was ended by signal 6 (connection 0)"


def test_what_a_case_does_to_the_ordinary_exchanger_stays_with_it() -> None:
    first, second = Internet(), Internet()
    first.exchangers[0].steps["MAIL"] = "450 later"
    assert second.exchangers[0].steps == {}
    second.exchanger("127.0.0.3")
    assert [host.address for host in second.exchangers] == ["127.0.0.3"]


@pytest.mark.parametrize("case", [greets, delivers, authenticates])
def test_a_record_survives_json_and_concludes_the_same(case: Case) -> None:
    async def both() -> tuple[Attempt, Attempt]:
        live = await attempt(case, ReferencePod(PPA_PATCHES), fixture_secrets())
        return live, await replay(case, stored(live.record), fixture_secrets())

    live, again = asyncio.run(both())
    assert (live.outcome, live.seen, again.outcome) == ("met", "", "met")
    assert live.seconds > 0


def test_every_act_is_recorded_and_read_back_as_it_was() -> None:
    said = [b"220 mx\r\n", b"250 mx\r\n"] * 2 + [b"250 ok\r\n", b"220 mx\r\n", b"250 mx\r\n"]
    said += [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n", b"221 bye\r\n"]
    live = tried(does_everything, ScriptedPod(*said))
    assert (live.outcome, live.seen) == ("met", "")
    acts = live.record.acts
    assert stored(live.record) == live.record
    assert {type(act) for act in acts} == set(get_args(Act)) - {Failure}
    told = [act.act for act in acts]
    assert told[-8:] == [
        "receive",
        "close",
        "wait-until-idle",
        "observe",
        "signal",
        "packages",
        "remote",
        "observe",
    ]
    on = [act.connection for act in acts if isinstance(act, Receive)]
    assert on == [0, 0, 1, 1, 1, *[2] * 7], "numbers are the case's own, whatever the pod's"
    zones = [len(act.world.zones) for act in acts if isinstance(act, Prepare)]
    assert zones == [1, 2], "what the case arranges later is not in the record"


async def upgrades(qmail: Qmail) -> None:
    """A case about the packages."""
    assert (await qmail.packages("upgrade")).status == 0


@pytest.mark.parametrize(
    ("installation", "outcome", "seen"),
    [
        (Installation(), "met", ""),
        (Installation(status=1), "unmet", "assert 1 == 0"),
        (Installation(unsupported="no packages are at hand"), "unsupported", "no packages are at hand"),
    ],
)
def test_a_target_without_packages_is_unsupported_from_its_record_too(
    installation: Installation, outcome: str, seen: str
) -> None:
    pod = ScriptedPod()
    pod.installation = installation
    live = tried(upgrades, pod)
    again = asyncio.run(replay(upgrades, stored(live.record), NO_SECRETS))
    for made in (live, again):
        assert (made.outcome, made.seen.partition("\n")[0]) == (outcome, seen)
    assert live.record.uses_up is (outcome != "unsupported")


def test_acts_bear_the_times_at_which_they_were_done(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(ScriptedPod):
        """Takes a second for each octet."""

        at = 100.0

        async def send(self, connection: int, data: bytes) -> bool:
            self.at += len(data)
            return True

        async def receive(self, connection: int, limit: float) -> bytes | None:
            self.at += 9
            return await super().receive(connection, limit)

    pod = Slow(b"220 mx\r\n", b"250 ok\r\n")
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: pod.at))
    acts = tried(greets, pod).record.acts
    assert [act.act for act in acts[2:]] == ["receive", "send", "receive", "close", "observe"]
    assert [act.at for act in acts[2:]] == [9, 9, 24, 24, 24], "what is sent, before the server can answer"


def test_an_unmet_record_stays_unmet_and_a_changed_one_changes_the_verdict() -> None:
    live = tried(greets, ScriptedPod(b"220 mx\r\n", b"500 what\r\n"))
    again = asyncio.run(replay(greets, live.record, NO_SECRETS))
    assert (live.outcome, again.outcome) == ("unmet", "unmet")
    assert isinstance(live.error, AssertionError)
    assert live.seen == again.seen
    assert "500" in live.seen
    live = tried(greets, ScriptedPod(b"220 mx\r\n", b"250 ok\r\n"))
    acts = [replace(act, data="451 no\r\n") if isinstance(act, Receive) else act for act in live.record.acts]
    assert asyncio.run(replay(greets, Record(tuple(acts)), NO_SECRETS)).outcome == "unmet"


async def says_another(qmail: Qmail) -> None:
    """A case that sends other octets than `greets`."""
    async with await qmail.connect() as smtp:
        await smtp.command("RSET")


async def says_more(qmail: Qmail) -> None:
    """A case that goes on after `greets`."""
    await greets(qmail)
    await qmail.observe()
    await qmail.observe()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (delivers, "the case now does prepare with other values than were recorded"),
        (observes, "the record has connect where the case now does observe"),
        (says_another, "the case now does send with other values than were recorded"),
        (says_more, "the record ends before observe: it was made by another version of this case"),
    ],
)
def test_the_record_of_another_case_is_invalid_and_no_verdict(other: Case, why: str) -> None:
    live = tried(greets, ScriptedPod(b"220 mx\r\n", b"250 ok\r\n"))
    result = asyncio.run(replay(other, live.record, NO_SECRETS))
    assert (result.outcome, result.seen) == ("invalid", why)


# A record that does not bear out what came of the case


def changing(first: int, later: int) -> Case:
    """A case that looks at something outside the pod, which is `first` and then `later`; only 1 is right."""
    outside = iter([first, later])

    async def case(qmail: Qmail) -> None:
        session = await qmail.connect()
        await session.reply()
        assert next(outside) == 1

    return case


@pytest.mark.parametrize(
    ("first", "later", "told"),
    [
        (1, 2, r"met in the pod, unmet from the record \(.*"),
        (2, 1, r"unmet in the pod \(.*\), met from the record"),
    ],
)
def test_another_end_than_in_the_pod_is_invalid_and_both_are_told(first: int, later: int, told: str) -> None:
    result = tried(changing(first, later), ScriptedPod(b"220 mx\r\n"))
    assert result.outcome == "invalid"
    assert re.fullmatch(f"the record does not bear out what came of it: {told}", result.seen, re.DOTALL)
    assert tried(changing(2, 2), ScriptedPod(b"220 mx\r\n")).outcome == "unmet", "the same end twice is one"


def test_a_case_that_ends_before_its_record_is_invalid() -> None:
    turns = iter([2, 1, 1])

    async def case(qmail: Qmail) -> None:
        for _ in range(next(turns)):
            await qmail.observe()

    result = tried(case, ScriptedPod())
    assert result.outcome == "invalid"
    assert result.seen.endswith("met in the pod, met from the record, with 1 acts left")
    # And whoever judges it again says the same.
    again = asyncio.run(replay(case, result.record, NO_SECRETS))
    assert (again.outcome, again.seen) == ("invalid", result.seen)


def test_a_case_that_waits_for_something_else_is_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.cases.attempt.LIMIT", 0.05)
    waits = iter([False, True])

    async def case(qmail: Qmail) -> None:
        await qmail.observe()
        if next(waits):
            await asyncio.Event().wait()

    result = tried(case, ScriptedPod())
    assert result.outcome == "invalid"
    assert result.seen.endswith("invalid from the record (the case did not end within 0.05 s)")


# What says nothing about qmail


def test_a_pod_that_fails_is_no_verdict_about_qmail() -> None:
    class Failing(ScriptedPod):
        async def send(self, connection: int, data: bytes) -> bool:
            raise PodFailure("the container has gone")

    result = tried(greets, Failing(b"220 mx\r\n"))
    again = asyncio.run(replay(greets, stored(result.record), NO_SECRETS))
    for each in (result, again):
        assert (each.outcome, each.seen) == ("invalid", "the container has gone")
    assert [act.act for act in result.record.acts] == ["prepare", "connect", "receive", "failure"]


@pytest.mark.parametrize("name", ["forgotten.example", "FORGOTTEN.example", "route.example", "far.example"])
def test_a_name_that_qmail_was_given_and_no_zone_knows_is_the_mistake_of_a_file_alone(name: str) -> None:
    async def of_a_file(internet: Internet, qmail: Qmail) -> None:
        internet.arrange(World(zones=[]))
        await asks(internet, qmail)

    seen = Observation(stray=[f"{name} MX"])
    result = tried(of_a_file, ScriptedPod(seen=seen))
    assert (result.outcome, result.seen) == (
        "invalid",
        f"qmail asked for a name outside the world: {name} MX",
    )
    result = tried(asks, ScriptedPod(seen=seen))
    assert result.outcome == "unmet"
    assert f"it has no business with here: {name} MX" in result.seen


@pytest.mark.parametrize("name", ["forgotten.exampleQ", "gotten.example", "forgotten", "x\0", "example", ""])
def test_a_name_that_nobody_gave_qmail_is_its_own_doing(name: str) -> None:
    asked = [f"{name} MX", f"{name} MX", *(f"{number}.a.invalid A" for number in range(9))]
    result = tried(asks, ScriptedPod(seen=Observation(stray=asked)))
    some = f"{name} MX, 0.a.invalid A, 1.a.invalid A and 7 more"
    why = f"qmail asked the DNS for a name that nobody gave it: {some}"
    assert (result.outcome, result.seen.partition("\n")[0]) == ("unmet", why)


class Mute(ScriptedPod):
    async def receive(self, connection: int, limit: float) -> bytes | None:
        return await asyncio.Event().wait() and None


async def observes_for_ever(qmail: Qmail) -> None:
    """A case that never waits, and is ended by its acts."""
    while True:
        await qmail.observe()


@pytest.mark.parametrize(("case", "pod"), [(greets, Mute()), (observes_for_ever, ScriptedPod())])
def test_a_case_that_does_not_end_is_no_verdict_about_qmail(case: Case, pod: ScriptedPod) -> None:
    async def both() -> Attempt:
        return await judge(case, await record(case, pod, NO_SECRETS, limit=0.05), NO_SECRETS)

    result = asyncio.run(both())
    assert (result.outcome, result.seen) == ("invalid", "the case did not end within 0.05 s")
    assert [act.act for act in result.record.acts][-1] == "failure"


# Secrets


def test_no_password_is_in_a_record() -> None:
    pod = ScriptedPod(b"220 mx\r\n", b"250 mx\r\n", b"235 ok\r\n")
    written = json.dumps(encode(tried(authenticates, pod, fixture_secrets()).record))
    assert plain("alice").encode() in pod.sent
    assert plain("alice") not in written
    assert password("alice") not in written
    assert "<plain of alice>" in written


def test_a_case_and_its_record_see_the_same_hidden_octets() -> None:
    async def case(qmail: Qmail) -> None:
        assert (await qmail.observe()).mailboxes == {"alice": ["<password of alice>"]}
        async with await qmail.connect() as smtp:
            assert (await smtp.command("NOOP")).text == "<password of alice>"

    pod = ScriptedPod(
        b"220 mx\r\n", b"250 wonderland\r\n", seen=Observation(mailboxes={"alice": ["wonderland"]})
    )
    assert tried(case, pod, Secrets({"alice": b"wonderland"})).outcome == "met"


def test_every_secret_is_hidden_wherever_it_stands() -> None:
    secrets = Secrets({"alice": b"wonderland", "bob": b"password"})
    hidden = secrets.hide(["short", "wonderland", "x" * 300 + "wonderland", {"wonderland": "a password"}])
    tokens = ["short", "<password of alice>", "x" * 300 + "<password of alice>"]
    assert hidden == [*tokens, {"<password of alice>": "a <password of bob>"}]
    seen = Observation(mailboxes={"alice": ["password"]}, hook_calls=[])
    assert secrets.hide(seen) == Observation(mailboxes={"alice": ["<password of bob>"]})
    with_none = Secrets({"carol": b"", "bob": b"password"})
    assert with_none.hide(("a text", "a password")) == ("a text", "a <password of bob>")


@pytest.mark.parametrize("raised", [KeyError("oo"), SystemExit(3), asyncio.CancelledError(), TimeoutError()])
def test_whatever_a_case_raises_is_its_own_failure(raised: BaseException) -> None:
    async def case(qmail: Qmail) -> None:
        await qmail.observe()
        raise raised

    result = tried(case, ScriptedPod())
    assert result.outcome == "invalid"
    assert result.seen.startswith(f"the case itself failed: {type(raised).__name__}: {raised}")
    assert result.seen.endswith(f" (test_recording.py, line {case.__code__.co_firstlineno + 2})")
    assert type(result.error) is type(raised)


async def changes_what_it_saw(qmail: Qmail) -> None:
    seen = await qmail.observe()
    seen.log[:] = ["nobody has seen this"]
    assert "nobody has seen this" not in (await qmail.observe()).log


def test_a_case_cannot_change_its_record() -> None:
    result = asyncio.run(attempt(changes_what_it_saw, ReferencePod(()), NO_SECRETS))
    assert result.outcome == "met"
    assert "nobody has seen this" not in json.dumps(encode(result.record))
