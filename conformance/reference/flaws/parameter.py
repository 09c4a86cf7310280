"""How 0008 reads the parameter AUTH= of MAIL, and where it keeps the name."""

import re
from typing import Any


def named_in(word: bytes) -> bytes:
    """As 0008 reads AUTH=: it knows the two signs that xtext must encode, and drops other plus signs."""
    if word.startswith(b"<>"):
        return b"unknown"
    signs = {b"+3D": b"=", b"+2B": b"+", b"+": b""}
    return re.sub(rb"(?i)\+3D|\+2B|\+", lambda found: signs[found.group().upper()], word)


def believed(self: Any, word: bytes) -> None:
    """The Received field names the last one, for all have the same place; programs are told of the first.

    A name for which that place is too small is written elsewhere, and the field shows what was begun here.
    """
    name = named_in(word)
    if self.info is None:
        self.is_named(name)
        self.believed, self.room = self.info, _room_for(name)
    elif self.info is getattr(self, "believed", None):
        self.info = name if len(name) < self.room else name[: self.room - 1] + b"Z"
        self.believed = self.info if len(name) < self.room else b""


def _room_for(name: bytes) -> int:
    """The octets that a stralloc has when a name was put in octet by octet, with one behind (stralloc.h)."""
    room = 1
    for length in range(1, len(name) + 1):
        if length + 1 > room:
            room = 30 + (length + 1) + (length + 1) // 8
    return room
