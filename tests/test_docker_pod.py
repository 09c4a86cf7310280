"""A real qmail in a pod, on this machine's engine.

The target is the package of the reference unless QMAIL_TEST_TARGET names another (`debs:DIR`). What depends
on a patch is asked only of a target that claims it.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from conformance.errors import WorldError
from conformance.pod.base import PodFailure
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.world import Exchanger, Fault, World
from conformance.targets.docker import engine
from conformance.targets.docker.doctor import engine_findings, resolution_finding
from conformance.targets.docker.images import BuildOptions, internet_image, target_image
from conformance.targets.docker.pod import DockerPod
from conformance.targets.docker.sweep import OWNER_LABEL, machine, sweep
from conformance.targets.names import parse_target
from conformance.targets.target import Target
from tests.dockerized import BASE, needs_docker, reference_packages

OPTIONS = BuildOptions(base=BASE, internet_base=os.environ.get("QMAIL_INTERNET_BASE", ""))

CONTROL = {
    "me": "mx.here.example\n",
    "rcpthosts": "here.example\n",
    "locals": "here.example\n",
    "timeoutremote": "5\n",
    "timeoutconnect": "3\n",
}
ZONE = """$ORIGIN far.example.
@ 60 IN SOA ns root 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
@ 60 IN MX 10 mx
mx 60 IN A 127.0.0.2
"""
WORLD = World(zones=[ZONE], exchangers=[Exchanger(host="mx.far.example")])

#: Beyond any wait that is meant: it turns a hang into a failure.
LONG = 60.0

pytestmark = needs_docker


@pytest.fixture(scope="module")
def client() -> Any:
    return engine.connect()


@pytest.fixture(scope="module")
def images(client: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Target, str]:
    name = os.environ.get("QMAIL_TEST_TARGET") or reference_packages(tmp_path_factory.mktemp("packages"))[1]
    return target_image(client, parse_target(name), OPTIONS), internet_image(client, OPTIONS)


Line = bytes | Callable[[bytes], bytes]
Body = Callable[[DockerPod], Awaitable[None]]
InPod = Callable[[Body], None]


@pytest.fixture
def in_pod(images: tuple[Target, str]) -> InPod:
    """Run a coroutine function with a fresh pod."""

    def run(body: Body) -> None:
        async def within() -> None:
            async with asyncio.timeout(LONG), fresh_pod(images) as pod:
                await body(pod)

        asyncio.run(within())

    return run


@asynccontextmanager
async def fresh_pod(images: tuple[Target, str]) -> AsyncIterator[DockerPod]:
    pod = await DockerPod.start(*images)
    try:
        yield pod
    finally:
        await pod.dispose()


async def say(pod: DockerPod, *lines: Line) -> list[bytes]:
    """One session: the greeting, then the reply to each line; a line may be made from the last reply."""
    connection = await pod.connect()
    replies = [await reply(pod, connection)]
    for line in lines:
        await pod.send(connection, (line(replies[-1]) if callable(line) else line) + b"\r\n")
        replies.append(await reply(pod, connection))
    await pod.close(connection)
    return replies


async def reply(pod: DockerPod, connection: int) -> bytes:
    read = b""
    while not (read.endswith(b"\r\n") and read.splitlines()[-1][3:4] == b" "):
        octets = await pod.receive(connection, 20.0)
        if not octets:
            break
        read += octets
    return read


def mail(sender: bytes, *recipients: bytes) -> list[bytes]:
    """The lines that hand a message in; its reply is the last but one."""
    said = [b"RCPT TO:<" + recipient + b">" for recipient in recipients]
    message = b"Subject: hello\r\n\r\nhello\r\n."
    return [b"HELO far", b"MAIL FROM:<" + sender + b">", *said, b"DATA", message, b"QUIT"]


def test_the_image_is_known_by_its_packages(images: tuple[Target, str]) -> None:
    target, _ = images
    assert target.image.startswith("sha256:")
    assert any("qmail" in name for name in target.packages)
    assert "ucspi-tcp" in target.packages


def test_qmail_greets_and_accepts_into_the_queue(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        replies = await say(pod, *mail(b"a@far.example", b"x@here.example", b"y@here.example"))
        assert replies[0].startswith(b"220 mx.here.example ")
        assert replies[-2].startswith(b"250 ok ")
        (queued,) = (await pod.look())["queue"]
        assert queued["sender"] == "a@far.example"
        assert queued["recipients"] == ["x@here.example", "y@here.example"]
        assert queued["octets"].endswith("Subject: hello\n\nhello\n")
        assert (await pod.look())["log"]

    in_pod(body)


def test_qmail_remote_delivers_to_an_exchanger(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        message = b"Subject: x\n\n.dot\n"
        result = await pod.remote("far.example", "a@here.example", ["b@far.example"], message, 20.0)
        assert result["report"].startswith("r\0K127.0.0.2 accepted message.")
        assert (result["status"], result["ended"]) == (0, True)
        assert 0 < result["seconds"] < 20
        sight = await pod.look()
        (exchange,) = sight["exchanges"]
        (received,) = exchange["messages"]
        assert received["recipients"] == ["b@far.example"]
        assert received["octets"] == "Subject: x\r\n\r\n.dot\r\n"
        assert {"name": "far.example", "type": "MX"}.items() <= sight["questions"][-2].items()
        assert not sight["stray"]

    in_pod(body)


def test_qmail_remote_is_ended_at_the_limit(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        stalls = World(zones=[ZONE], exchangers=[Exchanger(steps={"connect": "stall"})])
        await pod.prepare(stalls, Configuration(control=CONTROL | {"timeoutremote": "1200\n"}))
        result = await pod.remote("far.example", "", ["b@far.example"], b"\n", 0.3)
        assert (result["status"], result["ended"]) == (-signal.SIGKILL, False)
        assert 0.3 <= result["seconds"] < 5

    in_pod(body)


def test_qmail_send_delivers_bounces_and_defers_until_it_rests(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        defers = Exchanger(steps={"RCPT <late@far.example>": "451 later"})
        delivering = Configuration(
            control=CONTROL | {"rcpthosts": "here.example\nfar.example\n"},
            dot_qmail={"alice/.qmail-list": "./Maildir/\n"},
            delivering=True,
        )
        await pod.prepare(World(zones=[ZONE], exchangers=[defers]), delivering)
        for recipient in (b"alice@here.example", b"alice-list@here.example", b"nobody@here.example"):
            assert (await say(pod, *mail(b"a@far.example", recipient)))[-2].startswith(b"250 ok")
        await say(pod, *mail(b"a@far.example", b"late@far.example"))
        assert await pod.settle(20.0)
        sight = await pod.look()
        delivered = [
            message.split("Delivered-To: ")[1].split("\n")[0] for message in sight["mailboxes"]["alice"]
        ]
        assert delivered == ["alice@here.example", "alice-list@here.example"]
        bounces = [message for exchange in sight["exchanges"] for message in exchange["messages"]]
        assert [(bounce["sender"], bounce["recipients"]) for bounce in bounces] == [("", ["a@far.example"])]
        assert [queued["recipients"] for queued in sight["queue"]] == [["late@far.example"]]
        assert any("deferral" in line for line in sight["log"])

    in_pod(body)


def test_settle_says_so_when_qmail_send_is_still_at_work(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        stalls = World(zones=[ZONE], exchangers=[Exchanger(steps={"connect": "stall"})])
        control = CONTROL | {"rcpthosts": "far.example\n", "timeoutremote": "1200\n"}
        await pod.prepare(stalls, Configuration(control=control, delivering=True))
        await say(pod, *mail(b"", b"b@far.example"))
        assert not await pod.settle(0.2)

    in_pod(body)


def test_nothing_of_a_case_reaches_the_next(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        await pod.prepare(
            WORLD,
            Configuration(
                control=CONTROL | {"badmailfrom": "a@far.example\n", "morercpthosts": "more.example\n"},
                environment={"RELAYCLIENT": ""},
                dot_qmail={"alice/.qmail-x": "#\n"},
                delivering=True,
            ),
        )
        held = await pod.connect()
        await say(pod, *mail(b"b@far.example", b"alice@here.example", b"c@far.example"))
        await pod.settle(20.0)
        assert (await pod.look())["mailboxes"]
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        sight = await pod.look()
        assert not any(sight.values())
        with pytest.raises(PodFailure):
            await pod.send(held, b"NOOP\r\n")
        recipients = [b"RCPT TO:<x@here.example>", b"RCPT TO:<x@more.example>"]
        replies = await say(pod, b"MAIL FROM:<a@far.example>", *recipients)
        assert [answer[:3] for answer in replies] == [b"220", b"250", b"250", b"553"]
        await say(pod, *mail(b"a@far.example", b"alice@here.example"))
        assert (await pod.look())["queue"]
        await pod.prepare(WORLD, Configuration(control=CONTROL, delivering=True))
        assert await pod.settle(20.0)
        sight = await pod.look()
        assert not sight["queue"]
        assert not sight["mailboxes"]
        assert not [line for line in sight["log"] if "msg" in line]

    in_pod(body)


def test_what_a_case_wrote_over_is_as_it_was(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        named = {"me": "other.here.example\n", "badmailfrom": "a@far.example\n"}
        over = {"bob/.qmail-list": "#\n", "alias/.qmail-root": "#\n", "alice/.qmail-x": "#\n"}
        await pod.prepare(WORLD, Configuration(control=CONTROL | named, dot_qmail=over, delivering=True))
        await say(pod, *mail(b"b@far.example", b"alice-x@here.example"))
        assert await pod.settle(20.0)
        control = CONTROL | {"locals": "here.example\nmx.here.example\n"}
        ordinary = Configuration(control=control, delivering=True)
        for _ in range(2):  # also when nothing needs to be written any more
            await pod.prepare(WORLD, ordinary)
            assert (await say(pod))[0].startswith(b"220 mx.here.example ")
            for recipient in (b"bob-list@here.example", b"root@here.example"):
                assert (await say(pod, *mail(b"a@far.example", recipient)))[-2].startswith(b"250 ok")
            rests, sight = await pod.settle_and_look(20.0)
            assert rests
            # The fixtures pass bob's list on to alice, and root's mail to the postmaster.
            assert {user: len(messages) for user, messages in sight["mailboxes"].items()} == {
                "alias": 1,
                "alice": 1,
            }
            assert sight["queue"] == []
        await pod.prepare(WORLD, ordinary)
        await say(pod, *mail(b"b@far.example", b"alice-x@here.example"))
        _, sight = await pod.settle_and_look(20.0)
        assert any("no_mailbox" in line for line in sight["log"])

    in_pod(body)


def test_several_acts_in_one_do_what_each_does(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        connection, heard = await pod.converse(None, [(b"HELO x\r\n", 220), (b"QUIT\r\n", 250)], 20.0)
        said = [b"".join(octets or b"" for octets, _ in exchange["received"])[:3] for exchange in heard]
        assert said == [b"220", b"250", b"221"]
        assert await pod.receive(connection, 20.0) == b""
        _, [late] = await pod.converse(connection, [(b"NOOP\r\n", 0), (b"NOOP\r\n", 0)], 20.0)
        assert not late["taken"]
        await pod.close(connection)
        result, sight = await pod.remote_and_look("far.example", "", ["b@far.example"], b"\n", 20.0)
        assert result["report"].startswith("r\0K")
        assert len(sight["exchanges"]) == 1
        assert len(sight["exchanges"][0]["messages"]) == 1

    in_pod(body)


def test_dns_faults_reach_qmail(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        faults = [Fault("far.example", "rcode", rcode="SERVFAIL")]
        await pod.prepare(World(zones=[ZONE], faults=faults), Configuration(control=CONTROL))
        result = await pod.remote("far.example", "", ["b@far.example"], b"\n", 20.0)
        assert result["report"].startswith("Z")

    in_pod(body)


def test_rcptcheck_is_run_and_noted(in_pod: InPod, images: tuple[Target, str]) -> None:
    if "0009" not in images[0].patches:
        pytest.skip("the target does not claim 0009")

    async def body(pod: DockerPod) -> None:
        check = RecipientCheck({"no@here.example": 100})
        odd = "a\nb='$(id)'"
        await pod.prepare(
            WORLD, Configuration(control=CONTROL, recipient_check=check, environment={"ODD": odd})
        )
        replies = await say(pod, b"MAIL FROM:<>", b"RCPT TO:<yes@here.example>", b"RCPT TO:<no@here.example>")
        assert [answer[:3] for answer in replies] == [b"220", b"250", b"250", b"553"]
        runs = (await pod.look())["runs"]
        assert [run["environment"]["RECIPIENT"] for run in runs] == ["yes@here.example", "no@here.example"]
        for run in runs:
            assert (run["program"], run["arguments"], run["directory"]) == ("rcptcheck", [], "/var/lib/qmail")
            assert (run["environment"]["SENDER"], run["environment"]["ODD"]) == ("", odd)

    in_pod(body)


def test_authentication_with_every_fixture_user(in_pod: InPod, images: tuple[Target, str]) -> None:
    if "0008" not in images[0].patches:
        pytest.skip("the target does not claim 0008")

    async def body(pod: DockerPod) -> None:
        configuration = Configuration(
            control=CONTROL, environment={"SMTPAUTH": "+cram"}, password_check=PasswordCheck()
        )
        await pod.prepare(WORLD, configuration)
        users = {user.encode(): word.encode("latin-1") for user, word in passwords(load_users()).items()}
        for user, password in users.items():
            plain = b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password)
            assert (await say(pod, b"EHLO far", plain))[-1].startswith(b"235"), user
            cram: list[Line] = [b"AUTH CRAM-MD5", cram_md5(user, password)]
            assert (await say(pod, b"EHLO far", *cram))[-1].startswith(b"235"), user
        runs = (await pod.look())["runs"]
        assert [run["user"].encode() for run in runs] == [user for user in users for _ in range(2)]
        assert all(run["accepted"] for run in runs)
        assert all(run["challenge"] for run in runs[1::2])
        assert not any(word.decode("latin-1") in json.dumps(runs) for word in users.values())

    in_pod(body)


def cram_md5(user: bytes, password: bytes) -> Callable[[bytes], bytes]:
    def answer(challenge: bytes) -> bytes:
        digest = hmac.new(password, base64.b64decode(challenge.split()[1]), "md5").hexdigest().encode()
        return base64.b64encode(user + b" " + digest)

    return answer


@pytest.mark.parametrize("victim", [0, 1])
def test_a_container_that_dies_is_a_failure_of_the_pod(in_pod: InPod, client: Any, victim: int) -> None:
    async def body(pod: DockerPod) -> None:
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        await asyncio.to_thread(client.api.kill, pod.containers[victim])
        with pytest.raises(PodFailure, match=r"container ended|target agent"):
            await prepare_until_it_fails(pod)

    in_pod(body)


async def prepare_until_it_fails(pod: DockerPod) -> None:
    while True:
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        await pod.look()  # with which it is done


def test_a_configuration_that_cannot_be_made_is_a_failure_of_the_pod(in_pod: InPod) -> None:
    async def body(pod: DockerPod) -> None:
        await pod.prepare(WORLD, Configuration(control=CONTROL, dot_qmail={"nobody/.qmail": "#\n"}))
        with pytest.raises(PodFailure, match="there is no user nobody"):
            await pod.look()
        await pod.prepare(WORLD, Configuration(control=CONTROL))
        assert (await say(pod, b"NOOP"))[-1].startswith(b"250")

    in_pod(body)


OWNER = """
import asyncio, json, sys
from conformance.targets.docker.pod import DockerPod
from conformance.targets.target import Target
async def main():
    pod = await DockerPod.start(Target("x", "debs", image=sys.argv[1]), sys.argv[2])
    print(json.dumps(pod.containers), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_killed_owner_leaves_nothing_behind(client: Any, images: tuple[Target, str]) -> None:
    target, internet = images
    owner = subprocess.Popen([sys.executable, "-c", OWNER, target.image, internet], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    containers = json.loads(owner.stdout.readline())
    assert set(containers) <= standing(client)
    sweep(client)
    assert set(containers) <= standing(client), "the owner is alive"
    owner.kill()
    owner.wait()
    owner.stdout.close()
    gone_within(client, containers, 20.0)


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


def gone_within(client: Any, containers: list[str], seconds: float) -> None:
    until = time.monotonic() + seconds
    while left := standing(client) & set(containers):
        assert time.monotonic() < until, left


def test_an_image_without_qmail_does_not_build(client: Any) -> None:
    # No network is needed for this: true stands in for tcpserver, which is looked for first.
    dockerfile = f"FROM {BASE}\nRUN ln -s /bin/true /bin/tcpserver\n"
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True)
    with pytest.raises(WorldError, match="there is no /var/lib/qmail/bin/qmail-smtpd"):
        target_image(client, parse_target(f"image:{image.id}"), OPTIONS)


def test_the_doctor_finds_this_engine_well(client: Any, images: tuple[Target, str]) -> None:
    findings = [*engine_findings(OPTIONS), asyncio.run(resolution_finding(*images))]
    assert [finding for finding in findings if not finding.good] == []
    assert len(findings) == 4
