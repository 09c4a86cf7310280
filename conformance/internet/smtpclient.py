"""A client's TCP connection to qmail-smtpd: octets out, octets in, and the end, whoever makes it."""

import asyncio
import contextlib
from typing import Self, cast

from conformance.errors import WorldError

#: Seconds for which a connection is tried while it is refused: the target's listener may be just coming up.
_PATIENCE = 2.0

#: Octets that wait unread before the server is made to wait: one that floods must not fill our memory.
_MOST_UNREAD = 1 << 20

#: What a client meets with when the server has reset the connection, with or without its end before (tcp(7)).
_CUT = (ConnectionResetError, BrokenPipeError)


class SmtpClient(asyncio.Protocol):
    """One connection; made by `connected`."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._ended = False  #: nothing more comes, and nothing more is taken
        self.over = False  #: either side has ended the connection, if only half
        self.reset = False  #: the server's end of it was a reset
        self.port = 0  #: ours
        self._heard = asyncio.Event()  #: octets, or the end
        self._taken = asyncio.Event()  #: all that was sent has left
        self._taken.set()

    @classmethod
    async def connected(cls, address: tuple[str, int]) -> Self:
        """A connection that stands. WorldError when it is still refused after a while."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while True:
            try:
                return (await loop.create_connection(cls, *address))[1]
            except ConnectionRefusedError as error:
                if loop.time() > until:
                    raise WorldError(
                        f"nothing listens on {address[0]}:{address[1]} after {_PATIENCE:g} s",
                        "is qmail-smtpd up in the target?",
                    ) from error
            await asyncio.sleep(0.01)

    async def send(self, data: bytes) -> bool:
        """Send octets, until all have left; False when the server no longer takes any."""
        if self._ended:
            return False
        self._transport.write(data)
        await self._taken.wait()
        return not self._ended

    async def receive(self, limit: float) -> bytes | None:
        """What has come, at once or within `limit` seconds: None when silent, b"" when the server closed."""
        if not self._unread and not self._ended:
            self._heard.clear()
            try:
                async with asyncio.timeout(limit):
                    await self._heard.wait()
            except TimeoutError:
                return None
        octets, self._unread = bytes(self._unread), bytearray()
        if not self._ended:
            self._transport.resume_reading()
        return octets

    def shut(self) -> None:
        """Half close."""
        self.over = True
        with contextlib.suppress(OSError):  # it has gone altogether
            self._transport.write_eof()

    def close(self) -> None:
        """Close; what was sent still leaves."""
        self.over = True
        self._transport.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(0)
        self.port = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > _MOST_UNREAD:
            self._transport.pause_reading()
        self._heard.set()

    def eof_received(self) -> bool:
        self._end()
        return True  # the client decides when to close its own half

    def pause_writing(self) -> None:
        self._taken.clear()

    def resume_writing(self) -> None:
        self._taken.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reset = self.reset or (not self._ended and isinstance(exc, _CUT))
        self._end()
        self._taken.set()

    def _end(self) -> None:
        self._ended = self.over = True
        self._heard.set()
