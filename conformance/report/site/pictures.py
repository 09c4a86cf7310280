"""Pictures on a page, with their words: what the SVG shows can be read without seeing it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from conformance.report.site.html import Html, joined, tag


@dataclass(frozen=True)
class Pictures:
    """What was measured beside the comparison: SVG documents, each with its title, and the same in words."""

    conclusion: str
    drawn: tuple[tuple[str, str], ...]  #: (title, SVG)
    words: tuple[str, ...]


def shown(pictures: Pictures) -> Html:
    """The conclusion, each picture, and the list of words. A picture stands in the page itself."""
    images = [
        tag(
            "figure",
            tag("figcaption", title),
            tag("img", src=f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode('ascii')}", alt=title),
            class_="picture",
        )
        for title, svg in pictures.drawn
    ]
    words = tag("ul", joined(tag("li", line) for line in pictures.words))
    details = tag("details", tag("summary", "The ratios in words"), words) if pictures.words else Html("")
    return joined((tag("p", pictures.conclusion), *images, details))
