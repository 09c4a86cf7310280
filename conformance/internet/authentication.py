"""The server's side of AUTH PLAIN, LOGIN and CRAM-MD5 (RFC 4954, 4616, 2195), pure."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping

from conformance.pod.base import octets, text

#: A line that can only be meant as credentials.
CREDENTIALS = re.compile(r"[A-Za-z0-9+/]+=*")

_ANNOUNCEMENT = re.compile(r"^250[- ]AUTH[ =](.*?)\r?$", re.IGNORECASE | re.MULTILINE)

#: How many lines of the client each method needs.
_LINES = {"PLAIN": 1, "LOGIN": 2, "CRAM-MD5": 1}
METHODS = set(_LINES)
_LOGIN_PROMPTS = ("Username:", "Password:")


def announced_methods(reply: str) -> set[str]:
    """The methods, in upper case, that a reply to EHLO announces."""
    return {method.upper() for line in _ANNOUNCEMENT.findall(reply) for method in line.split()}


class AuthExchange:
    """One AUTH command from its method to the verdict.

    `challenge` says what to ask for next, `take` takes the client's line; when `challenge` gives None,
    `accepted` is the verdict and `user` who the client says to be ("" when that cannot be read).
    """

    def __init__(self, method: str, users: Mapping[str, str], host: str) -> None:
        self.user = ""
        self.accepted = False
        self._method = method.upper()
        self._users = users
        # A host's challenge is always the same, so that records can be compared.
        self._cram = octets(f"<1896.697170952@{host}>")
        self._lines: list[bytes | None] = []

    def challenge(self) -> str | None:
        """Base64 of the next challenge; None when the client has said everything."""
        if len(self._lines) == _LINES[self._method]:
            return None
        if self._method == "LOGIN":
            return _encoded(octets(_LOGIN_PROMPTS[len(self._lines)]))
        return _encoded(self._cram) if self._method == "CRAM-MD5" else ""

    def challenged(self, said: str) -> None:
        """What was really said as the challenge, in base64: a digest is checked against that."""
        if self._method == "CRAM-MD5":
            self._cram = _decoded(said) or b""

    def take(self, line: str) -> None:
        """One line of credentials, in base64."""
        self._lines.append(_decoded(line))
        if len(self._lines) == _LINES[self._method]:
            self.user, self.accepted = self._judge([part for part in self._lines if part is not None])

    def _judge(self, lines: list[bytes]) -> tuple[str, bool]:
        if len(lines) < _LINES[self._method]:
            return "", False
        if self._method == "CRAM-MD5":
            user, _, digest = lines[0].rpartition(b" ")
            known = self._users.get(text(user))
            expected = hmac.new(octets(known or ""), self._cram, "md5").hexdigest()
            return text(user), known is not None and hmac.compare_digest(digest, expected.encode())
        if self._method == "LOGIN":
            user, password = lines
        else:
            _, user, password = [*lines[0].split(b"\0", 2), b"", b""][:3]
        return text(user), self._users.get(text(user)) == text(password)


def _encoded(plain: bytes) -> str:
    return base64.b64encode(plain).decode("ascii")


def _decoded(line: str) -> bytes | None:
    try:
        return base64.b64decode(line.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
