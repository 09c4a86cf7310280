"""What the Docker path needs here, looked at one by one, with what to do about each lack."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import script_of
from conformance.errors import ConformanceError
from conformance.pod.base import PodFailure
from conformance.targets.docker.endpoint import endpoint
from conformance.targets.docker.engine import complaints, connect
from conformance.targets.docker.images import (
    IMAGE_LABEL,
    PROBE_REPOSITORY,
    Recipe,
    build,
    internet_image,
)
from conformance.targets.docker.pod import DockerPod
from conformance.targets.image_options import Images
from conformance.targets.target import Target


@dataclass(frozen=True)
class MachineCheck:
    """One thing that was looked at. `hint` says what to do when it is not good."""

    what: str
    good: bool
    detail: str
    hint: str = ""


def check_engine(images: Images) -> list[MachineCheck]:
    """Whether an engine answers, builds on the target's base, and has the internet's image."""
    checks: list[MachineCheck] = []
    what = "Docker engine"
    try:
        with closing(connect()) as client:
            with complaints("asking the engine for its version"):
                told, bounds = f"{kind(client.version())}, at {endpoint()}", unbounded(client.info())
            checks.append(MachineCheck(what, True, told))
            checks += [MachineCheck("bounds of a pod", True, bounds)] if bounds else []
            checks.append(_check_building(client, images.target_base))
            what = "internet image"
            checks.append(MachineCheck(what, True, internet_image(client, images)))
    except ConformanceError as error:
        checks.append(MachineCheck(what, False, error.message, error.hint))
    return checks


def kind(version: Mapping[str, Any]) -> str:
    """What an engine is: `Podman 4.3.1 on linux/amd64`, as it says."""
    names = [str(part.get("Name", "")) for part in version.get("Components") or []]
    name = "Podman" if any("podman" in each.lower() for each in names) else "Docker"
    return f"{name} {version['Version']} on {version['Os']}/{version['Arch']}"


def unbounded(info: Mapping[str, Any]) -> str:
    """What a pod may use without end because the engine cannot bound it; "" where all is bounded."""
    missing = [
        name for name, key in (("memory", "MemoryLimit"), ("processes", "PidsLimit")) if not info.get(key)
    ]
    if not missing:
        return ""
    return (
        f"this engine does not bound {' or '.join(missing)} (without root that takes cgroup v2), "
        "so a build that runs wild takes what the machine has"
    )


async def check_resolution(target: Target, internet_image: str) -> MachineCheck:
    """Whether names resolve into a pod: qmail-remote of a standing target asks our DNS server."""
    what = "name resolution into the pod"
    try:
        pod = await DockerPod.start(target, internet_image)
        try:
            played = await pod.play(script_of(ask_for_a_name))
        finally:
            await pod.dispose()
    except (PodFailure, ConformanceError) as error:
        return MachineCheck(what, False, str(error), "look at `docker events` while this is tried again")
    if played.outcome != "met":
        hint = "the engine overrides /etc/resolv.conf; report its version and kind"
        return MachineCheck(what, False, played.seen, hint)
    return MachineCheck(what, True, "qmail-remote's questions reach the pod's DNS server")


async def ask_for_a_name(internet: Internet, qmail: Qmail) -> None:
    """What is played to see whether names resolve into a pod."""
    internet.zone("probe.example")
    internet.refuse_smtp()
    await qmail.remote("probe.example", "", ["a@probe.example"])
    asked = internet.questions("probe.example", "MX")
    assert asked, "qmail-remote's questions did not reach the pod's DNS server"


def _check_building(client: Any, base: str) -> MachineCheck:
    what, tag = "image building", f"{PROBE_REPOSITORY}:{os.getpid()}"
    steps = f"FROM {base}\nLABEL {IMAGE_LABEL}=probe\nRUN command -v perl && command -v apt-get\n"
    try:
        build(client, Recipe(f"a probe on {base}", {"Dockerfile": (steps.encode(), 0o644)}, {}), tag)
        with complaints("removing the probe's image"):
            client.images.remove(tag)
    except ConformanceError as error:
        return MachineCheck(what, False, error.message, "name another base with --base, or QMAIL_BASE")
    return MachineCheck(what, True, f"on {base}")
