"""What the Docker path needs here, looked at one by one, with what to do about each lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import script_of
from conformance.errors import ConformanceError
from conformance.pod.base import PodFailure
from conformance.targets.docker.engine import complaints, connect
from conformance.targets.docker.images import BuildOptions, build, internet_image
from conformance.targets.plan import Plan
from conformance.targets.pool import PodPool
from conformance.targets.target import Target


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `hint` says what to do when it is not good."""

    what: str
    good: bool
    detail: str
    hint: str = ""


def engine_findings(options: BuildOptions) -> list[Finding]:
    """Whether an engine answers, builds on the target's base, and has the internet's image."""
    findings: list[Finding] = []
    what, client = "Docker engine", None
    try:
        client = connect()
        with complaints("asking the engine for its version"):
            version = client.version()
        findings.append(Finding(what, True, f"{version['Version']} on {version['Os']}/{version['Arch']}"))
        findings.append(_builds(client, options.base or f"ubuntu:{options.release}"))
        what = "internet image"
        findings.append(Finding(what, True, internet_image(client, options)))
    except ConformanceError as error:
        findings.append(Finding(what, False, error.message, error.hint))
    finally:
        if client is not None:
            client.close()
    return findings


async def resolution_finding(target: Target, internet_image: str) -> Finding:
    """Whether names resolve into a pod: qmail-remote of a standing target asks our DNS server."""
    what, pool = "name resolution into the pod", PodPool(Plan((target,), internet_image))
    try:
        played = await pool.play_in_a_fresh_pod(target, script_of(ask_for_a_name))
    except (PodFailure, ConformanceError) as error:
        return Finding(what, False, str(error), "look at `docker events` while this is tried again")
    if played.outcome != "met":
        hint = "the engine overrides /etc/resolv.conf; report its version and kind"
        return Finding(what, False, played.seen, hint)
    return Finding(what, True, "qmail-remote's questions reach the pod's DNS server")


async def ask_for_a_name(internet: Internet, qmail: Qmail) -> None:
    """What is played to see whether names resolve into a pod."""
    internet.zone("probe.example")
    internet.refuse_smtp()
    await qmail.remote("probe.example", "", ["a@probe.example"])
    asked = internet.questions("probe.example", "MX")
    assert asked, "qmail-remote's questions did not reach the pod's DNS server"


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
