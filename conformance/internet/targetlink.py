"""The way to the target's agent: lists of octet strings, asked and answered over one kept TCP connection.

A list travels as one netstring whose content is the netstrings of its items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from conformance.errors import WorldError

_LONGEST_LENGTH = 12  #: digits of a netstring's length


def netstring(octets: bytes) -> bytes:
    """`octets` as a netstring."""
    return b"%d:%s," % (len(octets), octets)


def packed(items: Sequence[bytes]) -> bytes:
    """A list as one netstring of netstrings."""
    return netstring(b"".join(map(netstring, items)))


def unpacked(content: bytes) -> list[bytes]:
    """The items of a list, from the outer netstring's content; ValueError when it holds anything else."""
    items: list[bytes] = []
    position = 0
    while position < len(content):
        colon = content.find(b":", position, position + _LONGEST_LENGTH + 1)
        length = content[position:colon]
        if colon < 0 or not length.isdigit():
            raise ValueError(f"no netstring: {content[position : position + 40]!r}")
        end = colon + 1 + int(length)
        if content[end : end + 1] != b",":
            raise ValueError("a netstring without its comma")
        items.append(content[colon + 1 : end])
        position = end + 1
    return items


class TargetLink:
    """Requests to the target agent at `address` and port, one after the other."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, request: Sequence[bytes], limit: float) -> list[bytes]:
        """The answer; WorldError when the connection breaks or `limit` seconds (with the wait) pass."""
        try:
            async with asyncio.timeout(limit), self._turn:
                return await self._ask(request)
        except TimeoutError:
            raise WorldError(f"the target agent has not answered within {limit:g} s") from None

    async def _ask(self, request: Sequence[bytes]) -> list[bytes]:
        whole = False
        try:
            reader, writer = await self._connected()
            writer.write(packed(request))
            answer = await _read(reader)
            whole = True
            return answer
        except (OSError, EOFError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise WorldError(f"the connection to the target agent broke: {said}") from error
        finally:
            # An answer that was not read whole would be taken for the next request's.
            if not whole:
                self.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        pause = 0.001
        while self._streams is None:
            try:
                self._streams = await asyncio.open_connection(*self._address)
            except ConnectionRefusedError:
                # It may be just coming up; the limit of the request ends this.
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.02)
        return self._streams

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _read(reader: asyncio.StreamReader) -> list[bytes]:
    length = await reader.readuntil(b":")
    if not length[:-1].isdigit() or len(length) > _LONGEST_LENGTH:
        raise ValueError(f"no netstring: {length[:40]!r}")
    content = await reader.readexactly(int(length[:-1]) + 1)
    if content[-1:] != b",":
        raise ValueError("a netstring without its comma")
    return unpacked(content[:-1])
