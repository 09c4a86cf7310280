"""Passwords out of records: the one place where fixtures' secrets become tokens.

The token names the owner and the form, so that it still tells one secret from another. What a case sees is
already hidden, hence it concludes the same from the record.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from conformance.pod.base import octets
from conformance.pod.mailboxes import load_users, password_forms, passwords


class Secrets:
    """Hides each user's password, as such and in the forms that AUTH PLAIN and LOGIN send."""

    def __init__(self, passwords: Mapping[str, bytes]) -> None:
        """`passwords` maps a user to the octets of the password."""
        self._tokens: dict[str, str] = {}
        for user, password in passwords.items():
            for form, secret in password_forms(user, password):
                if secret:  # an empty password is in every text, and none
                    self._tokens[secret.decode("latin-1")] = f"<{form} of {user}>"
        # The longest first: one form may contain another.
        longest_first = sorted(self._tokens, key=len, reverse=True)
        nothing = "(?!)"
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or nothing)

    def hide(self, value: Any) -> Any:
        """The same value, a dataclass or plain data, with every secret in it replaced by its token."""
        if isinstance(value, str):
            return self._pattern.sub(lambda found: self._tokens[found[0]], value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.hide(item) for item in value)
        if isinstance(value, dict):
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{each.name: self.hide(getattr(value, each.name)) for each in fields(value)}
            )
        return value


@cache
def fixture_secrets() -> Secrets:
    """The passwords of the fixtures' users, hidden."""
    return Secrets({name: octets(password) for name, password in passwords(load_users()).items()})
