"""Real qmail without an engine: a directory tree, and what this machine has installed, in namespaces."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.pod.base import PodFailure
from conformance.targets.names import parse_target
from conformance.targets.namespaces import limits
from conformance.targets.namespaces.layer import Layer
from conformance.targets.namespaces.pod import NamespacePod
from conformance.targets.namespaces.root import Root, followed, look_into
from tests.installed import AS_SOMEBODY, Installed, needs_a_machine

BUSY = Path(__file__).parent / "data/namespaces/busy.py"
PATCHES = ("0004", "0005", "0006", "0007", "0008", "0009")
SOME = "base.accepted or base.delivery.maildir or 0006.unknown.code or 0009.exit-100"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), PATCHES)


@needs_a_machine
def test_what_is_installed_is_judged_and_left_alone(machine: Installed) -> None:
    ran = machine.run(sys.executable, str(BUSY), "gate", "installed", "-k", SOME, "--out", "/tmp/out")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["status"] == 0, told["said"]
    assert "installed passes" in told["said"]
    assert "decided once more, in fresh pods: the same." in told["said"]
    before, after = told["before"], told["after"]
    assert before["queued"], "there was mail in its queue"
    for what in ("queued", "sockets", "processes"):
        assert after[what] == before[what]
    assert {path for path, has in after["files"].items() if before["files"].get(path) != has} == set()
    assert set(before["files"]) == set(after["files"])


@needs_a_machine
def test_without_an_engine_compare_takes_what_is_installed(machine: Installed) -> None:
    ran = machine.run(
        "env", "DOCKER_HOST=unix:///nowhere",
        sys.executable, "-m", "conformance", "compare", "-k", "0006.unknown.code", "--out", "/tmp/out",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The qmail of this machine is compared with the embedded reference of stock" in ran.stdout
    assert "1 of 1 requirements tell the targets apart, each as expected" in ran.stdout


@needs_a_machine
def test_a_pod_whose_tree_breaks_says_so_and_leaves_nothing(machine: Installed) -> None:
    script = """
import asyncio, os
from pathlib import Path
from conformance.pod.base import PodFailure
from conformance.targets.namespaces.pod import NamespacePod
os.unlink("/etc/passwd")
async def start():
    try:
        await NamespacePod.start(Path("/"))
    except PodFailure as error:
        print(error)
asyncio.run(start())
numbers = [name for name in os.listdir("/proc") if name.isdecimal()]
parents = {name: Path(f"/proc/{name}/stat").read_text().split()[3] for name in numbers}
ours = {str(os.getpid())}  # and what pods are forked from, which serves the next one
ours |= {name for name in parents if parents[name] in ours}
print([name for name in parents.keys() - ours if Path(f"/proc/{name}/cmdline").read_bytes()])
"""
    ran = machine.run(sys.executable, "-c", script)
    said, left = ran.stdout.rsplit("\n", 2)[:2]
    assert "etc/passwd" in said, ran.stderr
    assert left == "[]"


@needs_a_machine
def test_a_pod_that_is_not_up_yet_ends_with_us(machine: Installed) -> None:
    making = """
import signal, sys
from conformance.targets.namespaces import entering
def lay(layer):
    print("laying", file=sys.stderr, flush=True)
    signal.pause()
entering.Layer.lay = lay
entering.main("/", "conformance.targets.agent", {})
"""
    script = f"""
