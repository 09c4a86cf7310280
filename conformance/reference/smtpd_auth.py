"""AUTH as qmail-smtpd offers it (patch 0008; RFC 4954, 4616, 2195)."""

import base64
import re
from typing import Any, Optional, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.build import Build
from conformance.reference.client import Client
from conformance.reference.wire import Wire, without_carriage_return

BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class Abandoned(Exception):
    """The exchange ends with this reply and line of the log, without a verdict on credentials."""


#: What SMTPAUTH allows: the methods to announce, none when AUTH is off; whether MAIL needs authentication.
AuthMode = Tuple[Tuple[bytes, ...], bool]


class Authentication:
    """Who has authenticated in this session, and how one does. `pid` is qmail-smtpd's own.

    `methods` are those that EHLO announces.
    """

    # Replies (RFC 4954 4 and 6), each with its line of the log.
    malformed = ("501 malformed auth input (#5.5.4)", "auth - malformed input")
    cancelled = ("501 auth exchange canceled (#5.0.0)", "auth - exchange cancelled")
    unknown_method = ("504 auth type unimplemented (#5.5.1)", "auth - type unimplemented")
    failed = ("535 authentication failed (#5.7.1)", "auth - authentication failed")
    child_trouble = ("454 oops, problem with child and I can't auth (#4.3.0)", "auth - problem with child")

    def __init__(
        self,
        build: Build,
        client: Client,
        wire: Wire,
        checkprogram: Tuple[str, ...],
        pid: int,
        timeout: float,
    ) -> None:
        self.client = client
        self.wire = wire
        self.user = b""
        self.checkprogram = checkprogram
        self.pid = pid
        self.timeout = timeout
        self._attempts = 0
        value = client.environment.get("SMTPAUTH")
        self.methods, self.required = self.mode(value) if build.carries("0008") else ((), False)

    def mode(self, value: Optional[str]) -> AuthMode:
        """What a value of SMTPAUTH means (qmail-smtpd(8), SMTPAUTH)."""
        if value is None or value.startswith("-"):
            return (), False
        required = value.startswith("!")
        words = value[required:].lower()
        methods = () if words.startswith("cram") else (b"LOGIN", b"PLAIN")
        cram = (b"CRAM-MD5",) if words.startswith(("cram", "+cram")) else ()
        return (*methods, *cram), required

    def lacking(self) -> bool:
        """Whether MAIL has to wait for authentication."""
        return self.required and not self.user

    def command(self, argument: bytes, in_transaction: bool) -> Engine:
        """The AUTH command."""
        if not self.is_available():
            self.wire.say(b"503 auth not available (#5.3.3)\r\n")
        elif self.is_done():
            reply = "503 you're already authenticated (#5.5.0)"
            yield from self.wire.answer(reply, "auth - already authenticated")
        elif self.must_not_begin(in_transaction):
            reply = "503 no auth during mail transaction (#5.5.0)"
            yield from self.wire.answer(reply, "auth - no auth during mail transaction")
        else:
            method, _, initial = argument.partition(b" ")
            try:
                yield from self._exchange(method.upper(), self.without_blanks(initial))
            except Abandoned as abandoned:
                yield from self.wire.answer(*abandoned.args)

    def without_blanks(self, initial: bytes) -> bytes:
        """An initial response; blanks around it are no part of it (RFC 5321 4.1.1)."""
        return initial.strip(b" ")

    def is_available(self) -> bool:
        """Whether SMTPAUTH allows AUTH, and there is a checkprogram."""
        return bool(self.methods) and bool(self.checkprogram)

    def is_done(self) -> bool:
        """After success there is no second AUTH in a session (RFC 4954 4)."""
        return bool(self.user)

    def must_not_begin(self, in_transaction: bool) -> bool:
        """There is no AUTH during a mail transaction (RFC 4954 4)."""
        return in_transaction

    def offers(self, method: bytes) -> bool:
        """What was not announced is not taken (RFC 4954 4, 504)."""
        return method in self.methods

    def _exchange(self, method: bytes, initial: bytes) -> Engine:
        """One exchange to its end. Raises Abandoned."""
        self.tries(b"")
        if not self.offers(method):
            raise Abandoned(*self.unknown_method)
        credentials = {b"LOGIN": self.login, b"PLAIN": self.plain, b"CRAM-MD5": self.cram_md5}[method]
        user, password, challenge = yield from credentials(initial)
        if not self.complete(user, password) or not self.is_whole(user, password):
            raise Abandoned(*self.malformed)
        self.tries(user)
        status = yield self.question(user, password, challenge)
        if self.accepts(status):
            self.user = user
            self.client.speaks_esmtpa()
            self.client.may_relay()
            self.client.is_named(user)
            yield from self.succeeded("235 ok, go ahead (#2.0.0)")
        else:
            yield from self.after_failure()
            yield from self.wire.answer(*self.failed)

    def tries(self, user: bytes) -> None:
        """A try begins (without a user), or names one: it says nothing of who the client is (RFC 4954 4)."""

    def succeeded(self, reply: str) -> Engine:
        """Success is a decision as failure is, and has its line (0001)."""
        yield from self.wire.answer(reply, "auth - success")

    def complete(self, user: bytes, password: bytes) -> bool:
        """An empty user or password is not worth a question (0008)."""
        return bool(user) and bool(password)

    def is_whole(self, user: bytes, password: bytes) -> bool:
        """A NUL ends user and password on descriptor 3: neither holds one (the checkpassword interface)."""
        return b"\0" not in user + password

    def question(self, user: bytes, password: bytes, challenge: bytes) -> acts.CheckPassword:
        """What the checkprogram is asked: all of it, on descriptor 3 (the checkpassword interface)."""
        environment = dict(self.client.environment)
        self.client.attempts += 1
        around = self.surroundings()
        return acts.CheckPassword(
            self.checkprogram, user, password, challenge, environment, self.program_limit(), around
        )

    def surroundings(self) -> acts.Surroundings:
        """How the checkprogram finds itself: descriptor 3 is the credentials' alone (0008)."""
        return acts.Surroundings({0: acts.NOTHING, 1: acts.NOTHING, 2: acts.LOG, 3: acts.PIPE})

    def program_limit(self) -> Optional[float]:
        """Seconds that the checkprogram may take: as long as the client may (timeoutsmtpd)."""
        return self.timeout

    def accepts(self, status: Any) -> bool:
        """Exit status 0 alone accepts (the checkpassword interface). Raises Abandoned."""
        if status in (acts.CRASHED, acts.HUNG):
            raise Abandoned(*self.child_trouble)
        return bool(status == 0)

    def after_failure(self) -> Engine:
        """A guesser has to wait, five seconds (0008)."""
        yield acts.Sleep(5.0)

    # The methods: each returns user, password or digest, and challenge

    def login(self, initial: bytes) -> Engine:
        """LOGIN, with the user as initial response or asked for: `Username:`, `Password:`."""
        user: bytes = self.initial_response(initial) if initial else (yield from self.ask(b"VXNlcm5hbWU6"))
        password: bytes = yield from self.ask(b"UGFzc3dvcmQ6")
        return user, password, b""

    def plain(self, initial: bytes) -> Engine:
        """PLAIN: authorization identity, user and password (RFC 4616 2)."""
        response: bytes = self.initial_response(initial) if initial else (yield from self.ask(b""))
        identity, user, password = [*response.split(b"\0"), b"", b""][:3]
        if not self.may_act_as(identity, user):
            raise Abandoned(*self.failed)
        return self.plain_user(identity, user), password, b""

    def may_act_as(self, identity: bytes, user: bytes) -> bool:
        """Nothing lets a user act as another one (RFC 4616 2)."""
        return identity in (b"", user)

    def plain_user(self, identity: bytes, user: bytes) -> bytes:
        """Whose password it is: the authentication identity's (RFC 4616 2)."""
        return user

    def cram_md5(self, initial: bytes) -> Engine:
        """CRAM-MD5: user, space, digest of a challenge that does not come again (RFC 2195 2)."""
        if initial and self.must_begin():
            raise Abandoned(*self.malformed)
        now: float = yield acts.Now()
        challenge = b"<" + self.unique(int(now)) + b"@" + self.client.local + b">"
        response: bytes = yield from self.ask(base64.b64encode(challenge))
        return (*self.user_and_digest(response), challenge)

    def user_and_digest(self, response: bytes) -> Tuple[bytes, bytes]:
        """The two sides of the last space of a CRAM-MD5 response (RFC 2195 2). Raises Abandoned."""
        user, space, digest = response.rpartition(b" ")
        if not space:
            raise Abandoned(*self.malformed)
        return user, digest

    def unique(self, now: int) -> bytes:
        """What no other challenge has: the process, the time in seconds, and a number within the session."""
        return b"%d.%d%06d" % (self.pid, now, self.attempt())

    def must_begin(self) -> bool:
        """Where the server begins, there is no initial response (RFC 4954 4)."""
        return True

    def attempt(self) -> int:
        """A number that no other challenge of the session has."""
        self._attempts += 1
        return self._attempts

    # What the client says

    def ask(self, prompt: bytes) -> Engine:
        """Send a challenge (RFC 4954 4); the octets that the client answers. Raises Abandoned."""
        self.wire.say(b"334 " + prompt + b"\r\n")
        yield from self.wire.flush()
        return self.response(without_carriage_return((yield from self.wire.line())))

    def response(self, line: bytes) -> bytes:
        """The octets of a response; `*` cancels (RFC 4954 4), also before a NUL. Raises Abandoned."""
        if line.partition(b"\0")[0] == b"*":
            raise Abandoned(*self.cancelled)
        if not line:
            raise Abandoned(*self.malformed)
        return self.decoded(line)

    def initial_response(self, line: bytes) -> bytes:
        """The octets of an initial response; `=` is an empty one (RFC 4954 4). Raises Abandoned."""
        return b"" if self.is_empty(line) else self.decoded(line)

    def is_empty(self, line: bytes) -> bool:
        """Whether an initial response is `=`, which stands for none."""
        return line == b"="

    def decoded(self, line: bytes) -> bytes:
        """Base64 without anything else (RFC 4648 3.3). Raises Abandoned."""
        if not BASE64.fullmatch(line):
            raise Abandoned(*self.malformed)
        return base64.b64decode(line)
