"""What stands before the lines of a transcript, times and numbers left open, and the quotes they stand in."""

import re
from functools import lru_cache
from typing import NamedTuple

_STAMP = (
    r"@[0-9a-f]{24}|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
    r"|\d{1,4}/\d\d?/\d{1,4}|\d\d?:\d\d:\d\d(?:[.,:]\d+)?(?: ?[AP]M)?"
    r"|(?<![.:\d])\d\d:\d\d(?![.:\d])|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d\d?\b|(?<![.\d])\d+\.\d{2,}(?![.\d])|\d{10,}\b"
)
_TOKEN = re.compile(rf"(?P<stamp>{_STAMP})|(?P<word>[A-Za-z]*\d\w*)|(?P<space>\s+)|[A-Za-z]+|.", re.DOTALL)
_QUOTED = re.compile(r"(?:\b[bu])?([\"'])$")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([rnt0\"'\\/]))")
_ENDS = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}


class Mark(NamedTuple):
    """What stands before the lines of a side.

    `letters`: those that do not vary; `signs`: what else stands there as it is; `words`: how many words with
    figures there are. `is_blank`: nothing shows; `is_apart`: a blank stands at the end.
    """

    pattern: str
    letters: str
    signs: str
    words: int
    is_blank: bool
    is_apart: bool


@lru_cache(maxsize=4096)
def mark_of(before: str) -> Mark:
    """The shape of what stands before a command or a reply."""
    quote = _QUOTED.search(before)
    body = before[: quote.start()] if quote else before
    body, trailing = body.rstrip(" "), len(body) - len(body.rstrip(" "))
    parts: list[str] = []
    letters = signs = ""
    words = 0
    for token in _TOKEN.finditer(body):
        if token["stamp"]:
            parts.append(f"(?:{_STAMP})")
        elif token["word"]:
            parts.append(r"((?>[A-Za-z]*\d\w*))")
            words += 1
        elif token["space"]:
            parts.append(r"\s+" if token.start() else r"\s*")
        else:
            parts.append(re.escape(token[0]))
            letters += token[0] if token[0].isalpha() else ""
            signs += "" if token[0].isalpha() else token[0]
    pattern = "".join(parts)
    if quote:
        pattern += " " * trailing + rf"(?:b|u)?{quote[1]}"
    elif trailing:
        empty = r"\s*$|(?=[\"'])" if body else "$"
        pattern += f"(?: {{{trailing}}}|{empty})"
    return Mark(pattern, letters, signs, words, not before.strip(), before[-1:] in ("", " "))


def words_of(text: str) -> set[str]:
    """The words with figures in a text."""
    return {found["word"] for found in _TOKEN.finditer(text) if found["word"]}


def unquoted(row: str, start: int) -> str | None:
    """What is said in a row, out of the quotes it stands in: those that `'` or `"` before it has opened.

    None where it is unclear what a backslash means.
    """
    before, text = row[:start], row[start:]
    quote = before[-1:] if before.endswith(("'", '"')) else '"' if before.count('"') % 2 else ""
    inside = r'((?:[^"\\]|\\.)*+)' if quote == '"' else r"(.*)'[)\]}, ;.]*$"
    found = re.match(inside, text, re.DOTALL) if quote else None
    if found is None:
        return text
    if quote == "'" and "\\" in found[1] and not found[1].endswith("\\n"):
        return None  # Python doubles it, busybox does not
    return _ESCAPE.sub(_octet, found[1]).removesuffix("\n").removesuffix("\r")


def _octet(found: re.Match[str]) -> str:
    if found[1]:
        number = int(found[1], 16)
        return chr(number) if number < 0x80 else chr(0xDC00 + number)
    return chr(int(found[2], 16)) if found[2] else _ENDS.get(found[3], found[3])
