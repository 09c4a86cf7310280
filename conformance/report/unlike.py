"""What tells two values apart, in words: what is missing, what nobody promised, what stands for what."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from conformance.report.values import LONGEST, words_of
from conformance.report.words import one_line


def unlike(seen: Any, promised: Any) -> str:
    """A sentence on the first difference; "" where none can be told, as between truths."""
    if isinstance(seen, str) and isinstance(promised, str):
        return _texts(seen, promised)
    if isinstance(seen, dict) and isinstance(promised, dict):
        return _first(_of_tables(seen, promised))
    if isinstance(seen, (set, frozenset)) and isinstance(promised, (set, frozenset)):
        return _first(_of_sets(seen, promised))
    if isinstance(seen, (list, tuple)) and isinstance(promised, (list, tuple)):
        if _tells_nothing(seen) or _tells_nothing(promised):
            return ""
        return _first(_of_lists(seen, promised))
    return ""


def _tells_nothing(values: Sequence[Any]) -> bool:
    """Whether these are truths, or numbers of something that is not said."""
    return bool(values) and all(isinstance(value, (bool, int)) for value in values)


def _first(told: Iterator[str]) -> str:
    """The first of the differences, and whether there are others."""
    sentences = list(told)
    return f"{sentences[0]}{', among others' if len(sentences) > 1 else ''}" if sentences else ""


def _texts(seen: str, promised: str) -> str:
    """Of texts of several lines the first line that differs."""
    if "\n" in seen.strip("\n") and "\n" in promised.strip("\n"):
        return _first(_of_lists(seen.split("\n"), promised.split("\n")))
    return f"{_told([seen])} was seen; {_told([promised])} was promised"


def _of_tables(seen: dict[Any, Any], promised: dict[Any, Any]) -> Iterator[str]:
    for key in promised:
        if key not in seen:
            yield f"{_told([key])}: {_told([promised[key]])} was promised, and is missing"
        elif seen[key] != promised[key]:
            yield f"{_told([key])}: {_told([seen[key]])} was seen, {_told([promised[key]])} was promised"
    yield from (
        f"{_told([key])}: {_told([seen[key]])} was seen, and was not promised"
        for key in seen
        if key not in promised
    )


def _of_sets(seen: set[Any] | frozenset[Any], promised: set[Any] | frozenset[Any]) -> Iterator[str]:
    if missing := sorted(promised - seen, key=repr):
        yield f"{_told(missing)} {_were(missing)} promised, and {_are(missing)} missing"
    if more := sorted(seen - promised, key=repr):
        yield f"{_told(more)} {_were(more)} seen, and {_were(more)} not promised"


def _of_lists(seen: Sequence[Any], promised: Sequence[Any]) -> Iterator[str]:
    """Each difference in its order. A list that pytest has cut short ends where that does."""
    if Ellipsis in seen or Ellipsis in promised:
        least = min(len(seen), len(promised)) - 1
        seen, promised = seen[:least], promised[:least]
    keys, others = [*map(repr, seen)], [*map(repr, promised)]
    for kind, a, b, c, d in SequenceMatcher(None, keys, others, autojunk=False).get_opcodes():
        more, missing = seen[a:b], promised[c:d]
        behind = f" behind {_told(seen[a - 1 : a])}" if a else ""
        if kind == "replace":
            yield f"{_told(more)} {_were(more)} seen{behind}; {_told(missing)} {_were(missing)} promised"
        elif kind == "insert":
            yield f"{_told(missing)} {_were(missing)} promised{behind}, and {_are(missing)} missing"
        elif kind == "delete":
            yield f"{_told(more)} {_were(more)} seen{behind}, and {_were(more)} not promised"


def _told(values: Sequence[Any]) -> str:
    return one_line(", ".join(words_of(value) for value in values), LONGEST)


def _were(values: Sequence[Any]) -> str:
    return "was" if len(values) == 1 else "were"


def _are(values: Sequence[Any]) -> str:
    return "is" if len(values) == 1 else "are"
