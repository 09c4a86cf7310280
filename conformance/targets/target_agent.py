"""The way to the target's agent (`docker/target/agent.pl`): requests over one kept TCP connection.

A request and an answer are lists of octet strings: four octets of length (big-endian), then the items, each
after four octets of its own length. The first item of a request is the operation, the first of an answer "ok"
or "failure".
"""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from conformance.pod.base import PodFailure, octets, text
from conformance.pod.cdb import aliases
from conformance.pod.configuration import Configuration, HostTimeouts
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.mailboxes import MailboxUser
from conformance.pod.observation import (
    FileSeen,
    HookCall,
    Observation,
    QueuedMessage,
    RemoteResult,
    SmtpdProcess,
)
from conformance.targets.docker.scripts import program_scripts, session_script
from conformance.targets.standstill import Standstill

#: Seconds that dpkg may take.
DPKG_LIMIT = 30.0

#: Why a target cannot be upgraded.
NO_PACKAGES = "the packages of this target are not at hand: stock, ppa and debs: bring theirs"

#: Seconds that the agent may be late with an answer, beyond the limit that a request itself bears.
LATENESS = 20.0


def packed(items: Sequence[bytes]) -> bytes:
    """A list as it travels."""
    content = b"".join(part for item in items for part in (len(item).to_bytes(4, "big"), item))
    return len(content).to_bytes(4, "big") + content


def unpacked(content: bytes) -> list[bytes]:
    """The items of a list, from what follows its length; ValueError when it is cut off."""
    items: list[bytes] = []
    position = 0
    while position < len(content):
        begin = position + 4
        position = begin + int.from_bytes(content[position:begin], "big")
        items.append(content[begin:position])
    if position != len(content):
        raise ValueError("a list of octet strings is cut off")
    return items


class TargetAgent:
    """A connection to the target's agent at `address` and port, made with the first request."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, *request: bytes, limit: float = 0.0) -> list[bytes]:
        """What it answers, without the leading "ok".

        PodFailure when it says that it failed, when the connection breaks, and when there is no answer
        LATENESS after `limit` seconds.
        """
        operation = request[0].decode("latin-1")
        answer: list[bytes] | None = None
        async with self._turn:
            try:
                async with asyncio.timeout(limit + LATENESS):
                    answer = await self._exchanged(request)
            except TimeoutError:
                raise PodFailure(
                    f"the target agent has not answered {operation!r} within {limit + LATENESS:g} s"
                ) from None
            except (OSError, EOFError, ValueError) as error:
                raise PodFailure(f"the connection to the target agent broke: {error}") from error
            finally:
                if answer is None:  # it may still come, and is not that to the next request
                    self.close()
        if answer[:1] != [b"ok"]:
            said = b" ".join(answer[1:]).decode("utf-8", "replace").strip()
            raise PodFailure(f"the target agent failed at {operation!r}: {said}")
        return answer[1:]

    async def _exchanged(self, request: Sequence[bytes]) -> list[bytes]:
        if self._streams is None:
            self._streams = await self._connected()
        reader, writer = self._streams
        writer.write(packed(request))
        length = int.from_bytes(await reader.readexactly(4), "big")
        return unpacked(await reader.readexactly(length))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection(*self._address)
            await asyncio.sleep(0.001)  # it may be just coming up

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def make_users(self, users: Iterable[MailboxUser]) -> None:
        """Create the accounts, once in a pod's life. It makes `alias` by itself."""
        items: list[tuple[str, str, str]] = []
        for user in users:
            if user.name != "alias":
                items.append(("user", user.name, ""))
            if user.password is not None:
                items.append(("password", user.name, user.password))
            items += [("dot-qmail", f"{user.name}/{name}", dot) for name, dot in user.dot_qmail.items()]
        await self.ask(b"users", *(octets(word) for item in items for word in item))

    async def prepare(self, configuration: Configuration) -> None:
        """End what runs for the case before, and set qmail up."""
        await self.ask(b"prepare", *configuration_items(configuration))

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        """A run of qmail-remote."""
        words = map(octets, (host, sender, *recipients))
        report, status, ended, seconds = await self.ask(
            b"remote", _milliseconds(limit), message, *words, limit=limit
        )
        return RemoteResult(text(report), int(status), ended == b"1", float(seconds))

    async def wait_until_idle(self, limit: float) -> bool:
        """Whether qmail-send came to rest within `limit` seconds."""
        return await self.ask(b"wait_until_idle", _milliseconds(limit), limit=limit) == [b"1"]

    async def signal(self, name: str, control: dict[str, str]) -> None:
        """Write control files, and send qmail-send a signal."""
        await self.ask(b"signal", name.encode(), *(octets(part) for file in control.items() for part in file))

    async def packages(self, step: PackageStep) -> Installation:
        """Do something to qmail's packages; what stands then."""
        items = await self.ask(b"packages", step.encode(), _milliseconds(DPKG_LIMIT), limit=2 * DPKG_LIMIT)
        return read_installation(items)

    async def stood_still(self) -> Standstill:
        """What the target has lost since its start."""
        paused, total = await self.ask(b"still")
        return Standstill(float(paused), float(total))

    async def observe(self, open_ports: Iterable[int] = ()) -> Observation:
        """What stands in the target now; of the internet around it nothing.

        `open_ports`: of the clients whose connections are open; sessions of others are about to end. The
        sessions bear the clients' ports in the place of connections.
        """
        return read_observation(await self.ask(b"observe", *(str(port).encode() for port in open_ports)))


