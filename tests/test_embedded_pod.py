"""The embedded pod: its clock, its concurrent sessions, delivery and what can be seen of it."""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.errors import UsageError
from conformance.internet.zones import load_zone
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, PasswordCheck, Program, RecipientCheck
from conformance.pod.delivery import read_reports
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.observation import Observation
from conformance.pod.world import Exchanger, World
from conformance.targets.embedded import ReferencePod
from tests.agents import on_a_loop

CONTROL = {"me": "mx.here.example\n", "locals": "here.example\nmx.here.example\n", "timeoutsmtpd": "30\n"}


def with_pod(test: Callable[[ReferencePod], Awaitable[None]]) -> Callable[[], None]:
    """A coroutine as a test of a pod."""

    async def whole() -> None:
        await test(ReferencePod(PPA_PATCHES))

    return on_a_loop(whole)


async def drain(pod: ReferencePod, connection: int, limit: float = 10.0) -> str:
    said = b""
    while more := await pod.receive(connection, limit):
        said += more
    return said.decode("latin-1")


async def submitted(
    pod: ReferencePod,
    configuration: Configuration,
    sender: str,
    recipients: list[str],
    world: World = World(),  # noqa: B008  nobody changes it
) -> None:
    """The pod is set up, and a message comes in by SMTP."""
    await pod.prepare(world, configuration)
    await handed_in(pod, sender, recipients)


async def handed_in(pod: ReferencePod, sender: str, recipients: list[str]) -> None:
    """A message comes in by SMTP."""
    connection = await pod.connect()
    envelope = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in recipients)
    said = f"MAIL FROM:<{sender}>\r\n{envelope}DATA\r\nS: x\r\n\r\ny\r\n.\r\nQUIT\r\n"
    await pod.send(connection, said.encode("latin-1"))
    assert "250 ok 17000" in await drain(pod, connection)


async def delivered(
    pod: ReferencePod, configuration: Configuration, sender: str, recipients: list[str]
) -> Observation:
    """What stands in the world when a message has come in by SMTP and qmail-send rests."""
    await submitted(pod, configuration, sender, recipients)
    assert await pod.wait_until_idle(60)
    return await pod.observe()


@with_pod
async def test_it_tells_how_sessions_ended_and_what_they_hold(pod: ReferencePod) -> None:
    await pod.prepare(World(), Configuration(CONTROL))
    quits, closes, stays = [await pod.connect() for _ in range(3)]
    await pod.send(quits, b"QUIT\r\n")
    await pod.close(closes)
    first, second, third = (await pod.observe()).sessions
    assert [each.connection for each in (first, second, third)] == [quits, closes, stays]
    assert [(each.status, each.descriptors) for each in (first, second, third)] == [(0, 0), (1, 0), (None, 3)]
    await pod.prepare(World(), Configuration(CONTROL))
    assert (await pod.observe()).sessions == []


@with_pod
async def test_a_silent_session_ends_when_the_clock_has_reached_its_limit(pod: ReferencePod) -> None:
    await pod.prepare(World(), Configuration(CONTROL))
    connection = await pod.connect()
    assert await pod.receive(connection, 1) == b"220 mx.here.example ESMTP\r\n"
    assert await pod.receive(connection, 29) is None
    assert await pod.receive(connection, 5) == b"451 timeout (#4.4.2)\r\n"
    assert await pod.receive(connection, 5) == b""
    assert pod.clock.at == 30
    assert not await pod.send(connection, b"NOOP\r\n")


@with_pod
async def test_failed_authentications_of_two_sessions_wait_side_by_side(pod: ReferencePod) -> None:
    await pod.prepare(World(), Configuration(CONTROL, {"SMTPAUTH": ""}, password_check=PasswordCheck()))

    async def session() -> str:
        connection = await pod.connect()
        await pod.receive(connection, 1)
        await pod.send(connection, b"AUTH PLAIN AGFsaWNlAHg=\r\nQUIT\r\n")
        return await drain(pod, connection)

    replies = await asyncio.gather(session(), session())
    assert [reply[:3] for reply in replies] == ["535", "535"]
    assert pod.clock.at == 5


