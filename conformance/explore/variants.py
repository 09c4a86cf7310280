"""Builds upon scenarios that showed something new: two are put together, lines go, come twice, move."""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from conformance.explore.document import Document, fitted


def built_upon(random: Random, document: Document, other: Document) -> Document:
    """A document made of two. It need not read as a scenario: tables of two worlds may not fit together."""
    made = _mixed(random, document, other)
    chats = made.get("session")
    if chats:
        listed = [chats] if isinstance(chats, str) else list(chats)
        place = random.randrange(len(listed))
        listed[place] = _changed(random, listed[place])
        made["session"] = listed[0] if len(listed) == 1 else listed
    return fitted(made)


def _mixed(random: Random, document: Document, other: Document) -> Document:
    """Each key of the first, or of the other where that has it; chats are put one behind the other."""
    made: dict[str, Any] = {}
    for key in [*document, *(key for key in other if key not in document)]:
        if key == "session" and key in document and key in other:
            made[key] = _spliced(random, document[key], other[key])
        elif key not in document:
            if random.random() < 0.3:
                made[key] = deepcopy(other[key])
        else:
            made[key] = deepcopy(other[key] if key in other and random.random() < 0.3 else document[key])
    if "mode" in made:  # only of files that are there
        modes, files = made["mode"], made.get("dot-qmail", {})
        made["mode"] = {name: modes[name] for name in modes if "/." not in name or name in files}
    return made


def _spliced(random: Random, chats: str | list[str], others: str | list[str]) -> str | list[str]:
    chat, other = (each if isinstance(each, str) else random.choice(each) for each in (chats, others))
    if random.random() < 0.5:
        return deepcopy(chats)
    if random.random() < 0.2:
        return [chat, other]
    begun, rest = chat.splitlines(), other.splitlines()
    rest = [line for line in rest if line != "! early"]
    return _chat(
        [*begun[: random.randint(1, len(begun))], *rest[random.randrange(len(rest)) :]] if rest else begun
    )


def _changed(random: Random, chat: str) -> str:
    """The chat with up to three changes."""
    lines = chat.splitlines()
    for _ in range(random.randint(0, 3)):
        random.choice(_CHANGES)(random, lines)
    return _chat(lines)


def _chat(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _gone(random: Random, lines: list[str]) -> None:
    if len(lines) > 1:
        del lines[random.randrange(len(lines))]


def _twice(random: Random, lines: list[str]) -> None:
    place = random.randrange(len(lines))
    lines.insert(random.randint(place, len(lines)), lines[place])


def _moved(random: Random, lines: list[str]) -> None:
    line = lines.pop(random.randrange(len(lines)))
    lines.insert(random.randint(0, len(lines)), line)


def _unread(random: Random, lines: list[str]) -> None:
    """The client does not wait once: what follows goes out in the same write."""
    waits = [place for place, line in enumerate(lines) if line.startswith("<")]
    if waits and len(lines) > 1:
        del lines[random.choice(waits)]


_CHANGES: tuple[Callable[[Random, list[str]], None], ...] = (_gone, _twice, _moved, _unread)
