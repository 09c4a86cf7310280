"""How octets are written in the files of a reproduction: one line each, readable, and exactly reversible."""

import re

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}
_ODD = re.compile(r"[\\\x00-\x1f\x7f-\xff]")


def escaped(text: str) -> str:
    r"""Octets (one character each) as printable ASCII: `\\`, `\t`, `\r`, `\n`, `\xHH`."""
    return _ODD.sub(lambda found: _ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), text)


def is_plain(text: str) -> bool:
    """Whether a person can type it: printable ASCII in lines that end with CRLF."""
    return re.fullmatch(r"(?:[\x20-\x7e\t]*\r\n)*", text) is not None
