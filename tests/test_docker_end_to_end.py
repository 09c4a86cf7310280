"""The Docker path from one end to the other: packages are built, installed, compared, judged again."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conformance.targets.docker import engine
from conformance.targets.docker.sweep import OWNER_LABEL
from tests.agents import until
from tests.dockerized import needs_docker, reference_packages
from tests.processes import run_lines

pytestmark = needs_docker


def start(*arguments: str, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def verdicts(path: Path) -> list[dict[str, Any]]:
    lines = run_lines(path)
    assert lines[-1]["kind"] == "footer"
    return [line for line in lines if line["kind"] == "verdict"]


def test_stock_and_patched_packages_are_told_apart(tmp_path: Path) -> None:
    """Of what the patches do a third, and of the rest whatever goes another way than over SMTP."""
    stock, patched = reference_packages(tmp_path)
    base = "base.queue or base.upgrade or base.dot-qmail or base.verify or base.mx or base.log"
    for number, command in enumerate(
        (("compare", stock, patched, "-k", "not base", "--shard", "1/3"), ("run", patched, "-k", base))
    ):
        is_told_apart(command, f"out{number}", tmp_path)


def is_told_apart(command: tuple[str, ...], where: str, directory: Path) -> None:
    """All verdicts are as expected, and are so again from the records."""
    process = start(*command, "-n", "3", "--out", where, directory=directory)
    out, error = process.communicate(timeout=600)
    # The package's qmail-queue is a script, which cannot be set-user-id: its files are qmaild's.
    apart = ["base.queue.accepted-files", "base.queue.kept-files"] if command[0] == "run" else []
    assert process.returncode == len(apart) // 2, out[-4000:] + error
    # The directory's name decides where the sentence is broken into lines.
    assert "an executable specification, not qmail" in " ".join(out.split())
    for path in sorted((directory / where).glob("*.jsonl")):
        found = verdicts(path)
        assert len(found) >= 60
        assert [v["requirement"] for v in found if not v["as_expected"]] == apart
        again = start("judge", str(path), "--out", f"again-{where}-{path.stem}", directory=directory)
        told, _ = again.communicate(timeout=120)
        assert again.returncode == len(apart) // 2, told


def test_a_container_that_dies_in_the_middle_costs_no_verdict(tmp_path: Path) -> None:
    """The pod of a running case is killed; the case is repeated in a fresh one, and nothing is lost."""
    _, patched = reference_packages(tmp_path)
    arguments = ("run", patched, "-k", "0005 or 0006", "-n", "1", "--out", "out")
    process = start(*arguments, directory=tmp_path)
    until(lambda: any(path.read_text().count("\n") > 1 for path in (tmp_path / "out").glob("*.part")))
    _kill_pod_of(process.pid)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, out[-4000:] + error
    [path] = (tmp_path / "out").glob("*.jsonl")
    repeated = [v["attempts"] for v in verdicts(path) if len(v["attempts"]) > 1]
    assert repeated
    assert all(attempts[0] == "invalid" for attempts in repeated)


def _kill_pod_of(pid: int) -> None:
    with closing(engine.connect()) as client:
        for container in client.containers.list(filters={"label": OWNER_LABEL}):
            if container.labels[OWNER_LABEL].split("|")[1] == str(pid) and container.name.endswith("target"):
                container.kill()


@pytest.mark.parametrize("option", ["--base", "--internet-base"])
def test_an_image_that_does_not_build_is_told_with_the_end_of_its_log(option: str, tmp_path: Path) -> None:
    _, patched = reference_packages(tmp_path)
    image = "no-such-image.invalid/base:none"
    process = start("run", patched, option, image, "--out", "out", directory=tmp_path)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 3, out
    assert "does not build" in error
    assert "no-such-image.invalid/base" in error
    assert "Traceback" not in error
