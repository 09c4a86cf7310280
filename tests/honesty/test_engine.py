"""Containers that are killed, engines that go away, builds that are not what they claim, two suites."""

import asyncio
import contextlib
import io
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.attempt import Played
from conformance.cases.script import script_of
from conformance.catalogue.requirements import Case
from conformance.cli import main
from conformance.errors import EngineGone, WorldError
from conformance.judge.decider import MOST_ATTEMPTS
from conformance.pod.base import PodFailure
from conformance.targets import pool
from conformance.targets.docker import clean, confinement, engine
from conformance.targets.docker.images import IMAGE_LABEL, Recipe, abandon, build
from conformance.targets.docker.pod import DockerPod
from conformance.targets.docker.sweep import OWNER_LABEL, ROLE_LABEL, sweep
from conformance.targets.plan import Plan
from conformance.targets.ready import Images, make_ready
from conformance.targets.target import Target
from tests.agents import until
from tests.dockerized import BASE, needs_docker, reference_packages
from tests.engineproxy import EngineProxy
from tests.honesty import pod_scripts
from tests.processes import run_lines
from tests.test_docker_end_to_end import start

IMAGES = Images(base=BASE, internet_base=os.environ.get("QMAIL_INTERNET_BASE", ""))

#: Three cases that are quick, and one that waits five seconds.
SELECTED, WAITS = "0006 or 0005.tcp.stalled", "0005.tcp.stalled"

pytestmark = needs_docker


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with contextlib.closing(engine.connect()) as connected:
        yield connected


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return reference_packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def standing(packages: tuple[str, str]) -> tuple[Target, str]:
    """The patched target and the image of the internet."""
    plan = make_ready([packages[1]], IMAGES)
    return plan.targets[0], plan.internet_image


def verdicts(out: Path) -> dict[str, dict[str, Any]]:
    """By requirement, of the one run in a directory; the run is whole."""
    [path] = out.glob("*.jsonl")
    header, *found, footer = run_lines(path)
    assert (header["kind"], footer["kind"]) == ("header", "footer")
    return {verdict["requirement"]: verdict for verdict in found}


def has_verdicts(out: Path) -> bool:
    return any('"kind": "verdict"' in path.read_text() for path in out.glob("*.jsonl*"))


def containers_of(client: Any, pid: int, role: str) -> list[Any]:
    listed = client.containers.list(filters={"label": f"{ROLE_LABEL}={role}"}, ignore_removed=True)
    return [each for each in listed if each.labels[OWNER_LABEL].split("|")[1] == str(pid)]


def runs_qmail_remote(container: Any) -> bool:
    with contextlib.suppress(Exception):  # it has just gone
        return any("qmail-remote" in row[-1] for row in container.top(ps_args="-eo pid,args")["Processes"])
    return False


# Containers


@pytest.mark.parametrize("role", ["target", "internet"])
def test_a_container_that_is_killed_costs_its_case_and_no_other(
    client: Any, packages: tuple[str, str], tmp_path: Path, role: str
) -> None:
    """Whenever a case waits long its pod is killed: three times, and then nothing is said about qmail."""
    process = start("run", packages[1], "-k", SELECTED, "-n", "1", "--out", "out", directory=tmp_path)

    def kill() -> None:
        while process.poll() is None:
            victims = containers_of(client, process.pid, role)
            for target, victim in zip(containers_of(client, process.pid, "target"), victims, strict=False):
                if runs_qmail_remote(target):
                    with contextlib.suppress(Exception):
                        victim.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    out, error = process.communicate(timeout=300)
    killer.join()
    found = verdicts(tmp_path / "out")
    killed = found.pop(WAITS)
    assert (process.returncode, killed["verdict"]) == (3, "invalid"), out[-3000:] + error
    assert f"the {role} container ended: it was killed" in killed["seen"]
    assert len(found) > 2
    assert all(verdict["as_expected"] for verdict in found.values())


#: A qmail that does what it is told by its host's name, and whose qmail-smtpd fills its log.
WRONG = r"""
FROM {image}
RUN cd /var/lib/qmail/bin && printf '%s\n' '#!/usr/bin/perl' 'my $host = shift;' \
  'if ($host eq "flood") {{ print "rK" x 65536 while 1 }}' \
  'if ($host eq "hungry") {{ my @all; push @all, "x" x 1048576 while 1 }}' \
  'use Socket; socket S, PF_INET, SOCK_STREAM, 0; connect S, sockaddr_in(25, inet_aton("127.0.0.2"));' \
  '$SIG{{PIPE}} = "IGNORE"; 1 while syswrite S, "NOOP\r\n" x 10000; print "Zno\n\0";' > qmail-remote && \
  printf '%s\n' '#!/bin/sh' 'head -c 20000000 /dev/zero | tr "\0" x >&2; echo "220 x\r"' > qmail-smtpd
"""


