"""Passwords out of records: the one place where fixtures' secrets become tokens.

The token names the owner and the form, so that it still tells one secret from another. What a case sees is
already hidden, hence it concludes the same from the record.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

#: Texts up to this length are searched as a whole; in longer ones a letter is looked for at a time.
_SHORT = 256

#: A list of so many texts is searched as one: hundreds of recipients are seen once, and never again.
_MANY = 16

#: Letters of what qmail is told and says, the most frequent first; what is not among them is rare.
_COMMON_FIRST = "etaoinsrhldcumfpgwybvkxjqz.-<>@:0123456789ETAOINSRHLDCUMFPGWYBVKXJQZ"


def _rarity(letter: str) -> int:
    return _COMMON_FIRST.find(letter) % 100


class Secrets:
    """Hides each user's password, as such and in the forms that AUTH PLAIN and LOGIN send."""

    def __init__(self, passwords: Mapping[str, bytes]) -> None:
        """`passwords` maps a user to the octets of the password."""
        self._tokens: dict[str, str] = {}
        for user, password in passwords.items():
            name = user.encode("utf-8")
            for form, secret in (
                ("password", password),
                ("login", base64.b64encode(password)),
                ("plain", base64.b64encode(b"\0" + name + b"\0" + password)),
                ("plain", base64.b64encode(name + b"\0" + name + b"\0" + password)),
            ):
                if secret:  # an empty password is in every text, and none
                    self._tokens[secret.decode("latin-1")] = f"<{form} of {user}>"
        # One letter is looked for ten times as fast as a text, and one that is rare is mostly missing.
        self._rarest = [(max(secret, key=_rarity), secret) for secret in self._tokens]
        self._shortest = min(map(len, self._tokens), default=0)
        # The longest first: one form may contain another.
        longest_first = sorted(self._tokens, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(re.escape(secret) for secret in longest_first)) if longest_first else None
        )

    def hide(self, value: Any) -> Any:
        """The same JSON value with every secret replaced by its token."""
        # Asked for in the order of how many there are in a record.
        kind = type(value)
        if kind is str:
            # Nearly every text of a record is too short to hold a secret.
            return value if len(value) < self._shortest else self._hidden(value)
        if kind is float or kind is int or kind is bool or value is None:
            return value
        if kind is list or kind is tuple:
            if len(value) >= _MANY and set(map(type, value)) == {str}:
                joined = "\n".join(value)
                if self._hidden(joined) is joined:
                    return list(value)
            return [self.hide(item) for item in value]
        if kind is dict:
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        return value

    def _hidden(self, value: str) -> str:
        if self._pattern is None or not self._holds(value, self._pattern):
            return value
        return self._pattern.sub(lambda found: self._tokens[found[0]], value)

    def _holds(self, value: str, pattern: re.Pattern[str]) -> bool:
        if len(value) <= _SHORT:
            return pattern.search(value) is not None
        return any(rarest in value and secret in value for rarest, secret in self._rarest)
