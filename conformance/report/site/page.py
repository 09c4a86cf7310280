"""The frame of every page: one file that needs no other and asks for nothing from anywhere.

Style and script stand in the page, so that a single page can be sent as it is. The policy lets in exactly
these two, by their digests, and nothing else: what a record may have smuggled in would not run.
"""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from conformance.judge.comparison import Comparison
from conformance.report.site.html import Html, tag
from conformance.report.words import specification_sentences

_HERE = Path(__file__).parent


def page(title: str, body: Html, *, script: str, footer: str, kind: str) -> str:
    """A whole document. `script` names the file of this directory that the page runs; `kind` is its class."""
    style, code = _asset("site.css"), _asset(script)
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(code)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
{tag("title", title)}
<style>{style}</style>
</head>
<body class="{kind}">
<a href="#content" class="skip">Skip to the content</a>
{body}
{tag("footer", footer)}
<script>{code}</script></body>
</html>
"""


def section(name: str, title: str, content: str) -> Html:
    """A part of a page under its heading; `name` is its id."""
    return tag("section", tag("h2", title, id=name), content, aria_labelledby=name)


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
