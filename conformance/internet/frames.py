"""Frames of the control channel: four octets of length (big-endian), then JSON in UTF-8.

The host side uses this module too, from a thread that reads a blocking socket.
"""

from __future__ import annotations

import json
from typing import Any

#: A length beyond this is not ours but something else's output, read as a length.
_MOST = 1 << 30

#: `json.dumps` would make an encoder for each frame.
_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(obj: Any) -> bytes:
    """One frame that holds `obj`."""
    content = _written(obj).encode("utf-8")
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
                raise ValueError(f"not a frame: {bytes(self._unread[start : start + 40])!r}")
            end = start + 4 + length
            if len(self._unread) < end:
                break
            objects.append(json.loads(self._unread[start + 4 : end].decode("utf-8")))
            start = end
        del self._unread[:start]
        return objects
