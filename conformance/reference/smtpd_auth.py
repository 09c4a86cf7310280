"""AUTH as qmail-smtpd offers it (patch 0008; RFC 4954, 4616, 2195)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, List, Optional, Tuple

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.wire import Gone

if TYPE_CHECKING:
    from conformance.reference.smtpd import Session

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_WAIT_AFTER_FAILURE = 5.0


class Abandoned(Exception):
    """The exchange ends with this reply, without a verdict on credentials."""

    def __init__(self, reply: str, logged: str) -> None:
        super().__init__(reply)
        self.reply = reply
        self.logged = logged


_CANCELLED = ("501 auth exchange canceled (#5.0.0)", "auth - exchange cancelled")
_MALFORMED = ("501 malformed auth input (#5.5.4)", "auth - malformed input")
_UNKNOWN = ("504 auth type unimplemented (#5.5.1)", "auth - type unimplemented")
_CHILD = ("454 oops, problem with child and I can't auth (#4.3.0)", "auth - problem with child")


class Authentication:
    """What SMTPAUTH allows, and who has authenticated in this session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.flaws = session.settings.flaws
        self.user = b""
        self._attempts = 0
        mode = session.environment.get("SMTPAUTH")
        self.enabled, self.required, self.methods = self._mode(mode)

    @property
    def lacking(self) -> bool:
        """Whether MAIL has to wait for authentication."""
        return self.required and not self.user

    def _mode(self, mode: Optional[str]) -> Tuple[bool, bool, List[bytes]]:
        """(enabled, required before MAIL, methods) for a value of SMTPAUTH, per the manual page."""
        if "0008" not in self.session.settings.patches:
            return False, False, []
        if mode is None:
            if "0008.unset-enables" not in self.flaws:
                return False, False, []
            mode = ""
        mode = mode.lower()
        if mode.startswith("-") and "0008.dash-announces" not in self.flaws:
            return False, False, []
        required = mode.startswith("!")
        mode = mode[1:] if required else mode
        required = required or "0008.required-always" in self.flaws
        if mode.startswith("cram") and "0008.cram-adds" not in self.flaws:
            return True, required, [b"CRAM-MD5"]
        if mode.startswith(("+cram", "cram")) and "0008.plus-cram-lost" not in self.flaws:
            return True, required, [b"LOGIN", b"PLAIN", b"CRAM-MD5"]
        return True, required, [b"LOGIN", b"PLAIN"]

    def command(self, argument: bytes) -> Engine:
        """The AUTH command."""
        session = self.session
        if not self.enabled or not session.settings.checkprogram:
            session.wire.say(b"503 auth not available (#5.3.3)\r\n")
        elif self.user and "0008.twice" not in self.flaws:
            reply = "503 you're already authenticated (#5.5.0)"
            yield from session.answer(reply, "auth - already authenticated")
        elif session.sender is not None and "0008.in-transaction" not in self.flaws:
            reply = "503 no auth during mail transaction (#5.5.0)"
            yield from session.answer(reply, "auth - no auth during mail transaction")
        else:
            method, _, initial = argument.partition(b" ")
            try:
                accepted: Optional[bytes] = yield from self._exchange(method.upper(), initial.strip(b" "))
            except Abandoned as abandoned:
                reply = abandoned.reply
                if abandoned.logged == _MALFORMED[1] and "0008.malformed-535" in self.flaws:
                    reply = "535" + reply[3:]
                yield from session.answer(reply, abandoned.logged)
                return
            if accepted is None:
                code = "454" if "0008.failure-454" in self.flaws else "535"
                reply = f"{code} authentication failed (#5.7.1)"
                yield from session.answer(reply, "auth - authentication failed")
            else:
                self._succeeded(accepted)
                session.wire.say(b"235 ok, go ahead (#2.0.0)\r\n")

    def _succeeded(self, user: bytes) -> None:
        session = self.session
        self.user = user
        if "0008.esmtpa-forgotten" not in self.flaws:
            session.protocol = b"ESMTPA"
        if "0008.no-relaying" not in self.flaws:
            session.relay_suffix = b""
            session.environment["RELAYCLIENT"] = ""
        if "0008.no-remote-info" not in self.flaws:
            session.remote_info = user
            session.environment["TCPREMOTEINFO"] = user.decode("latin-1")

    def _exchange(self, method: bytes, initial: bytes) -> Engine:
        """The user when the credentials were right, None when not. Raises Abandoned."""
        offered = self.methods
        if "0008.unoffered-methods" in self.flaws:
            offered = [b"LOGIN", b"PLAIN", b"CRAM-MD5"]
        if method not in offered:
            reply, logged = _UNKNOWN
            if "0008.unknown-method-501" in self.flaws:
                reply = "501" + reply[3:]
            raise Abandoned(reply, logged)
        if method == b"LOGIN":
            user, password, challenge = yield from self._login(initial)
        elif method == b"PLAIN":
            user, password, challenge = yield from self._plain(initial)
        else:
            user, password, challenge = yield from self._cram()
        if "0008.password-cut" in self.flaws:
            password = password[:127]
        if (not user or not password) and "0008.empty-password" not in self.flaws:
            raise Abandoned(*_MALFORMED)
        if b"\0" in user + password:
            raise Abandoned(*_MALFORMED)
        session = self.session
        status = yield acts.CheckPassword(
            session.settings.checkprogram, user, password, challenge, dict(session.environment)
        )
        if status == acts.CRASHED and "0008.crash-accepts" not in self.flaws:
            raise Abandoned(*_CHILD)
        if status in (0, acts.CRASHED) or (status == acts.MISSING and "0008.missing-accepts" in self.flaws):
            return user
        if "0008.any-password" in self.flaws:
            return user
        if "0008.no-delay" not in self.flaws:
            yield acts.Sleep(_WAIT_AFTER_FAILURE)
        if "0008.failure-relays" in self.flaws:
            session.relay_suffix = b""
        return None

    def _ask(self, prompt: bytes) -> Engine:
        """Send a challenge and decode the answer. Raises Abandoned."""
        self.session.wire.say(b"334 " + prompt + b"\r\n")
        yield from self.session.wire.flush()
        line: bytes = yield from self.session.wire.line()
        line = line[:-1] if line.endswith(b"\r") else line
        if line == b"*":
            if "0008.no-cancel" in self.flaws:
                return line
            raise Abandoned(*_CANCELLED)
        if not line:
            raise Abandoned(*_MALFORMED)
        return self._decoded(line)

    def _decoded(self, line: bytes) -> bytes:
        if "0008.padding-crashes" in self.flaws and not line.strip(b"="):
            raise Gone
        if not _BASE64.fullmatch(line):
            if "0008.bad-base64" in self.flaws:
                return line
            raise Abandoned(*_MALFORMED)
        return base64.b64decode(line)

    def _initial(self, initial: bytes) -> bytes:
        empty = initial == b"=" and "0008.padding-crashes" not in self.flaws
        return b"" if empty else self._decoded(initial)

    def _login(self, initial: bytes) -> Engine:
        if initial and "0008.login-initial-ignored" not in self.flaws:
            user = self._initial(initial)
        else:
            user = yield from self._ask(b"VXNlcm5hbWU6")
        password: bytes = yield from self._ask(b"UGFzc3dvcmQ6")
        if "0008.login-prompts-swapped" in self.flaws:
            user, password = password, user
        return user, password, b""

    def _plain(self, initial: bytes) -> Engine:
        if initial and "0008.plain-initial-ignored" not in self.flaws:
            response = self._initial(initial)
        elif "0008.plain-initial-only" in self.flaws:
            raise Abandoned(*_MALFORMED)
        else:
            response = yield from self._ask(b"")
        identity, _, credentials = response.partition(b"\0")
        user, _, password = credentials.partition(b"\0")
        if "0008.plain-identity" in self.flaws and identity:
            user = identity
        return user, password.partition(b"\0")[0], b""

    def _cram(self) -> Engine:
        session = self.session
        now: float = yield acts.Now()
        self._attempts += 0 if "0008.stale-challenge" in self.flaws else 1
        unique = b"%d.%d%06d" % (session.settings.pid, int(now), self._attempts)
        challenge = b"<" + unique + b"@" + session.local + b">"
        response: bytes = yield from self._ask(base64.b64encode(challenge))
        user, space, digest = response.rpartition(b" ")
        if not space:
            raise Abandoned(*_MALFORMED)
        return user.rstrip(b" "), digest, challenge
