"""Zone text in the standard syntax (RFC 1035 5), read with dnslib, with errors a person can act on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from dnslib import CLASS, QTYPE, DNSBuffer, DNSLabel
from dnslib.dns import RD, RDMAP, RR, parse_time

from conformance.errors import UsageError
from conformance.inputs import read_text
from conformance.nearest import did_you_mean
from conformance.places import data

_TOKEN = re.compile(
    r"""(?P<newline>\r?\n) | (?P<space>[ \t]+) | (?P<comment>;[^\n]*) | (?P<parenthesis>[()])
      | "(?P<quoted>(?:[^"\\\n]|\\.)*)" | (?P<word>(?:[^\s"();\\]|\\.)+)""",
    re.VERBOSE,
)
_TIME = re.compile(r"\d+[smhdw]?", re.IGNORECASE)

#: Fields of record data, where their number is fixed; dnslib would overlook what stands beyond.
_FIELDS = {"A": 1, "AAAA": 1, "CNAME": 1, "NS": 1, "PTR": 1, "MX": 2, "SRV": 4, "SOA": 7}

#: Types whose data may hold a name, so that "@" in it stands for the origin.
_NAMING = {"CNAME", "NS", "PTR", "MX", "SRV", "SOA"}

DEFAULT_TTL = 300


@dataclass(frozen=True)
class Zone:
    """One zone: `origin` in lower case without the final dot, and its dnslib `RR` records in file order."""

    origin: str
    records: tuple[Any, ...]


@cache  # cases load the same few files again and again
def load_zone(name: str) -> str:
    """The text of `fixtures/dns-zones/<name>.zone`; UsageError, with those that exist, when none."""
    directory = data("fixtures", "dns-zones")
    known = sorted(path.stem for path in directory.glob("*.zone"))
    if name not in known:
        hint = did_you_mean(name, known, f"{directory} has: {', '.join(known) or 'none'}")
        raise UsageError(f"there is no zone file {name!r}", hint)
    return read_zone(directory / f"{name}.zone")


def read_zone(path: Path) -> str:
    """The text of a zone file. Raises UsageError."""
    return read_text(path, "A zone file is text in the standard syntax: see fixtures/dns-zones.")


def check_zones() -> None:
    """Read every zone of the fixtures; UsageError with file, line and what is wrong."""
    for path in sorted(data("fixtures", "dns-zones").glob("*.zone")):
        parse_zone(read_zone(path), str(path))


def spelled(label: Any) -> str:
    """A dnslib name as text: letters as they are, no final dot, one character per octet."""
    return b".".join(label.label).decode("latin-1")


def below(name: str, origin: str) -> bool:
    """Whether `name` is `origin` or stands below it; both in lower case without the final dot."""
    return name == origin or not origin or name.endswith("." + origin)


@lru_cache(maxsize=256)  # cases use the same few zone texts again and again
def parse_zone(text: str, source: str = "zone", first: int = 1) -> Zone:
    """Read one zone. It states its `$ORIGIN` before the first record, and every record stands below it.

    Its first line is line `first` of `source`. Raises UsageError naming both and what is wrong.
    """
    reader = _Reader()
    for number, indented, words in _logical_lines(text, source, first):
        try:
            reader.take(number, indented, words)
        except Exception as error:  # dnslib raises whatever its parts raise
            raise _wrong(source, number, _said(error)) from error
    if reader.apex is None:
        raise UsageError(f"{source}: no $ORIGIN", "a zone begins with `$ORIGIN big.example.`")
    return Zone(spelled(reader.apex).lower(), tuple(reader.records))


def _wrong(source: str, number: int, message: str) -> UsageError:
    return UsageError(f"{source}, line {number}: {message}")


def _logical_lines(text: str, source: str, first: int) -> Iterator[tuple[int, bool, list[str]]]:
    """Line number, whether it is indented, and the words of each line; parentheses join lines."""
    number, start, opened = first, first, 0
    indented = False
    words: list[str] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            rest = text[position:].partition("\n")[0]
            raise _wrong(source, number, f"a string without end, or a stray character: {rest!r}")
        kind = token.lastgroup
        if kind in ("quoted", "word") and not words:
            start, indented = number, position > 0 and text[position - 1] in " \t" and not opened
        if kind == "quoted":
            words.append(_unescaped(token["quoted"], source, number))
        elif kind == "word":
            words.append(token["word"])
        elif kind == "parenthesis":
            if token["parenthesis"] == ")" and not opened:
                raise _wrong(source, number, "a closing parenthesis without an opening one")
            opened = number if token["parenthesis"] == "(" else 0
        elif kind == "newline":
            if words and not opened:
                yield start, indented, words
                words = []
            number += 1
        position = token.end()
    if opened:
        raise _wrong(source, opened, "a parenthesis that is never closed")
    if words:
        yield start, indented, words


def _unescaped(quoted: str, source: str, number: int) -> str:
    def meant(escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) == 3 and int(code) > 127:
            raise _wrong(source, number, f"\\{code}: only octets up to \\127 can be written in a string")
        return chr(int(code)) if len(code) == 3 else code

    return re.sub(r"\\(\d{3}|.)", meant, quoted)


class _Reader:
    """The state that runs from line to line: origin, TTL, owner."""

    def __init__(self) -> None:
        self.apex: Any = None
        self.origin: Any = None
        self.owner: Any = None
        self.ttl = DEFAULT_TTL
        self.records: list[Any] = []
        self.lines: dict[tuple[str, bool], int] = {}  #: of names: where an alias, or else, stands

    def take(self, number: int, indented: bool, words: list[str]) -> None:
        if words[0].startswith("$") and not indented:
            self._directive(words)
        else:
            self._record(number, "" if indented else words.pop(0), words)

    def _directive(self, words: list[str]) -> None:
        name = words[0].upper()
        if name not in ("$ORIGIN", "$TTL"):
            raise ValueError(f"{words[0]} is not supported, only $ORIGIN and $TTL")
        if len(words) != 2:
            raise ValueError(f"{name} takes one word")
        if name == "$TTL":
            self.ttl = _seconds(words[1])
            return
        if self.origin is None and not words[1].endswith("."):
            raise ValueError(f"the first $ORIGIN ends with a dot: `$ORIGIN {words[1]}.`")
        self.origin = self._name(words[1])
        if self.apex is None:
            self.apex = self.origin

    def _name(self, word: str) -> Any:
        if word == "@":
            return self.origin
        name = DNSLabel(word) if word.endswith(".") else self.origin.add(word)
        DNSBuffer().encode_name(name)
        return name

    def _record(self, number: int, owner: str, words: list[str]) -> None:
        if self.origin is None:
            raise ValueError("a record before $ORIGIN")
        if owner:
            self.owner = self._name(owner)
        if self.owner is None:
            raise ValueError("an indented record, and no owner name before it")
        ttl = self.ttl
        while words and (words[0].upper() == "IN" or _TIME.fullmatch(words[0])):
            word = words.pop(0)
            ttl = ttl if word.upper() == "IN" else _seconds(word)
        if not words:
            raise ValueError("a record without a type")
        kind, fields = words[0].upper(), words[1:]
        try:
            rtype = getattr(QTYPE, kind)
        except Exception as error:
            raise ValueError(f"unknown record type {words[0]!r}") from error
        if not fields or len(fields) != _FIELDS.get(kind, len(fields)):
            raise ValueError(
                f"{kind} takes {_FIELDS.get(kind, 'one or more')} fields, here are {len(fields)}"
            )
        if kind in _NAMING:
            fields = [str(self.origin) if field == "@" else field for field in fields]
        if kind not in RDMAP and fields[0] != r"\#":
            raise ValueError(rf"data of type {kind} is written as \# LENGTH HEXADECIMAL (RFC 3597)")
        try:
            rdata = RDMAP[kind].fromZone(fields, self.origin) if kind in RDMAP else _generic(fields)
            record = RR(self.owner, rtype, CLASS.IN, ttl, rdata)
            record.pack(DNSBuffer())
        except Exception as error:
            raise ValueError(f"{kind} {' '.join(fields)}: {_said(error)}") from error
        self._keep(number, kind, record)

    def _keep(self, number: int, kind: str, record: Any) -> None:
        name = spelled(record.rname).lower()
        if not below(name, spelled(self.apex).lower()):
            raise ValueError(f"{name} is not below {spelled(self.apex)}, the zone's origin")
        alias = kind == "CNAME"
        other = self.lines.get((name, True)) or (alias and self.lines.get((name, False)))
        if other:
            raise ValueError(f"{name} has a CNAME and something else (line {other}); an alias stands alone")
        self.lines[name, alias] = number
        self.records.append(record)


def _generic(fields: list[str]) -> Any:
    """Data of a type that dnslib does not know, in the form of RFC 3597."""
    octets = bytes.fromhex("".join(fields[2:]))
    if len(octets) != int(fields[1]):
        raise ValueError(f"{len(octets)} octets are given")
    return RD(octets)


def _seconds(word: str) -> int:
    if not _TIME.fullmatch(word):
        raise ValueError(f"{word!r} is not a time to live")
    return int(parse_time(word))


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
