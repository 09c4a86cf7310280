"""Mail that qmail-remote brings to its own host: the embedded pod's qmail-smtpd at 127.0.0.1:25."""

import asyncio
from collections.abc import Iterable

import pytest

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.explore.document import Document, made
from conformance.explore.invariants import broken
from conformance.explore.playing import ReferenceSide
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.delivery import DeliveryReport, read_reports
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.observation import Observation
from conformance.pod.record import Observe
from conformance.pod.world import Exchanger, World
from conformance.targets.embedded import ReferencePod
from conformance.targets.names import parse_target

CONTROL = {"me": "mx.here.example\n", "rcpthosts": "here.example\n", "timeoutremote": "7\n"}
#: The best exchanger of big.example is this host, by the second another one; out is an alias.
ZONE = """\
$ORIGIN big.example.
@ MX 10 here
here A 127.0.0.1
@ MX 20 two
two A 127.0.0.3
out CNAME two.other.example.
"""
TO_ITSELF = {**CONTROL, "smtproutes": ":127.0.0.1\n"}


def sent(
    patches: Iterable[str],
    configuration: Configuration,
    recipient: str = "alice@here.example",
    sender: str = "a@here.example",
) -> tuple[DeliveryReport, Observation]:
    """What qmail-remote reports of a message, and what is seen then."""
    zones = [ZONE, "$ORIGIN other.example.\ntwo A 127.0.0.3\n"]

    async def whole() -> tuple[DeliveryReport, Observation]:
        pod = ReferencePod(tuple(patches))
        await pod.prepare(World(zones=zones, exchangers=[Exchanger("127.0.0.3")]), configuration)
        host = recipient.rpartition("@")[2].removeprefix("out.")
        result = await pod.remote(host, sender, [recipient], b"Subject: x\n\nx\n", 100)
        return read_reports(result), await pod.observe()

    return asyncio.run(whole())


def test_mail_for_an_alias_is_tried_at_this_host_where_its_exchanger_is_best() -> None:
    delivery, seen = sent(STOCK_PATCHES, Configuration(CONTROL), "b@out.big.example")
    assert delivery.letters == "hD"
    assert delivery.recipients[0].text.startswith("127.0.0.1 does not like recipient.")
    logged = "qmail-smtpd: pid 1001 from 127.0.0.1: Recipient domain not in rcpthosts <b@two.other.example>"
    assert logged in seen.log
    assert seen.mx_sessions == []


def test_without_the_lookup_of_aliases_such_mail_is_refused_and_nobody_called() -> None:
    delivery, seen = sent((*STOCK_PATCHES, "0004"), Configuration(CONTROL), "b@out.big.example")
    assert delivery.letters == "D"
    assert "(#5.4.6)" in delivery.text
    assert seen.log == []


@pytest.mark.parametrize("route", ["127.0.0.1", "127.0.0.1:25", "0.0.0.0"])
def test_what_this_host_takes_in_is_in_its_queue(route: str) -> None:
    delivery, seen = sent(STOCK_PATCHES, Configuration({**CONTROL, "smtproutes": f":{route}\n"}))
    assert delivery.accepted
    assert delivery.names_this_host
    assert [message.recipients for message in seen.queue] == [["alice@here.example"]]
    assert seen.sessions == []  # it is no session of a client of ours


def test_at_another_port_of_this_host_nobody_listens() -> None:
    delivery, seen = sent(STOCK_PATCHES, Configuration({**CONTROL, "smtproutes": ":127.0.0.1:2525\n"}))
    assert delivery.letters == "Z"
    assert seen.log == []


def test_what_keeps_qmail_smtpd_waiting_keeps_qmail_remote_waiting() -> None:
    configuration = Configuration(
        {**TO_ITSELF, "smtproutes": ":127.0.0.1|someone|made-up\n"},
        environment={"SMTPAUTH": ""},
        password_check=PasswordCheck(),
    )
    delivery, _ = sent(PPA_PATCHES, configuration)
    assert 5 <= delivery.seconds < 7  # a failed AUTH is answered after five seconds


def test_a_session_that_qmail_remote_has_left_ends_when_it_sees_that() -> None:
    async def whole() -> list[str]:
        control = {**TO_ITSELF, "timeoutremote": "3\n", "smtproutes": ":127.0.0.1|someone|made-up\n"}
        configuration = Configuration(control, environment={"SMTPAUTH": ""}, password_check=PasswordCheck())
        pod = ReferencePod(PPA_PATCHES)
        await pod.prepare(World(), configuration)
        await pod.remote("here.example", "a@here.example", ["alice@here.example"], b"\n", 100)
        return (await pod.observe()).log

    log = asyncio.run(whole())
    assert "qmail-smtpd: pid 1001 from 127.0.0.1: auth - authentication failed" in log
    assert "qmail-smtpd: pid 1001 from 127.0.0.1: Read error (disconnect?): quitting" in log


