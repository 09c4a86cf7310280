"""The embedded pod: its clock, its concurrent sessions, delivery and what can be seen of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from conformance.catalogue import PPA_PATCHES
from conformance.errors import UsageError
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.observation import Observation
from conformance.pod.world import Exchanger, World
from conformance.targets.embedded import ReferencePod

Result = TypeVar("Result")

CONTROL = {"me": "mx.here.example\n", "locals": "here.example\n", "timeoutsmtpd": "30\n"}
ZONE = "$ORIGIN big.example.\n$TTL 60\n@ IN SOA ns h 1 1 1 1 1\n@ IN NS ns\n@ IN A 127.0.0.2\n"


def with_pod(act: Callable[[ReferencePod], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        return await act(ReferencePod(PPA_PATCHES))

    return asyncio.run(run())


async def drain(pod: ReferencePod, connection: int, limit: float = 10.0) -> str:
    said = b""
    while more := await pod.receive(connection, limit):
        said += more
    return said.decode("latin-1")


def delivered(message: str, recipients: list[str], **options: object) -> Observation:
    """What stands in the world when a message has come in by SMTP and qmail-send rests."""

    async def act(pod: ReferencePod) -> Observation:
        world = World(zones=[ZONE], exchangers=[Exchanger()])
        await pod.prepare(world, Configuration(CONTROL, delivering=True, **options))  # type: ignore[arg-type]
        connection = await pod.connect()
        envelope = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in recipients)
        said = f"MAIL FROM:<x@big.example>\r\n{envelope}DATA\r\n{message}\r\n.\r\nQUIT\r\n"
        await pod.send(connection, said.encode("latin-1"))
        assert "250 ok 17000" in await drain(pod, connection)
        assert await pod.wait_until_idle(60)
        return await pod.observe()

    return with_pod(act)


def test_a_silent_session_ends_when_the_clock_has_reached_its_limit() -> None:
    async def act(pod: ReferencePod) -> None:
        await pod.prepare(World(), Configuration(CONTROL))
        connection = await pod.connect()
        assert await pod.receive(connection, 1) == b"220 mx.here.example ESMTP\r\n"
        assert await pod.receive(connection, 29) is None
        assert await pod.receive(connection, 5) == b"451 timeout (#4.4.2)\r\n"
        assert await pod.receive(connection, 5) == b""
        assert pod.clock.at == 30
        assert not await pod.send(connection, b"NOOP\r\n")

    with_pod(act)


def test_failed_authentications_of_two_sessions_wait_side_by_side() -> None:
    async def act(pod: ReferencePod) -> None:
        await pod.prepare(World(), Configuration(CONTROL, {"SMTPAUTH": ""}, password_check=PasswordCheck()))

        async def session() -> str:
            connection = await pod.connect()
            await pod.receive(connection, 1)
            await pod.send(connection, b"AUTH PLAIN AGFsaWNlAHg=\r\nQUIT\r\n")
            return await drain(pod, connection)

        replies = await asyncio.gather(session(), session())
        assert [reply[:3] for reply in replies] == ["535", "535"]
        assert pod.clock.at == 5

    with_pod(act)


def test_the_programs_runs_are_noted() -> None:
    async def act(pod: ReferencePod) -> None:
        check = RecipientCheck({"bob@here.example": 100})
        environment = {"SMTPAUTH": "+cram", "EXTRA": "x"}
        configuration = Configuration(CONTROL, environment, check, PasswordCheck())
        await pod.prepare(World(), configuration)
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

    with_pod(act)


def test_nothing_is_left_after_prepare_and_old_connections_are_gone() -> None:
    async def act(pod: ReferencePod) -> None:
        await pod.prepare(World(), Configuration(CONTROL))
        connection = await pod.connect()
        await pod.send(connection, b"MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n.\r\n")
        assert len((await pod.observe()).queue) == 1
        await pod.prepare(World(), Configuration(CONTROL))
        assert await pod.observe() == Observation()
        with pytest.raises(PodFailure):
            await pod.send(connection, b"NOOP\r\n")
        assert await pod.connect() != connection

    with_pod(act)


def test_local_delivery_follows_dot_qmail_files() -> None:
    files = {"alice/.qmail-list-default": "# all of it\n./Maildir/\n&bob@here.example\n", "carol/.qmail": ""}
    recipients = ["alice-list-x@here.example", "Carol@here.example", "postmaster@here.example"]
    seen = delivered("S: x\r\n\r\ny", recipients, dot_qmail=files)
    assert {user: len(messages) for user, messages in seen.mailboxes.items()} == {
        "alice": 1, "bob": 1, "carol": 1, "alias": 1,
    }  # fmt: skip
    start = "Return-Path: <x@big.example>\nDelivered-To: bob@here.example\nReceived: (qmail "
    assert seen.mailboxes["bob"][0].startswith(start)
    assert "\nDelivered-To: alice-list-x@here.example\n" in seen.mailboxes["bob"][0]
    assert seen.queue == []


def test_unknown_users_bounce_to_the_sender() -> None:
    seen = delivered("S: x\r\n\r\ny", ["nobody@here.example"])
    message = seen.mx_sessions[0].messages[0]
    assert (message.sender, message.recipients) == ("", ["x@big.example"])
    assert "<nobody@here.example>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n" in message.octets
    assert "Hi. This is the qmail-send program at mx.here.example.\r\n" in message.octets


def test_a_failed_bounce_goes_to_the_postmaster_and_no_further() -> None:
    control = {**CONTROL, "locals": "here.example\nmx.here.example\n"}

    async def act(pod: ReferencePod, double_bounce_to: str) -> Observation:
        files = {**control, "doublebounceto": double_bounce_to}
        await pod.prepare(World(), Configuration(files, delivering=True))
        connection = await pod.connect()
        await pod.send(connection, b"MAIL FROM:<>\r\nRCPT TO:<nobody@here.example>\r\nDATA\r\n.\r\n")
        await pod.wait_until_idle(60)
        return await pod.observe()

    seen = with_pod(lambda pod: act(pod, "postmaster"))
    assert "the bounce bounced!" in seen.mailboxes["alias"][0]
    seen = with_pod(lambda pod: act(pod, "nobody"))
    assert (seen.mailboxes, seen.queue) == ({}, [])
    assert any(line.startswith("triple bounce: discarding") for line in seen.log)


def test_a_loop_is_seen() -> None:
    seen = delivered("Delivered-To: alice@here.example\r\n\r\nx", ["alice@here.example"])
    assert "alice" not in seen.mailboxes
    assert any("This_message_is_looping" in line for line in seen.log)


def test_temporary_failures_stay_in_the_queue() -> None:
    recipients = ["a@big.example", "alice@here.example"]
    seen = delivered("S: x\r\n\r\ny", recipients, dot_qmail={"alice/.qmail": "|exit 111"})
    assert seen.queue[0].recipients == ["alice@here.example"]
    assert [message.recipients for message in seen.mx_sessions[0].messages] == [["a@big.example"]]


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
        ("[users.alice]\npassword = ''", "not empty"),
        ("[users.alice]\npassword = 'x'\nrepeat = 256", "255"),
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
