"""Which flaws a case can show at all: those that the reference asks about while the case runs.

A flaw is a name that the reference looks up. It does the same thing each time it is run, so a case during
which it never looks a flaw up runs with that flaw octet for octet as without it, and need not be run again.
"""

from __future__ import annotations

from typing import NoReturn


class Watched(frozenset[str]):
    """No flaw at all; notes in `asked` which ones the reference asked about, by `"name" in flaws`."""

    asked: set[str]

    def __new__(cls) -> Watched:
        made = super().__new__(cls)
        made.asked = set()
        return made

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return False

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError('a flaw is asked about by `"name" in flaws`: any other way is not seen by the zoo')

    # Any other look at the set would escape the notes, and a case would be left out that could have shown
    # the flaw.
    __iter__ = __len__ = __and__ = __or__ = __sub__ = isdisjoint = _refuse
