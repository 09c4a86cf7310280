"""Rows that show octets of both sides in dumps, as the lines that were said, each behind `> ` or `< `.

These are hexadecimal dumps of any kind, tshark's `follow,tcp,ascii`, and curl's --trace and --trace-ascii.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from conformance.scenario.transcript.lines import wrong
from conformance.scenario.transcript.shapes import mark_of

Rows = Sequence[tuple[int, str]]

_HEX = re.compile(
    r"(?<![\w@.-])(?:0x)?(?P<at>[0-9A-Fa-f]{4,8}):? {1,3}(?P<octets>(?:[0-9A-Fa-f]{2}(?: {1,2}|$)){1,16})"
)
_FOLLOW = re.compile(r"Follow: tcp,ascii")
_HEADING = re.compile(r"(?P<side>=>|<=) (?:Send|Recv) (?P<what>\w+(?: \w+)*), (?P<size>[0-9]{1,9}) bytes.*")
_ASCII = re.compile(r"(?P<at>[0-9a-f]{4,8}): (?P<text>.*)")
_LENGTH = re.compile(r"(?P<side>\t?)(?P<size>[0-9]{1,9})")
_SAID = re.compile(r"(?:^|[ >'\"])(?:EHLO [\w.:[\]-]+|HELO [\w.:[\]-]+|MAIL FROM:|RCPT TO:)", re.IGNORECASE)


def undumped(rows: Rows, path: Path) -> Rows:
    """The rows (number, text) with dumps read where a session is shown in nothing else. Raises UsageError."""
    try:
        if any(_FOLLOW.search(text) for _, text in rows):
            return list(_lines(_followed(_behind(_FOLLOW, rows))))
        shown = [(number, text) for number, text in rows if not _hex(text)]
        traced = _behind(_HEADING, rows)
        if any(_HEADING.match(text) for _, text in traced):
            return list(_lines(_traced(traced) if len(shown) == len(rows) else _dumped(traced)))
        if len(shown) == len(rows) or any(_SAID.search(text) for _, text in shown):
            return shown
        return list(_lines(_dumped(rows)))
    except _Gap as gap:
        raise wrong(
            path, gap.number, "the dump has a gap before this line, or ends in one", "Give all of it."
        ) from gap


class _Gap(Exception):
    """What stands in a dump does not add up at line `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _behind(first: re.Pattern[str], rows: Rows) -> Rows:
    """The rows without what stands before the first row of this kind, whatever it is."""
    found = next((match for _, text in rows if (match := first.search(text))), None)
    pattern = re.compile(mark_of(found.string[: found.start()]).pattern if found else "")
    return [(number, text[match.end() if (match := pattern.match(text)) else 0 :]) for number, text in rows]


def _lines(parts: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str]]:
    """Lines of parts (number, side, octets): a part may hold several, or half of one."""
    begun: dict[str, tuple[int, str]] = {}
    marks: dict[str, str] = {}
    for number, side, octets in parts:
        if (side not in marks and len(marks) == 2) or (begun and side not in begun):
            raise _Gap(number)
        mark = marks.setdefault(side, "< " if marks else "> ")
        first, before = begun.pop(side, (number, ""))
        *whole, rest = re.split(r"\r?\n", before + octets)
        for line in whole:
            yield first, mark + line
            first = number
        if rest:
            begun[side] = (first, rest)
    for number, _ in begun.values():
        raise _Gap(number)


def _hex(text: str) -> re.Match[str] | None:
    """A row of a dump in hexadecimal: an offset, octets, and the same as characters."""
    found = _HEX.search(text)
    if found is None:
        return None
    octets = bytes.fromhex(found["octets"])
    shown = "".join(chr(octet) if 0x21 <= octet < 0x7F else "" for octet in octets)
    return found if re.sub("[ .]", "", text[found.end() :]) == shown.replace(".", "") else None


def _dumped(rows: Rows) -> Iterator[tuple[int, str, str]]:
    """Octets in hexadecimal: the side is told by what stands before the offset, or by curl's heading."""
    heading = None  #: "" where the dump is of TLS itself
    ends: dict[str, set[int]] = {}
    begun: set[str] = set()  #: sides of which half a line is said
    for number, text in rows:
        if found := _HEADING.match(text):
            heading = "" if "SSL" in found["what"] else found["side"]
            ends.clear()
        elif (found := _hex(text)) and heading != "":
            octets = bytes.fromhex(found["octets"])
            side = heading or mark_of(text[: found.start()]).pattern
            at = {int(found["at"], 16), int(found["at"]) if found["at"].isdecimal() else 0} - {0}
            if (at and not at & ends.get(side, set())) or (not at and side in begun):
                raise _Gap(number)
            begun = begun - {side} if octets.endswith(b"\n") else begun | {side}
            ends[side] = {end + len(octets) for end in at & ends[side]} if at else {len(octets)}
            yield number, side, octets.decode("utf-8", "surrogateescape")


def _traced(rows: Rows) -> Iterator[tuple[int, str, str]]:
    """curl's --trace-ascii: a row ends where a line does, or after 64 characters; the offsets tell which."""
    heading, size = "", -1
    left: list[tuple[int, int, str]] = []
    for number, text in [*rows, (0, "=> Send nothing, 0 bytes")]:
        if found := _HEADING.match(text):
            if size > 0 and not left:
                raise _Gap(number)
            ends = [*(at for at, _, _ in left[1:]), size]
            for (at, mine, line), end in zip(left, ends, strict=False):
                if end - at - len(line) not in (0, 2):
                    raise _Gap(mine)
                yield mine, heading, line + ("\r\n" if end - at - len(line) else "")
            is_shown = "SSL" not in found["what"]
            heading, size, left = found["side"], int(found["size"]) if is_shown else -1, []
        elif (found := _ASCII.fullmatch(text)) and not heading:
            raise _Gap(number)
        elif found and size >= 0:
            left.append((int(found["at"], 16), number, found["text"]))


def _followed(rows: Rows) -> Iterator[tuple[int, str, str]]:
    """tshark's follow,tcp,ascii: before each piece stands its length, behind a tab where node 1 said it."""
    side, left, ended, is_begun = "", 0, "", False
    for number, text in rows:
        if left:
            octets = len(text.encode("utf-8", "surrogateescape"))
            ended = "\r\n" if left > octets else ""
            left -= octets + len(ended)
            if left < 0:
                raise _Gap(number)
            yield number, side, text + ended
        elif ended:  # tshark ends the line once more
            if text:
                raise _Gap(number)
            ended = ""
        elif found := _LENGTH.fullmatch(text):
            side, left = found["side"], int(found["size"])
        elif text.startswith(("===", "Follow: ", "Filter: ", "Node ")):
            is_begun = not text.startswith("===")
        elif is_begun and text:
            raise _Gap(number)