@pytest.fixture(scope="module")
def wrong(client: Any, standing: tuple[Target, str]) -> Iterator[Target]:
    dockerfile = WRONG.format(image=standing[0].image).encode()
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile), rm=True)
    yield Target("wrong", "image", image=image.id)
    client.images.remove(image.id)


def played(target: Target, internet: str, case: Case) -> Played:
    async def within() -> Played:
        pod = await DockerPod.start(target, internet)
        try:
            return await pod.play(script_of(case))
        finally:
            await pod.dispose()

    return asyncio.run(asyncio.wait_for(within(), 60))


def test_a_container_without_memory_says_so(
    standing: tuple[Target, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(confinement.MEMORY, "internet", 128)
    with pytest.raises(
        PodFailure, match="the internet container ended: it had used up its 128 MiB of memory"
    ):
        played(*standing, pod_scripts.fills_the_memory)


@pytest.mark.parametrize(
    ("case", "seen"),
    [
        (pod_scripts.floods, "'cut off: qmail-remote printed more than 1048576 octets'"),
        (pod_scripts.eats, "the kernel ended a process: the target had used up its memory"),
        (pod_scripts.talks, "['connected', 'flooded', 'reset']"),
        (pod_scripts.logs, "[cut off: the target holds more than 8388608 octets]"),
    ],
)
def test_too_much_of_anything_is_qmails_doing_and_is_told(
    standing: tuple[Target, str], wrong: Target, case: Case, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(confinement.MEMORY, "target", 256)
    came = played(wrong, standing[1], case)
    assert came.outcome == "unmet", came.seen
    assert seen in came.seen


def test_a_pod_has_what_it_needs_and_no_more(client: Any, standing: tuple[Target, str]) -> None:
    async def look() -> list[Any]:
        pod = await DockerPod.start(*standing)
        try:
            return [await asyncio.to_thread(confined, client, container) for container in pod.containers]
        finally:
            await pod.dispose()

    # CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, NET_BIND_SERVICE (capability.h); that one alone.
    assert asyncio.run(look()) == [
        {"CapBnd": "00000000000004eb", "NoNewPrivs": "0", "read only": False, "bounded": True},
        {"CapBnd": "0000000000000400", "NoNewPrivs": "1", "read only": True, "bounded": True},
    ]


def confined(client: Any, container: str) -> dict[str, Any]:
    """What its first process may, as the kernel says, and what is bounded, as the engine says."""
    inspected = client.api.inspect_container(container)
    status = Path(f"/proc/{inspected['State']['Pid']}/status").read_text().splitlines()
    host = inspected["HostConfig"]
    bounded = host["Memory"] == host["MemorySwap"] > 0 < host["PidsLimit"]
    return {
        **{name: line.split()[1] for line in status for name in ("CapBnd", "NoNewPrivs") if name in line},
        "read only": host["ReadonlyRootfs"],
        "bounded": bounded and host["LogConfig"]["Type"] == "none" and bool(host["Ulimits"]),
    }


# Engines


class Cut(threading.Thread):
    """Cuts an engine off once a run has verdicts; it comes back when it has been asked in vain so often."""

    def __init__(self, directory: Path, asked: int) -> None:
        super().__init__(daemon=True)
        self._path, self._out = directory / "engine.sock", directory / "out"
        self._proxy = EngineProxy(self._path)
        self._asked = threading.Semaphore(0)
        self._times = asked
        self.host = self._proxy.host

    def run(self) -> None:
        until(lambda: has_verdicts(self._out))
        self._proxy.cut()
        self._path.unlink()
        for _ in range(self._times):
            self._asked.acquire()
        EngineProxy(self._path)

    async def begin(self, target: Target, plan: Plan) -> DockerPod:
        try:
            return await DockerPod.start(target, plan.internet_image)
        except EngineGone:
            self._asked.release()
            raise


@pytest.mark.parametrize("back", [True, False])
def test_an_engine_that_goes_away_costs_what_was_not_yet_played(
    packages: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    back: bool,
) -> None:
    """When it comes back nothing is lost, and when it does not in time, all that is left fails at once."""
    cut = Cut(tmp_path, MOST_ATTEMPTS * 3 if back else sys.maxsize)
    monkeypatch.setenv("DOCKER_HOST", cut.host)
    monkeypatch.setattr(pool, "start", cut.begin)
    monkeypatch.setattr(pool, "AGAIN", 0.01)
    if not back:
        monkeypatch.setattr(pool, "GONE", 0.5)
    cut.start()
    keyword = "0006 or 0005 or 0004"
    status = main(["run", packages[1], "-k", keyword, "-n", "1", "--out", str(tmp_path / "out")])
    told = capsys.readouterr().out
    found = verdicts(tmp_path / "out")
    lost = [name for name, verdict in found.items() if verdict["verdict"] == "invalid"]
    assert all(verdict["as_expected"] for name, verdict in found.items() if name not in lost)
    assert len(found) > len(lost)
    if back:
        assert (status, lost) == (0, []), told[-3000:]
    else:
        assert (status, len(lost) > 10) == (3, True), told[-3000:]
        assert "no Docker engine answers" in told
        assert "it has been gone for 0.5 s" in found[lost[-1]]["seen"]


def test_an_image_that_is_gone_is_told_at_once(standing: tuple[Target, str]) -> None:
    gone = Target("gone", "debs", image="sha256:" + "0" * 64)
    with pytest.raises(WorldError, match="No such image") as raised:
        played(gone, standing[1], pod_scripts.floods)
    assert not isinstance(raised.value, EngineGone), "nobody waits for it"


# Builds


def test_a_build_that_is_not_what_it_claims_is_a_regression(
    packages: tuple[str, str], tmp_path: Path
) -> None:
    process = start("run", f"{packages[0]}0006", "-k", "0006", "-n", "2", "--out", "out", directory=tmp_path)
    out, error = process.communicate(timeout=300)
    found = verdicts(tmp_path / "out")
    assert process.returncode == 1, out[-3000:] + error
    changes = [verdict for verdict in found.values() if verdict["role"] == "change"]
    assert changes
    assert {(verdict["verdict"], *verdict["attempts"]) for verdict in changes} == {
        ("unmet", "unmet", "unmet")
    }
    assert all(verdict["as_expected"] for verdict in found.values() if verdict["role"] == "guard")


BUILDER = """
import sys
from conformance.targets.docker import engine
from conformance.targets.docker.images import Recipe, build
recipe = Recipe("x", {"Dockerfile": (sys.argv[1].encode(), 0o644)}, {})
build(engine.connect(), recipe, "qmail-conformance/probe:x")
"""


@pytest.mark.parametrize("step", ["false", "sleep 1234"])
def test_a_build_that_fails_or_is_interrupted_leaves_nothing(client: Any, step: str) -> None:
    label = f"{IMAGE_LABEL}={secrets.token_hex(8)}"
    dockerfile = f"FROM {BASE}\nLABEL {label}\nRUN true\nRUN {step}\n"
    builder = subprocess.Popen([sys.executable, "-c", BUILDER, dockerfile], stderr=subprocess.DEVNULL)
    if step != "false":
        built = {"label": label, "status": "running"}
        until(lambda: any(step in each["Command"] for each in client.api.containers(filters=built)))
        builder.send_signal(signal.SIGINT)
    assert builder.wait(60) != 0
    until(lambda: not client.api.containers(all=True, filters={"label": label}))
    assert client.api.images(all=True, filters={"label": label}) == []


def test_a_build_in_a_process_that_ends_at_once_can_be_abandoned(client: Any) -> None:
    """A signal ends the command without going back through what it was doing."""
    label = f"{IMAGE_LABEL}={secrets.token_hex(8)}"
    dockerfile = f"FROM {BASE}\nLABEL {label}\nRUN true\nRUN sleep 1234\n".encode()
    recipe = Recipe("x", {"Dockerfile": (dockerfile, 0o644)}, {})
    with ThreadPoolExecutor(1) as side:
        building = side.submit(build, engine.connect(), recipe, "qmail-conformance/probe:x")
        built = {"label": label, "status": "running"}
        until(lambda: any("sleep" in each["Command"] for each in client.api.containers(filters=built)))
        abandon(client)
        with pytest.raises(WorldError, match="x does not build"):
            building.result()
    assert client.api.containers(all=True, filters={"label": label}) == []
    assert client.api.images(all=True, filters={"label": label}) == []


# Two suites


def test_two_suites_on_one_engine_leave_each_other_alone(
    client: Any, packages: tuple[str, str], tmp_path: Path
) -> None:
    suites = []
    for number, target in enumerate(packages):
        arguments = ("run", target, "-k", SELECTED, "-n", "2", "--out", str(number))
        suites.append(start(*arguments, directory=tmp_path))
    looks = 0
    while any(suite.poll() is None for suite in suites):
        running = [each for suite in suites for each in containers_of(client, suite.pid, "target")]
        sweep(client)
        left = {each.id for each in clean.found(client, everything=True)}
        still = [each for suite in suites for each in containers_of(client, suite.pid, "target")]
        for container in (each for each in running if each in still):
            looks += 1
            assert not left & {container.id, container.attrs["Image"]}
    assert looks > 0
    for number, suite in enumerate(suites):
        out, error = suite.communicate()
        assert suite.returncode == 0, out[-3000:] + error
        assert len(verdicts(tmp_path / str(number))) > 3
