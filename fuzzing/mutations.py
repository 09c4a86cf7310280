"""What is done to an input that is right: to its octets, its lines, its words, the values of its JSON."""

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

LONGEST = 1 << 16

_TOKEN = re.compile(rb"[A-Za-z0-9_.:@*-]+|'''|\S")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = (
    b"-1", b"0", b"-0.0", b"nan", b"NaN", b"inf", b"-inf", b"Infinity", b"1e400", b"0x7f", b"1_0", b"0.5",
    b"65536", b"-2147483649", b"18446744073709551616", b"1" + b"0" * 400, b"9" * 5000, b"true", b"999999999",
    b"2024-02-30", b"07:32:00", b"1e-400",
)  # fmt: skip
_ODD = (
    b"\0", b"\r", b"\n", b"\r\n", b"\x1b[2J", b"\x7f", b"\xff", b"\xc3", b"\xed\xb2\x80", b"\xef\xbb\xbf",
    b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xc2\x85", b"\\", b"\\x", b"\\{", b"\\{999999*a}", b"'''", b'"""',
    b"'", b'"', b"#", b";", b"(", b")", b"[", b"[[", b"]", b"{", b"}", b"=", b"*", b"\\*", b"@", b".", b"..",
    b"$", b"%s", b"{0}", b"\xf0\x9f\x90\x9f", b" ", b"\t", b"~", b",", b"!", b"<", b">", b"| ", b"\xc0\x0c",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, "", "x", "\0", "\x1b[2J", "\udc80", "\u2028", "é", "y" * 5000, 0, -1, 0.5, 1e300,
    -1e-300, 10**18, 10**400, 2**64, float("nan"), float("inf"), [], {}, [None], [[]], {"act": "observe"},
    {"": 1}, "2024-01-01T00:00:00+00:00", "0005.x", "base.x",
)  # fmt: skip

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def _span(chance: random.Random, octets: bytes, most: int = 64) -> tuple[int, int]:
    start = chance.randrange(len(octets) + 1)
    return start, min(len(octets), start + chance.randint(0, most))


def _replace_octet(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    start, _ = _span(chance, octets)
    return octets[:start] + bytes([chance.randrange(256)]) + octets[start + 1 :]


def _insert_odd(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(chance, octets, chance.choice((0, 1, 8)))
    return (
        octets[:start]
        + chance.choice(_ODD) * chance.choice((1, 1, 1, 1, 1, 1, 2, 3, 300, 12_000))
        + octets[end:]
    )


def _cut_out(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(chance, octets)
    return octets[:start] + octets[end:]


def _cut_off(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    return octets[: _span(chance, octets)[0]]


def _repeat(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(chance, octets)
    return octets[:start] + octets[start:end] * chance.choice((2, 2, 2, 3, 3, 40, 2000)) + octets[end:]


def _splice(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    other = chance.choice(seeds)
    start, end = _span(chance, other, 300)
    return octets[: _span(chance, octets)[0]] + other[start:end] + octets[_span(chance, octets)[0] :]


def _lines(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    """Lines doubled, moved, removed, or taken from another input."""
    rows = octets.splitlines(keepends=True) or [b""]
    others = chance.choice(seeds).splitlines(keepends=True) or [b""]
    at, from_ = chance.randrange(len(rows)), chance.randrange(len(rows))
    match chance.randrange(5):
        case 0:
            rows.insert(at, rows[from_])
        case 1:
            rows[at], rows[from_] = rows[from_], rows[at]
        case 2:
            del rows[at : at + chance.randint(1, 5)]
        case 3:
            start = chance.randrange(len(others))
            rows[at:at] = others[start : start + chance.randint(1, 6)]
        case 4:
            rows[at:at] = [rows[from_]] * chance.choice((10, 1000))
    return b"".join(rows)


def _token(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    """A word, or a number, becomes another one."""
    form = chance.choice((_TOKEN, _NUMBER))
    ours, others = list(form.finditer(octets)), _TOKEN.findall(chance.choice(seeds))
    if not ours:
        return octets
    found = chance.choice(ours)
    new = chance.choice(_NUMBERS) if form is _NUMBER or not others else chance.choice(others)
    return octets[: found.start()] + new + octets[found.end() :]


def _nest(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    """Brackets around something, many of them."""
    start, end = _span(chance, octets)
    opening, closing = chance.choice(
        ((b"[", b"]"), (b"{a=", b"}"), (b'{"a":', b"}"), (b"(", b")"), (b"not ", b""))
    )
    depth = chance.choice((1, 2, 40, 400, 10_000))
    return octets[:start] + opening * depth + octets[start:end] + closing * depth + octets[end:]


def _json(chance: random.Random, octets: bytes, seeds: Sequence[bytes]) -> bytes:
    """A value in a line of JSON, or in all of it, becomes another one, or goes, or has another name."""
    whole = octets.startswith(b"{\n")
    rows = [octets] if whole else octets.split(b"\n")
    at = chance.randrange(len(rows))
    try:
        data = json.loads(rows[at])
    except (ValueError, RecursionError):
        return octets
    if not isinstance(data, dict | list) or not data:
        return octets
    places = [(data, key) for key in _keys(data)]
    for inside, key in places:
        places += [(inside[key], inner) for inner in _keys(inside[key])]
    inside, key = chance.choice(places)
    other, from_ = chance.choice(places)
    match chance.randrange(4):
        case 0:
            inside[key] = chance.choice(_VALUES)
        case 1:
            inside[key] = json.loads(json.dumps(other[from_]))
        case 2:
            del inside[key]
        case 3 if isinstance(inside, dict):
            inside[chance.choice(("", "act", "x", str(from_)))] = inside.pop(key)
        case _:
            inside[key] = [inside[key]] * chance.choice((1, 2, 500))
    return b"\n".join([*rows[:at], json.dumps(data).encode(), *rows[at + 1 :]])


def _keys(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value)
    return range(len(value)) if isinstance(value, list) else ()


OCTETS: tuple[Mutation, ...] = (
    _replace_octet,
    _replace_octet,
    _insert_odd,
    _cut_out,
    _cut_off,
    _repeat,
    _splice,
)
TEXT: tuple[Mutation, ...] = (*OCTETS, _lines, _lines, _lines, _token, _token, _token, _token, _nest)
JSON: tuple[Mutation, ...] = (*TEXT, *[_json] * 30)


def mutated(chance: random.Random, seeds: Sequence[bytes], mutations: Sequence[Mutation]) -> bytes:
    """One of the seeds after one mutation or a few."""
    octets = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        octets = chance.choice(mutations)(chance, octets, seeds)[:LONGEST]
    return octets
