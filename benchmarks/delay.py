"""An engine that is far away: a socket before the engine's, which passes requests on late."""

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ENGINE = "/var/run/docker.sock"


@contextlib.contextmanager
def delayed(milliseconds: float) -> Iterator[dict[str, str]]:
    """The environment of a command to which the engine is so far; requests stay in order."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _pass_on(client, to_client, milliseconds / 1000)

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "engine.sock"
        listening = asyncio.start_unix_server(serve, path)
        server = asyncio.run_coroutine_threadsafe(listening, loop).result()
        try:
            yield os.environ | {"DOCKER_HOST": f"unix://{path}"}
        finally:
            loop.call_soon_threadsafe(server.close)


async def _pass_on(client: asyncio.StreamReader, to_client: asyncio.StreamWriter, delay: float) -> None:
    engine, to_engine = await asyncio.open_unix_connection(ENGINE)
    late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def hear() -> None:
        data = b"at first"
        while data:
            data = await client.read(1 << 16)
            late.put_nowait((time.monotonic() + delay, data))

    async def ask() -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not data:
                to_engine.write_eof()
                return
            to_engine.write(data)

    async def answer() -> None:
        while data := await engine.read(1 << 16):
            to_client.write(data)

    try:
        async with asyncio.TaskGroup() as group:
            for work in (hear(), ask(), answer()):
                group.create_task(work)
    finally:
        to_engine.close()
        to_client.close()
