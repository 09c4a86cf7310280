"""What the references say where a requirement looks: replies, reports and lines of the log, kept in a file.

It is kept because playing every case takes seconds, and an answer may not. `listening` makes it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("heard.json")


@dataclass(frozen=True)
class Heard:
    """Requirements in whose cases a text is heard: where they are not met (`unmet`), and where they are."""

    unmet: tuple[str, ...]
    met: tuple[str, ...]


def load_heard(path: Path = FILE) -> dict[str, Heard]:
    """Text -> where it is heard."""
    found: Mapping[str, Mapping[str, list[str]]] = json.loads(path.read_text(encoding="utf-8"))
    return {text: Heard(**{key: tuple(names) for key, names in of.items()}) for text, of in found.items()}
