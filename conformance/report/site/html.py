"""HTML made of parts that cannot be mistaken for text: what is not `Html` is escaped on its way in."""

from collections.abc import Iterable
from html import escape

from conformance.harmless import printable

_VOID = frozenset({"br", "col", "img", "input", "link", "meta", "source"})


class Html(str):
    """Text that is HTML already. Only this module and literals of this package make it."""

    __slots__ = ()


def text(value: str, *, keep: str = "") -> Html:
    """Text from anywhere as HTML that shows it and does nothing; `keep` lists controls to leave (`\\n`)."""
    return Html(escape(printable(value, keep=keep)))


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Parts one after the other; those that are not `Html` are escaped. `between` is HTML."""
    return Html(between.join(_html(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """An element. `class_` and `for_` lose their underscore, other underscores become dashes.

    An attribute that is None or False is left out; True has no value.
    """
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{''.join(_html(child) for child in children)}</{name}>")


def bullets(items: Iterable[str], **attributes: str | bool | None) -> Html:
    """A list, one element for each item."""
    return tag("ul", joined(tag("li", item) for item in items), **attributes)


def definitions(facts: Iterable[tuple[str, str]], **attributes: str | bool | None) -> Html:
    """A list of names and what they are."""
    parts = (tag("div", tag("dt", name), tag("dd", value)) for name, value in facts)
    return tag("dl", joined(parts), **attributes)


def scrolling(content: str, **attributes: str | bool | None) -> Html:
    """What may be wider than the page, in a region of its own that the keyboard reaches; it needs a name."""
    return tag("div", content, class_="scroll", tabindex="0", role="group", **attributes)


def prose(value: str) -> Html:
    """Text from anywhere in which what stands in backticks is code."""
    parts = value.split("`")
    if len(parts) % 2 == 0:
        return text(value)
    return joined(tag("code", part) if index % 2 else part for index, part in enumerate(parts))


def pre(value: str, **attributes: str | bool | None) -> Html:
    """Text with its line ends kept."""
    return tag("pre", text(value, keep="\n"), **attributes)


def _html(part: str) -> Html:
    return part if isinstance(part, Html) else text(part)
