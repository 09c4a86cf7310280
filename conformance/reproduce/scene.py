"""What a record says was set up, done and seen, in the form that a reproduction is made of."""

import base64
import re
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import IPv4Address

from conformance.cases.credentials import cram_md5
from conformance.errors import UsageError
from conformance.judge.verdict import Verdict
from conformance.pod.base import text
from conformance.pod.configuration import Configuration
from conformance.pod.observation import Observation
from conformance.pod.record import Act, ConnectionAct, Observe, Pause, Prepare, Receive, Remote, Send, Signal
from conformance.pod.world import World
from conformance.targets.target import Target

#: The name of a control file.
CONTROL_FILE = re.compile(r"[A-Za-z0-9._-]+")

#: Seconds that a played session waits for silence at most.
PATIENCE = 15.0

#: The line that ends a reply; what is no reply at all ends with each of its lines.
_FINAL = re.compile(r"(?m)^(?![0-9]{3}-)[^\n]*\n")


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
    if verdict.record and verdict.record.uses_up:
        raise UsageError(
            f"{verdict.requirement} is about qmail's packages, and a reproduction installs none over others",
            f"The run repeats it: qmail-conformance run {target.name} -k {verdict.requirement}",
        )
    if len(set_ups) > 1:
        raise UsageError(
            f"{verdict.requirement}: its case sets the world up {len(set_ups)} times",
            "A reproduction shows one set-up; reproduce a requirement whose case has one.",
        )
    [(begun, prepared)] = set_ups
    seen = next((act.seen for act in reversed(acts) if isinstance(act, Observe)), Observation())
    world, configuration = prepared.world, prepared.configuration
    made = Scene(verdict, target, world, configuration, acts[begun + 1 :], seen, prepared.at)
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
    changed = [name for act in made.acts if isinstance(act, Signal) for name in act.control]
    if any(not CONTROL_FILE.fullmatch(name) or name.startswith(".") for name in changed):
        raise ValueError("a control file of another name")
    if "\n" in made.configuration.resolver:
        raise ValueError("a resolver's options of more than one line")


def steps(scene: Scene) -> list[tuple[str, ...]]:
    """The acts as a player takes them: what to send, and how many whole replies to wait for before going on.

    Each is the words of its line in the file of steps. A right CRAM-MD5 digest is worked out anew from the
    challenge that will be given.
    """
    made: list[tuple[str, ...]] = []
    unread: dict[int, str] = defaultdict(str)  #: by connection, what is not yet a whole reply
    last: dict[int, str] = defaultdict(str)  #: by connection, the line that ended the last reply
    before = scene.set_up
    for act in scene.acts:
        number = str(act.connection) if isinstance(act, ConnectionAct) else ""
        match act:
            case Receive(data=None):
                made.append(("silence", number, f"{min(max(act.at - before, 0.1), PATIENCE):.1f}"))
            case Receive(data=""):
                made.append(("closed", number))
            case Receive(data=str(data), connection=connection):
                unread[connection] += data
                if whole := list(_FINAL.finditer(unread[connection])):
                    last[connection] = whole[-1][0]
                    unread[connection] = unread[connection][whole[-1].end() :]
                    in_a_row = bool(made) and made[-1][:2] == ("replies", number)
                    already = int(made.pop()[2]) if in_a_row else 0
                    made.append(("replies", number, str(already + len(whole))))
            case Send():
                user = _right_digest(last[act.connection], act.data)
                made.append(("cram", number, user) if user else ("send", number, act.data))
            case Pause():
                made.append(("pause", number, f"{act.seconds:g}"))
            case Remote():
                remotes = sum(words[0] == "remote" for words in made)
                made.append(("remote", str(remotes), *act.arguments))
            case Signal():
                made.append(("signal", act.name, *(word for file in act.control.items() for word in file)))
            case _ if act.act != "failure":  # what the world failed of is not played
                made.append((act.act, number) if number else (act.act,))
        before = act.at
    return made


def _right_digest(challenged: str, said: str) -> str:
    """The user whose CRAM-MD5 digest of the challenge was sent; "" when none was, or a wrong one."""
    if not challenged.startswith("334 "):
        return ""
    try:
        user = text(base64.b64decode(said)).rpartition(" ")[0]
        return user if cram_md5(user, challenged[4:].strip()) == said.strip() else ""
    except (KeyError, ValueError):  # a user that is not known, or no base64
        return ""
