"""Citations as text in which an RFC, or an address that stands alone, is a link to follow by hand."""

import re

from conformance.report.site.html import Html, joined, tag
from conformance.report.words import one_line

_RFC = re.compile(r"\brfc(?P<number>\d{1,5}):(?P<part>[0-9A-Z]+(?:\.\d+)*)|\bRFC (?P<spelt>\d{1,5})\b")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9./?=&%~+_#-]+")


def citation(source: str) -> Html:
    """`rfc5321:4.2.4` becomes "RFC 5321, section 4.2.4", linked; what is no citation stays as it is."""
    line = one_line(source)
    if _ADDRESS.fullmatch(line):
        return _link(line, line)
    parts: list[str] = []
    end = 0
    for found in _RFC.finditer(line):
        parts += [line[end : found.start()], _rfc(found)]
        end = found.end()
    return joined([*parts, line[end:]])


def _rfc(found: re.Match[str]) -> Html:
    number, part = found["number"] or found["spelt"], found["part"]
    address = f"https://www.rfc-editor.org/rfc/rfc{number}"
    if not part:
        return _link(address, f"RFC {number}")
    kind = "section" if part[0].isdigit() else "appendix"
    return _link(f"{address}#{kind}-{part}", f"RFC {number}, {kind} {part}")


def _link(address: str, words: str) -> Html:
    return tag("a", words, href=address, rel="noreferrer noopener", class_="away")
