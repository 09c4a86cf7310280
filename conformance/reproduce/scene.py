"""What a record says was set up, done and seen, in the form that a reproduction is made of."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from conformance.errors import UsageError
from conformance.judge.verdict import Verdict
from conformance.pod.base import Sight, octets, text
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.world import World
from conformance.targets.target import Target

Act = dict[str, Any]

#: Seconds that a played session waits for silence at most.
PATIENCE = 15.0

#: The line that ends a reply; what is no reply at all ends with each of its lines.
_FINAL = re.compile(r"(?m)^(?![0-9]{3}-)[^\n]*\n")
_CRAM = re.compile(rb"(.+) ([0-9a-f]{32})", re.DOTALL)
_NOTHING: Sight = {
    "questions": [],
    "exchanges": [],
    "queue": [],
    "mailboxes": {},
    "runs": [],
    "log": [],
    "stray": [],
}


@dataclass(frozen=True)
class Scene:
    """One requirement on one target. `acts` are those after the one set-up, `sight` what the last look saw.

    `set_up` is when the world was set, in seconds since the case began; what it noted counts from there.
    """

    verdict: Verdict
    target: Target
    world: World
    configuration: Configuration
    acts: tuple[Act, ...]
    sight: Sight
    set_up: float

    @property
    def record(self) -> dict[str, Any]:
        return self.verdict.record or {}

    def connections(self) -> dict[int, list[Act]]:
        """The acts of each connection to qmail-smtpd, in order."""
        found: dict[int, list[Act]] = {}
        for act in self.acts:
            if "connection" in act:
                found.setdefault(int(act["connection"]), []).append(act)
        return found

    def deliveries(self) -> list[Act]:
        """The runs of qmail-remote."""
        return [act for act in self.acts if act["act"] == "remote"]

    def logs_in(self) -> bool:
        """Whether a password or its digest is needed to play it."""
        exchanged = any(exchanger.auth or exchanger.users for exchanger in self.world.exchangers)
        return exchanged or self.configuration.password_check is not None


def scene(verdict: Verdict, target: Target) -> Scene:
    """The scene of a verdict. Raises UsageError for a record that cannot be played."""
    acts: list[Act] = (verdict.record or {}).get("acts", [])
    set_ups = [act for act in acts if act["act"] == "prepare"]
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
    begun = acts.index(set_ups[0])
    looks = [act["result"] for act in acts if act["act"] == "look"]
    try:
        made = Scene(
            verdict,
            target,
            World.from_json(set_ups[0]["world"]),
            read_configuration(set_ups[0]["configuration"]),
            tuple(acts[begun + 1 :]),
            looks[-1] if looks else _NOTHING,
            float(set_ups[0]["at"]),
        )
        _check(made)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{verdict.requirement} on {target.name}: its record is not as this suite writes it ({error!r})",
            "Run it again with this version of the suite.",
        ) from error
    return made


def _check(made: Scene) -> None:
    """What becomes a file name, an address or a word of a script is what it must be. Raises ValueError."""
    for exchanger in made.world.exchangers:
        IPv4Address(exchanger.address)
    for seen in made.sight["exchanges"]:
        IPv4Address(seen["address"])
        int(seen["port"])
    made.connections()
    password = made.configuration.password_check
    if password is not None and (
        password.fate not in ("check", "crash", "missing") or password.subprogram not in ("true", "false")
    ):
        raise ValueError(f"checkprogram {password}")
    if made.configuration.verifying not in (False, True, "mute"):
        raise ValueError(f"verifying {made.configuration.verifying!r}")
    if "\n" in made.configuration.resolver:
        raise ValueError("a resolver's options of more than one line")


def read_configuration(data: Mapping[str, Any]) -> Configuration:
    """The inverse of `Configuration.to_json`."""
    check, password = data["recipient_check"], data["password_check"]
    return Configuration(
        **{
            **data,
            "recipient_check": None if check is None else RecipientCheck(**check),
            "password_check": None if password is None else PasswordCheck(**password),
        }
    )


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
        kind = act["act"]
        if kind == "receive":
            made += _expectation(act, heard.setdefault(act["connection"], _Heard()), act["at"] - before)
        elif kind == "send":
            known = heard.setdefault(act["connection"], _Heard())
            user = _right_digest(known.last, act["data"], passwords)
            number = str(act["connection"])
            made.append(Step(("cram", number, user) if user else ("send", number, act["data"])))
        elif kind == "remote":
            made.append(Step(("remote", str(remotes), *act["arguments"])))
            remotes += 1
        elif kind in ("settle", "look"):
            made.append(Step((kind,)))
        else:
            made.append(Step((kind, str(act["connection"]))))
        before = act["at"]
    return _merged(made)


def _expectation(act: Act, heard: _Heard, waited: float) -> list[Step]:
    number = str(act["connection"])
    if act["data"] is None:
        return [Step(("silence", number, f"{min(max(waited, 0.1), PATIENCE):.1f}"))]
    if act["data"] == "":
        return [Step(("closed", number))]
    heard.unread += act["data"]
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
