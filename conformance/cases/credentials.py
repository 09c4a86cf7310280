"""What a client says when it authenticates (RFC 4616, 2195), for the users of the fixtures."""

import base64
import hmac
from functools import cache

from conformance.pod.base import octets
from conformance.pod.mailboxes import load_users, passwords


@cache
def _passwords() -> dict[str, str]:
    return passwords(load_users())


def password(user: str) -> str:
    """The user's password, one character per octet."""
    return _passwords()[user]


def encoded(text: str) -> str:
    """Base64 of octets given as text."""
    return base64.b64encode(octets(text)).decode("ascii")


def plain(user: str, secret: str | None = None, *, identity: str = "") -> str:
    """The initial response of AUTH PLAIN: identity NUL user NUL password, in base64."""
    return encoded(f"{identity}\0{user}\0{password(user) if secret is None else secret}")


def cram_md5(user: str, challenge: str) -> str:
    """The answer to a CRAM-MD5 challenge in base64, computed by the standard library's HMAC."""
    digest = hmac.new(octets(password(user)), base64.b64decode(challenge), "md5").hexdigest()
    return encoded(f"{user} {digest}")
