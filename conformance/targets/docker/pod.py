"""A pod of two containers: brought up, watched, taken down."""

import asyncio
import contextlib
import os
import secrets
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.pod.base import PodFailure
from conformance.pod.ordinary import HOST
from conformance.stopping import wait_if_ending
from conformance.targets.channel import PATIENCE, Channel
from conformance.targets.docker.attach import STDOUT, Attachment
from conformance.targets.docker.confinement import host_config
from conformance.targets.docker.ends import how_killed
from conformance.targets.docker.engine import complaints, connect
from conformance.targets.docker.sweep import OWNER_LABEL, ROLE_LABEL, owner, remove
from conformance.targets.target import Target


class DockerPod:
    """Real qmail and its internet, in two containers. `start` makes one that is up."""

    def __init__(self, program: str = "") -> None:
        self._program = program
        self._loop = asyncio.get_running_loop()
        self._client: Any = None
        self._attachments: list[Attachment] = []
        self._complaint: deque[bytes] = deque(maxlen=500)  #: the end of what the containers wrote as errors
        self._let_go = False
        self._began = 0.0  #: seconds since the epoch
        self._losing: set[asyncio.Task[None]] = set()
        self.containers: list[str] = []  #: the ids of the target and of the internet
        self.channel = Channel(lambda octets: self._attachments[-1].send(octets))

    @classmethod
    async def start(cls, target: Target, internet_image: str, program: str = "") -> Self:
        """A fresh pod of standing images, with another `program` than the image's own for the internet.

        WorldError when the engine fails, PodFailure when the pod does.
        """
        pod = cls(program)
        try:
            await asyncio.to_thread(pod._bring_up, target.image, internet_image)
            await pod.channel.request("hello", patience=PATIENCE)
        except BaseException:
            await asyncio.shield(pod.dispose())
            raise
        return pod

    async def play(self, script: Script) -> Played:
        """Play a script in the pod: one request. PodFailure when there is no answer."""
        played = await self.channel.play(script)
        # Who plays sees no more than a broken connection where the target has ended.
        if played.outcome == "invalid" and (killed := await self._killed()):
            raise PodFailure(f"{killed}: {played.seen}")
        return played

    async def dispose(self) -> None:
        """Take the pod down; never raises."""
        self._let_go = True
        for losing in self._losing:
            losing.cancel()
        await asyncio.gather(*self._losing, return_exceptions=True)
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._take_down)

    # What blocks, and so runs in a thread

    def _bring_up(self, target_image: str, internet_image: str) -> None:
        """Create and start both; a failure leaves what there is to `_take_down`."""
        self._began = time.time()
        self._client = connect()
        with complaints("starting a pod"), ThreadPoolExecutor(1) as side:
            name = {"hostname": HOST}
            target = self._create(target_image, "target", name, network_mode="none")
            starting = side.submit(self._client.api.start, target)
            # Standard input closes when we let go, however we end; with that the pod ends by itself.
            options = {"command": [self._program] if self._program else None, "stdin_open": True}
            network = f"container:{target}"
            internet = self._create(internet_image, "internet", options, network_mode=network)
            starting.result()
            self._client.api.start(internet)

    def _take_down(self) -> None:
        """Remove both; what has gone by itself is gone."""
        for attachment in self._attachments:
            attachment.close()
        for container in self.containers:
            with contextlib.suppress(Exception):
                remove(self._client, container)
        if self._client is not None:
            self._client.close()

    def _create(self, image: str, role: str, options: dict[str, Any], **host: Any) -> str:
        """A container to which we are attached, to be started; its id."""
        api = self._client.api
        wait_if_ending()
        made = api.create_container(
            image,
            name=f"qmail-conformance-{os.getpid()}-{secrets.token_hex(4)}-{role}",
            labels={OWNER_LABEL: owner(), ROLE_LABEL: role},
            host_config=api.create_host_config(auto_remove=True, **host_config(role), **host),
            **options,
        )
        container = str(made["Id"])
        self.containers.append(container)
        self._attachments.append(Attachment(self._client, container, partial(self._heard, role), self._loop))
        return container

    def _heard(self, role: str, stream: int, octets: bytes | None) -> None:
        if octets is None and self._let_go:
            self.channel.lose("the pod is taken down")
        elif octets is None:
            losing = self._loop.create_task(self._lose(role))
            self._losing.add(losing)
            losing.add_done_callback(self._losing.discard)
        elif role == "internet" and stream == STDOUT:
            self.channel.feed(octets)
        else:
            self._complaint.append(octets)

    async def _lose(self, role: str) -> None:
        """A container has ended, or the engine has."""
        killed = await self._killed()
        # The target ends when the internet does, and may be heard of before its cause.
        await asyncio.sleep(0.5 if role == "target" and not killed else 0)
        said = b"".join(self._complaint).decode("utf-8", "replace").strip()
        self.channel.lose(": ".join(filter(None, [killed or f"the {role} container ended", said])))

    async def _killed(self) -> str:
        """What the engine tells of containers that were killed; "" when none was, or it does not tell."""
        containers = dict(zip(("target", "internet"), self.containers, strict=False))
        with contextlib.suppress(Exception):  # the engine may have gone too
            return "; ".join(await asyncio.to_thread(how_killed, self._client, containers, self._began))
        return ""
