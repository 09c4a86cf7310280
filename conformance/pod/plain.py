"""Dataclasses as JSON values."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """A dataclass, or a list or dictionary with such in it, as fresh lists and dictionaries.

    Each case makes some of these, and `dataclasses.asdict`, which copies every text deeply, takes ten times
    as long.
    """
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {name: plain(item) for name, item in vars(value).items()}
