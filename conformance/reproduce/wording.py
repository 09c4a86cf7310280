"""How octets are written in the files of a reproduction: one line each, readable, and exactly reversible."""

from __future__ import annotations

import re

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}
_ODD = re.compile(r"[\\\x00-\x1f\x7f-\xff]")
_WRITTEN = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")
_MEANT = {"\\": "\\", "t": "\t", "r": "\r", "n": "\n"}


def escaped(text: str) -> str:
    r"""Octets (one character each) as printable ASCII: `\\`, `\t`, `\r`, `\n`, `\xHH`."""
    return _ODD.sub(lambda found: _ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), text)


def unescaped(line: str) -> str:
    """The inverse of `escaped`. Raises KeyError for an escape that `escaped` never writes."""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)) if found[1] else _MEANT[found[2]], line)


def is_plain(text: str) -> bool:
    """Whether a person can type it: printable ASCII in lines that end with CRLF."""
    return re.fullmatch(r"(?:[\x20-\x7e\t]*\r\n)*", text) is not None
