"""Builds that attack the suite: each attack is told, none makes a promise met, and the machine stays well."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.cli.packaging import build
from conformance.reference import package
from conformance.targets.docker import engine
from conformance.targets.docker.images import internet_image, target_image
from conformance.targets.docker.pod import DockerPod
from conformance.targets.names import parse_target
from conformance.targets.namespaces import limits as limits_room
from conformance.targets.namespaces.forking import PodProcess
from conformance.targets.namespaces.limits import Limits
from conformance.targets.namespaces.pod import NamespacePod
from conformance.targets.ready import Images
from conformance.targets.target import Target
from tests.agents import on_a_loop
from tests.dockerized import BASE, needs_docker
from tests.hostile_builds import ATTACKS, PROGRAMS, outcomes
from tests.installed import Installed, needs_a_machine

PATCHES = ("0004", "0005", "0006", "0007", "0008", "0009")
WRAPPER = (Path(__file__).parent / "data/hostile/program.pl").read_bytes()
BOUNDED = ("forks-without-end qmail-smtpd",)  #: what resource limits alone do not tell

IN_MACHINE = """
import asyncio, json, socket, subprocess, sys
from pathlib import Path
from conformance.targets.namespaces.pod import NamespacePod
from tests.hostile_builds import ATTACKS, outcomes

async def attack(words):
    return await outcomes(lambda: NamespacePod.start(Path("/")), words)

async def reach():
    machine = socket.socket(socket.AF_UNIX)
    machine.bind("/run/machine.sock")
    machine.listen()
    pod = await NamespacePod.start(Path("/"))
    AGENT = [b"/opt/conformance/agent.pl", b""]
    commands = {each.parent.name: each.read_bytes() for each in Path("/proc").glob("[0-9]*/cmdline")}
    (agent,) = [number for number, command in commands.items() if command.split(b"\\0")[1:] == AGENT]
    command = ["nsenter", "--target", agent, "--mount", "--root", "--pid", "perl", "-e", sys.argv[1]]
    said = subprocess.run(command, capture_output=True, text=True).stdout.split()
    await pod.dispose()
    return said

