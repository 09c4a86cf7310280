"""A finding: a difference that came again in fresh pods, shrunk; and what it takes to make one."""

import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from conformance.errors import UsageError, WorldError
from conformance.explore.differences import Difference
from conformance.explore.document import Document, Made, fitted, made, text_of
from conformance.explore.expecting import expecting
from conformance.explore.judging import Judge, Judged
from conformance.explore.playing import ReferenceSide
from conformance.explore.telling import told
from conformance.pod.codec import decode, encode
from conformance.pod.secrets import fixture_secrets
from conformance.report.alignment import side_by_side
from conformance.scenario.shrinking import smallest

#: Scenarios that are played to make one smaller.
_MOST_RUNS = 400

_VERBS = ("HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "HELP", "AUTH", "EXPN")

#: Rows of the two stories that a finding keeps.
_MOST_ROWS = 200

_VERB = re.compile(r"^> (\S*)(?: +(PLAIN|LOGIN|CRAM-MD5)\b)?", re.MULTILINE)


#: What differs, and the features of the smallest scenario that shows it.
Cause = tuple[Difference, tuple[str, ...]]


class Unstable(Exception):
    """A difference that did not come again: of a world that misbehaves, or of chance."""


@dataclass(frozen=True)
class Row:
    """One row of two stories side by side; None where one has nothing to say."""

    channel: str
    speaker: str
    left: str | None
    right: str | None
    same: bool


@dataclass(frozen=True)
class Finding:
    """One cause: what differs, and the features of the smallest scenario that shows it.

    `scenario` is that scenario as a file, with the expectations of the model; `document` is the TOML that was
    generated, shrunk. `times`: so many scenarios showed it; `session` counts from 1 within its stream.
    `shrunk`: it is as small as it gets; else the time was up before.
    """

    difference: Difference
    features: tuple[str, ...]
    area: str
    stream: int
    session: int
    scenario: str
    document: dict[str, Any]
    story: tuple[Row, ...]
    times: int = 1
    shrunk: bool = True

    @property
    def cause(self) -> Cause:
        return self.difference, self.features

    def again(self, times: int) -> Self:
        """The same, seen so many times more."""
        return replace(self, times=self.times + times)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = encode(self)
        return data

    @classmethod
    def from_json(cls, data: Any) -> Self:
        return decode(cls, data)


def features(document: Document) -> tuple[str, ...]:
    """What a scenario is made of: the verbs of its chats, and its tables with their keys."""
    return tuple(sorted(set(_features(document))))


def _features(document: Document) -> Iterator[str]:
    for key, value in document.items():
        if key == "session":
            for chat in [value] if isinstance(value, str) else value:
                yield from _verbs(chat)
        elif isinstance(value, dict):
            yield from (f"{key}.{name}" for name in value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from (f"{key}.{name}" for table in value for name in table)
        else:
            yield key


def _verbs(chat: str) -> Iterator[str]:
    for verb, method in _VERB.findall(chat.upper()):
        yield f"{verb} {method}".rstrip() if verb in _VERBS else "another command"


async def find(
    judge: Judge,
    one: Made,
    wanted: Difference,
    known: frozenset[Difference],
    place: tuple[str, int, int],
    deadline: float | None = None,
) -> Finding | None:
    """The finding of a difference that is the first in a scenario but for `known` ones.

    None when it comes only together with a known one. `place`: area, stream and session. `deadline`: of
    time.monotonic, from which on nothing is made smaller. Raises Unstable when it does not come again in
    fresh pods, WorldError when the world fails.
    """
    for _ in range(2):
        if wanted not in (judged := await judge.judge(one, fresh=True)).differences:
            raise Unstable
    smaller, is_smallest = await _shrunk(judge, one, wanted, known, deadline)
    if smaller is not one:
        one, judged = smaller, await judge.judge(smaller, fresh=True)
    if wanted not in judged.differences:
        raise Unstable
    if not known.isdisjoint(judged.differences):
        return None
    area, stream, session = place
    return Finding(
        wanted,
        features(one.document),
        area,
        stream,
        session,
        await _scenario(judge, one, judged),
        one.document,
        tuple(_story(judged, in_any_order=not judge.is_instant)),
        shrunk=is_smallest,
    )


async def _shrunk(
    judge: Judge, one: Made, wanted: Difference, known: frozenset[Difference], deadline: float | None
) -> tuple[Made, bool]:
    """The smallest scenario whose first difference, but for known ones, is the wanted one.

    Whether it is the smallest, too: at the deadline nothing more is tried.
    """

    def is_over() -> bool:
        return deadline is not None and time.monotonic() >= deadline

    async def shown(document: Document) -> Made | None:
        """The document, read, where it shows it."""
        if is_over():
            return None
        try:
            made(document)  # what is no scenario is fitted to nothing
            smaller = made(fitted(document))
            found = [each for each in (await judge.judge(smaller)).differences if each not in known]
        except (UsageError, WorldError):
            return None
        return smaller if found[:1] == [wanted] else None

    for chat in fewer_chats(one.document):
        one = await shown(chat) or one
    search = smallest(text_of(one.document))
    try:
        candidate = next(search)
        for _ in range(_MOST_RUNS):
            if is_over():
                return one, False
            smaller = await shown(_read(candidate))
            one = smaller or one
            candidate = search.send(smaller is not None)
    except StopIteration:
        pass
    return one, True


def fewer_chats(document: Document) -> list[Document]:
    """The document with each of its chats alone."""
    chats = document.get("session")
    return [fitted({**document, "session": chat}) for chat in chats] if isinstance(chats, list) else []


def _read(text: str) -> Document:
    """The document of a text; an empty one, which is no scenario, where something is missing."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


async def _scenario(judge: Judge, one: Made, judged: Judged) -> str:
    """The scenario as a file that is met on the right side and not on the left, as far as it can tell."""
    model = judge.right
    if not isinstance(model, ReferenceSide):
        return text_of(one.document)
    record, done = await model.traced(one, fresh=True)
    hide = fixture_secrets().hide
    return expecting(one, done, hide(record), hide(judged.left))


def _story(judged: Judged, in_any_order: bool) -> Iterator[Row]:
    records = map(fixture_secrets().hide, (judged.left, judged.right))
    stories = (told(record, in_any_order=in_any_order) for record in records)
    for pair in side_by_side(*stories)[:_MOST_ROWS]:
        left, right = (event.text if event else None for event in pair.sides)
        event = pair.left or pair.right
        assert event is not None, "a row has something to say"
        yield Row(event.channel, event.speaker, left, right, pair.same)
