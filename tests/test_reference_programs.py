"""The reference's programs as processes: descriptors, pipes, sockets, files, other programs."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.catalogue import PPA_PATCHES
from conformance.errors import WorldError
from conformance.internet.servers import Servers
from conformance.pod.world import Exchanger, Padding, World
from conformance.reference.acts import AskDns, Stream
from conformance.reference.programs.network import NameServer
from tests.reference_tree import PATIENCE, Smtp, Tree

ZONE = "$ORIGIN big.example.\n$TTL 60\n@ IN SOA ns hostmaster 1 1 1 1 1\n@ IN NS ns\nmx IN A 127.0.0.2\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, PPA_PATCHES)


# qmail-smtpd


def test_what_is_accepted_stands_in_the_queue(tree: Tree) -> None:
    smtp = Smtp(tree)
    assert smtp.line() == "220 mx.here.example ESMTP"
    recipients = ["RCPT TO:<alice@here.example>", "RCPT TO:<bob@here.example>"]
    assert smtp.say("EHLO c.test", "MAIL FROM:<a@b.example>", *recipients, "DATA").startswith("354")
    accepted = re.fullmatch(r"250 ok \d+ qp (\d+)", smtp.say("Subject: x\r\n\r\n..dot\r\n."))
    assert accepted is not None
    assert smtp.say("QUIT").startswith("221")
    status, log = smtp.end()
    assert status == 0
    assert f"Message accepted, qp {accepted[1]} (2 recipients" in log
    (stored,) = tree.files("mess")
    assert stored.read_bytes().startswith(f"Received: (qmail {accepted[1]} invoked ".encode())
    assert stored.read_bytes().endswith(b"\nSubject: x\n\n.dot\n")
    (todo,) = tree.files("todo")
    assert todo.name == stored.name == str(stored.stat().st_ino)
    addresses = b"Fa@b.example\0Talice@here.example\0Tbob@here.example\0"
    assert todo.read_bytes() == f"u{os.getuid()}\0p{accepted[1]}\0".encode() + addresses
    assert tree.files("pid") == []


def test_a_client_that_leaves_queues_nothing(tree: Tree) -> None:
    smtp = Smtp(tree)
    smtp.line()
    smtp.say("MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>", "DATA")
    assert smtp.end()[0] == 1
    assert tree.files("mess") == tree.files("todo") == []


def test_a_silent_client_is_told_and_dropped(tree: Tree) -> None:
    tree.control("timeoutsmtpd", "1\n")
    smtp = Smtp(tree)
    smtp.line()
    assert smtp.line().startswith("451")
    assert smtp.line() == ""
    assert smtp.end()[0] == 1


def test_without_control_files_it_says_so(tree: Tree) -> None:
    (tree.home / "control/me").unlink()
    smtp = Smtp(tree)
    assert smtp.line().startswith("421 unable to read controls")
    smtp.end()


def test_the_package_decides_which_patches_are_carried(tmp_path: Path) -> None:
    replies = {}
    for patches in ((), ("0006",)):
        smtp = Smtp(Tree(tmp_path / str(len(patches)), patches))
        smtp.line()
        replies[patches] = smtp.say("NONSENSE")[:3]
        smtp.end()
    assert replies == {(): "502", ("0006",): "500"}


def test_the_recipient_check_is_run_apart_from_the_client(tree: Tree, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    note = f"(tr '\\0' '\\n' </proc/$$/environ; pwd -P; echo $#) >{seen}"
    script = f"cat; echo 250 printed; {note}; exit 100"
    smtp = Smtp(tree, {"RCPTCHECK": tree.program("check", script), "A_VARIABLE": "its\xe9 value"})
    smtp.line()
    assert smtp.say("MAIL FROM:<>", "RCPT TO:<a$(x)@here.example>").startswith("553")
    assert smtp.say("NOOP") == "250 ok"
    smtp.end()
    lines = seen.read_text().splitlines()
    variables = {line for line in lines if "=" in line}
    assert {"SENDER=", "RECIPIENT=a$(x)@here.example", "A_VARIABLE=its\xe9 value"} <= variables
    assert "TCPREMOTEIP=127.0.0.9" in variables
    assert not any(line.startswith("LC_CTYPE") for line in variables)
    assert lines[-2:] == [str(tree.home.resolve()), "0"]


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ("exit 0", "250 ok"),
        ("exit 111", "421 unable to verify"),
        ("kill -SEGV $$", "421 unable to execute"),
        ("kill -PIPE $$; exit 0", "421 unable to execute"),  # Python ignores it, its children must not
    ],
)
def test_how_the_recipient_check_ends_decides(tree: Tree, script: str, reply: str) -> None:
    smtp = Smtp(tree, {"RCPTCHECK": tree.program("check", script)})
    smtp.line()
    assert smtp.say("MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>").startswith(reply)
    assert reply[:3] == "250" or smtp.line() == ""
    smtp.end()


def test_a_missing_recipient_check_accepts_nobody(tree: Tree) -> None:
    smtp = Smtp(tree, {"RCPTCHECK": tree.path("missing")})
    smtp.line()
    reply = smtp.say("MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>")
    assert reply.startswith("421 unable to execute")
    smtp.end()


def test_the_checkprogram_reads_descriptor_3_and_runs_the_subprogram(tree: Tree, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = tree.program("check", f'cat <&3 >{seen}; echo 999 printed; exec "$@"')
    credentials = base64.b64encode(b"\0alice\0pass w\xf6rd").decode()
    for subprogram, code in (("true", "235"), ("false", "535")):
        smtp = Smtp(tree, {"SMTPAUTH": ""}, [program, subprogram])
        smtp.line()
        assert smtp.say("EHLO c.test", f"AUTH PLAIN {credentials}").startswith(code)
        assert seen.read_bytes() == b"alice\0pass w\xf6rd\0\0"
        smtp.end()


@pytest.mark.parametrize(
    ("script", "code"), [("exit 53", "451"), ("exit 31", "554"), ("kill -SEGV $$", "451"), (None, "451")]
)
def test_a_failing_queue_is_no_acceptance(tree: Tree, script: str | None, code: str) -> None:
    if script is None:
        Path(tree.path("qmail-queue")).unlink()
    else:
        tree.program("qmail-queue", f"cat >/dev/null; cat <&1 >/dev/null; {script}")
    smtp = Smtp(tree)
    smtp.line()
    smtp.say("MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>", "DATA")
    assert smtp.say("Subject: x\r\n\r\nx\r\n.").startswith(code)
    smtp.end()


# qmail-queue


@pytest.mark.parametrize(
    ("envelope", "status"),
    [
        (b"", 54),
        (b"Fa@b.example\0", 91),
        (b"Xa@b.example\0\0", 91),
        (b"Fa@b.example\0Xc\0\0", 91),
        (b"F" + b"x" * 1100 + b"\0\0", 11),
        (b"Fa@b.example\0Tc", 54),
    ],
)
def test_an_envelope_that_is_none_queues_nothing(tree: Tree, envelope: bytes, status: int) -> None:
    assert tree.hand_in("", envelope=envelope) == status
    assert tree.files("mess") == tree.files("todo") == tree.files("pid") == []


def test_a_queue_that_cannot_be_written_keeps_no_half_message(tree: Tree) -> None:
    (tree.home / "queue/todo").rmdir()
    assert tree.hand_in("a@b.example", "alice@here.example") == 53
    assert tree.files("mess") == tree.files("intd") == tree.files("pid") == []


# qmail-remote


def free_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trying:
        trying.bind((address, 0))
        return int(trying.getsockname()[1])


async def standing(world: Callable[[int], World]) -> tuple[Servers, int, int]:
    """A world on ports that nobody has: its servers, the DNS port, the exchanger's port."""
    for _ in range(20):
        dns, port = free_port("127.0.0.1"), free_port("127.0.0.2")
        servers = Servers(("127.0.0.1", dns))
        try:
            await servers.set_world(world(port))
            return servers, dns, port
        except WorldError:  # taken in the meantime
            servers.close()
    raise AssertionError("no port is free")


