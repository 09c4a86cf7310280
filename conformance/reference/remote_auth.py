"""AUTH as qmail-remote uses it (patch 0008; RFC 4954): the method by the announcement, and its exchange."""

import base64
import binascii
import hashlib
import hmac
from typing import List, Optional

from conformance.reference.acts import Engine
from conformance.reference.dialogue import Dialogue

_ACCEPTED, _CONTINUE, _EXPIRED = 235, 334, 432  # RFC 4954 4 and 6


class RemoteAuthentication:
    """Authenticates to one host; that it does not succeed is a failure for now (0008, qmail-remote(8))."""

    #: The methods from best to worst (0008, qmail-remote(8)).
    order = (b"CRAM-MD5", b"PLAIN", b"LOGIN")
    #: Of the report that credentials were rejected.
    rejection_kind = b"Z"

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue

    def method(self, reply: bytes) -> Optional[bytes]:
        """The best of the methods that a reply to EHLO announces; None when it announces none of them."""
        offered = self.announced(reply)
        return next((method for method in self.order if method in offered), None)

    def announced(self, reply: bytes) -> List[bytes]:
        """The methods in a reply to EHLO, in upper case, in whatever order they came."""
        return [method for line in reply.split(b"\n") for method in self.methods(self.words(line))]

    def words(self, line: bytes) -> List[bytes]:
        """The words of a line; their case means nothing (RFC 5321 4.1.1.1), `AUTH=` is an old form."""
        return line[4:].replace(b"=", b" ").upper().split()

    def methods(self, words: List[bytes]) -> List[bytes]:
        """Those of a line that begins with AUTH (RFC 4954 3)."""
        return words[1:] if words[:1] == [b"AUTH"] else []

    def exchange(self, method: bytes, user: bytes, password: bytes) -> Engine:
        """One exchange; it returns when the host accepted, and gives the message up when not."""
        yield from self.dialogue.say(b"AUTH " + method)
        yield from self._continued("AUTH " + method.decode("ascii"))
        if method == b"CRAM-MD5":
            challenge: bytes = yield from self.challenge()
            yield from self._send(user + b" " + self.digest(challenge, password))
            yield from self.verdict("username+digest")
        elif method == b"PLAIN":
            yield from self._send(user + b"\0" + user + b"\0" + password)  # RFC 4616 2
            yield from self.verdict("plain")
        else:
            yield from self._send(user)
            yield from self._continued("username")
            yield from self._send(password)
            yield from self.verdict("password")

    def challenge(self) -> Engine:
        """The challenge of the last reply, which may be empty."""
        challenge = self.decoded(self.challenge_text(bytes(self.dialogue.text)))
        if challenge is None:
            yield from self.cancel()
            yield from self.dialogue.give_up(b"Z", " but unable to base64decode challenge")
        return challenge

    def challenge_text(self, reply: bytes) -> bytes:
        """What stands behind the code; a reply need not have it (RFC 5321 4.2)."""
        return reply[4:].rstrip(b"\n")

    def cancel(self) -> Engine:
        """A challenge that cannot be read ends the exchange (RFC 4954 4)."""
        yield from self.dialogue.say(b"*")
        yield from self.dialogue.reply()

    def decoded(self, text: bytes) -> Optional[bytes]:
        """The octets of base64 (RFC 4648 4); None for what is none."""
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return None

    def digest(self, challenge: bytes, password: bytes) -> bytes:
        """The keyed digest of RFC 2195 2, in lower-case hexadecimal: the password is the key."""
        return hmac.new(self.key(password), self.signed(challenge), hashlib.md5).hexdigest().encode("ascii")

    def key(self, password: bytes) -> bytes:
        """What of the password is the digest's key: all of it (RFC 2195 2)."""
        return password

    def signed(self, challenge: bytes) -> bytes:
        """What of the challenge is digested: all of it (RFC 2195 2)."""
        return challenge

    def _send(self, octets: bytes) -> Engine:
        yield from self.dialogue.say(base64.b64encode(octets))

    def _continued(self, said: str) -> Engine:
        if (yield from self.dialogue.reply()) != _CONTINUE:
            yield from self.dialogue.give_up(
                self.rejection_kind, f" but authentication was rejected ({said})"
            )

    def verdict(self, said: str) -> Engine:
        """The host's last word on the credentials."""
        code: int = yield from self.dialogue.reply()
        if code == _EXPIRED:
            yield from self.expired()
        if code != _ACCEPTED:
            rejected = f" but authentication was rejected ({said})"
            yield from self.dialogue.give_up(self.rejection_kind, rejected)

    def expired(self) -> Engine:
        """432, a password transition is needed (RFC 4954 6): reported at once."""
        yield from self.dialogue.give_up(self.rejection_kind, " but password expired")
