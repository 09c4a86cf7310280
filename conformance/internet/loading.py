"""A load driver as a process of its own beside the internet's servers, so that its CPU is counted apart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from conformance.errors import WorldError

#: Exit status of a driver that was ended by what the server did.
_SERVERS_DOING = 1


async def run_driver(driver: str, load: dict[str, Any], limit: float) -> dict[str, Any]:
    """What `python -m conformance.bench.DRIVER` writes of `load`; `{"failure": why}` by the server's doing.

    Raises WorldError when it fails by itself or is not done after `limit` seconds.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"conformance.bench.{driver}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
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
