"""A real qmail in a pod, on this machine's engine, in good weather and in bad.

The target is the package of the reference unless QMAIL_TEST_TARGET names another (`debs:DIR`). What depends
on a patch is asked only of a target that claims it.
"""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.attempt import Played
from conformance.cases.script import script_of
from conformance.catalogue.requirements import Case
from conformance.errors import WorldError
from conformance.pod.base import PodFailure
from conformance.pod.codec import encode
from conformance.pod.mailboxes import load_users, passwords
from conformance.targets.docker import engine
from conformance.targets.docker.doctor import check_engine, check_resolution
from conformance.targets.docker.images import internet_image, target_image
from conformance.targets.docker.pod import DockerPod
from conformance.targets.docker.sweep import OWNER_LABEL, machine, owner, sweep
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.pool import PodPool
from conformance.targets.ready import Images
from conformance.targets.target import Target
from tests import pod_scripts
from tests.agents import until
from tests.dockerized import BASE, needs_docker, reference_packages
from tests.engineproxy import EngineProxy

IMAGES = Images(base=BASE, internet_base=os.environ.get("QMAIL_INTERNET_BASE", ""))

#: Beyond any wait that is meant: it turns a hang into a failure.
LONG = 60.0

pytestmark = needs_docker


@pytest.fixture(scope="module")
def client() -> Any:
    return engine.connect()


@pytest.fixture(scope="module")
def images(client: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Target, str]:
    name = os.environ.get("QMAIL_TEST_TARGET") or reference_packages(tmp_path_factory.mktemp("packages"))[1]
    return target_image(client, parse_target(name), IMAGES), internet_image(client, IMAGES)


def in_pod(images: tuple[Target, str], body: Callable[[DockerPod], Coroutine[Any, Any, str]]) -> str:
    """Run a coroutine function with a fresh pod; what it gives."""

    async def within() -> str:
        async with asyncio.timeout(LONG):
            pod = await DockerPod.start(*images)
            try:
                return await body(pod)
            finally:
                await pod.dispose()

    return asyncio.run(within())


@pytest.mark.parametrize(("script", "patch"), pod_scripts.SCRIPTS)
def test_what_is_played_in_a_pod(images: tuple[Target, str], script: Case, patch: str) -> None:
    if patch and patch not in images[0].patches:
        pytest.skip(f"the target does not claim {patch}")

    async def body(pod: DockerPod) -> str:
        played = await pod.play(script_of(script))
        assert (played.outcome, played.seen) == ("met", "")
        return json.dumps(encode(played))

    told = in_pod(images, body)
    assert not [word for word in passwords(load_users()).values() if json.dumps(word)[1:-1] in told]


def test_a_case_that_holds_the_event_loop_up_ends_the_pod_and_is_shown(images: tuple[Target, str]) -> None:
    async def body(pod: DockerPod) -> str:
        return (await pod.play(replace(script_of(pod_scripts.never_waits), limit=0.2))).seen

    with pytest.raises(PodFailure, match=r"(?s)the internet container ended: Timeout.*in never_waits"):
        in_pod(images, body)


@pytest.mark.parametrize("victim", ["target", "internet", "agent"])
def test_what_dies_in_a_case_is_told(images: tuple[Target, str], client: Any, victim: str) -> None:
    """When the target dies, either its container or the connection to its agent is noticed first."""

    async def body(pod: DockerPod) -> str:
        target, internet = pod.containers
        playing = asyncio.create_task(pod.play(script_of(pod_scripts.waits_for_a_host_that_stalls)))
        await asyncio.to_thread(until, lambda: _runs(client, target, "qmail-remote"))
        if victim == "agent":
            [agent] = [pid for pid, command in _processes(client, target) if "agent.pl" in command]
            os.kill(agent, signal.SIGKILL)
        else:
            await asyncio.to_thread(client.api.kill, target if victim == "target" else internet)
        try:
            played = await playing
        except PodFailure as error:
            return str(error)
        assert played.outcome == "invalid"
        return played.seen

    told = in_pod(images, body)
    ends = "the target container ended|the connection to the target agent broke"
    assert re.search("the internet container ended" if victim == "internet" else ends, told)


