"""A worker's pods: one for each target, started when first needed, kept warm, replaced when told."""

from __future__ import annotations

import os

from conformance.errors import UsageError
from conformance.pod.base import Pod, octets
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.secrets import Secrets
from conformance.targets.plan import Plan
from conformance.targets.target import Target

#: Flaws to build into the reference, comma-separated: how a case is shown to be able to fail.
FLAWS_VARIABLE = "QMAIL_CONFORMANCE_FLAWS"


async def start_pod(target: Target, plan: Plan) -> Pod:
    """A fresh pod of the target's kind; `PodFailure` or `WorldError` when it cannot be had."""
    if target.kind == "reference":
        from conformance.targets.embedded import ReferencePod

        flaws = frozenset(filter(None, os.environ.get(FLAWS_VARIABLE, "").split(",")))
        try:
            return ReferencePod(target.patches, flaws)
        except ValueError as error:
            raise UsageError(f"{FLAWS_VARIABLE}: {error}") from error
    from conformance.targets.docker.pod import DockerPod

    return await DockerPod.start(target, plan.internet_image)


def fixture_secrets() -> Secrets:
    """The passwords of the fixtures' users, hidden."""
    return Secrets({name: octets(password) for name, password in passwords(load_users()).items()})


class Keeper:
    """Keeps one worker's pods."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pods: dict[str, Pod] = {}

    async def pod(self, target: Target) -> Pod:
        if target.name not in self._pods:
            self._pods[target.name] = await start_pod(target, self._plan)
        return self._pods[target.name]

    async def discard(self, target: Target) -> None:
        """Take the target's pod down, so that the next case gets a fresh one."""
        pod = self._pods.pop(target.name, None)
        if pod is not None:
            await pod.dispose()

    async def dispose(self) -> None:
        for pod in self._pods.values():
            await pod.dispose()
        self._pods.clear()
