"""What the Docker path needs here, looked at one by one, with what to do about each lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.errors import ConformanceError
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.targets.docker.engine import complaints, connect
from conformance.targets.docker.images import BuildOptions, build, internet_image
from conformance.targets.docker.pod import DockerPod
from conformance.targets.target import Target

_ZONE = """$ORIGIN probe.example.
@ 60 IN SOA ns root 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
@ 60 IN MX 10 mx
mx 60 IN A 127.0.0.2
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `hint` says what to do when it is not good."""

    what: str
    good: bool
    detail: str
    hint: str = ""


def engine_findings(options: BuildOptions) -> list[Finding]:
    """Whether an engine answers, builds on the target's base, and has the internet's image."""
    try:
        client = connect()
    except ConformanceError as error:
        return [Finding("Docker engine", False, error.message, error.hint)]
    try:
        with complaints("asking the engine for its version"):
            version = client.version()
        about = f"{version['Version']} on {version['Os']}/{version['Arch']}"
        findings = [Finding("Docker engine", True, about)]
        findings.append(_builds(client, options.base or f"ubuntu:{options.release}"))
        try:
            image = internet_image(client, options)
            findings.append(Finding("internet image", True, image))
        except ConformanceError as error:
            findings.append(Finding("internet image", False, error.message, error.hint))
        return findings
    except ConformanceError as error:
        return [Finding("Docker engine", False, error.message, error.hint)]
    finally:
        client.close()


async def resolution_finding(target: Target, internet_image: str) -> Finding:
    """Whether names resolve into a pod: qmail-remote of a standing target asks our DNS server."""
    what = "name resolution into the pod"
    try:
        pod = await DockerPod.start(target, internet_image)
        try:
            control = {"me": "mx.here.example\n", "timeoutconnect": "1\n", "timeoutremote": "1\n"}
            await pod.prepare(World(zones=[_ZONE]), Configuration(control=control))
            await pod.remote("probe.example", "", ["a@probe.example"], b"\n", 10.0)
            asked = {question["type"] for question in (await pod.look())["questions"]}
        finally:
            await pod.dispose()
    except (PodFailure, ConformanceError) as error:
        return Finding(what, False, str(error), "look at `docker events` while this is tried again")
    if "MX" not in asked:
        hint = "the engine overrides /etc/resolv.conf; report its version and kind"
        return Finding(what, False, "qmail-remote's questions did not reach the pod's DNS server", hint)
    return Finding(what, True, f"asked for {', '.join(sorted(asked))}")


def _builds(client: Any, base: str) -> Finding:
    tag = "qmail-conformance/probe:latest"
    dockerfile = f"FROM {base}\nRUN command -v perl && command -v apt-get\n".encode()
    try:
        build(client, {"Dockerfile": (dockerfile, 0o644)}, {}, tag, f"a probe on {base}")
        with complaints("removing the probe's image"):
            client.images.remove(tag)
    except ConformanceError as error:
        return Finding("image building", False, error.message, "name another base with --base, or QMAIL_BASE")
    return Finding("image building", True, f"on {base}")
