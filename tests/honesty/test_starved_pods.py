"""Pods that are paused or starved while a case waits for qmail's own clock: invalid, and nothing else."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.targets.docker import engine
from conformance.targets.docker.sweep import OWNER_LABEL
from tests.dockerized import needs_docker, reference_packages
from tests.processes import run_lines
from tests.test_docker_end_to_end import start

pytestmark = needs_docker

Disturb = Callable[[Any, threading.Event], None]


def paused(container: Any, over: threading.Event) -> None:
    """Again and again for three seconds, once it is up."""
    with contextlib.suppress(Exception):  # until it is gone
        while not over.wait(1):
            container.pause()
            over.wait(3)
            container.unpause()


def starved(container: Any, over: threading.Event) -> None:
    """A twentieth of a processor, from the first on."""
    container.update(cpu_period=100_000, cpu_quota=5_000)


@pytest.mark.parametrize(
    ("disturb", "role", "requirement", "claimed"),
    [
        (paused, "target", "base.verify.mute", 1),
        (paused, "internet", "base.verify.mute", 1),
        (starved, "target", "0005.tcp.stalled", 0),  # unmet is expected there, and would be believed at once
    ],
)
def test_a_pod_that_does_not_run_decides_nothing(
    tmp_path: Path, disturb: Disturb, role: str, requirement: str, claimed: int
) -> None:
    target = reference_packages(tmp_path)[claimed]
    over = threading.Event()

    def go_on() -> None:
        for event in events:
            attributes = event["Actor"]["Attributes"]
            if attributes[OWNER_LABEL].split("|")[1] == str(process.pid):
                container = client.containers.get(event["Actor"]["ID"])
                threading.Thread(target=disturb, args=(container, over)).start()

    with contextlib.closing(engine.connect()) as client:
        filters = {"event": "start", "label": f"qmail-conformance.role={role}"}
        events = client.events(decode=True, filters=filters)
        threading.Thread(target=go_on, daemon=True).start()
        process = start("run", target, "-k", requirement, "-n", "1", "--out", "out", directory=tmp_path)
        out, error = process.communicate(timeout=200)
        over.set()
        events.close()
    [path] = (tmp_path / "out").glob("*.jsonl")
    [verdict] = run_lines(path)[1:-1]
    assert (process.returncode, verdict["verdict"]) == (3, "invalid"), out[-3000:] + error
    assert "the pod stood still for" in verdict["seen"]
