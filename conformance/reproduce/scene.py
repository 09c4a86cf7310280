"""What a record says was set up, done and seen, in the form that a reproduction is made of."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from conformance.errors import UsageError
from conformance.judge.verdict import Verdict
from conformance.pod.base import octets, text
from conformance.pod.configuration import Configuration
from conformance.pod.observation import Observation
from conformance.pod.record import (
    Act,
    Close,
    Connect,
    ConnectionAct,
    Failure,
    Observe,
    Prepare,
    Receive,
    Remote,
    Send,
    Shut,
    WaitUntilIdle,
)
from conformance.pod.world import World
from conformance.targets.target import Target

#: Seconds that a played session waits for silence at most.
PATIENCE = 15.0

#: The line that ends a reply; what is no reply at all ends with each of its lines.
_FINAL = re.compile(r"(?m)^(?![0-9]{3}-)[^\n]*\n")
_CRAM = re.compile(rb"(.+) ([0-9a-f]{32})", re.DOTALL)


@dataclass(frozen=True)
class Scene:
    """One requirement on one target. `acts` follow the one set-up; `seen` is what the last observation saw.

    `set_up` is when the world was set, in seconds since the case began; what it noted counts from there.
    """

    verdict: Verdict
    target: Target
    world: World
    configuration: Configuration
    acts: tuple[Act, ...]
    seen: Observation
    set_up: float

    def connections(self) -> dict[int, list[ConnectionAct]]:
        """The acts of each connection to qmail-smtpd, in order."""
        found: dict[int, list[ConnectionAct]] = {}
        for act in self.acts:
            if isinstance(act, ConnectionAct):
                found.setdefault(act.connection, []).append(act)
        return found

    def deliveries(self) -> list[Remote]:
        """The runs of qmail-remote."""
        return [act for act in self.acts if isinstance(act, Remote)]

    def logs_in(self) -> bool:
        """Whether a password or its digest is needed to play it."""
        exchanged = any(exchanger.auth or exchanger.users for exchanger in self.world.exchangers)
        return exchanged or self.configuration.password_check is not None


def scene(verdict: Verdict, target: Target) -> Scene:
    """The scene of a verdict. Raises UsageError for a record that cannot be played."""
    acts = verdict.record.acts if verdict.record else ()
    set_ups = [(index, act) for index, act in enumerate(acts) if isinstance(act, Prepare)]
    if not set_ups:
        raise UsageError(
            f"{verdict.requirement} on {target.name}: the record is empty, so there is nothing to reproduce",
            f"It is {verdict.verdict}: {verdict.seen or 'no reason is given'}. Run it again.",
        )
    if len(set_ups) > 1:
        raise UsageError(
            f"{verdict.requirement}: its case sets the world up {len(set_ups)} times",
            "A reproduction shows one set-up; reproduce a requirement whose case has one.",
        )
    [(begun, prepared)] = set_ups
    observations = [act.seen for act in acts if isinstance(act, Observe)]
    made = Scene(
        verdict,
        target,
        prepared.world,
        prepared.configuration,
        acts[begun + 1 :],
        observations[-1] if observations else Observation(),
        prepared.at,
    )
    try:
        _check(made)
    except ValueError as error:
        raise UsageError(
            f"{verdict.requirement} on {target.name}: its record is not as this suite writes it ({error!r})",
            "Run it again with this version of the suite.",
        ) from error
    return made


def _check(made: Scene) -> None:
    """What becomes a file name, an address or a line of a script is what it must be. Raises ValueError."""
    addresses = [exchanger.address for exchanger in made.world.exchangers]
    for address in (*addresses, *(session.address for session in made.seen.mx_sessions)):
        IPv4Address(address)
    if "\n" in made.configuration.resolver:
        raise ValueError("a resolver's options of more than one line")


@dataclass(frozen=True)
class Step:
    """One thing that the player does: `words` are the fields of its line in the file of steps."""

    words: tuple[str, ...]


@dataclass
class _Heard:
    """What one connection has said and not yet been waited for."""

    unread: str = ""
    last: str = ""
    tokens: list[str] = field(default_factory=list)


def steps(scene: Scene, passwords: Mapping[str, str]) -> list[Step]:
    """The acts as a player takes them: what to send, and how many whole replies to wait for before going on.

    `passwords` (user -> password) tells a right CRAM-MD5 digest from a wrong one: the right one is worked out
    anew from the challenge that will be given.
    """
    made: list[Step] = []
    heard: dict[int, _Heard] = {}
    before = scene.set_up
    remotes = 0
    for act in scene.acts:
        match act:
            case Receive():
                made += _expectation(act, heard.setdefault(act.connection, _Heard()), act.at - before)
            case Send():
                known = heard.setdefault(act.connection, _Heard())
                user = _right_digest(known.last, act.data, passwords)
                number = str(act.connection)
                made.append(Step(("cram", number, user) if user else ("send", number, act.data)))
            case Remote():
                made.append(Step(("remote", str(remotes), *act.arguments)))
                remotes += 1
            case WaitUntilIdle() | Observe():
                made.append(Step((act.act,)))
            case Connect() | Shut() | Close():
                made.append(Step((act.act, str(act.connection))))
            case Prepare() | Failure():  # the set-up is no step, and the world's failure is not played
                pass
        before = act.at
    return _merged(made)


def _expectation(act: Receive, heard: _Heard, waited: float) -> list[Step]:
    number = str(act.connection)
    if act.data is None:
        return [Step(("silence", number, f"{min(max(waited, 0.1), PATIENCE):.1f}"))]
    if act.data == "":
        return [Step(("closed", number))]
    heard.unread += act.data
    whole = list(_FINAL.finditer(heard.unread))
    if not whole:
        return []
    heard.last = whole[-1][0]
    heard.unread = heard.unread[whole[-1].end() :]
    return [Step(("replies", number, str(len(whole))))]


def _merged(made: list[Step]) -> list[Step]:
    """Replies of one connection that are awaited in a row become one step."""
    merged: list[Step] = []
    for step in made:
        last = merged[-1].words if merged else ()
        if step.words[0] == "replies" and last[:2] == step.words[:2]:
            merged[-1] = Step((*last[:2], str(int(last[2]) + int(step.words[2]))))
        else:
            merged.append(step)
    return merged


def _right_digest(challenged: str, said: str, passwords: Mapping[str, str]) -> str:
    """The user whose CRAM-MD5 digest of the challenge was sent; "" when none was, or a wrong one."""
    if not challenged.startswith("334 "):
        return ""
    try:
        challenge = base64.b64decode(challenged[4:].strip(), validate=True)
        found = _CRAM.fullmatch(base64.b64decode(said.strip(), validate=True))
    except (binascii.Error, ValueError):
        return ""
    user = text(found[1]) if found else ""
    if not found or user not in passwords:
        return ""
    right = hmac.new(octets(passwords[user]), challenge, "md5").hexdigest().encode("ascii")
    return user if hmac.compare_digest(right, found[2]) else ""
