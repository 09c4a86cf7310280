"""reproduce.sh in a real container: shown on the build that it was made with, not shown on the other."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.cli import main
from tests.dockerized import needs_docker, reference_packages

pytestmark = [
    *needs_docker,
    pytest.mark.skipif(shutil.which("docker") is None, reason="reproduce.sh needs the docker command"),
]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return reference_packages(tmp_path_factory.mktemp("packages"))


def play(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a person does who has not got this project: no Python path, no package."""
    given = os.environ.items()
    kept = {name: value for name, value in given if name in ("PATH", "QMAIL_BASE") or "DOCKER_" in name}
    return subprocess.run(
        ["sh", "reproduce.sh"],
        cwd=directory,
        env={**kept, "HOME": str(directory), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def stock_image(targets: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image that a reproduction of stock behaviour builds; what it is made for is shown on it."""
    out = tmp_path_factory.mktemp("stock") / "out"
    assert main(["reproduce", "0006.unknown.code", "--target", targets[0], "--out", str(out)]) == 0
    shown = play(out)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "502 unimplemented" in shown.stdout
    return next(line.split()[1] for line in shown.stdout.splitlines() if line.startswith("running "))


@pytest.mark.parametrize(
    ("requirement", "seen"),
    [
        ("0005.mx.octets-4096", "big.example MX over tcp"),
        ("0006.unknown.code", "500 unrecognised"),
        ("0008.cram.accepted", "235 ok"),
    ],
)
def test_what_was_recorded_is_shown_and_the_other_build_does_not_show_it(
    requirement: str, seen: str, targets: tuple[str, str], stock_image: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["reproduce", requirement, "--target", targets[1], "--out", str(out)]) == 0
    shown = play(out)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "shown: every line is as recorded" in shown.stdout
    assert seen in shown.stdout
    assert "wonderland" not in shown.stdout
    other = play(out, QMAIL_IMAGE=stock_image)
    assert other.returncode == 1, other.stdout + other.stderr
    assert "not shown" in other.stdout


def test_an_image_without_qmail_is_the_worlds_failure_and_no_answer(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["reproduce", "0006.unknown.code", "--target", "reference-ppa", "--out", str(out)]) == 0
    without = play(out, QMAIL_IMAGE=os.environ["QMAIL_BASE"])
    assert without.returncode == 3, without.stdout
    assert "has no" in without.stdout + without.stderr
    nothing = play(out)
    assert nothing.returncode == 3
    assert "executable specification, which is not qmail" in nothing.stderr
