"""The rows of a transcript's text, in blocks: a page in Markdown has one for each of its fences."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conformance.scenario.transcript.dumps import undumped

_FENCE = re.compile(r"((?:> ?)*\s{0,3}(?:[-*] +)?(?:> ?)*)(`{3,}|~{3,})[^`]*")
_AS_HTML = re.compile(r"(?:MAIL FROM|RCPT TO): ?&lt;", re.IGNORECASE)


class Row(NamedTuple):
    """One line of the file, without its end."""

    number: int
    text: str


def blocks(text: str, path: Path) -> list[list[Row]]:
    """What may hold sessions: each fence for itself, and what stands around them; none is empty.

    Raises UsageError for a dump with gaps.
    """
    if _AS_HTML.search(text):
        text = html.unescape(text)
    rows = [Row(number, row.rstrip("\r")) for number, row in enumerate(text.split("\n"), 1)]
    parts = [[Row(*row) for row in undumped(part, path)] for part in _fenced(rows)]
    for part in parts:
        while part and not part[-1].text.strip():
            part.pop()
    return [part for part in parts if part]


def _fenced(rows: list[Row]) -> Iterator[list[Row]]:
    around: list[Row] = []
    inside: list[Row] = []
    fence = ""
    for row in rows:
        found = _FENCE.fullmatch(row.text)
        if found and not fence:
            yield around
            around, fence = [], found[2]
        elif found and found[2].startswith(fence) and row.text.endswith(found[2]):
            yield inside
            inside, fence = [], ""
        else:
            (inside if fence else around).append(row)
    yield inside
    yield around