import subprocess, sys
making = subprocess.Popen([sys.executable, "-c", {making!r}], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
assert making.stderr.readline() == b"laying\\n"
making.kill()
making.stderr.read()  # to its end, which is there when nobody holds it any more
print("gone")
"""
    ran = machine.run(sys.executable, "-c", script, limit=20)
    assert ran.stdout == "gone\n", ran.stderr


@needs_a_machine
@pytest.mark.skipif(not shutil.which("newuidmap"), reason="no newuidmap here (package uidmap)")
def test_who_is_not_root_has_namespaces_or_is_told_what_is_missing(machine: Installed) -> None:
    made = machine.run(*AS_SOMEBODY, "unshare", "--user", "true")
    if made.returncode != 0:
        pytest.skip(f"the kernel lets nobody else make a user namespace here: {made.stderr}")
    if machine.run(*AS_SOMEBODY, sys.executable, "-c", "import conformance").returncode != 0:
        pytest.skip("nobody but root may read this checkout, or its Python")
    ask = [*AS_SOMEBODY, sys.executable, "-m", "conformance", "targets"]
    told = machine.run(*ask)
    said = " ".join(told.stdout.split())
    assert "no installed[@0004,0005] /: its /etc/passwd is not root's, but user 65534's" in said, told.stderr
    assert "yes root:DIRECTORY" in said
    (machine.layer / "etc/subuid").write_text("")
    said = " ".join(machine.run(*ask).stdout.split())
    assert "no root:DIRECTORY[@0004,0005] you are not root, and have no range of users' numbers" in said


def tree(directory: Path, *programs: str) -> Path:
    """A tree with programs that do nothing."""
    for program in programs:
        place = directory / program
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
    return directory


def whole(directory: Path, queue: str = "var/lib/qmail/queue") -> Path:
    """The tree with users and a queue."""
    (directory / "etc").mkdir()
    (directory / "etc/passwd").write_text("")
    (directory / queue / "lock").mkdir(parents=True)
    return directory


QMAIL = [f"var/lib/qmail/bin/qmail-{name}" for name in ("smtpd", "remote", "queue", "start", "newu")]
BESIDE = ["usr/bin/tcpserver", "usr/bin/perl"]


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ([], "there is no qmail in"),
        (QMAIL[:2], "there is no /var/lib/qmail/bin/qmail-queue"),
        (QMAIL, "there is no tcpserver"),
        ([*QMAIL, BESIDE[0]], "there is no perl"),
    ],
)
def test_a_tree_that_lacks_something_is_refused(programs: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        look_into(tree(tmp_path, *programs))


def test_a_tree_without_users_or_queue_is_refused(tmp_path: Path) -> None:
    whole(tree(tmp_path, *QMAIL, *BESIDE))
    (tmp_path / "etc/passwd").unlink()
    os.mkfifo(tmp_path / "etc/passwd")
    with pytest.raises(UsageError, match="no file /etc/passwd"):
        look_into(tmp_path)
    (tmp_path / "etc/passwd").unlink()
    (tmp_path / "etc/passwd").write_text("")
    (tmp_path / "var/lib/qmail/queue/lock").rmdir()
    with pytest.raises(UsageError, match="queue/lock"):
        look_into(tmp_path)


def test_links_of_a_tree_lead_within_it(tmp_path: Path) -> None:
    tree(tmp_path, *(name.replace("usr/", "system/") for name in (*QMAIL, *BESIDE)))
    whole(tmp_path, "var/spool/qmail")
    (tmp_path / "usr").symlink_to("/system")
    (tmp_path / "var/lib/qmail/queue").symlink_to("../../spool/./qmail")
    found = look_into(tmp_path)
    assert (found.home, found.queue) == ("/var/lib/qmail", "/var/spool/qmail")
    assert followed(tmp_path, "/../../usr/bin/perl") == "/system/bin/perl"
    (tmp_path / "loop").symlink_to("/loop")
    with pytest.raises(UsageError, match="loop of links"):
        followed(tmp_path, "/loop/x")


def test_a_layer_hides_no_link(tmp_path: Path) -> None:
    whole(tree(tmp_path, *QMAIL, *BESIDE))
    (tmp_path / "upper").mkdir()
    (tmp_path / "var/lib/qmail").rename(tmp_path / "home")
    (tmp_path / "var/lib/qmail").symlink_to("/home")
    Layer(look_into(tmp_path), tmp_path / "upper").lay()
    assert (tmp_path / "upper/home/queue").is_symlink()
    assert not (tmp_path / "upper/var/lib/qmail").exists()


def test_a_tree_tells_its_packages_and_system(tmp_path: Path) -> None:
    whole(tree(tmp_path, *QMAIL, *BESIDE))
    (tmp_path / "var/lib/dpkg").mkdir()
    status = "Package: qmail\nStatus: install ok installed\nVersion: 1.06-6.2\n"
    (tmp_path / "var/lib/dpkg/status").write_text(status)
    (tmp_path / "etc/os-release").write_text('PRETTY_NAME="Ubuntu 18.04.6 LTS"\n')
    found = look_into(tmp_path)
    assert (found.packages, found.system) == ({"qmail": "1.06-6.2"}, "Ubuntu 18.04.6 LTS")


def test_a_pod_has_an_empty_queue_and_none_of_the_people(tmp_path: Path) -> None:
    tree(tmp_path, *QMAIL)
    queue = tmp_path / "var/lib/qmail/queue"
    for name in ("mess/7", "lock"):
        (queue / name).mkdir(parents=True)
    (queue / "mess/7/1234").write_text("a message")
    (queue / "lock/tcpto").write_bytes(b"x" * 1024)
    (queue / "lock/out").symlink_to("/etc/shadow")
    with (queue / "lock/large").open("wb") as file:
        file.truncate(1 << 40)
    os.mkfifo(queue / "lock/trigger", 0o622)
    (queue / "lock/trigger").chmod(0o622)
    (tmp_path / "etc").mkdir()
    lines = [
        "root:x:0:0::/root:/bin/sh",
        "alice:x:1000:1000::/home/alice:/bin/sh",
        "alias:x:64010:64020::/var/lib/qmail/alias:/bin/sh",
        "nobody:x:65534:65534::/:/bin/false",
    ]
    (tmp_path / "etc/passwd").write_text("\n".join(lines) + "\n")
    upper = tmp_path / "upper"
    upper.mkdir()
    Layer(Root(tmp_path, "/var/lib/qmail", "/var/lib/qmail/queue"), upper).lay()
    made = upper / "opt/conformance/queue"
    assert sorted(str(path.relative_to(made)) for path in made.rglob("*")) == [
        "lock", "lock/tcpto", "lock/trigger", "mess", "mess/7",
    ]  # fmt: skip
    assert (made / "lock/tcpto").read_bytes() == bytes(1024)
    assert (made / "lock/trigger").stat().st_mode & 0o7777 == 0o622
    assert os.readlink(upper / "var/lib/qmail/queue") == "/var/lib/conformance/queue"
    assert (upper / "etc/passwd").read_text().splitlines() == [lines[0], *lines[2:]]


@pytest.mark.parametrize(
    ("name", "location", "patches"),
    [
        ("root:/srv/tree@0006", "/srv/tree", ("0001", "0002", "0003", "0006")),
        ("root:/srv/tree@", "/srv/tree", ("0001", "0002", "0003")),
        ("installed@", "/", ("0001", "0002", "0003")),
        ("installed", "/", parse_target("reference-ppa").patches),
    ],
)
def test_their_names(name: str, location: str, patches: tuple[str, ...]) -> None:
    target = parse_target(name)
    assert (target.name, target.kind, target.location, target.patches) == (name, "root", location, patches)


def test_a_pod_that_is_no_pod_fails(tmp_path: Path) -> None:
    with pytest.raises(PodFailure, match="there is no qmail in"):
        asyncio.run(asyncio.wait_for(NamespacePod.start(tmp_path), 20))


def test_where_no_control_group_can_be_made_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "768 MiB of memory and 1024 processes" in limits.in_force()
    place = tmp_path / "no-controllers"
    place.mkdir()
    monkeypatch.setattr(limits, "_hierarchies", lambda: [("/sys/fs/cgroup", [place], {"pids.max": 1})])
    assert "no control group can be made" in limits.in_force()
    assert list(place.iterdir()) == []