def remote(tree: Tree, world: Callable[[int], World]) -> tuple[bytes, list[str], list[str]]:
    """Run qmail-remote for b@big.example; its report, how each question came, what the exchanger was told."""

    async def conduct() -> tuple[bytes, list[str], list[str]]:
        servers, dns, port = await standing(world)
        tree.control("smtproutes", f":mx.big.example:{port}\n")
        try:
            process = await asyncio.create_subprocess_exec(
                tree.path("qmail-remote"),
                "big.example",
                "a@here.example",
                "b@big.example",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={"QMAIL_REFERENCE_NAMESERVER": f"127.0.0.1:{dns}"},
            )
            talk = process.communicate(b"Subject: x\n\n.dot\n")
            report, _ = await asyncio.wait_for(talk, PATIENCE)
            assert process.returncode == 0
            questions = [f"{question.type} {question.over}" for question in servers.nameserver.questions]
            told = [message.octets for session in servers.mx_sessions for message in session.messages]
            return report, questions, told
        finally:
            servers.close()

    return asyncio.run(conduct())


def test_a_message_goes_over_real_sockets(tree: Tree) -> None:
    report, questions, told = remote(tree, lambda port: World([ZONE], exchangers=[Exchanger(port=port)]))
    assert re.fullmatch(rb"r\0K127\.0\.0\.2 accepted message\.\n.*\0", report, re.DOTALL)
    assert questions == ["A udp"]
    assert told == ["Subject: x\r\n\r\n.dot\r\n"]


