"""The frame of every page: one file that needs no other and asks for nothing from anywhere.

Style and script stand in the page, so that a single page can be sent as it is. The policy lets in exactly
these two, by their digests, and nothing else: what a record may have smuggled in would not run.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from conformance.judge.comparison import Comparison
from conformance.report.site.html import Html, tag
from conformance.report.words import specification_sentences

_HERE = Path(__file__).parent


def page(title: str, body: Html, *, script: str, footer: str, classes: str | None = None) -> str:
    """A whole document. `script` names the file of this directory that the page runs."""
    style, code = _asset("site.css"), _asset(script)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(code)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = (
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        Html('<link rel="icon" href="data:,">'),
        tag("title", title),
        tag("style", Html(style)),
    )
    content = (
        tag("a", "Skip to the content", href="#content", class_="skip"),
        body,
        tag("footer", footer),
        tag("script", Html(code)),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n'
        + "\n".join(head)
        + "\n</head>\n"
        + tag("body", Html("\n"), Html("\n".join(content)), class_=classes)
        + "\n</html>\n"
    )


def specifications(comparison: Comparison) -> Html:
    """What every page says where a target is no qmail; nothing where all are."""
    sentences = specification_sentences(comparison)
    return tag("p", ". ".join(sentences) + ".", class_="warning") if sentences else Html("")


@cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _digest(content: str) -> str:
    return f"sha256-{b64encode(sha256(content.encode('utf-8')).digest()).decode('ascii')}"
