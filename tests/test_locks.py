"""The lock files hold what is asked for, each version with its digests, and no address."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / ".ci" / "lock"
ALONE = ("release", "tox")

_PIN = re.compile(r"^(\S+)==([^ ;]+)(?: ;[^\\]*)? \\\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$", re.MULTILINE)


def asked_for(ranges: Path) -> list[Requirement]:
    """What a lock must hold: the lines of its .in, of those that it refers to, and what the package needs."""
    found = []
    for line in ranges.read_text(encoding="utf-8").split("\n"):
        if line.startswith("-r "):
            found += asked_for(LOCKS / line.removeprefix("-r "))
        elif line:
            found.append(Requirement(line))
    if ranges.stem not in ALONE:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        found += map(Requirement, project["dependencies"])
    return found


@pytest.mark.parametrize("ranges", sorted(LOCKS.glob("*.in")), ids=lambda path: str(path.stem))
def test_a_lock_holds_what_is_asked_for_and_its_digests(ranges: Path) -> None:
    lock = ranges.with_suffix(".txt").read_text(encoding="utf-8")
    assert "://" not in lock
    pins = _PIN.findall(lock)
    assert len(pins) == len(re.findall(r"^\S", lock, re.M)), "every line that is no digest is followed by one"
    versions = dict(pins)
    wanted = asked_for(ranges)
    assert [str(each) for each in wanted if versions.get(each.name, "") not in each.specifier] == []


def test_every_lock_is_one_that_tox_installs_or_audits() -> None:
    named = re.findall(r"-r (?:\S*/)?\.ci/lock/(\w+)\.txt", (ROOT / "tox.ini").read_text("utf-8"))
    assert {path.stem for path in LOCKS.glob("*.in")} == set(named)