def read_observation(items: Sequence[bytes]) -> Observation:
    """What the agent tells as a list of kind and three values."""
    seen, home = Observation(), Observation.home
    for at in range(0, len(items), 4):
        kind, *values = items[at : at + 4]
        first, second, third = map(text, values)
        if kind == b"hook":
            seen.hook_calls.append(read_hook_call(*values))
        elif kind == b"queued":
            seen.queue.append(QueuedMessage(first, second.split("\0")[:-1], third))
        elif kind == b"mail":
            seen.mailboxes.setdefault(first, []).append(second)
        elif kind == b"file":
            mode, user, group = second.split(" ")
            seen.files.append(FileSeen(first, mode, user, group, third))
        elif kind == b"timeouts":
            seen.timeouts.append(HostTimeouts(first, int(second), int(third)))
        elif kind == b"session":
            seen.sessions.append(read_session(first, second, third))
        elif kind == b"home":
            home = first
        else:
            seen.log.extend(first.split("\n")[:-1])
    return replace(seen, home=home)


def read_installation(items: Sequence[bytes]) -> Installation:
    """What the agent tells of qmail's packages as a list of kind and three values."""
    seen: dict[str, Any] = {"packages": {}, "control": {}, "files": [], "users": []}
    for at in range(0, len(items), 4):
        kind, first, second, third = map(text, items[at : at + 4])
        if kind == "unsupported":
            # Where dpkg has said something it has tried, and the pod is used up.
            why = f"{first}: {second[-300:]}" if first else NO_PACKAGES
            return Installation(unsupported=why, said=second)
        if kind == "dpkg":
            seen |= {"status": int(first), "ended": second == "1", "said": third}
        elif kind == "package":
            seen["packages"][first] = second
        elif kind == "control":
            seen["control"][first] = second
        elif kind == "status":
            seen["files"].append(FileSeen(first, *second.split(" ")))
        elif kind == "user":
            seen["users"].append(first)
        else:
            seen["sender"] = first
    return Installation(**seen)


def read_session(port: str, process: str, held: str) -> SmtpdProcess:
    """A session as the agent tells it: the client's port, "PID STATUS" as wait(2) has it, what it holds."""
    pid, _, status = process.partition(" ")
    ended = os.waitstatus_to_exitcode(int(status)) if status else None
    memory, descriptors, children = map(int, held.split()) if held else (0, 0, 0)
    return SmtpdProcess(int(port), int(pid), ended, memory=memory, descriptors=descriptors, children=children)


def configuration_items(configuration: Configuration) -> list[bytes]:
    """A configuration as the agent takes it: kind, name, value."""
    items: list[tuple[str, str, bytes]] = [
        ("program", "session", session_script(configuration)),
        ("resolver", "", octets(configuration.resolver)),
    ]
    items += [("program", name, script) for name, script in program_scripts(configuration).items()]
    items += [("control", name, octets(content)) for name, content in configuration.control.items()]
    items += [("dot-qmail", name, octets(content)) for name, content in configuration.dot_qmail.items()]
    items += [("mode", path, mode.encode()) for path, mode in configuration.modes.items()]
    items += [
        ("timeouts", host.address, f"{host.timeouts} {host.age}".encode()) for host in configuration.timeouts
    ]
    if configuration.remote_program is not None:
        items.append(("remote-program", "", b""))
    if configuration.delivering:
        items.append(("delivering", "", b""))
    if configuration.aliases:
        items.append(("aliases", "", aliases(configuration.aliases)))
    if configuration.verifying:
        items.append(("verifying", "", b"mute" if configuration.verifying == "mute" else b""))
    return [part for kind, name, value in items for part in (kind.encode(), octets(name), value)]


def read_hook_call(noted: bytes, read: bytes = b"", envelope: bytes = b"") -> HookCall:
    """One run as `docker/target/note` wrote it: fields that each end in NUL; and what the program read.

    program, number of arguments, the arguments, directory, user, group, groups, umask, ignored signals,
    siblings, descriptors, user, challenge, accepted, ends, environment.
    """
    program, count, *rest = [text(field) for field in noted.split(b"\0")[:-1]]
    arguments, rest = rest[: int(count)], rest[int(count) :]
    directory, account, group, groups, umask, ignores, siblings, descriptors, *rest = rest
    user, challenge, accepted, ends, *environment = rest
    return HookCall(
        program,
        arguments,
        directory,
        dict(_pair(entry, "=") for entry in environment),
        user,
        challenge,
        accepted == "1",
        account,
        group,
        groups.split(),
        umask,
        ignores.split(),
        int(siblings),
        dict(_pair(line, " ") for line in descriptors.split("\n") if line),
        text(read),
        text(envelope),
        int(ends),
    )


def _pair(entry: str, between: str) -> tuple[str, str]:
    name, _, value = entry.partition(between)
    return name, value


def _milliseconds(seconds: float) -> bytes:
    return str(round(seconds * 1000)).encode()
