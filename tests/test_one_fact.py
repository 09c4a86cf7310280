"""What the target's programs, its recipe and a reproduction must say again is what its Python owner says."""

import re
from pathlib import Path

import pytest

from conformance import reproduce
from conformance.places import data
from conformance.pod.addresses import REMOTES, SMTPD, TARGET_AGENT
from conformance.pod.ordinary import HOST
from conformance.reference import verify
from conformance.targets import standstill
from conformance.targets.docker.confinement import CAPABILITIES, FILES, MEMORY, PROCESSES, TMPFS
from conformance.targets.docker.scripts import PROGRAMS, STATE

AGENT = data("docker", "target", "agent.pl")
CHECKPASSWORD = data("docker", "target", "checkpassword")
INSTALL = data("docker", "target", "install")
COMPOSE = data("docker", "compose.yml")
INSIDE = Path(reproduce.__file__).parent / "programs" / "inside.sh"
PLAY = INSIDE.with_name("play.pl")


@pytest.mark.parametrize(
    ("file", "saying", "fact"),
    [
        (AGENT, r"\$CONTROL_PORT = (\d+);", TARGET_AGENT[1]),
        (AGENT, r"\$REMOTES_PORT = (\d+);", REMOTES[1]),
        (AGENT, r"\$BEAT = (\S+);", standstill.BEAT),
        (AGENT, r"\$LATE = (\S+);", standstill.LATE),
        (AGENT, r"\$PAUSE = (\S+);", f"{standstill.PAUSE:g}"),
        (AGENT, r"start_tcpserver\((\d+),", SMTPD[1]),
        (INSIDE, r"127\.0\.0\.1 (\d+) /bin/sh", SMTPD[1]),
        (PLAY, r"sockaddr_in\((\d+),", SMTPD[1]),
        (AGENT, r"\$VERIFY_PORT = (\d+);", verify.PORT),
        (INSIDE, r"\nVERIFY=(\d+)\n", verify.PORT),
        (INSTALL, r"\nHOST=(\S+)\n", HOST),
        (COMPOSE, r"hostname: (\S+)\n", HOST),
        *((file, r"\$STATE = .*'(/\S+)';", STATE) for file in (AGENT, CHECKPASSWORD)),
        (INSIDE, r"\nSTATE=(\S+)\n", STATE),
        (INSTALL, r"ln -s (\S+)/queue ", STATE),
        (COMPOSE, r"tmpfs:\n *- (/var\S+):", STATE),
        (AGENT, r"\$PRISTINE = '(\S+)/queue';", PROGRAMS),
        (INSTALL, r"cp -a .* (\S+)/queue\n", PROGRAMS),
        (data("docker", "target", "Dockerfile"), r"COPY agent\.pl checkpassword note (\S+)/\n", PROGRAMS),
    ],
)
def test_a_fact_that_stands_twice_is_the_same(file: Path, saying: str, fact: object) -> None:
    assert re.findall(saying, file.read_text()) == [str(fact)]


def test_the_compose_file_confines_as_a_pod_is_confined() -> None:
    confined = [
        *(f"cap_add: [{', '.join(CAPABILITIES[role])}]" for role in ("target", "internet")),
        *(f"mem_limit: {MEMORY[role]}m" for role in ("target", "internet")),
        *(f"memswap_limit: {MEMORY[role]}m" for role in ("target", "internet")),
        *(f"pids_limit: {PROCESSES[role]}" for role in ("target", "internet")),
        *[f"ulimits: {{core: 0, nofile: {FILES}}}"] * 2,
        *(f"size={size}m" for role in ("target", "internet") for size in TMPFS[role].values()),
    ]
    saying = r"(?:cap_add|mem_limit|memswap_limit|pids_limit|ulimits): .*|size=\d+m"
    assert sorted(re.findall(saying, COMPOSE.read_text())) == sorted(confined)


@pytest.mark.parametrize("number", [verify.PORT, TARGET_AGENT[1], REMOTES[1]])
def test_a_port_stands_once_in_a_file(number: int) -> None:
    for file in (AGENT, INSIDE):
        assert len(re.findall(rf"{number}|{number:04X}", file.read_text())) <= 1
