"""The keys that say what must be seen: reports of a delivery, and `[expect]` for when all is done."""

import re
from collections.abc import Iterable, Iterator

from conformance.scenario.escapes import pattern
from conformance.scenario.form import ExpectedReport, Sighting
from conformance.tomltable import TomlTable, is_number

#: Key of `[expect]` -> what it takes: texts, a number, or numbers by name.
KEYS = {
    "asked": "texts",
    "not-asked": "texts",
    "said": "texts",
    "not-said": "texts",
    "queue": "number or texts",
    "queue-lines": "texts",
    "not-queue-lines": "texts",
    "accepted": "number or table",
    "accepted-lines": "texts or table",
    "not-accepted-lines": "texts or table",
    "mailboxes": "table",
    "mailbox-lines": "texts or table",
    "not-mailbox-lines": "texts or table",
    "ran": "table",
    "found": "texts or table",
    "not-found": "texts or table",
    "log": "texts",
    "not-log": "texts",
    "files": "texts",
    "not-files": "texts",
}

_QUESTION = re.compile(r"\S+( ([A-Z0-9]+|\*)( (udp|tcp))?)?")
_QUESTIONS = '["big.example MX", "* ANY", "* * tcp"]'

#: Key -> how each of its texts reads, what another one is, and an example.
_TEXTS = {
    "reports": (re.compile(r"[rhs*].*", re.DOTALL), "begins with none of r, h, s", '["r", "h*"]'),
    "report": (re.compile(r"[KZD*].*", re.DOTALL), "begins with none of K, Z, D", '"K*"'),
    "asked": (_QUESTION, "is no question", _QUESTIONS),
    "not-asked": (_QUESTION, "is no question", _QUESTIONS),
    "queue": (re.compile(r".* -> .*"), "is no envelope", '["SENDER -> RECIPIENT, RECIPIENT"], or a number'),
}
_PROGRAMS = ("rcptcheck", "checkpassword", "subprogram", "qmail-queue", "qmail-remote")
_MOST = 100_000


def read_reports(table: TomlTable) -> tuple[ExpectedReport, ...]:
    """`report` and `reports` of a `[deliver]`."""
    found = []
    if "report" in table.data:
        table.text("report")  # of the message there is one
    for key in ("reports", "report"):
        for index, (words, number) in enumerate(_patterns(table, key)):
            found.append(
                ExpectedReport(f"{key}: {words}", words, number, index if key == "reports" else None)
            )
    return tuple(found)


def read_expected(table: TomlTable, programs: Iterable[str] = ()) -> tuple[Sighting, ...]:
    """What `[expect]` says, in its order; `programs` are those that dot-qmail files run."""
    known = (*_PROGRAMS, *programs)
    table.only(KEYS)
    found: list[Sighting] = []
    for key, value in table.data.items():
        if "number" in KEYS[key] and is_number(value):
            found.append(Sighting(key, table.number(key, 0, _MOST), table.line(key)))
        elif KEYS[key] == "texts or table" and isinstance(value, dict):
            inner = table.table(key)
            if key.endswith("found"):
                inner.only(known)
            found += [
                Sighting(key, words, number, of)
                for of in inner.data
                for words, number in _patterns(inner, of)
            ]
        elif "table" in KEYS[key] and "texts" not in KEYS[key]:
            inner = table.table(key)
            if key == "ran":
                inner.only(known)
            found += [Sighting(key, inner.number(of, 0, _MOST), inner.line(of), of) for of in inner.data]
        else:
            found += [Sighting(key, words, number) for words, number in _patterns(table, key)]
    return tuple(found)


def _patterns(table: TomlTable, key: str) -> Iterator[tuple[str, int]]:
    """The texts of a key, each with its line; `*` is a wildcard in them."""
    form, wrong, example = _TEXTS.get(key, (re.compile(".*", re.DOTALL), "", ""))
    for index, words in enumerate(table.texts(key)):
        names: tuple[str | int, ...] = (key, index) if isinstance(table.data[key], list) else (key,)
        if not form.fullmatch(words):
            table.wrong(names, f"{words!r} {wrong}", f"write {key} = {example}")
        try:
            pattern(words)
        except ValueError as error:
            table.wrong(names, str(error), "A backslash begins an escape; write it twice to mean itself.")
        yield words, table.line(*names)