print(json.dumps([asyncio.run(reach()), {words: asyncio.run(attack(words)) for words in ATTACKS}]))
"""

#: What root of a pod can write to, of what is the machine's; that it exists is no matter.
REACHES = """
use Socket;
my @paths = ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/1/mem');
for my $path (@paths, '/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/pids/pids.max') {
    print "$path\\n" if open my $file, '+<', $path;
}
socket my $link, PF_UNIX, SOCK_STREAM, 0;
print "machine.sock\\n" if connect $link, pack_sockaddr_un('/run/machine.sock');
print "done\\n";
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, list[list[str]]]]:
    """What a pod's root can reach of a machine, and what comes of each attack in a pod there."""
    machine = Installed(tmp_path_factory.mktemp("hostile"), PATCHES)
    for name in PROGRAMS:
        program = machine.qmail / "bin" / name
        program.rename(f"{program}.real")
        program.write_bytes(WRAPPER)
        program.chmod(0o755)
    path = {"PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))}
    with mock.patch.dict(os.environ, path):
        ran = machine.run(sys.executable, "-c", IN_MACHINE, REACHES, limit=300)
    assert ran.returncode == 0, ran.stderr
    reached, found = json.loads(ran.stdout)
    return reached, found


def judged(attack: str, found: list[tuple[str, str]] | list[list[str]]) -> None:
    first, words, then = ATTACKS[attack]
    assert re.fullmatch(f"({first}) ({then})", " ".join(outcome for outcome, _ in found)), found
    assert re.search(words, found[0][1]), found


@needs_a_machine
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_in_namespaces_is_told(
    attack: str, told: tuple[list[str], dict[str, list[list[str]]]]
) -> None:
    if attack in BOUNDED and not has_groups():
        pytest.skip("no control group can be made here")
    judged(attack, told[1][attack])


def has_groups() -> bool:
    limits = Limits.made()
    limits.remove()
    return bool(limits.groups)


@needs_a_machine
def test_root_of_a_pod_reaches_nothing_of_the_machine(
    told: tuple[list[str], dict[str, list[list[str]]]],
) -> None:
    assert told[0] == ["done"]


@needs_a_machine
def test_control_groups_go_with_their_pods_and_with_those_that_were_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_groups():
        pytest.skip("no control group can be made here")
    limits = Limits.made()
    directories = [Path(directory) for directory in limits.groups.values()]
    gone = [each.with_name("qmail-conformance-999999999-1") for each in directories]
    for each in gone:
        each.mkdir()
    limits.remove()
    assert not any(each.exists() for each in directories)
    Limits.made().remove()
    assert all(each.exists() for each in gone), "a new one, whose processes are still to come"
    monkeypatch.setattr(limits_room, "_YOUNG", -1)
    Limits.made().remove()
    assert not any(each.exists() for each in gone)


@pytest.mark.parametrize("stream", ["one line without an end", "many lines"])
def test_what_a_pod_complains_about_without_end_is_kept_at_its_end(stream: str, tmp_path: Path) -> None:
    octets = "'x' * 100" if stream.startswith("one") else "'x' * 99 + chr(10)"
    (tmp_path / "complains.py").write_text(
        f"import sys\nfor _ in range(10_000): sys.stderr.write({octets})\nsys.exit('the end')\n"
    )

    @on_a_loop
    async def complains() -> None:
        async def forked(words: list[Any], requests: int, answers: int, complaints: int) -> PodProcess:
            child = await asyncio.create_subprocess_exec(
                sys.executable, tmp_path / "complains.py", stdin=requests, stdout=answers, stderr=complaints
            )
            return PodProcess(os.pidfd_open(child.pid))

        with (
            mock.patch("conformance.targets.namespaces.pod.forked", forked),
            pytest.raises(Exception, match=r"the end$") as raised,
        ):
            await NamespacePod.start(tmp_path)
        assert len(str(raised.value)) < 20_000

    complains()


@pytest.fixture(scope="module")
def hostile_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, str]]:
    """The images of a package whose programs attack."""
    usual = package.contents

    def hostile(patches: tuple[str, ...]) -> dict[str, package.PackageEntry]:
        entries = usual(patches)
        for name in PROGRAMS:
            place = f"var/lib/qmail/bin/{name}"
            entries[f"{place}.real"] = entries[place]
            entries[place] = replace(entries[place], content=WRAPPER)
        return entries

    directory = tmp_path_factory.mktemp("packages")
    with mock.patch.object(package, "contents", hostile):
        build(directory, PPA_PATCHES)
    images = Images(base=BASE, internet_base=os.environ.get("QMAIL_INTERNET_BASE", ""))
    client = engine.connect()
    yield target_image(client, parse_target(f"debs:{directory}"), images), internet_image(client, images)
    client.close()


in_docker = [pytest.param(attack, marks=needs_docker) for attack in ATTACKS]


@pytest.mark.parametrize("attack", in_docker)
def test_an_attack_in_containers_is_told(attack: str, hostile_image: tuple[Target, str]) -> None:
    async def play() -> list[tuple[str, str]]:
        async with asyncio.timeout(150):
            return await outcomes(lambda: DockerPod.start(*hostile_image), attack)

    judged(attack, asyncio.run(play()))


@pytest.mark.parametrize("attack", [pytest.param("outlives-the-case qmail-smtpd", marks=needs_docker)])
def test_no_program_outlives_its_case_on_a_terminal_of_its_own(
    attack: str, hostile_image: tuple[Target, str]
) -> None:
    async def play() -> list[tuple[str, str]]:
        async with asyncio.timeout(150):
            return await outcomes(lambda: DockerPod.start(*hostile_image), attack)

    assert asyncio.run(play()) == [("met", ""), ("met", "")]