def test_an_engine_whose_connections_break_while_ten_pods_wait(
    images: tuple[Target, str], client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the ten cases fails with what broke, at once, and no container is left over."""
    proxy = EngineProxy(tmp_path / "engine.sock")
    target, internet = images

    async def body() -> list[Played | BaseException]:
        pool = PodPool(Plan((target,), internet), size=10)
        try:
            script = script_of(pod_scripts.waits_for_a_host_that_stalls)
            playing = [pool.submit(target, script).played for _ in range(10)]
            await asyncio.to_thread(until, lambda: _all_wait(client, 10))
            proxy.cut()
            async with asyncio.timeout(LONG):
                return await asyncio.gather(*playing, return_exceptions=True)
        finally:
            await pool.dispose()

    monkeypatch.setenv("DOCKER_HOST", proxy.host)
    failures = asyncio.run(body())
    assert len(failures) == 10
    assert all(isinstance(failure, PodFailure) for failure in failures), failures
    assert all("container ended" in str(failure) for failure in failures), failures
    until(lambda: not _mine(client))


def _all_wait(client: Any, pods: int) -> bool:
    targets = [each["Id"] for each in _mine(client) if each["Names"][0].endswith("-target")]
    return len(targets) == pods and all(_runs(client, each, "qmail-remote") for each in targets)


def _mine(client: Any) -> list[Any]:
    """The containers of this process."""
    found: list[Any] = client.api.containers(filters={"label": f"{OWNER_LABEL}={owner()}"})
    return found


def _processes(client: Any, container: str) -> list[tuple[int, str]]:
    """Number and command of each process in a container, as the engine's machine counts them."""
    top = client.api.top(container, ps_args="-eo pid,args")
    return [(int(row[0]), row[-1]) for row in top["Processes"]]


def _runs(client: Any, container: str, command: str) -> bool:
    return any(command in running for _, running in _processes(client, container))


OWNER = """
import asyncio, json, sys
from conformance.targets.docker.pod import DockerPod
from conformance.targets.ready import Images
from conformance.targets.target import Target
from conformance.cases.script import script_of
from tests import pod_scripts
async def main():
    pod = await DockerPod.start(Target("x", "debs", image=sys.argv[1]), sys.argv[2])
    print(json.dumps(pod.containers), flush=True)
    await pod.play(script_of(pod_scripts.waits_for_a_host_that_stalls))
asyncio.run(main())
"""


def test_a_suite_that_is_killed_in_a_case_leaves_nothing(client: Any, images: tuple[Target, str]) -> None:
    target, internet = images
    suite = subprocess.Popen([sys.executable, "-c", OWNER, target.image, internet], stdout=subprocess.PIPE)
    assert suite.stdout is not None
    containers = json.loads(suite.stdout.readline())
    until(lambda: _runs(client, containers[0], "qmail-remote"))
    assert set(containers) <= standing(client)
    sweep(client)
    assert set(containers) <= standing(client), "the owner is alive"
    suite.kill()
    suite.wait()
    suite.stdout.close()
    until(lambda: not standing(client) & set(containers))


def test_the_sweep_removes_what_a_dead_owner_left(client: Any, images: tuple[Target, str]) -> None:
    def leave(label: str) -> str:
        return str(client.api.create_container(images[0].image, labels={OWNER_LABEL: label})["Id"])

    dead = leave(f"{machine()}|{os.getpid()}|0")
    elsewhere = leave("another machine|1|1")
    try:
        sweep(client)
        assert dead not in standing(client)
        assert elsewhere in standing(client)
    finally:
        client.api.remove_container(elsewhere, force=True)


def standing(client: Any) -> set[str]:
    return {found["Id"] for found in client.api.containers(all=True, filters={"label": OWNER_LABEL})}


def test_an_image_without_qmail_does_not_build(client: Any) -> None:
    # No network is needed for this: true stands in for tcpserver, which is looked for first.
    dockerfile = f"FROM {BASE}\nRUN ln -s /bin/true /bin/tcpserver\n"
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True)
    with pytest.raises(WorldError, match="there is no /var/lib/qmail/bin/qmail-smtpd"):
        target_image(client, parse_target(f"image:{image.id}"), IMAGES)


def test_the_doctor_finds_this_engine_well_and_the_image_is_known_by_its_packages(
    images: tuple[Target, str],
) -> None:
    assert images[0].image.startswith("sha256:")
    assert {"qmail", "ucspi-tcp"} <= {name.removesuffix("-reference") for name in images[0].packages}
    checks = [*check_engine(IMAGES), asyncio.run(check_resolution(*images))]
    assert [check for check in checks if not check.good] == []
    assert len(checks) == 4
