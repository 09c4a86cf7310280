"""What can be done with a pod, through the agents in its two containers. No Docker here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.pod.base import (
    Combining,
    Heard,
    ProgramRun,
    QueuedMessage,
    RemoteResult,
    Says,
    Sight,
    octets,
    text,
)
from conformance.pod.configuration import Configuration
from conformance.pod.mailboxes import User
from conformance.pod.world import World
from conformance.targets.docker.channel import Channel
from conformance.targets.docker.scripts import recipient_check_script, session_script

#: Seconds by which an agent may be late after the limit that a request itself bears.
LATENESS = 20.0


class AgentPod(Combining):
    """The acts of `conformance.pod.base.Pod` and `Combining`, each one request over the control channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def make_users(self, users: Iterable[User]) -> None:
        """Create the accounts, once in a pod's life."""
        await self._channel.target(b"users", *user_items(users))

    @property
    def stood(self) -> float | None:  # type: ignore[override]
        """When the world stood: `prepare` is put off until the next act."""
        return self._channel.stood

    async def prepare(self, world: World, configuration: Configuration) -> None:
        """Make the pod stand as described, with the next act; nothing of earlier cases is left."""
        self._channel.prepare([b"prepare", *configuration_items(configuration)], world.to_json())

    async def connect(self) -> int:
        return int(await self._channel.request("connect"))

    async def send(self, connection: int, data: bytes) -> bool:
        taken = await self._channel.request("send", connection=connection, data=data, patience=120.0)
        return bool(taken)

    async def receive(self, connection: int, limit: float) -> bytes | None:
        received: bytes | None = await self._channel.request(
            "receive", connection=connection, limit=limit, patience=limit + LATENESS
        )
        return received

    async def converse(
        self, connection: int | None, says: Says, limit: float, replies: int = 1
    ) -> tuple[int, list[Heard]]:
        """Several exchanges, as far as they go."""
        number, exchanges = await self._channel.request(
            "converse",
            connection=connection,
            says=says,
            limit=limit,
            replies=replies,
            patience=120.0 + 2 * limit,
        )
        return int(number), read_heard(exchanges)

    async def shut(self, connection: int) -> None:
        await self._channel.request("shut", connection=connection)

    async def close(self, connection: int) -> None:
        self._channel.tell("close", connection=connection)

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        """Run qmail-remote as qmail-rspawn does, with `message` on its standard input."""
        request = remote_items(host, sender, recipients, message, limit)
        answer = await self._channel.target(*request, limit=limit + LATENESS)
        return read_remote(answer)

    async def remote_and_look(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> tuple[RemoteResult, Sight]:
        """`remote`, then `look`."""
        request = remote_items(host, sender, recipients, message, limit)
        answer, sight = await self._then_look(request, 4, limit)
        return read_remote(answer), sight

    async def settle(self, limit: float) -> bool:
        """Wait until qmail-send rests; False at the limit."""
        return await self._channel.target(b"settle", _milliseconds(limit), limit=limit + LATENESS) == [b"1"]

    async def settle_and_look(self, limit: float) -> tuple[bool, Sight]:
        """`settle`, then `look`."""
        answer, sight = await self._then_look([b"settle", _milliseconds(limit)], 1, limit)
        return answer == [b"1"], sight

    async def converse_and_settle(
        self, says: Says, limit: float, settling: float
    ) -> tuple[int, list[Heard], tuple[bool, Sight] | None]:
        """Several exchanges on a new connection, and then the end of them, `settle` and `look`."""
        number, exchanges, rest, passed = await self._channel.request(
            "converse_and_settle",
            says=says,
            limit=limit,
            request=[b"then_look", b"settle", _milliseconds(settling)],
            settling=settling + LATENESS,
            patience=120.0 + 2 * limit + settling + LATENESS + 10.0,
        )
        heard = read_heard(exchanges, passed)
        if rest is None:
            return int(number), heard, None
        (rests, *inside), outside = rest
        return int(number), heard, (rests == b"1", read_sight(outside, inside))

    async def _then_look(self, request: list[bytes], items: int, limit: float) -> tuple[list[bytes], Sight]:
        """The target agent's answer of so many `items` to `request`, and what can be seen then."""
        limit += LATENESS
        inside, outside = await self._channel.request(
            "look", request=[b"then_look", *request], limit=limit, patience=limit + 10.0
        )
        return inside[:items], read_sight(outside, inside[items:])

    async def load(self, driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
        """What a driver of `conformance.bench` says about a load; `{"failure": why}` by qmail's doing."""
        result: dict[str, Any] = await self._channel.request(
            "load", driver=driver, load=load, limit=limit, patience=limit + LATENESS
        )
        return result

    async def serve_remotes(self, host: str, sender: str, recipients: list[str]) -> None:
        """Run one qmail-remote for each connection to 127.0.0.1:7026, until the next `prepare`."""
        await self._channel.target(b"remotes", *[octets(word) for word in (host, sender, *recipients)])

    async def sink(self, addresses: Sequence[tuple[str, int]], *, refusing: bool, stamped: bool) -> None:
        """Exchangers of `conformance.bench.sink` on these addresses, until `taken` or the next `prepare`."""
        await self._channel.request("sink", addresses=addresses, refusing=refusing, stamped=stamped)

    async def taken(self) -> dict[str, Any]:
        """What the sink accepted, as `conformance.bench.sink.Taken`; it ends with that."""
        taken: dict[str, Any] = await self._channel.request("taken")
        return taken

    async def counts(self) -> dict[str, int]:
        """How many `questions`, and of them `stray`, there were since `prepare`."""
        counts: dict[str, int] = await self._channel.request("counts")
        return counts

    async def cpu(self) -> float | None:
        """Seconds of CPU that the target container has had; None where that cannot be read."""
        [said] = await self._channel.target(b"cpu")
        return float(said) if said else None

    async def look(self) -> Sight:
        """What can be seen now, in both containers."""
        inside, outside = await self._channel.request("look", request=[b"look"], limit=LATENESS)
        return read_sight(outside, inside)


def user_items(users: Iterable[User]) -> list[bytes]:
    """The accounts as the target agent takes them: kind, name, value. It makes `alias` by itself."""
    items: list[tuple[str, str, str]] = []
    for user in users:
        if user.name != "alias":
            items.append(("user", user.name, ""))
        if user.password is not None:
            items.append(("password", user.name, user.password))
        items += [("dot-qmail", f"{user.name}/{file}", content) for file, content in user.dot_qmail.items()]
    return [octets(word) for item in items for word in item]


def configuration_items(configuration: Configuration) -> list[bytes]:
    """A configuration as the target agent takes it: kind, name, value."""
    items: list[tuple[str, str, bytes]] = [
        ("program", "session", session_script(configuration)),
        ("resolver", "", octets(configuration.resolver)),
    ]
    check = configuration.recipient_check
    if check is not None and check.fate != "missing":
        items.append(("program", "rcptcheck", recipient_check_script(check)))
    items += [("control", name, octets(content)) for name, content in configuration.control.items()]
    items += [("dot-qmail", name, octets(content)) for name, content in configuration.dot_qmail.items()]
    if configuration.delivering:
        items.append(("delivering", "", b""))
    if configuration.verifying:
        items.append(("verifying", "", b"mute" if configuration.verifying == "mute" else b""))
    return [part for kind, name, value in items for part in (kind.encode(), octets(name), value)]


def remote_items(host: str, sender: str, recipients: list[str], message: bytes, limit: float) -> list[bytes]:
    """A run of qmail-remote as the target agent takes it."""
    return [b"remote", _milliseconds(limit), message, *[octets(word) for word in (host, sender, *recipients)]]


def read_heard(exchanges: list[Any], passed: float = 0.0) -> list[Heard]:
    """Exchanges as the internet's agent told them so many seconds ago, with the times on our own clock."""
    now = time.monotonic() - passed
    return [
        {
            "taken": taken,
            "sent": now - ago,
            "received": [(said, now - since) for said, since in pieces],
        }
        for taken, ago, pieces in exchanges
    ]


def read_remote(answer: list[bytes]) -> RemoteResult:
    """A run of qmail-remote as the target agent tells it."""
    report, status, ended, seconds = answer
    return {"report": text(report), "status": int(status), "ended": ended == b"1", "seconds": float(seconds)}


def read_sight(outside: dict[str, Any], inside: list[bytes]) -> Sight:
    """A sight from what the internet container saw and the target agent's list of kind and three values."""
    queue: list[QueuedMessage] = []
    mailboxes: dict[str, list[str]] = {}
    runs: list[ProgramRun] = []
    log: list[str] = []
    for at in range(0, len(inside), 4):
        kind, *values = inside[at : at + 4]
        if kind == b"run":
            runs.append(read_run(values[0]))
            continue
        first, second, third = map(text, values)
        if kind == b"queued":
            queue.append({"sender": first, "recipients": second.split("\0")[:-1], "octets": third})
        elif kind == b"mail":
            mailboxes.setdefault(first, []).append(second)
        else:
            log += first.split("\n")[:-1]
    return {
        "questions": outside["questions"],
        "exchanges": outside["exchanges"],
        "queue": queue,
        "mailboxes": mailboxes,
        "runs": runs,
        "log": log,
        "stray": outside["stray"],
    }


def read_run(noted: bytes) -> ProgramRun:
    """One run as RCPTCHECK's program or the checkprogram noted it: fields that each end in NUL.

    program, working directory, number of arguments, the arguments, user, challenge, accepted, environment.
    """
    program, directory, count, *rest = [text(field) for field in noted.split(b"\0")[:-1]]
    arguments, rest = rest[: int(count)], rest[int(count) :]
    user, challenge, accepted, *environment = rest
    return {
        "program": program,
        "arguments": arguments,
        "directory": directory,
        "environment": {name: value for name, _, value in (entry.partition("=") for entry in environment)},
        "user": user,
        "challenge": challenge,
        "accepted": accepted == "1",
    }


def _milliseconds(seconds: float) -> bytes:
    return str(round(seconds * 1000)).encode()