@with_pod
async def test_the_programs_runs_are_noted(pod: ReferencePod) -> None:
    check = RecipientCheck({"bob@here.example": 100})
    environment = {"SMTPAUTH": "+cram", "EXTRA": "x"}
    await pod.prepare(World(), Configuration(CONTROL, environment, check, PasswordCheck()))
    connection = await pod.connect()
    await pod.receive(connection, 1)
    await pod.send(connection, b"MAIL FROM:<>\r\nRCPT TO:<bob@here.example>\r\nRSET\r\nAUTH CRAM-MD5\r\n")
    said = await drain(pod, connection, 1)
    challenge = base64.b64decode(said.rpartition("334 ")[2])
    digest = hmac.new(b"wonderland-7", challenge, hashlib.md5).hexdigest().encode("ascii")
    await pod.send(connection, base64.b64encode(b"alice " + digest) + b"\r\n")
    assert (await drain(pod, connection, 1))[:3] == "235"
    recipient, password = (await pod.observe()).hook_calls
    assert recipient.environment["SENDER"] == ""
    assert recipient.environment["EXTRA"] == "x"
    assert (recipient.directory, recipient.arguments) == ("/var/lib/qmail", [])
    assert (password.user, password.accepted) == ("alice", True)
    assert password.challenge == challenge.decode("ascii")


@with_pod
async def test_nothing_is_left_after_prepare_and_old_connections_are_gone(pod: ReferencePod) -> None:
    await pod.prepare(World(), Configuration(CONTROL))
    connection = await pod.connect()
    await pod.send(connection, b"MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n.\r\n")
    assert len((await pod.observe()).queue) == 1
    await pod.prepare(World(), Configuration(CONTROL))
    assert await pod.observe() == Observation()
    with pytest.raises(PodFailure):
        await pod.send(connection, b"NOOP\r\n")
    assert await pod.connect() != connection


@with_pod
async def test_local_delivery_follows_dot_qmail_files(pod: ReferencePod) -> None:
    files = {"alice/.qmail-list-default": "# all of it\n./Maildir/\n&bob@here.example\n", "carol/.qmail": ""}
    recipients = ["alice-list-x@here.example", "Carol@here.example", "postmaster@here.example"]
    configuration = Configuration(CONTROL, delivering=True, dot_qmail=files)
    seen = await delivered(pod, configuration, "x@here.example", recipients)
    counts = {user: len(messages) for user, messages in seen.mailboxes.items()}
    assert counts == {"alice": 1, "bob": 1, "carol": 1, "alias": 1}
    start = "Return-Path: <x@here.example>\nDelivered-To: bob@here.example\nReceived: (qmail "
    assert seen.mailboxes["bob"][0].startswith(start)
    assert "\nDelivered-To: alice-list-x@here.example\n" in seen.mailboxes["bob"][0]
    assert seen.queue == []


@with_pod
async def test_a_failed_bounce_goes_to_the_postmaster_and_no_further(pod: ReferencePod) -> None:
    configuration = Configuration(CONTROL, delivering=True)
    seen = await delivered(pod, configuration, "", ["nobody@here.example"])
    assert "the bounce bounced!" in seen.mailboxes["alias"][0]
    configuration = Configuration({**CONTROL, "doublebounceto": "nobody"}, delivering=True)
    seen = await delivered(pod, configuration, "", ["nobody@here.example"])
    assert (seen.mailboxes, seen.queue) == ({}, [])
    assert any(line.startswith("triple bounce: discarding") for line in seen.log)


@with_pod
async def test_a_sender_of_which_nothing_is_left_is_the_null_sender(pod: ReferencePod) -> None:
    configuration = Configuration(CONTROL, delivering=True)
    seen = await delivered(pod, configuration, "-@[]", ["nobody@here.example"])
    assert "\nReturn-Path: <>\n" in seen.mailboxes["alias"][0].partition("the original bounce.\n")[2]


@with_pod
async def test_what_a_program_has_printed_stands_before_what_fails_behind_it(pod: ReferencePod) -> None:
    files = {"alias/.qmail-list": "|forward bob@here.example\n./nowhere/\n"}
    configuration = Configuration(CONTROL, delivering=True, dot_qmail=files)
    seen = await delivered(pod, configuration, "x@here.example", ["list@here.example"])
    [line] = [line for line in seen.log if line.startswith("delivery 1: ")]
    assert re.fullmatch(r"delivery 1: deferral: forward:_qp_\d+/Unable_to_chdir_to_maildir\._.*", line)


