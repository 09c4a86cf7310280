"""The way to the target's agent: lists of octet strings, asked and answered over one kept TCP connection.

A list travels as one netstring whose content is the netstrings of its items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

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
        self._link: _Link | None = None
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
            answer = unpacked(await (await self._connected()).ask(packed(request)))
            whole = True
            return answer
        except (OSError, EOFError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise WorldError(f"the connection to the target agent broke: {said}") from error
        finally:
            # An answer that was not read whole would be taken for the next request's.
            if not whole:
                self.close()

    async def _connected(self) -> _Link:
        if self._link is not None and self._link.ended:
            self.close()
        pause = 0.001
        while self._link is None:
            try:
                _, self._link = await asyncio.get_running_loop().create_connection(_Link, *self._address)
            except ConnectionRefusedError:
                # It may be just coming up; the limit of the request ends this.
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.02)
        return self._link

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        if self._link is not None:
            self._link.abort()
            self._link = None


class _Link(asyncio.BufferedProtocol):
    """One connection to the agent: netstrings out and in, in turn."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.ended = False
        self._buffer = memoryview(bytearray(65536))
        self._unread = bytearray()
        self._answer: asyncio.Future[bytes] | None = None

    async def ask(self, request: bytes) -> bytes:
        """The content of the netstring that answers. EOFError, OSError or ValueError when none comes."""
        if self.ended:
            raise EOFError("it has closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def abort(self) -> None:
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._unread += self._buffer[:nbytes]
        try:
            answer = _first(self._unread)
        except ValueError as error:
            self._end(error)
            return
        if answer is not None and self._answer is not None and not self._answer.done():
            self._unread.clear()  # one answer at a time: nothing follows it
            self._answer.set_result(answer)

    def eof_received(self) -> None:
        self._end(EOFError("it has closed"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or EOFError("it has closed"))

    def _end(self, why: Exception) -> None:
        self.ended = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(why)


def _first(octets: bytearray) -> bytes | None:
    """The content of the netstring that `octets` begin with; None while it is not whole."""
    colon = octets.find(b":", 0, _LONGEST_LENGTH)
    length = octets[:colon] if colon >= 0 else octets
    if (length and not length.isdigit()) or (colon < 0 and len(octets) >= _LONGEST_LENGTH) or colon == 0:
        raise ValueError(f"no netstring: {bytes(octets[:40])!r}")
    end = colon + 1 + int(length) if colon >= 0 else len(octets)
    if colon < 0 or len(octets) <= end:
        return None
    if octets[end] != ord(","):
        raise ValueError("a netstring without its comma")
    return bytes(octets[colon + 1 : end])
