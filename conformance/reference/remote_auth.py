"""AUTH as qmail-remote uses it (patch 0008): the method by the server's announcement, and its exchange."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, FrozenSet, List, Optional

from conformance.reference.acts import Engine

if TYPE_CHECKING:
    from conformance.reference.remote import Conversation

_ORDER = (b"CRAM-MD5", b"PLAIN", b"LOGIN")
_ACCEPTED, _CONTINUE, _EXPIRED = 235, 334, 432


def announced(reply: bytes, flaws: FrozenSet[str]) -> List[bytes]:
    """The methods in an EHLO reply, in upper case: whatever the order and the case they came in."""
    methods: List[bytes] = []
    for line in reply.split(b"\n"):
        words = line[4:].replace(b"=", b" ").split()
        if "0008.methods-case" not in flaws:
            words = [word.upper() for word in words]
        if words and words[0] == b"AUTH":
            methods += words[1:2] if "0008.first-method-only" in flaws else words[1:]
    return methods


def choose_method(reply: bytes, flaws: FrozenSet[str]) -> Optional[bytes]:
    """The method to use: CRAM-MD5, else PLAIN, else LOGIN; None when the server announced none of them."""
    offered = announced(reply, flaws)
    order = tuple(reversed(_ORDER)) if "0008.login-first" in flaws else _ORDER
    if "0008.plain-unasked" in flaws and not offered:
        return b"PLAIN"
    return next((method for method in order if method in offered), None)


def cram_digest(challenge: bytes, password: bytes, flaws: FrozenSet[str] = frozenset()) -> bytes:
    """The keyed digest of RFC 2195, in lower-case hexadecimal."""
    key, text = (challenge, password) if "0008.digest-swapped" in flaws else (password, challenge)
    return hmac.new(key, text, hashlib.md5).hexdigest().encode("ascii")


def authenticate(conversation: Conversation, method: bytes, user: bytes, password: bytes) -> Engine:
    """The exchange; it returns when the server accepted, and gives the message up for now when not."""
    if method == b"CRAM-MD5":
        yield from _begin(conversation, method)
        encoded = conversation.text[4:].rstrip(b"\n")
        try:
            challenge = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            challenge = b""
        if not challenge:
            yield from conversation.give_up(b"Z", " but unable to base64decode challenge")
        response = user + b" " + cram_digest(challenge, password, conversation.flaws)
        yield from _credentials(conversation, response)
        yield from _verdict(conversation, "username+digest")
    elif method == b"PLAIN":
        yield from _begin(conversation, method)
        yield from _credentials(conversation, user + b"\0" + user + b"\0" + password)
        yield from _verdict(conversation, "plain")
    else:
        yield from _begin(conversation, method)
        yield from _credentials(conversation, user)
        if (yield from conversation.reply()) != _CONTINUE:
            yield from conversation.give_up(b"Z", " but authentication was rejected (username)")
        yield from _credentials(conversation, password)
        yield from _verdict(conversation, "password")


def _begin(conversation: Conversation, method: bytes) -> Engine:
    yield from conversation.say(b"AUTH " + method)
    if (yield from conversation.reply()) != _CONTINUE:
        rejected = f" but authentication was rejected (AUTH {method.decode('ascii')})"
        yield from conversation.give_up(b"Z", rejected)


def _credentials(conversation: Conversation, octets: bytes) -> Engine:
    yield from conversation.say(base64.b64encode(octets))


def _verdict(conversation: Conversation, rejected: str) -> Engine:
    code: int = yield from conversation.reply()
    if code == _ACCEPTED or "0008.rejection-ignored" in conversation.flaws:
        return
    kind = b"D" if "0008.rejection-permanent" in conversation.flaws else b"Z"
    if code == _EXPIRED:
        if "0008.expired-reads-again" in conversation.flaws:
            yield from conversation.reply()
        yield from conversation.give_up(kind, " but password expired")
    yield from conversation.give_up(kind, f" but authentication was rejected ({rejected})")
