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
    container.pause()
    over.wait(3)
    container.unpause()


def starved(container: Any, over: threading.Event) -> None:
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
    process = start("run", target, "-k", requirement, "-n", "1", "--out", "out", directory=tmp_path)
    over = threading.Event()

    def go_on() -> None:
        with contextlib.closing(engine.connect()) as client:
            while not over.wait(0.2):
                for container in client.containers.list(filters={"label": f"qmail-conformance.role={role}"}):
                    if container.labels[OWNER_LABEL].split("|")[1] == str(process.pid):
                        with contextlib.suppress(Exception):  # it may just be going
                            disturb(container, over)

    disturbing = threading.Thread(target=go_on)
    disturbing.start()
    out, error = process.communicate(timeout=200)
    over.set()
    disturbing.join()
    [path] = (tmp_path / "out").glob("*.jsonl")
    [verdict] = run_lines(path)[1:-1]
    assert (process.returncode, verdict["verdict"]) == (3, "invalid"), out[-3000:] + error
    assert "the pod stood still for" in verdict["seen"]
