r"""Octets that are no text, in a chat line: `\r`, `\x00`, `\{900*a}`, `\{plain:alice}`, and `\c` at the end.

A character beyond ASCII stands for its octets in UTF-8. A line ends with CRLF unless it ends with `\c`.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache

from conformance.cases import credentials
from conformance.nearest import did_you_mean
from conformance.pod.mailboxes import load_users, passwords
from conformance.scenario.hidden import question
from conformance.smtp.reply import LONGEST_REPLY

_PART = re.compile(
    r"\\(?:(?P<sign>[rnt0\\*])|x(?P<octet>[0-9A-Fa-f]{2})|(?P<cut>c)\Z|\{(?P<made>(?:[^{}\\]|\\.)*)\}|(?P<wrong>))"
    r"|(?P<text>[^\\]+)"
)
_SIGNS = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "*": b"*"}
_REPEAT = re.compile(r"(\d{1,6})\*(.+)", re.DOTALL)
_MOST = 1_000_000

KNOWN = (
    r"known are \r \n \t \0 \\ \* \xNN, \c at the end (no CRLF), \{N*TEXT} and \{WORD:…} with a word of "
    "base64, plain, user, password, cram-md5"
)


def expand(raw: str, challenge: str = "") -> bytes:
    """The octets that a line of a chat stands for, without its end.

    `challenge` is what `334 ` came with, for `\\{cram-md5:alice}`. Raises ValueError that says what is wrong.
    """
    if "\\" not in raw:
        return raw.encode("utf-8", "surrogateescape")
    return b"".join(_part(found, challenge) for found in _PART.finditer(raw))


def is_cut(raw: str) -> bool:
    r"""Whether the line ends with `\c`, so that no CRLF follows."""
    return raw.endswith("c") and any(found["cut"] for found in _PART.finditer(raw))


def escaped(octets: bytes) -> str:
    """A chat line that stands for these octets: the inverse of `expand`, in printable ASCII."""
    return "".join(
        r"\\" if octet == 0x5C else chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}"
        for octet in octets
    )


@lru_cache(maxsize=256)  # a scenario is played on many qmails
def pattern(raw: str) -> re.Pattern[str]:
    """A text with `*` as wildcard, to be matched in full against octets read as Latin-1."""
    between = [b""]  #: what stands between wildcards
    for found in _PART.finditer(raw):
        first, *others = (found["text"] or "").split("*")
        between[-1] += first.encode("utf-8") if found["text"] else _part(found, "")
        between += [plain.encode("utf-8") for plain in others]
    if sum(map(len, between)) > LONGEST_REPLY:
        raise ValueError(f"it is longer than {LONGEST_REPLY} octets, the longest reply")
    first, *others = [re.escape(plain.decode("latin-1")) for plain in between]
    if not others:
        return re.compile(first, re.DOTALL)
    # Each takes the first place that it finds, and keeps it: a later one would leave less for the next.
    middle = "".join(f"(?>.*?{plain})" for plain in others[:-1])
    return re.compile(f"{first}{middle}.*{others[-1]}", re.DOTALL)


def _part(found: re.Match[str], challenge: str) -> bytes:
    if found["text"] is not None:
        return found["text"].encode("utf-8", "surrogateescape")
    if found["sign"]:
        return _SIGNS[found["sign"]]
    if found["octet"]:
        return bytes.fromhex(found["octet"])
    if found["cut"]:
        return b""
    if found["made"] is not None:
        return _made(found["made"], challenge)
    raise ValueError(f"{found.string[found.start() : found.start() + 8]!r} is no escape; {KNOWN}")


def _made(text: str, challenge: str) -> bytes:
    repeat = _REPEAT.fullmatch(text)
    if repeat:
        octets = expand(repeat[2])
        if int(repeat[1]) * len(octets) > _MOST:
            raise ValueError(rf"\{{{text}}} is longer than {_MOST} octets")
        return octets * int(repeat[1])
    word, colon, rest = text.partition(":")
    if colon and word == "base64":
        return credentials.encoded(expand(rest).decode("latin-1")).encode("ascii")
    if colon and word == "hidden":
        raise ValueError(question(rest))
    if not colon or word not in _CREDENTIALS:
        raise ValueError(rf"\{{{text}}} is no escape; {KNOWN}")
    known = _passwords()
    if rest not in known:
        hint = did_you_mean(rest, known, f"known: {', '.join(sorted(known))}")
        raise ValueError(f"there is no user {rest!r} with a password in fixtures/mailboxes; {hint}")
    return _CREDENTIALS[word](rest, challenge).encode("ascii")


@cache
def _passwords() -> dict[str, str]:
    return passwords(load_users())


def _cram_md5(user: str, challenge: str) -> str:
    try:
        return credentials.cram_md5(user, challenge)
    except ValueError:  # the challenge is not base64: what the client says is wrong either way
        return credentials.cram_md5(user, "")


#: What a client says when it authenticates as a user of the fixtures.
_CREDENTIALS: dict[str, Callable[[str, str], str]] = {
    "plain": lambda user, _: credentials.plain(user),
    "user": lambda user, _: credentials.encoded(user),
    "password": lambda user, _: credentials.encoded(credentials.password(user)),
    "cram-md5": _cram_md5,
}
