"""What `-k EXPRESSION` selects: words with `and`, `or`, `not` and parentheses, as pytest's own `-k`."""

import re
from collections.abc import Callable, Iterable

from conformance.errors import UsageError
from conformance.nearest import did_you_mean
from conformance.pod.codec import shown

#: Whether an expression fits these names, which are in lower case.
_Fits = Callable[[list[str]], bool]

_TOKEN = re.compile(r"(?P<word>[\w:+\-.\[\]\\/]+)|[()]|(?P<stray>[^ \t])")
_SIGNS = ("and", "or", "not", "(", ")")
_MOST_NESTED = 50


def matcher(expression: str) -> Callable[[Iterable[str]], bool]:
    """Whether an expression fits what has these names; a word fits when a name holds it, whatever its case.

    An empty expression fits everything. Raises UsageError for a wrong one.
    """
    if not expression.strip():
        return lambda names: True
    try:
        fits = _Expression(expression).whole()
    except ValueError as error:
        raise UsageError(f"-k {shown(expression)}: {error}", "Write it as pytest's -k.") from error
    return lambda names: fits([name.lower() for name in names])


def near_names(expression: str, names: Iterable[str], otherwise: str) -> str:
    """A hint where nothing is selected: names, or parts of them, that a word in none of them looks like."""
    known = list(names)
    words = [found["word"] for found in _TOKEN.finditer(expression) if found["word"]]
    strange = (
        word
        for word in words
        if word not in _SIGNS and not any(word.lower() in name.lower() for name in known)
    )
    parts = (part for name in known for part in name.split("."))
    return did_you_mean(next(strange, ""), [*known, *parts], otherwise)


class _Expression:
    """Reads an expression from left to right: `or` binds less than `and`, and that less than `not`."""

    def __init__(self, expression: str) -> None:
        self._tokens: list[str] = []
        for found in _TOKEN.finditer(expression):
            if found["stray"]:
                raise ValueError("only words, and, or, not and parentheses stand here")
            self._tokens.append(found[0])
        self._tokens.reverse()  # the next one is the last

    def whole(self) -> _Fits:
        fits = self._either(0)
        if self._tokens:
            raise ValueError(f"no {shown(self._tokens[-1])} belongs there: words are joined by and, or, not")
        return fits

    def _took(self, sign: str) -> bool:
        took = self._tokens[-1:] == [sign]
        if took:
            self._tokens.pop()
        return took

    def _either(self, depth: int) -> _Fits:
        parts = [self._both(depth)]
        while self._took("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda names: any(fits(names) for fits in parts)

    def _both(self, depth: int) -> _Fits:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda names: all(fits(names) for fits in parts)

    def _one(self, depth: int) -> _Fits:
        if depth > _MOST_NESTED:
            raise ValueError(f"it is nested more than {_MOST_NESTED} deep")
        if self._took("not"):
            negated = self._one(depth + 1)
            return lambda names: not negated(names)
        if self._took("("):
            inside = self._either(depth + 1)
            if not self._took(")"):
                raise ValueError("a parenthesis is not closed")
            return inside
        if not self._tokens or self._tokens[-1] in _SIGNS:
            raise ValueError("a word is missing")
        word = self._tokens.pop().lower()
        return lambda names: any(word in name for name in names)
