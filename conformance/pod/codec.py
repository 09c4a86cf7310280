"""The one way between dataclasses and JSON: what a class says of its fields is what is written and accepted.

Read are files that strangers may have made, so what does not fit is a ValueError that names the place. A
union of dataclasses is told apart by the field `act`, which each of them has as a literal.
"""

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_Decoder = Callable[[Any], Any]
_LARGEST = 1e18
_PLAIN = (str, int, float, bool, type(None))


class _Misfit(ValueError):
    """What is wrong; `where` is the path to it, the innermost name last."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.where = ""

    def below(self, name: str) -> Self:
        self.where = name + self.where
        return self


def encode(value: Any) -> Any:
    """A dataclass, or what its fields may hold, as JSON knows it."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind in (list, tuple):
        return [encode(item) for item in value]
    if kind is dict:
        return {name: encode(item) for name, item in value.items()}
    if kind is bytes:
        return value.decode("latin-1")
    return {name: encode(getattr(value, name)) for name in _names(kind)}


def decode(wanted: type[T], data: Any) -> T:
    """The inverse of `encode`. Raises ValueError that says what is wrong, and where."""
    kind: Any = wanted
    try:
        value: T = _decoder(kind)(data)
    except _Misfit as error:
        raise ValueError(f"{wanted.__name__.lower()}{error.where}{error}") from None
    return value


@cache
def _names(of: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))


@cache
def _decoder(wanted: Any) -> _Decoder:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if is_dataclass(wanted):
        kind: Any = wanted
        return _dataclass(kind)
    if origin in (Union, types.UnionType):
        return _tagged(arguments) if all(map(is_dataclass, arguments)) else _union(arguments)
    if origin is Literal:
        return _literal(arguments)
    if origin in (list, tuple):  # of one type: `list[str]`, `tuple[Act, ...]`, `tuple[float, float]`
        return _sequence(arguments[0], origin, 0 if origin is list or ... in arguments else len(arguments))
    if origin is dict:  # its names are texts, as in JSON
        return _mapping(arguments[1])
    if wanted is Any:
        return _as_it_is
    return {float: _number, bytes: _octets}.get(wanted) or _plain(wanted)


def _as_it_is(data: Any) -> Any:
    return data


def _plain(wanted: Any) -> _Decoder:
    def read(data: Any) -> Any:
        if type(data) is not wanted:  # to isinstance True is a number
            raise _Misfit(f" is {shown(data)}, not of type {wanted.__name__}")
        if wanted is int and not -_LARGEST < data < _LARGEST:
            raise _Misfit(f" is {shown(data)}, not a number of a size that can be")
        return data

    return read


def _number(data: Any) -> float:
    if type(data) not in (int, float) or not -_LARGEST < data < _LARGEST:
        raise _Misfit(f" is {shown(data)}, not a number of a size that can be")
    return float(data)


def _octets(data: Any) -> bytes:
    """As latin-1: one character for each octet."""
    text: str = _plain(str)(data)
    return text.encode("latin-1")


def _literal(values: tuple[Any, ...]) -> _Decoder:
    def read(data: Any) -> Any:
        for value in values:
            if type(data) is type(value) and data == value:
                return value
        raise _Misfit(f" is {shown(data)}, not one of {', '.join(map(str, values))}")

    return read


def _sequence(item: Any, into: Callable[[list[Any]], Any], length: int) -> _Decoder:
    """Of any length where `length` is 0."""

    def read(data: Any) -> Any:
        if not isinstance(data, list):
            raise _Misfit(f" is {shown(data)}, not a list")
        if length and len(data) != length:
            raise _Misfit(f" is a list of {len(data)}, not of {length}")
        values: list[Any] = []
        read_item = _decoder(item)
        try:
            for value in data:
                values.append(read_item(value))
        except _Misfit as error:
            raise error.below(f"[{len(values)}]") from None
        return into(values)

    return read


def _mapping(item: Any) -> _Decoder:
    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _Misfit(f" is {shown(data)}, not an object")
        return _named(data, dict.fromkeys(data, _decoder(item)))

    return read


def _named(data: dict[str, Any], decoders: dict[str, _Decoder]) -> dict[str, Any]:
    values = {}
    for name, value in data.items():
        try:
            values[name] = decoders[name](value)
        except _Misfit as error:
            raise error.below(f".{name}") from None
    return values


def _tagged(kinds: tuple[Any, ...]) -> _Decoder:
    tagged = {kind.act: kind for kind in kinds}

    def read(data: Any) -> Any:
        act = data.get("act") if isinstance(data, dict) else None
        if not isinstance(act, str) or act not in tagged:
            raise _Misfit(f" is {shown(data)}, none of {', '.join(tagged)}")
        return _decoder(tagged[act])(data)

    return read


def _union(kinds: tuple[Any, ...]) -> _Decoder:
    """One that fits, or None; what stands first is tried last, so that its error is told."""

    first, *others = [_decoder(kind) for kind in kinds if kind is not type(None)]

    def read(data: Any) -> Any:
        if data is None and type(None) in kinds:
            return None
        for decoder in reversed(others):
            try:
                return decoder(data)
            except _Misfit:
                continue
        return first(data)

    return read


def _dataclass(wanted: Any) -> _Decoder:
    hints = get_type_hints(wanted)
    known = {field.name: _decoder(hints[field.name]) for field in fields(wanted)}
    needed = [
        field.name
        for field in fields(wanted)
        if field.default is MISSING and field.default_factory is MISSING
    ]

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _Misfit(f" is {shown(data)}, not an object")
        if missing := [name for name in needed if name not in data]:
            raise _Misfit(f": missing: {', '.join(missing)}")
        if unknown := [name for name in data if name not in known]:
            raise _Misfit(f": unknown: {', '.join(map(repr, sorted(unknown)))}")
        return wanted(**_named(data, known))

    return read


def shown(value: object, most: int = 40) -> str:
    """A value in a message, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + " …"
