"""The mail transaction of qmail-remote with one exchanger (RFC 5321 3.3), from greeting to QUIT."""

from typing import List

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.build import Build
from conformance.reference.dialogue import Dialogue
from conformance.reference.envelope import xtext
from conformance.reference.remote_auth import RemoteAuthentication
from conformance.reference.routes import Route

_OUTPUT_BUFFER = 1024
_NO_METHOD = b"no supported AUTH method found, continuing without authentication.\n"


class Conversation:
    """One message to its recipients. Codes count as RFC 5321 4.2.1 says: 5yz for good, 4yz for now."""

    #: What goes before a line that begins with a dot (RFC 5321 4.5.2).
    stuffing = b"."

    def __init__(self, build: Build, dialogue: Dialogue, helo_host: bytes) -> None:
        self.build = build
        self.dialogue = dialogue
        self.report = dialogue.report
        self.helo_host = helo_host
        self.authenticates = build.carries("0008")
        self.greeted = False  #: whether the host has taken the hello

    def run(self, sender: bytes, recipients: List[bytes], message: bytes, route: Route) -> Engine:
        """Greeting, hello, AUTH, envelope, message, QUIT (RFC 5321 3.3); raises Ended."""
        self.sender = sender
        code: int = yield from self.dialogue.reply()
        if code != 220:
            yield from self.dialogue.give_up(self.greeting_kind(code), " but greeting failed")
        extensions = yield from self._hello()
        self.greeted = True
        parameter = note = b""
        if self.authenticates and route.user and route.password:
            parameter, note = yield from self.authenticated(route, extensions)
        yield from self.mail(parameter)
        code = yield from self.dialogue.reply()
        if code >= 400:
            yield from self.dialogue.give_up(self.mail_kind(code), " but sender was rejected")
        yield from self.recipients(recipients)
        yield from self.data()
        yield from self.send_message(message)
        code = yield from self.message_reply()
        self.dialogue.message_sent = False
        if not 200 <= code < 300:
            yield from self.not_accepted(code)
        yield from self.dialogue.finish(b"K" + note, " accepted message")

    def greeting_kind(self, code: int) -> bytes:
        """Another greeting than 220 is a failure for now, a 5yz too: qmail tries again."""
        return b"Z"

    def _hello(self) -> Engine:
        """EHLO (0008) or HELO; the reply to EHLO, b"" when the host only knows HELO."""
        reply: bytes = b""
        if self.authenticates:
            reply = yield from self.ehlo()
        if not reply:
            yield from self.dialogue.say(b"HELO " + self.helo_host)
            if (code := (yield from self.dialogue.reply())) != 250:
                yield from self.dialogue.give_up(self.hello_kind(code), " but my name was rejected")
        return reply

    def hello_kind(self, code: int) -> bytes:
        """A refused HELO is a failure for now, with 5yz too: qmail tries again."""
        return b"Z"

    def ehlo(self) -> Engine:
        """The reply to EHLO; b"" when the host refuses it, and HELO has to follow (RFC 5321 3.2)."""
        yield from self.dialogue.say(b"EHLO " + self.helo_host)
        return bytes(self.dialogue.text) if (yield from self.dialogue.reply()) == 250 else b""

    def authenticated(self, route: Route, extensions: bytes) -> Engine:
        """(parameter of MAIL (RFC 4954 5), words before the success report), after AUTH."""
        authentication = self.build.of(RemoteAuthentication)(self.dialogue)
        method = authentication.method(extensions)
        yield from self.passed_over(extensions)
        if method is None:
            known = authentication.announced(extensions)
            return b"", (yield from self.nothing_known() if known else self.nothing_announced())
        yield from authentication.exchange(method, route.user, route.password)
        return b" AUTH=" + self.named(route.user), b""

    def named(self, user: bytes) -> bytes:
        """What AUTH= on MAIL says of the user: a mailbox in xtext, or <> for what is none (RFC 4954 5)."""
        return self.as_xtext(user) if b"@" in user else b"<>"

    def as_xtext(self, user: bytes) -> bytes:
        """A user in xtext (RFC 3461 4)."""
        return xtext(user)

    def nothing_known(self) -> Engine:
        """Words before the report of success: a host that announces unknown methods gets mail without AUTH.

        The report K must not come before the host accepted the message (0008).
        """
        yield from ()
        return self.noted()

    def nothing_announced(self) -> Engine:
        """The same for a host that announces no AUTH (0008)."""
        yield from ()
        return self.noted()

    def noted(self) -> bytes:
        """That there was no method, for the report of success."""
        return _NO_METHOD

    def passed_over(self, extensions: bytes) -> Engine:
        """What comes of an AUTH line in which no method is known, where there are others: nothing."""
        yield from ()

    def mail(self, parameter: bytes = b"") -> Engine:
        """MAIL, whose reply is yet to be read."""
        yield from self.dialogue.say(b"MAIL FROM:<" + self.sender + b">" + parameter)

    def mail_kind(self, code: int) -> bytes:
        return b"D" if code >= 500 else b"Z"

    def recipients(self, recipients: List[bytes]) -> Engine:
        """A report for each recipient; with none of them accepted there is nothing to send."""
        wanted = False
        for recipient in recipients:
            yield from self.dialogue.say(b"RCPT TO:<" + recipient + b">")
            code: int = yield from self.dialogue.reply()
            report = self.refusal(code) if code >= 400 else b"r"
            self.report.add(report)
            wanted = wanted or report == b"r"
        if not wanted:
            yield from self.dialogue.finish(b"DGiving up on ", "")

    def refusal(self, code: int) -> bytes:
        words = self.dialogue.address + b" does not like recipient.\n"
        return self.recipient_kind(code) + words + self.dialogue.quoted_reply()

    def recipient_kind(self, code: int) -> bytes:
        return b"h" if code >= 500 else b"s"

    def data(self) -> Engine:
        """DATA, and that the host wants the message."""
        yield from self.dialogue.say(b"DATA")
        code: int = yield from self.dialogue.reply()
        if not self.wants_message(code):
            yield from self.dialogue.finish(b"D" if code >= 500 else b"Z", " failed on DATA command")

    def wants_message(self, code: int) -> bool:
        """The message is sent after 354 and after nothing else (RFC 5321 3.3)."""
        return code == 354

    def send_message(self, message: bytes) -> Engine:
        """The message and the final dot (RFC 5321 4.1.1.4)."""
        *lines, partial = message.split(b"\n")
        octets = self.encoded(lines)
        if partial:
            octets = yield from self.with_partial_line(octets, partial)
        self.dialogue.message_sent = True
        yield acts.Send(octets + b".\r\n")

    def with_partial_line(self, octets: bytes, partial: bytes) -> Engine:
        """A final line without its end cannot be sent (qmail-remote(8), TRANSPARENCY)."""
        octets += partial
        if len(octets) >= _OUTPUT_BUFFER:
            yield acts.Send(octets[: len(octets) // _OUTPUT_BUFFER * _OUTPUT_BUFFER])
        yield acts.Close()
        self.report.end(b"DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n")

    def encoded(self, lines: List[bytes]) -> bytes:
        """Lines as they go out: ended by CR LF, and dots at the start stuffed (RFC 5321 4.5.2)."""
        stuffed = (self.stuffing + line if line.startswith(b".") else line for line in lines)
        return b"".join(line + b"\r\n" for line in stuffed)

    def message_reply(self) -> Engine:
        """The code of the reply to the message: until it has come nothing is accepted (RFC 5321 4.2.5)."""
        return (yield from self.dialogue.reply())

    def not_accepted(self, code: int) -> Engine:
        """Whatever is not 2yz has not taken the message over (RFC 5321 4.2.1)."""
        yield from self.dialogue.finish(self.message_kind(code), " failed after I sent the message")

    def message_kind(self, code: int) -> bytes:
        return b"D" if code >= 500 else b"Z"
