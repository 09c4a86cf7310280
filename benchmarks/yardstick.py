"""How fast this machine is just now at what the suite does: a little Python, again and again, after pauses.

A shared machine's speed differs by half from hour to hour, and that of code that was not run for a while by
more: caches and predictors serve a neighbour meanwhile. What this costs rises and falls with what a case
costs (their ratio stayed within 4 % over ten windows of 15 s in which both differed by 10 and 18 %), so
figures of different hours and machines can be compared by it. It uses nothing of the suite's. Seen so far
were 1.1 to 1.7 ms.
"""

from __future__ import annotations

import json
import re
import time

_PIECES = 8
_PAUSE = 0.0015  #: seconds, about as long as the suite waits for qmail

_LINE = re.compile(r"(\d{3})([ -])(.*)")
_DOCUMENT = json.dumps(
    [
        {
            "name": f"host{n}.example",
            "type": "MX",
            "at": n / 7,
            "lines": [f"250-{n} ok", f"{n} <a@b.example>"],
        }
        for n in range(12)
    ]
)


class _Session:
    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.said: list[str] = []

    def take(self, line: str) -> None:
        read = _LINE.match(line)
        self.said.append((read[3] if read else line.partition("<")[2]).upper())


def _piece() -> str:
    found = {}
    for entry in json.loads(_DOCUMENT):
        session = _Session(entry["name"], entry["type"])
        for line in entry["lines"]:
            session.take(line)
        found[session.name.partition(".")[0]] = (session.kind, session.said, round(entry["at"], 4))
    return json.dumps(found)


def measured() -> float:
    """Milliseconds of CPU for eight pieces of work, each after a pause; takes 15 ms."""
    spent = 0.0
    for _ in range(_PIECES):
        time.sleep(_PAUSE)
        began = time.process_time()
        _piece()
        spent += time.process_time() - began
    return spent * 1000
