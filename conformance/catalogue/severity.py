"""What an unmet promise costs people: of requirements by a file that people edit (`severities.toml`)."""

from functools import cache
from pathlib import Path
from typing import Literal, get_args

from conformance.catalogue.tables import check_table, read_tables
from conformance.errors import UsageError

Severity = Literal["loses mail", "lets somebody in", "crashes", "refuses or delays mail", "wrong words"]

#: The worst first.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

FILE = Path(__file__).with_name("severities.toml")


def check_severity(place: str, given: object) -> Severity:
    """A severity that a person wrote. Raises UsageError."""
    for severity in SEVERITIES:
        if given == severity:
            return severity
    raise UsageError(f"{place}: severity is {given!r}", f"It is one of: {', '.join(SEVERITIES)}.")


@cache
def usual_severities(path: Path = FILE) -> dict[str, Severity]:
    """What the failure of a requirement costs, by its name or the beginning of it (`0005.mx`).

    Raises UsageError that names the entry.
    """
    found: dict[str, Severity] = {}
    for place, entry in read_tables(path, "cost"):
        check_table(place, entry, ("severity",), ("requirements",))
        severity, names = check_severity(place, entry["severity"]), entry.get("requirements")
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise UsageError(f"{place}: requirements is no list of names", 'Write ["0005.mx", "base.data"].')
        for name in names:
            if found.setdefault(name, severity) != severity or names.count(name) > 1:
                raise UsageError(f"{place}: {name} stands there twice", "Keep one of them.")
    return found


def usual_severity(name: str) -> Severity | None:
    """What the failure of a requirement of ours costs: by its name, or by the longest beginning of it."""
    usual = usual_severities()
    while name:
        if name in usual:
            return usual[name]
        name = name.rpartition(".")[0]
    return None


def worst_first(severity: str) -> int:
    """A rank to sort by; what has none comes last."""
    return [*SEVERITIES, severity].index(severity)
