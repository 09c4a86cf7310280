"""A scripted mail exchanger, pure: the client's octets in, acts out, and everything kept.

Unless its script says otherwise the host is a correct one that accepts all mail: RCPT before an accepted
MAIL and DATA before an accepted RCPT get 503. Message data ends with CRLF.CRLF and with nothing else, so
that a bare LF is seen as what it is; command lines may end with a bare LF.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from conformance.internet.authentication import CREDENTIALS, Attempt, announced_methods
from conformance.pod.base import octets, text
from conformance.pod.observation import AcceptedMessage, MxSession, TranscriptEntry
from conformance.pod.world import Exchanger


@dataclass(frozen=True, slots=True)
class Say:
    """Send these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection when everything said has left."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the connection with RST."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more; the connection stays open."""


Action = Say | Close | Reset | Stall

_ACTS: dict[str, tuple[Action, str]] = {
    "close": (Close(), "closed"),
    "reset": (Reset(), "reset"),
    "stall": (Stall(), "stalled"),
}
_VERBS = {"EHLO", "HELO", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"}
_END_OF_DATA = b"\r\n.\r\n"


class ExchangerSession:
    """One session with `exchanger`, beginning at `at` seconds. Lists of replies are used up per session.

    Consecutive octets from the client make one entry of the transcript, however they were cut into
    packets; the entry bears the time of the first. A session that was closed or reset hears nothing more.
    """

    def __init__(self, exchanger: Exchanger, at: float) -> None:
        self._exchanger = exchanger
        self._seen = MxSession(exchanger.address, exchanger.port)
        self._at = at
        self._used: dict[str, int] = {}
        self._actions: list[Action] = []
        self._state: str = "talking"  # or "closed", "reset", "stalled": then nothing more is said
        self._unread = bytearray()
        self._searched = 0
        self._in_data = False
        self._in_transaction = False
        self._methods: set[str] = set()
        self._attempt: Attempt | None = None
        self._refused_auth = False

    @property
    def seen(self) -> MxSession:
        """The session so far."""
        seen = replace(self._seen, transcript=list(self._seen.transcript))
        return replace(seen, recipients=list(seen.recipients), messages=list(seen.messages))

    def open(self, at: float) -> list[Action]:
        """The client has connected."""
        self._begin(at)
        self._note("event", "connected")
        self._reply("connect", f"220 {self._exchanger.host} ESMTP")
        return self._actions

    def receive(self, octets: bytes, at: float) -> list[Action]:
        """The client has sent `octets`."""
        self._begin(at)
        if self._state in ("closed", "reset"):
            return []
        self._hear(octets)
        self._unread += octets
        while self._state == "talking" and (self._take_message() if self._in_data else self._take_line()):
            pass
        return self._actions

    def closed(self, at: float) -> None:
        """The client has closed the connection."""
        self._begin(at)
        if self._state in ("talking", "stalled"):
            self._note("event", "client closed")
            self._state = "closed"

    # The transcript

    def _begin(self, at: float) -> None:
        self._at = round(at, 6)
        self._actions = []

    def _note(self, source: Literal["client", "exchanger", "event"], said: str) -> None:
        self._seen.transcript.append(TranscriptEntry(self._at, source, said))

    def _see(self, **changes: Any) -> None:
        self._seen = replace(self._seen, **changes)

    def _hear(self, octets: bytes) -> None:
        transcript = self._seen.transcript
        if transcript[-1].source == "client":
            transcript[-1] = replace(transcript[-1], text=transcript[-1].text + text(octets))
        else:
            self._note("client", text(octets))

    # Replies

    def _reply(self, step: str, default: str, particular: str = "") -> str:
        """Say the reply to a step, do what it asks for, and give back its text ("" when there is none)."""
        steps = self._exchanger.steps
        if particular in steps:
            step = particular
        scripted = steps.get(step, default) or default
        if isinstance(scripted, list):
            used = self._used.get(step, 0)
            self._used[step] = used + 1
            scripted = scripted[min(used, len(scripted) - 1)]
        said, separator, act = scripted.rpartition(";")
        act = act.strip()
        if act not in _ACTS or (not separator and scripted != act):
            said, act = scripted, ""
        said = said.rstrip(" ") if act else said
        if said:
            self._say(said)
        if act:
            action, event = _ACTS[act]
            self._actions.append(action)
            self._note("event", event)
            self._state = event
        return said

    def _say(self, said: str) -> None:
        self._note("exchanger", said + "\r\n")
        self._actions.append(Say(octets(said + "\r\n")))

    # What the client says

    def _take_line(self) -> bool:
        end = self._unread.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._unread)
            return False
        line = text(bytes(self._unread[:end])).removesuffix("\r")
        del self._unread[: end + 1]
        self._searched = 0
        if self._attempt is not None:
            self._continue(self._attempt, line)
        else:
            self._command(line)
        return True

    def _command(self, line: str) -> None:
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        if self._refused_auth and verb not in _VERBS and CREDENTIALS.fullmatch(line):
            self._see(credentials=self._seen.credentials + 1)
            verb = "*"
        else:
            self._refused_auth = False
        match verb:
            case "EHLO" | "HELO":
                self._greet(verb, line)
            case "AUTH":
                self._auth(argument.strip())
            case "MAIL":
                self._mail(_address(argument))
            case "RCPT":
                self._rcpt(_address(argument))
            case "DATA":
                ready = self._in_transaction and self._seen.recipients
                reply = self._reply("DATA", "354 go ahead" if ready else "503 no recipients")
                self._in_data = _code(reply) == 3
                if self._in_data:
                    # The line end of DATA itself may begin the end of data: an empty message is `.` CRLF.
                    self._unread[:0] = b"\r\n"
                    self._searched = 0
            case "RSET":
                if _code(self._reply("RSET", "250 ok")) == 2:
                    self._in_transaction = False
            case "NOOP":
                self._reply("NOOP", "250 ok")
            case "QUIT":
                reply = self._reply("QUIT", f"221 {self._exchanger.host}")
                if _code(reply) == 2 and self._state == "talking":
                    self._actions.append(Close())
                    self._note("event", "closed")
                    self._state = "closed"
            case _:
                self._reply("*", "502 unimplemented")

    def _greet(self, verb: str, line: str) -> None:
        self._see(helo=line)
        host = self._exchanger.host
        if verb == "HELO":
            reply = self._reply("HELO", f"250 {host}")
        elif not self._exchanger.ehlo:
            reply = self._reply("EHLO", "502 unimplemented")
        else:
            lines = [host, *self._exchanger.extensions]
            if self._exchanger.auth:
                lines.append("AUTH " + " ".join(self._exchanger.auth))
            default = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
            reply = self._reply("EHLO", default)
        if _code(reply) == 2:
            self._in_transaction = False
            self._methods = announced_methods(reply) if verb == "EHLO" else set()

    def _mail(self, sender: str) -> None:
        if _code(self._reply("MAIL", "250 ok")) == 2:
            self._in_transaction = True
            self._see(sender=sender, recipients=[])

    def _rcpt(self, recipient: str) -> None:
        default = "250 ok" if self._in_transaction else "503 MAIL first"
        if _code(self._reply("RCPT", default, f"RCPT <{recipient}>")) == 2 and self._in_transaction:
            self._seen.recipients.append(recipient)

    def _take_message(self) -> bool:
        end = self._unread.find(_END_OF_DATA, self._searched)
        if end < 0:
            self._searched = max(0, len(self._unread) - len(_END_OF_DATA) + 1)
            return False
        message = bytes(self._unread[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        del self._unread[: end + len(_END_OF_DATA)]
        self._searched = 0
        self._in_data = False
        # A script may take DATA outside a transaction; then what MAIL said before is not this message's.
        sender = self._seen.sender if self._in_transaction else None
        recipients = list(self._seen.recipients) if self._in_transaction else []
        if _code(self._reply("message", "250 ok")) == 2:
            accepted = AcceptedMessage(sender, recipients, text(message))
            self._seen.messages.append(accepted)
        self._in_transaction = False
        return True

    # AUTH

    def _auth(self, argument: str) -> None:
        method, _, initial = argument.partition(" ")
        initial = initial.strip()
        if initial:
            self._see(credentials=self._seen.credentials + 1)
        if self._seen.user:
            self._say("503 already authenticated")
        elif not self._methods:
            self._refused_auth = True
            self._say("502 unimplemented")
        elif method.upper() not in self._methods or not Attempt.knows(method):
            self._refused_auth = True
            self._say("504 unrecognized authentication type")
        else:
            attempt = Attempt(method, self._exchanger.users, self._exchanger.host)
            if initial:
                attempt.take("" if initial == "=" else initial)
            self._go_on(attempt)

    def _continue(self, attempt: Attempt, line: str) -> None:
        self._attempt = None
        if line == "*":
            self._say("501 authentication cancelled")
            return
        self._see(credentials=self._seen.credentials + 1)
        attempt.take(line)
        self._go_on(attempt)

    def _go_on(self, attempt: Attempt) -> None:
        challenge = attempt.challenge()
        if challenge is None:
            verdict = "235 ok" if attempt.accepted else "535 authentication failed"
            if _code(self._reply("AUTH", verdict)) == 2:
                self._see(user=attempt.user)
            return
        said = self._reply("challenge", f"334 {challenge}")
        if _code(said) == 3:
            attempt.challenged(said[4:])
            self._attempt = attempt
        else:
            self._refused_auth = True


def _code(reply: str) -> int:
    """The first digit of a reply's code, the last line's; 0 when it has none."""
    last = reply.rpartition("\n")[2][:3]
    return int(last[0]) if last.isascii() and last.isdigit() and len(last) == 3 else 0


def _address(argument: str) -> str:
    """The address of `FROM:<a@b>` or `TO:<a@b>`, without the brackets; quoted `>` belongs to it."""
    start = argument.find("<")
    if start < 0:
        return argument.partition(":")[2].strip()
    quoted = escaped = False
    for position in range(start + 1, len(argument)):
        letter = argument[position]
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == ">" and not quoted:
            return argument[start + 1 : position]
    return argument[start + 1 :]