def test_a_large_answer_is_fetched_over_tcp(tree: Tree) -> None:
    def world(port: int) -> World:
        padding = Padding("mx.big.example", "A", 4096, "last")
        return World([ZONE], paddings=[padding], exchangers=[Exchanger(port=port)])

    report, questions, _ = remote(tree, world)
    assert report.startswith(b"r\0K")
    assert questions[-1] == "A tcp"


def test_tcp_refused_is_temporary(tree: Tree) -> None:
    def world(port: int) -> World:
        return World([ZONE], paddings=[Padding("mx.big.example", "A", 4096)], tcp="refuse")

    assert remote(tree, world)[0].startswith(b"ZSorry, I couldn't find any host by that name")


def test_a_silent_exchanger_is_given_up(tree: Tree) -> None:
    tree.control("timeoutremote", "1\n")
    report, _, _ = remote(
        tree, lambda port: World([ZONE], exchangers=[Exchanger(port=port, steps={"MAIL": "stall"})])
    )
    assert report.startswith(b"ZConnected to 127.0.0.2 but connection died.")


def test_nobody_listens(tree: Tree) -> None:
    report, _, _ = remote(tree, lambda port: World([ZONE]))
    assert report.startswith(b"ZSorry, I wasn't able to establish an SMTP connection.")


def test_too_few_arguments_are_reported(tree: Tree) -> None:
    done = subprocess.run([tree.path("qmail-remote"), "x"], capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout[:1]) == (0, b"D")


@contextmanager
def stream_server(*pieces: bytes, closes: bool = True) -> Iterator[int]:
    """Answers one TCP client piece by piece; its port. The client's half close, or its end, ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            client.settimeout(PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client:
                client.recv(4096)
                for piece in pieces:
                    client.sendall(piece)
                while not closes and client.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            thread.join(PATIENCE)


def test_an_answer_in_pieces_is_put_together() -> None:
    frame = (4096).to_bytes(2, "big") + bytes(4096)
    with stream_server(*(frame[at : at + 1] for at in range(40)), frame[40:], closes=False) as port:
        assert NameServer("127.0.0.1", port).ask(AskDns(b"question", "tcp", PATIENCE)) == Stream(frame)


@pytest.mark.parametrize(("closes", "end"), [(True, "closed"), (False, "stalled")])
def test_an_answer_that_is_cut_off_says_how_it_ended(closes: bool, end: str) -> None:
    with stream_server(b"\x00\x10half", closes=closes) as port:
        limit = PATIENCE if closes else 0.2
        came = NameServer("127.0.0.1", port).ask(AskDns(b"question", "tcp", limit))
    assert came == Stream(b"\x00\x10half", end)


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_a_closed_port_is_refused(over: str) -> None:
    port = free_port("127.0.0.1")
    assert NameServer("127.0.0.1", port).ask(AskDns(b"question", over, PATIENCE)) == "refused"


def test_a_silent_nameserver_is_waited_for_no_longer_than_the_limit() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        nameserver = NameServer("127.0.0.1", silent.getsockname()[1])
        assert nameserver.ask(AskDns(b"question", "udp", 0.1)) is None
        question, asker = silent.recvfrom(100)
        assert question == b"question"
        silent.sendto(b"late", asker)
        assert nameserver.wait(PATIENCE) == b"late"


# qmail-newu


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("=a:a:1:2:/home/a:::\n.\n", 0),
        ("=a:a:1:2:/home/a:::\n", 111),
        ("=a:a:one:2:/home/a:::\n.\n", 111),
        ("a:a:1:2:/home/a:::\n.\n", 111),
    ],
)
def test_the_table_of_users_is_checked(tree: Tree, text: str, status: int) -> None:
    (tree.home / "users/assign").write_text(text)
    done = subprocess.run([tree.path("qmail-newu")], capture_output=True, timeout=PATIENCE)
    assert done.returncode == status
    assert bool(done.stderr) == bool(status)