@with_pod
async def test_deliveries_that_may_not_start_keep_no_message_from_being_taken_up(pod: ReferencePod) -> None:
    control = {**CONTROL, "concurrencylocal": "0\n"}
    await submitted(pod, Configuration(control, delivering=True), "x@here.example", ["bob@here.example"])
    connection = await pod.connect()
    said = b"MAIL FROM:<>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\n.\r\nQUIT\r\n"
    await pod.send(connection, said)
    await drain(pod, connection)
    assert not await pod.wait_until_idle(60)
    assert len([line for line in (await pod.observe()).log if line.startswith("new msg ")]) == 2


@with_pod
async def test_a_long_report_is_cut_as_qmail_lspawn_cuts_it(pod: ReferencePod) -> None:
    files = {"alias/.qmail-list": "|/var/lib/conformance/filter\n"}
    programs = {"filter": Program(default=111, says="x" * 3000 + "\n")}
    configuration = Configuration(CONTROL, delivering=True, dot_qmail=files, delivery_programs=programs)
    seen = await delivered(pod, configuration, "x@here.example", ["list@here.example"])
    cut = "x" * 2966 + "/Error_report_too_long,_sorry./"
    assert f"delivery 1: deferral: {cut}" in seen.log


@with_pod
async def test_as_many_deliveries_run_at_once_as_the_spawns_allow(pod: ReferencePod) -> None:
    control = {**CONTROL, "concurrencylocal": "4294967295\n", "concurrencyremote": "255\n"}
    configuration = Configuration(control, delivering=True)
    seen = await delivered(pod, configuration, "x@here.example", ["bob@here.example"])
    assert "status: local 0/120 remote 0/120" in seen.log


@with_pod
async def test_a_nul_divides_a_line_of_a_control_file(pod: ReferencePod) -> None:
    await pod.prepare(World(), Configuration({**CONTROL, "rcpthosts": "a.example\0b.example\n\0c.example\n"}))
    connection = await pod.connect()
    said = "".join(f"RCPT TO:<x@{host}.example>\r\n" for host in "abc")
    await pod.send(connection, f"MAIL FROM:<>\r\n{said}QUIT\r\n".encode("ascii"))
    heard = await drain(pod, connection)
    assert [line[:3] for line in heard.split("\r\n")[2:-2]] == ["250", "250", "553"]


@with_pod
async def test_an_empty_me_is_local_where_nothing_else_is(pod: ReferencePod) -> None:
    configuration = Configuration({"me": "\n"}, delivering=True)
    seen = await delivered(pod, configuration, "x@here.example", ["bob@"])
    assert "starting delivery 1: msg 1 to local bob@" in seen.log


@on_a_loop
async def test_whose_an_address_is_says_its_last_host_behind_a_percent_too() -> None:
    control = {**CONTROL, "percenthack": "here.example\n"}
    configuration = Configuration(control, delivering=True, environment={"RELAYCLIENT": "@here.example"})
    seen = await delivered(ReferencePod(()), configuration, "", ["x%big.example@here.example"])
    assert any("to local x@big.example@here.example" in line for line in seen.log)


@with_pod
async def test_what_a_program_prints_is_reported_up_to_a_nul(pod: ReferencePod) -> None:
    program = Program(default=111, says="a\0b\n")
    files = {"alias/.qmail-list": "|/var/lib/conformance/filter\n"}
    configuration = Configuration(
        CONTROL, delivering=True, dot_qmail=files, delivery_programs={"filter": program}
    )
    seen = await delivered(pod, configuration, "x@here.example", ["list@here.example"])
    assert "delivery 1: deferral: a" in seen.log


@with_pod
async def test_what_is_read_last_of_too_long_a_report_is_kept_where_it_has_room(pod: ReferencePod) -> None:
    files = {"alias/.qmail-list": "|/var/lib/conformance/filter\n|/var/lib/conformance/second\n"}
    programs = {"filter": Program(says="x" * 3072 + "wxyz"), "second": Program(says="so\n", default=111)}
    configuration = Configuration(CONTROL, delivering=True, dot_qmail=files, delivery_programs=programs)
    seen = await delivered(pod, configuration, "x@here.example", ["list@here.example"])
    report = "x" * (3000 - 31 - 3) + "/Error_report_too_long,_sorry./so/"
    assert f"delivery 1: deferral: {report}" in seen.log


