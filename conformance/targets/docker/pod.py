"""A pod of two containers: brought up, watched, taken down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conformance.cases.attempt import Played
from conformance.cases.script import Script
from conformance.pod.base import PodFailure
from conformance.pod.codec import decode, encode
from conformance.targets.docker.attach import STDOUT, Attachment
from conformance.targets.docker.channel import Channel
from conformance.targets.docker.engine import complaints, connect
from conformance.targets.docker.scripts import STATE
from conformance.targets.docker.sweep import OWNER_LABEL, owner, remove
from conformance.targets.target import Target

ROLE_LABEL = "qmail-conformance.role"
HOST = "mx.here.example"

#: Seconds that a pod may take from its containers' start to its agents' first answers.
PATIENCE = 30.0

#: Seconds that an answer may take beyond the limit that a request itself bears.
LATENESS = 40.0


class DockerPod:
    """Real qmail and its internet, in two containers. Made by `start`."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self.containers = containers.ids  #: of the target and of the internet
        self.request = containers.channel.request

    @classmethod
    async def start(cls, target: Target, internet_image: str, program: str = "") -> DockerPod:
        """A fresh pod of standing images, with another `program` than the image's own for the internet.

        WorldError when the engine fails, PodFailure when the pod does.
        """
        containers = Containers(asyncio.get_running_loop(), program)
        try:
            await asyncio.to_thread(containers.bring_up, target.image, internet_image)
            await containers.channel.request("hello", patience=PATIENCE)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(containers.take_down))
            raise
        return cls(containers)

    async def play(self, script: Script) -> Played:
        """Play a script in the pod: one request. PodFailure when there is no answer."""
        answer = await self.request("play", script=encode(script), patience=script.limit + LATENESS)
        try:
            return decode(Played, answer)
        except ValueError as error:
            raise PodFailure(f"the internet container's answer is no record: {error}") from error

    async def dispose(self) -> None:
        """Take the pod down; never raises."""
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._containers.take_down)


class Containers:
    """The two containers and the channel into them. `bring_up` and `take_down` block, so run in a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, program: str) -> None:
        self._loop = loop
        self._program = program
        self._client: Any = None
        self._attachments: list[Attachment] = []
        self._complaint: deque[bytes] = deque(maxlen=500)  #: the end of what the containers wrote as errors
        self.ids: list[str] = []
        self.channel = Channel(lambda octets: self._attachments[-1].send(octets))

    def bring_up(self, target_image: str, internet_image: str) -> None:
        """Create and start both; a failure leaves what there is to `take_down`."""
        self._client = connect()
        with complaints("starting a pod"), ThreadPoolExecutor(1) as side:
            target = self._create(
                target_image, "target", network_mode="none", tmpfs={STATE: "exec,mode=0755,size=1g"}
            )
            self._attach(target, self._heard_target)
            starting = side.submit(self._client.api.start, target)
            internet = self._create(internet_image, "internet", network_mode=f"container:{target}")
            self._attach(internet, self._heard_internet)
            starting.result()
            self._client.api.start(internet)

    def take_down(self) -> None:
        """Remove both; what has gone by itself is gone."""
        for attachment in self._attachments:
            attachment.close()
        try:
            for container in self.ids:
                with contextlib.suppress(Exception):
                    remove(self._client, container)
        finally:
            if self._client is not None:
                self._client.close()

    def _create(self, image: str, role: str, **host: Any) -> str:
        api = self._client.api
        made = api.create_container(
            image,
            command=[self._program] if role == "internet" and self._program else None,
            hostname=HOST if role == "target" else None,
            name=f"qmail-conformance-{os.getpid()}-{secrets.token_hex(4)}-{role}",
            labels={OWNER_LABEL: owner(), ROLE_LABEL: role},
            # Standard input closes when we let go, however we end; with that the pod ends by itself.
            stdin_open=role == "internet",
            host_config=api.create_host_config(auto_remove=True, **host),
        )
        self.ids.append(str(made["Id"]))
        return str(made["Id"])

    def _attach(self, container: str, heard: Any) -> None:
        self._attachments.append(Attachment(self._client, container, heard, self._loop))

    # What the attachments call

    def _heard_target(self, stream: int, octets: bytes | None) -> None:
        if octets is None:
            self._lose("the target container ended")
        else:
            self._complaint.append(octets)

    def _heard_internet(self, stream: int, octets: bytes | None) -> None:
        if octets is None:
            self._lose("the internet container ended")
        elif stream != STDOUT:
            self._complaint.append(octets)
        else:
            self.channel.feed(octets)

    def _lose(self, what: str) -> None:
        said = b"".join(self._complaint).decode("utf-8", "replace").strip()
        self.channel.lose(f"{what}: {said}" if said else what)
