"""A scripted mail exchanger, pure: the client's octets in, acts out, and everything kept.

Unless its script says otherwise the host is a correct one that accepts all mail: RCPT before an accepted
MAIL and DATA before an accepted RCPT get 503. Message data ends with CRLF.CRLF and with nothing else, so
that a bare LF is seen as what it is; command lines may end with a bare LF.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from conformance.internet.authentication import CREDENTIALS, METHODS, AuthExchange, announced_methods
from conformance.pod.base import octets, text
from conformance.pod.observation import AcceptedMessage, MxSession, TranscriptEntry
from conformance.pod.world import Exchanger


@dataclass(frozen=True, slots=True)
class Output:
    """What a session does: octets to send, and what becomes of the connection.

    `end`: it stays `open`; `close`: it is closed when all that was said has left; `reset`: with RST; `stall`:
    it stays open while nothing more is said; `deaf`: nor is anything read.
    """

    octets: bytes = b""
    end: str = "open"


#: How the transcript tells of an end.
_EVENTS = {"close": "closed", "reset": "reset", "stall": "stalled", "deaf": "deaf"}
_VERBS = {"EHLO", "HELO", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"}
_END_OF_DATA = b"\r\n.\r\n"

#: Octets that a client may say in a session, and replies that it may be given, before it is reset: a flood
#: must not fill our memory.
MOST_HEARD, MOST_SAID = 8 << 20, 10_000

_BRACKETED = re.compile(r'<((?:\\.|"(?:\\.|[^"\\])*"|[^\\">])*)>', re.DOTALL)


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
        self._said = b""
        self._end = "open"
        self._unread = b""
        self._heard = self._replies = 0
        self._in_data = False
        self._in_transaction = False
        self._methods: set[str] = set()
        self._exchange: AuthExchange | None = None
        self._refused_auth = False

    @property
    def seen(self) -> MxSession:
        """The session so far."""
        seen = replace(self._seen, transcript=list(self._seen.transcript))
        return replace(seen, recipients=list(seen.recipients), messages=list(seen.messages))

    def open(self, at: float) -> Output:
        """The client has connected."""
        self._at = round(at, 6)
        self._note("event", "connected")
        self._reply("connect", f"220 {self._exchanger.host} ESMTP")
        return self._output()

    def receive(self, octets: bytes, at: float) -> Output:
        """The client has sent `octets`."""
        self._at = round(at, 6)
        if self._end in ("close", "reset", "deaf"):
            return Output(end=self._end)
        room = MOST_HEARD - self._heard
        self._heard += len(octets)
        self._hear(octets[:room])
        if len(octets) > room:
            self._flooded()
        self._unread += octets
        while self._end == "open" and (self._take_message() if self._in_data else self._take_line()):
            if self._replies > MOST_SAID:
                self._flooded()
        return self._output()

    def closed(self, at: float, *, by_reset: bool = False) -> None:
        """The client has closed the connection."""
        self._at = round(at, 6)
        if self._end in ("open", "stall", "deaf"):
            ended = "client reset" if by_reset else "client closed"
            self._note("event", ended)
            self._see(ended=ended)
            self._end = "close"

    def _output(self) -> Output:
        said, self._said = self._said, b""
        return Output(said, self._end)

    # The transcript

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
        if act not in _EVENTS or (not separator and scripted != act):
            said, act = scripted, ""
        said = said.rstrip(" ") if act else said
        if said:
            self._say(said)
        if act:
            self._finish(act)
        return said

    def _flooded(self) -> None:
        self._note("event", "flooded")
        self._finish("reset")

    def _say(self, said: str) -> None:
        self._replies += 1
        self._note("exchanger", said + "\r\n")
        self._said += octets(said + "\r\n")

    def _finish(self, end: str) -> None:
        self._end = end
        self._note("event", _EVENTS[end])
        if end in ("close", "reset"):
            self._see(ended=_EVENTS[end])

    # What the client says

    def _take_line(self) -> bool:
        line, found, rest = self._unread.partition(b"\n")
        if not found:
            return False
        self._unread = rest
        said = text(line).removesuffix("\r")
        if self._exchange is not None:
            self._continue(self._exchange, said)
        else:
            self._command(said)
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
                if _code(self._reply("MAIL", "250 ok")) == 2:
                    self._in_transaction = True
                    self._see(sender=_address(argument), recipients=[])
            case "RCPT":
                self._rcpt(_address(argument))
            case "DATA":
                ready = self._in_transaction and self._seen.recipients
                reply = self._reply("DATA", "354 go ahead" if ready else "503 no recipients")
                self._in_data = _code(reply) == 3
                if self._in_data:
                    # The line end of DATA itself may begin the end of data: an empty message is `.` CRLF.
                    self._unread = b"\r\n" + self._unread
            case "RSET":
                if _code(self._reply("RSET", "250 ok")) == 2:
                    self._in_transaction = False
            case "NOOP":
                self._reply("NOOP", "250 ok")
            case "QUIT":
                self._see(quit=True)
                reply = self._reply("QUIT", f"221 {self._exchanger.host}")
                if _code(reply) == 2 and self._end == "open":
                    self._finish("close")
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

    def _rcpt(self, recipient: str) -> None:
        default = "250 ok" if self._in_transaction else "503 MAIL first"
        if _code(self._reply("RCPT", default, f"RCPT <{recipient}>")) == 2 and self._in_transaction:
            self._seen.recipients.append(recipient)

    def _take_message(self) -> bool:
        stuffed, found, rest = self._unread.partition(_END_OF_DATA)
        if not found:
            return False
        message = (stuffed + b"\r\n").replace(b"\r\n.", b"\r\n")[2:]
        self._unread = rest
        self._in_data = False
        # A script may take DATA outside a transaction; then what MAIL said before is not this message's.
        sender = self._seen.sender if self._in_transaction else None
        recipients = list(self._seen.recipients) if self._in_transaction else []
        if _code(self._reply("message", "250 ok")) == 2:
            self._seen.messages.append(AcceptedMessage(sender, recipients, text(message)))
        self._in_transaction = False
        return True

    # AUTH

    @property
    def _accepted_methods(self) -> set[str]:
        accepts = self._exchanger.accepts
        return self._methods if accepts is None else {method.upper() for method in accepts}

    def _auth(self, argument: str) -> None:
        method, _, initial = argument.partition(" ")
        initial = initial.strip()
        if initial:
            self._see(credentials=self._seen.credentials + 1)
        if self._seen.user:
            self._say("503 already authenticated")
        elif not self._accepted_methods:
            self._refused_auth = True
            self._say("502 unimplemented")
        elif method.upper() not in self._accepted_methods & METHODS:
            self._refused_auth = True
            self._say("504 unrecognized authentication type")
        else:
            exchange = AuthExchange(method, self._exchanger.users, self._exchanger.host)
            if initial:
                exchange.take("" if initial == "=" else initial)
            self._go_on(exchange)

    def _continue(self, exchange: AuthExchange, line: str) -> None:
        self._exchange = None
        if line == "*":
            self._say("501 authentication cancelled")
            return
        self._see(credentials=self._seen.credentials + 1)
        exchange.take(line)
        self._go_on(exchange)

    def _go_on(self, exchange: AuthExchange) -> None:
        challenge = exchange.challenge()
        if challenge is None:
            verdict = "235 ok" if exchange.accepted else "535 authentication failed"
            if _code(self._reply("AUTH", verdict)) == 2:
                self._see(user=exchange.user)
            return
        said = self._reply("challenge", f"334 {challenge}")
        if _code(said) == 3:
            exchange.challenged(said[4:])
            self._exchange = exchange
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
    found = _BRACKETED.match(argument, start)
    return found[1] if found else argument[start + 1 :]