@with_pod
async def test_what_waits_of_a_message_is_where_it_goes_and_its_age_counts_from_there(
    pod: ReferencePod,
) -> None:
    control = {**CONTROL, "locals": "here.example\n", "queuelifetime": "0\n"}
    files = {"alias/.qmail-list": "&nobody\n"}
    configuration = Configuration(
        control, delivering=True, dot_qmail=files, remote_program=Program(fate="crash")
    )
    await submitted(pod, configuration, "x@here.example", ["list@here.example"])
    connection = await pod.connect()
    await pod.pause(connection, 2)
    assert await pod.wait_until_idle(60)
    seen = await pod.observe()
    assert [message.recipients for message in seen.queue] == [["nobody@mx.here.example"]]
    assert {file.group for file in seen.files if "/mess/" in file.path} == {"nofiles"}


@with_pod
async def test_what_is_due_at_once_does_not_grow_old_while_one_of_it_is_tried(pod: ReferencePod) -> None:
    hosts = {"silent": "127.0.0.2", "closed": "127.0.0.3"}
    zones = [f"$ORIGIN {name}.example.\n@ A {address}\n" for name, address in hosts.items()]
    world = World(zones=zones, exchangers=[Exchanger("127.0.0.2", silent=True)])
    control = {**CONTROL, "queuelifetime": "1\n", "timeoutconnect": "3\n"}
    configuration = Configuration(control, delivering=True, environment={"RELAYCLIENT": ""})
    await submitted(pod, configuration, "", ["x@silent.example"], world)
    assert await pod.wait_until_idle(60)
    await handed_in(pod, "", ["x@closed.example"])
    for _ in range(2):
        assert await pod.wait_until_idle(60)
        await pod.signal("ALRM", {})
    assert [message.recipients for message in (await pod.observe()).queue] == [["x@closed.example"]]


@with_pod
async def test_a_delivery_that_does_not_end_keeps_no_other_one_waiting(pod: ReferencePod) -> None:
    world = World(
        zones=["$ORIGIN slow.example.\n@ A 127.0.0.2\n"], exchangers=[Exchanger(steps={"connect": "stall"})]
    )
    configuration = Configuration(CONTROL, delivering=True, environment={"RELAYCLIENT": ""})
    await submitted(pod, configuration, "alice@here.example", ["x@slow.example"], world)
    await handed_in(pod, "alice@here.example", ["nobody@here.example"])
    assert not await pod.wait_until_idle(60)
    seen = await pod.observe()
    assert [message.recipients for message in seen.queue] == [["x@slow.example"]]
    assert len(seen.mailboxes["alice"]) == 1
    await pod.signal("ALRM", {})
    assert not await pod.wait_until_idle(60)
    assert sum("to remote x@slow.example" in line for line in (await pod.observe()).log) == 1


@with_pod
async def test_the_age_of_a_message_counts_from_when_it_came(pod: ReferencePod) -> None:
    control = {**CONTROL, "queuelifetime": "0\n"}
    configuration = Configuration(control, delivering=True, environment={"RELAYCLIENT": ""})
    world = World(zones=["$ORIGIN closed.example.\n@ A 127.0.0.3\n"])
    await submitted(pod, configuration, "", ["x@closed.example"], world)
    connection = await pod.connect()
    await pod.pause(connection, 2)
    await pod.wait_until_idle(60)
    await pod.signal("ALRM", {})
    await pod.wait_until_idle(60)
    assert not (await pod.observe()).queue


@with_pod
async def test_mail_of_one_message_is_born_while_another_is_still_tried(pod: ReferencePod) -> None:
    control = {**CONTROL, "queuelifetime": "0\n", "timeoutremote": "2\n", "timeoutconnect": "2\n"}
    configuration = Configuration(control, delivering=True, environment={"RELAYCLIENT": ""})
    world = World(
        zones=["$ORIGIN closed.example.\n@ A 127.0.0.3\n", "$ORIGIN slow.example.\n@ A 127.0.0.2\n"],
        exchangers=[Exchanger(steps={"connect": "stall"})],
    )
    await submitted(pod, configuration, "", ["x@slow.example"], world)
    await handed_in(pod, "x@closed.example", ["nobody@here.example"])
    connection = await pod.connect()
    await pod.pause(connection, 2.6)
    assert [each.sender for each in (await pod.observe()).queue] == ["", ""]
    await pod.signal("ALRM", {})
    began = pod.clock.at
    await pod.wait_until_idle(60)
    assert not (await pod.observe()).queue, "both are too old"
    assert pod.clock.at == began + 2


