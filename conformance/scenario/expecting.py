"""The keys that say what must be seen: reports of a delivery, and `[expect]` for when all is done."""

from __future__ import annotations

import re

from conformance.scenario.escapes import pattern
from conformance.scenario.form import Report, Sighting
from conformance.scenario.table import Table, is_number

#: Key of `[expect]` -> what it takes: texts, a number, or numbers by name.
KEYS = {
    "asked": "texts",
    "not-asked": "texts",
    "said": "texts",
    "not-said": "texts",
    "queue": "number or texts",
    "accepted": "number or table",
    "mailboxes": "table",
    "ran": "table",
}

_QUESTION = re.compile(r"\S+( ([A-Z0-9]+|\*)( (udp|tcp))?)?")
_ENVELOPE = re.compile(r".* -> .*")
_REPORT = re.compile(r"[KZD*].*", re.DOTALL)
_REPORT_OF_RECIPIENT = re.compile(r"[rhs*].*", re.DOTALL)
_PROGRAMS = ("rcptcheck", "checkpassword")
_MOST = 100_000


def read_reports(table: Table) -> tuple[Report, ...]:
    """`report` and `reports` of a `[deliver]`."""
    found = []
    for index, words in enumerate(table.texts("reports")):
        if not _REPORT_OF_RECIPIENT.fullmatch(words):
            table.wrong(
                ("reports", index), f"{words!r} begins with none of r, h, s", 'write reports = ["r", "h*"]'
            )
        found.append(
            Report(
                f"reports: {words}", _checked(table, "reports", words), table.line("reports", index), index
            )
        )
    if "report" in table.data:
        words = table.text("report")
        if not _REPORT.fullmatch(words):
            table.wrong(("report",), f"{words!r} begins with none of K, Z, D", 'write report = "K*"')
        found.append(Report(f"report: {words}", _checked(table, "report", words), table.line("report")))
    return tuple(found)


def read_expected(table: Table | None) -> tuple[Sighting, ...]:
    """What `[expect]` says, in its order."""
    found: list[Sighting] = []
    if table is None:
        return ()
    table.only(KEYS)
    for key in table.data:
        value = table.data[key]
        if "number" in KEYS[key] and is_number(value):
            found.append(Sighting(key, table.number(key, 0, _MOST), table.line(key)))
        elif "table" in KEYS[key]:
            found += _numbers(table, key)
        else:
            found += [_sighting(table, key, index, words) for index, words in enumerate(table.texts(key))]
    return tuple(found)


def _numbers(table: Table, key: str) -> list[Sighting]:
    inner = table.table(key)
    assert inner is not None
    if key == "ran":
        inner.only(_PROGRAMS)
    return [Sighting(key, inner.number(name, 0, _MOST), inner.line(name), name) for name in inner.data]


def _sighting(table: Table, key: str, index: int, words: str) -> Sighting:
    names: tuple[str | int, ...] = (key, index) if isinstance(table.data[key], list) else (key,)
    if key.endswith("asked") and not _QUESTION.fullmatch(words):
        table.wrong(
            names, f"{words!r} is no question", f'write {key} = ["big.example MX", "* ANY", "* * tcp"]'
        )
    if key == "queue" and not _ENVELOPE.fullmatch(words):
        table.wrong(
            names,
            f"{words!r} is no envelope",
            'write queue = ["SENDER -> RECIPIENT, RECIPIENT"], or a number',
        )
    return Sighting(key, _checked(table, key, words), table.line(*names))


def _checked(table: Table, key: str, words: str) -> str:
    try:
        pattern(words)
    except ValueError as error:
        table.wrong((key,), str(error), "A backslash begins an escape; write it twice to mean itself.")
    return words
