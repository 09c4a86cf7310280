"""Load drivers and the sink, each a process of its own beside the internet, so that its CPU counts apart."""

import asyncio
import contextlib
import json
import sys
from typing import Any, Self

from conformance.errors import WorldError

#: Seconds that a sink may take to listen, and to tell what it took.
_PATIENCE = 20.0

#: Exit status of a driver that was ended by what the server did.
_SERVERS_DOING = 1


async def _started(program: str, *words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    words = ("-m", f"conformance.bench.inside.{program}", *words)
    return await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe, stderr=pipe)


async def run_driver(driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
    """What the program DRIVER makes of `load`; `{"failure": why}` by the server's doing.

    Raises WorldError when it fails by itself or is not done after `limit` seconds.
    """
    process = await _started(driver)
    try:
        async with asyncio.timeout(limit):
            out, error = await process.communicate(json.dumps(load).encode())
    except TimeoutError:
        raise WorldError(f"the load driver has not ended within {limit:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    said = error.decode("utf-8", "replace").strip()
    if process.returncode == _SERVERS_DOING and "\n" not in said:
        return {"failure": said}
    if process.returncode != 0:
        raise WorldError(f"the load driver failed with status {process.returncode}: {said[-2000:]}")
    result: dict[str, Any] = json.loads(out)
    return result


class SinkProcess:
    """A running `sink`. Made by `start`; ends with `taken`, `stop` or `kill`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.addresses: list[tuple[str, int]] = []  #: with the ports that the kernel chose

    @classmethod
    async def start(cls, addresses: list[tuple[str, int]], *, refusing: bool, stamped: bool) -> Self:
        """One that listens. Raises WorldError where it cannot."""
        options = ["--refusing"] * refusing + ["--stamped"] * stamped
        process = await _started("sink", *options, *(f"{address}:{port}" for address, port in addresses))
        sink = cls(process)
        assert process.stdout is not None, "it was started with a pipe"
        try:
            async with asyncio.timeout(_PATIENCE):
                ready = await process.stdout.readline()
            sink.addresses = [(address, port) for address, port in json.loads(ready)]
        except (TimeoutError, ValueError):
            raise WorldError(f"the sink does not listen: {await sink._complaint()}") from None
        return sink

    async def taken(self) -> dict[str, Any]:
        """What it accepted, a `sink.Taken` as JSON. Raises WorldError where it does not say."""
        try:
            async with asyncio.timeout(_PATIENCE):
                out, _ = await self._process.communicate(b"")  # closes its input
            result: dict[str, Any] = json.loads(out)
        except (TimeoutError, ValueError):
            raise WorldError(f"the sink does not say what it took: {await self._complaint()}") from None
        return result

    async def stop(self) -> None:
        """End it, whatever it does; its addresses are free then."""
        self.kill()
        await self._process.communicate(b"")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _complaint(self) -> str:
        self.kill()
        _, said = await self._process.communicate(b"")
        return said.decode("utf-8", "replace").strip()[-2000:] or f"status {await self._process.wait()}"