@with_pod
async def test_all_that_is_there_is_delivered_while_a_session_says_nothing(pod: ReferencePod) -> None:
    configuration = Configuration(CONTROL, delivering=True)
    await pod.prepare(World(), configuration)
    for _ in range(30):
        await handed_in(pod, "", ["alice@here.example"])
    await pod.pause(await pod.connect(), 1)
    assert len((await pod.observe()).mailboxes["alice"]) == 30


@with_pod
async def test_a_bounce_is_born_while_a_session_says_nothing_and_not_behind_it(pod: ReferencePod) -> None:
    control = {**CONTROL, "queuelifetime": "1\n"}
    configuration = Configuration(control, delivering=True, environment={"RELAYCLIENT": ""})
    world = World(zones=["$ORIGIN closed.example.\n@ A 127.0.0.3\n"])
    await submitted(pod, configuration, "x@closed.example", ["nobody@here.example"], world)
    connection = await pod.connect()
    began = pod.clock.at
    await pod.pause(connection, 3)
    assert pod.clock.at == began + 3
    assert [(each.sender, each.recipients) for each in (await pod.observe()).queue] == [
        ("", ["x@closed.example"])
    ]
    await pod.signal("ALRM", {})
    await pod.wait_until_idle(60)
    assert not (await pod.observe()).queue


@on_a_loop
async def test_mail_that_begets_mail_for_ever_is_still_at_work() -> None:
    pod = ReferencePod(PPA_PATCHES, frozenset({"send.bounce-with-sender"}))
    configuration = Configuration({**CONTROL, "doublebounceto": "nobody"}, delivering=True)
    await submitted(pod, configuration, "", ["nobody@here.example"])
    assert not await pod.wait_until_idle(60)
    assert (await pod.observe()).queue


def test_the_fixtures_users() -> None:
    users = load_users()
    assert {"alice", "bob", "alias"} <= set(users)
    secrets = passwords(users)
    assert "alias" not in secrets
    assert max(len(secret) for secret in secrets.values()) == 255
    assert any(ord(letter) > 127 for secret in secrets.values() for letter in secret)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("users = 1", r"tables \[users.NAME\]"),
        ("[users.Alice]", r"\[users.Alice\]"),
        ("[users.alice]\npasword = 'x'", "pasword"),
        ("[users.alice]\npassword = ''", "1 to 255 octets"),
        ("[users.alice]\npassword = 'x'\nrepeat = 256", "255"),
        ("[users.alice]\npassword = ''\nrepeat = 100000000000000000", "from 1 to 255"),
        ("[users.alice.dot-qmail]\n'../x' = ''", "dot-qmail file name"),
        ("[users", "users.toml"),
    ],
)
def test_what_is_wrong_with_users_is_said(tmp_path: Path, content: str, wrong: str) -> None:
    file = tmp_path / "users.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=wrong) as raised:
        load_users(file)
    assert str(file) in str(raised.value)


@with_pod
async def test_a_host_with_a_pace_takes_its_time_on_the_clock(pod: ReferencePod) -> None:
    for pace, letters in ((0.5, "rK"), (2.0, "Z")):
        world = World(
            [load_zone("plain.example")], exchangers=[Exchanger(steps={"connect": "220 x"}, pace=pace)]
        )
        await pod.prepare(world, Configuration(control=CONTROL | {"timeoutremote": "1\n"}))
        result = await pod.remote("plain.example", "", ["b@plain.example"], b"", 600)
        assert read_reports(result).letters == letters
        assert result.seconds >= min(pace, 1.0)


@with_pod
async def test_who_is_killed_leaves_its_host_and_who_goes_on_waiting_does_not(pod: ReferencePod) -> None:
    silent = Exchanger(steps={"MAIL": "stall"})
    world = World([load_zone("plain.example")], exchangers=[silent])
    patient = Configuration(control=CONTROL | {"timeoutremote": "1200\n", "rcpthosts": "plain.example\n"})
    await pod.prepare(world, patient)
    assert not (await pod.remote("plain.example", "", ["b@plain.example"], b"", 20)).ended
    [session] = (await pod.observe()).mx_sessions
    assert session.ended == "client closed"
    await submitted(pod, replace(patient, delivering=True), "a@here.example", ["b@plain.example"], world)
    assert not await pod.wait_until_idle(20)
    [session] = (await pod.observe()).mx_sessions
    assert session.ended == ""
