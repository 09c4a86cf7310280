"""Signals and broken runs where there are containers: they go at once, or by themselves."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.judge.runfile import read_run
from conformance.targets.docker import engine
from conformance.targets.docker.sweep import OWNER_LABEL
from tests.dockerized import needs_docker, reference_packages
from tests.honesty.test_runs import AT_ONCE, PATIENCE, PROGRAM, group, lines, started, wait_until

pytestmark = needs_docker


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two targets whose images stand."""
    made = reference_packages(tmp_path_factory.mktemp("packages"))
    out = tmp_path_factory.mktemp("first") / "out"
    assert main(["compare", *made, "-k", "0006.unknown.code", "--out", str(out)]) == 0
    return made


def containers_of(processes: list[int]) -> list[str]:
    """The containers that these processes own."""
    client = engine.connect()
    try:
        labels = [
            each["Labels"][OWNER_LABEL]
            for each in client.api.containers(all=True, filters={"label": OWNER_LABEL})
        ]
        return [label for label in labels if any(f"|{process}|" in label for process in processes)]
    finally:
        client.close()


@pytest.mark.parametrize(
    ("command", "begun"),
    [
        (["compare"], lambda out: any(lines(part) > 3 for part in out.glob("*.jsonl.part"))),
        (["compare"], lambda out: any(out.glob("*.jsonl.part"))),  # its first pods are being started
        (["bench", "--scenario", "inbound/10-kept-1k"], lambda out: (out / "bench.json.part").exists()),
        (["bench", "--scenario", "inbound/10-kept-1k"], lambda out: lines(out / "seen") > 3),
    ],
    ids=["compare", "compare while pods start", "bench while pods start", "bench"],
)
@pytest.mark.parametrize(
    ("number", "to"),
    [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill), (signal.SIGHUP, os.kill)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_a_signal_ends_it_and_its_containers(
    command: list[str],
    begun: Callable[[Path], bool],
    number: signal.Signals,
    to: Callable[[int, int], None],
    targets: tuple[str, str],
    tmp_path: Path,
) -> None:
    first, *rest = command
    with (
        (tmp_path / "seen").open("w") as seen,
        started(first, *targets, *rest, "--out", str(tmp_path), stdout=seen) as process,
    ):
        wait_until(lambda: begun(tmp_path), process)
        processes = [process.pid, *group(process)]
        began = time.monotonic()
        to(process.pid, number)
        _, error = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < AT_ONCE
        assert process.returncode == 128 + number
        assert error.splitlines()[-1].startswith("qmail-conformance: ")
        assert "Traceback" not in error
        wait_until(lambda: not group(process) and not containers_of(processes))


#: The command on an engine that was making one more container when it was asked what there is.
LATE = f"""
from conformance.targets.docker import sweep
remove, late = sweep.remove, [True]

def remove_and_make(client, container):
    found = client.api.inspect_container(container)
    remove(client, container)
    if late:
        late.clear()
        client.api.create_container(found["Image"], labels=found["Config"]["Labels"])

sweep.remove = remove_and_make
{PROGRAM}
"""


def test_what_is_being_made_while_a_signal_ends_the_command_is_removed_too(
    targets: tuple[str, str], tmp_path: Path
) -> None:
    words = ["bench", "--scenario", "inbound/10-kept-1k", "--out", str(tmp_path)]
    with started(words[0], *targets, *words[1:], program=LATE) as process:
        wait_until(lambda: containers_of([process.pid]), process)
        process.terminate()
        process.communicate(timeout=PATIENCE)
        wait_until(lambda: not containers_of([process.pid]))


def test_a_run_that_was_ended_goes_on_and_every_verdict_is_there(
    targets: tuple[str, str], tmp_path: Path
) -> None:
    words = ["run", targets[1], "--patch", "0006"]
    with started(*words, "--out", str(tmp_path)) as process:
        wait_until(lambda: any(lines(part) > 2 for part in tmp_path.glob("*.jsonl.part")), process)
        process.terminate()
        process.wait(PATIENCE)
    (part,) = tmp_path.glob("*.jsonl.part")
    kept = lines(part) - 1
    assert main([*words, "--resume", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.jsonl")
    run = read_run(path)
    assert len(run.verdicts) == run.header.total > kept > 0
    assert not part.exists()