def test_without_time_to_wait_no_reply_is_waited_for() -> None:
    async def whole() -> str:
        pod = ReferencePod(STOCK_PATCHES)
        await pod.prepare(World(), Configuration({**TO_ITSELF, "timeoutremote": "0\n"}))
        await pod.pause(await pod.connect(), 0.5)
        given = "here.example", "a@here.example", ["alice@here.example"], b"\n", 100
        return (await pod.remote(*given)).report

    assert "connection died" in asyncio.run(whole())


def test_a_session_begins_with_the_control_files_that_there_are() -> None:
    async def whole() -> bytes:
        pod = ReferencePod(STOCK_PATCHES)
        await pod.prepare(World(), Configuration(CONTROL))
        await pod.packages("begin")
        await pod.packages("purge")
        await pod.signal("HUP", {"me": "new.example\n"})
        return await pod.receive(await pod.connect(), 5) or b""

    assert asyncio.run(whole()).startswith(b"220 new.example ")


def test_qmail_remote_waits_no_longer_than_it_may_for_its_own_host() -> None:
    configuration = Configuration(TO_ITSELF, recipient_check=RecipientCheck(fate="hang"))
    delivery, seen = sent(PPA_PATCHES, configuration)
    assert delivery.letters == "Z"
    assert "connection died" in delivery.text
    assert delivery.seconds == 7
    assert seen.queue == []


def test_mail_to_itself_is_delivered_from_its_queue() -> None:
    async def whole() -> Observation:
        control = {**TO_ITSELF, "locals": "mx.here.example\n", "virtualdomains": "\n"}
        pod = ReferencePod(STOCK_PATCHES)
        await pod.prepare(World(), Configuration(control, delivering=True))
        connection = await pod.connect()
        said = b"MAIL FROM:<>\r\nRCPT TO:<alice@here.example>\r\nDATA\r\n\r\n.\r\nQUIT\r\n"
        await pod.send(connection, said)
        while await pod.receive(connection, 10):
            pass
        assert await pod.wait_until_idle(1000)
        return await pod.observe()

    seen = asyncio.run(whole())
    hops = [line for line in seen.log if "Message accepted" in line]
    assert len(hops) > 10  # here.example is not local: it comes in again and again
    assert any(line.endswith("Exceeded hop count") for line in seen.log)


def test_a_case_believes_what_this_host_took_in_if_it_is_queued() -> None:
    async def delivered(flaws: list[str], program: bool = False) -> None:
        internet = Internet()
        qmail = Qmail(ReferencePod(STOCK_PATCHES, frozenset(flaws)), internet)
        qmail.control.update(TO_ITSELF)
        if program:
            qmail.queue_with(queues=False)
        await qmail.remote("here.example", "a@here.example", ["alice@here.example", "bob@here.example"])

    asyncio.run(delivered([]))
    asyncio.run(delivered([], program=True))  # which has it, and hands nothing on
    for flaw in ("smtpd.accepts-without-queueing", "smtpd.last-recipient-lost"):
        with pytest.raises(AssertionError, match="no host has accepted"):
            asyncio.run(delivered([flaw]))


@pytest.mark.parametrize(
    ("flaw", "promises"),
    [("", []), ("~smtpd.accepts-without-queueing", ["a message is accepted and not queued"])],
)
def test_explore_asks_the_queue_for_what_this_host_took_in(flaw: str, promises: list[str]) -> None:
    side = ReferenceSide(parse_target(f"reference-stock{flaw}"))
    document = {
        "control": {"smtproutes": [":127.0.0.1"]},
        "deliver": [{"recipients": ["alice@here.example", "bob@here.example"]}],
    }
    scenario = made(document)
    assert broken(asyncio.run(side.play(scenario)), scenario.scenario) == promises


def test_who_has_authenticated_to_this_host_may_relay() -> None:
    side = ReferenceSide(parse_target("reference-ppa"))
    document: Document = {
        "control": {"smtproutes": [f":127.0.0.1|alice|{passwords(load_users())['alice']}"]},
        "auth": {"mode": ""},
        "deliver": [{"recipients": ["b@big.example"]}],
    }
    scenario = made(document)
    record = asyncio.run(side.play(scenario))
    assert any(isinstance(act, Observe) and act.seen.queue for act in record.acts)
    assert broken(record, scenario.scenario) == []
