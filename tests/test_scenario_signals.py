"""Signals for qmail-send in a scenario: when they come, what they do, and that explore sees it."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from conformance.explore.document import Document, made, text_of
from conformance.explore.finding import fewer_chats
from conformance.explore.judging import AgainstModel
from conformance.explore.playing import ReferenceSide
from conformance.pod.record import Act, Connect, Receive, Record, Signal
from conformance.scenario.pieces import blocks, without
from conformance.scenario.reading import read_scenario
from conformance.scenario.trial import Trials, Tried
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.ready import Images, make_ready

FILE = Path("again.toml")
#: Of a file that no signal has read again: who begins later reads it as it is.
GREETING = {"smtpgreeting": "changed.example"}
NEW = ["here.example", "new.example"]


def chat(*recipients: str) -> str:
    said = ["MAIL FROM:<carol@here.example>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]
    return "".join(f"> {line}\n< *\n" for line in said) + "| Subject: hello\n< *\n"


#: A program puts alice's second delivery off; new.example is local, and then one of bob's, once that is read.
AGAIN: Document = {
    "delivering": True,
    "session": [
        chat("alice@here.example", "alice-x@here.example"), chat("bob@new.example", "boxes@other.example")
    ],
    "zones": {"new.example": "", "other.example": ""},
    "environment": {"RELAYCLIENT": ""},
    "dot-qmail": {
        "alice/.qmail-x": "|/var/lib/conformance/filter\n./Maildir/", "bob/.qmail-boxes": "./Maildir/"
    },
    "delivery-program": {"filter": {"statuses": [111]}},
    "signal": [
        {"name": "ALRM", "after": 1},
        {
            "name": "HUP", "after": 1,
            "control": {"locals": NEW, "virtualdomains": ["other.example:bob"], **GREETING},
        },
    ],
}  # fmt: skip
EXPECT = "\n[expect]\nmailboxes = { alice = 2, bob = 2 }\nqueue = 0\n"


@pytest.fixture(scope="module")
def tried() -> list[Tried]:
    plan: Plan = make_ready(("reference-stock", "reference-ppa~again.ignored"), Images())
    with Trials(plan) as trials:
        return trials.run(read_scenario(text_of(AGAIN) + EXPECT, FILE))


def acts(record: Record, *kinds: type[Act]) -> list[Act]:
    return [act for act in record.acts if isinstance(act, kinds)]


def test_what_waits_is_tried_again_and_files_are_read_again_between_two_sessions(tried: list[Tried]) -> None:
    stock, flawed = tried
    assert stock.met, [check for check in stock.checks if not check.met]
    assert [check.what for check in flawed.checks if not check.met] == ["mailboxes alice: 2", "queue: 0"]
    assert [check.what for check in stock.checks] == [check.what for check in flawed.checks]


def test_a_signal_comes_after_its_session_with_its_files(tried: list[Tried]) -> None:
    done = acts(tried[0].record, Connect, Signal)
    assert [each.act for each in done] == ["connect", "signal", "signal", "connect"]
    alarm, hangup = (act for act in done if isinstance(act, Signal))
    assert (alarm.name, alarm.control) == ("ALRM", {})
    assert (hangup.name, hangup.control) == (
        "HUP", {
            "locals": "here.example\nnew.example\n", "virtualdomains": "other.example:bob\n",
            "smtpgreeting": "changed.example\n",
        },
    )  # fmt: skip
    greetings = [act.data for act in acts(tried[0].record, Receive) if "ESMTP" in (act.data or "")]
    assert [str(data).split()[1] for data in greetings] == ["mx.here.example", "changed.example"]


def test_one_without_a_number_comes_after_the_last_session() -> None:
    text = text_of({**AGAIN, "signal": [{"name": "ALRM"}]})
    (signal,) = read_scenario(text, FILE).signals
    assert (signal.after, text.splitlines()[signal.number - 1]) == (2, "[[signal]]")


def test_each_signal_can_be_taken_out_of_a_scenario() -> None:
    text = text_of(AGAIN)
    smaller = [read_scenario(without(text, set(piece)), FILE) for piece in blocks(text)[-2:]]
    assert [[signal.name for signal in scenario.signals] for scenario in smaller] == [["HUP"], ["ALRM"]]


def test_a_document_with_fewer_chats_keeps_its_signals() -> None:
    late = {**AGAIN, "signal": [{"name": "ALRM", "after": 2}]}
    assert [made(document).scenario.signals[0].after for document in fewer_chats(late)] == [1, 1]
    assert tomllib.loads(text_of(late)) == late


@pytest.mark.parametrize("flaw", ["ignored", "twice", "locals-not-reread", "virtual-not-reread"])
def test_explore_sees_what_qmail_send_does_with_a_signal(flaw: str) -> None:
    async def found() -> bool:
        sides = (
            ReferenceSide(parse_target(name)) for name in (f"reference-ppa~again.{flaw}", "reference-ppa")
        )
        return bool((await AgainstModel(*sides).judge(made(AGAIN))).differences)

    assert asyncio.run(found())
