"""Did you mean: the known names nearest to an unknown one, in the same words for every kind of name."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3


def nearest(word: str, known: Iterable[str], most: int = _MOST) -> list[str]:
    """The best first, whatever the case: names like the word, or else those that hold it."""
    names: dict[str, str] = {}
    for name in known:
        names.setdefault(name.lower(), name)
    wanted = word.lower()
    near = get_close_matches(wanted, names, most) or [name for name in names if wanted and wanted in name]
    return [names[name] for name in near[:most]]


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint for an unknown name: `did you mean 'a' or 'b'?` where any is near, and then `otherwise`."""
    near = " or ".join(map(repr, nearest(word, known)))
    return " ".join(filter(None, (f"did you mean {near}?" * bool(near), otherwise)))
