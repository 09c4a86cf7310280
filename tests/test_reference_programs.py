"""The reference's programs as processes: descriptors, pipes, sockets, files, other programs."""

import asyncio
import base64
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.internet.servers import Servers
from conformance.pod.world import Exchanger, Padding, World
from conformance.reference.acts import AskDns, Stream
from conformance.reference.programs.network import ResolverSocket
from tests.reference_tree import PATIENCE, Smtp, Tree

#: An address that no other test process has, with ports that need no privilege.
HOST = f"127.9.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
DNS_PORT, SMTP_PORT = 5353, 2525
ZONE = f"$ORIGIN big.example.\n$TTL 60\n@ IN SOA ns hostmaster 1 1 1 1 1\n@ IN NS ns\nmx IN A {HOST}\n"
PADDING = Padding("mx.big.example", "A", 4096, "last")

ENVELOPE = ("MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, PPA_PATCHES)


# qmail-smtpd


def test_what_is_accepted_stands_in_the_queue(tree: Tree) -> None:
    smtp = Smtp(tree)
    assert smtp.greeting == "220 mx.here.example ESMTP"
    assert smtp.say("EHLO c.test", *ENVELOPE, "RCPT TO:<bob@here.example>", "DATA").startswith("354")
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


def test_a_client_that_leaves_or_is_silent_queues_nothing(tree: Tree) -> None:
    smtp = Smtp(tree)
    smtp.say(*ENVELOPE, "DATA")
    assert smtp.end()[0] == 1
    tree.control("timeoutsmtpd", "1\n")
    smtp = Smtp(tree)
    assert [smtp.line()[:3], smtp.line()] == ["451", ""]
    assert smtp.end()[0] == 1
    assert tree.files("mess") == tree.files("todo") == []


def test_without_control_files_it_says_so(tree: Tree) -> None:
    (tree.home / "control/me").unlink()
    with Smtp(tree) as smtp:
        assert smtp.greeting.startswith("421 unable to read controls")


@pytest.mark.parametrize(("patches", "code"), [((), "502"), (("0006",), "500")])
def test_the_package_decides_on_the_patches(tmp_path: Path, patches: tuple[str, ...], code: str) -> None:
    with Smtp(Tree(tmp_path, patches)) as smtp:
        assert smtp.say("NONSENSE").startswith(code)


def test_the_recipient_check_is_run_apart_from_the_client(tree: Tree, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    note = f"(tr '\\0' '\\n' </proc/$$/environ; pwd -P; echo $#) >{seen}"
    script = f"cat; echo 250 printed; {note}; exit 100"
    with Smtp(tree, {"RCPTCHECK": tree.program("check", script), "A_VARIABLE": "its\xe9 value"}) as smtp:
        assert smtp.say("MAIL FROM:<>", "RCPT TO:<a$(x)@here.example>").startswith("553")
        assert smtp.say("NOOP") == "250 ok"
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
        (None, "421 unable to execute"),
    ],
)
def test_how_the_recipient_check_ends_decides(tree: Tree, script: str | None, reply: str) -> None:
    check = tree.path("missing") if script is None else tree.program("check", script)
    with Smtp(tree, {"RCPTCHECK": check}) as smtp:
        assert smtp.say(*ENVELOPE).startswith(reply)
        assert reply[:3] == "250" or smtp.line() == ""


@pytest.mark.parametrize(("subprogram", "code"), [("true", "235"), ("false", "535")])
def test_the_checkprogram_reads_descriptor_3_and_runs_the_subprogram(
    tree: Tree, tmp_path: Path, subprogram: str, code: str
) -> None:
    seen = tmp_path / "seen"
    program = tree.program("check", f'cat <&3 >{seen}; echo 999 printed; exec "$@"')
    credentials = base64.b64encode(b"\0alice\0pass w\xf6rd").decode()
    with Smtp(tree, {"SMTPAUTH": ""}, [program, subprogram]) as smtp:
        assert smtp.say("EHLO c.test", f"AUTH PLAIN {credentials}").startswith(code)
    assert seen.read_bytes() == b"alice\0pass w\xf6rd\0\0"


@pytest.mark.parametrize(
    ("script", "code"), [("exit 53", "451"), ("exit 31", "554"), ("kill -SEGV $$", "451"), (None, "451")]
)
def test_a_failing_queue_is_no_acceptance(tree: Tree, script: str | None, code: str) -> None:
    if script is None:
        Path(tree.path("qmail-queue")).unlink()
    else:
        tree.program("qmail-queue", f"cat >/dev/null; cat <&1 >/dev/null; {script}")
    with Smtp(tree) as smtp:
        assert smtp.say(*ENVELOPE, "DATA", "Subject: x\r\n\r\nx\r\n.").startswith(code)


# qmail-queue


@pytest.mark.parametrize(
    ("envelope", "status"),
    [
        (b"", 54),
        (b"Fa@b.example\0", 54),
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


def remote(tree: Tree, world: World) -> tuple[str, list[str], list[str]]:
    """Run qmail-remote for b@big.example; its report, how each question came, what the exchanger was told."""
    tree.control("smtproutes", f":mx.big.example:{SMTP_PORT}\n")
    exchangers = [replace(exchanger, address=HOST, port=SMTP_PORT) for exchanger in world.exchangers]
    addresses = ("big.example", "a@here.example", "b@big.example")
    message, env = b"Subject: x\n\n.dot\n", {"QMAIL_REFERENCE_NAMESERVER": f"{HOST}:{DNS_PORT}"}

    async def conduct() -> tuple[str, list[str], list[str]]:
        servers = Servers((HOST, DNS_PORT))
        try:
            await servers.set_world(replace(world, zones=[ZONE], exchangers=exchangers))
            done = await asyncio.to_thread(tree.run, "qmail-remote", *addresses, input=message, env=env)
            assert done.returncode == 0
            questions = [f"{question.type} {question.over}" for question in servers.nameserver.questions]
            told = [message.octets for session in servers.mx_sessions for message in session.messages]
            return done.stdout.decode("latin-1"), questions, told
        finally:
            servers.close()

    return asyncio.run(conduct())


def test_a_message_goes_over_real_sockets_and_a_large_answer_over_tcp(tree: Tree) -> None:
    report, questions, told = remote(tree, World(exchangers=[Exchanger()]))
    assert report.startswith(f"r\0K{HOST} accepted message.\n")
    assert report.endswith("\0")
    assert (questions, told) == (["A udp"], ["Subject: x\r\n\r\n.dot\r\n"])
    report, questions, _ = remote(tree, World(paddings=[PADDING], exchangers=[Exchanger()]))
    assert report.startswith("r\0K")
    assert questions[-1] == "A tcp"


@pytest.mark.parametrize(
    ("world", "report"),
    [
        (World(paddings=[PADDING], tcp="refuse"), "ZSorry, I couldn't find any host by that name"),
        (World(exchangers=[Exchanger(steps={"MAIL": "stall"})]), "ZConnected to {} but connection died."),
        (World(), "ZSorry, I wasn't able to establish an SMTP connection."),
    ],
)
def test_trouble_is_temporary(tree: Tree, world: World, report: str) -> None:
    tree.control("timeoutremote", "1\n")
    assert remote(tree, world)[0].startswith(report.format(HOST))


def test_too_few_arguments_are_reported(tree: Tree) -> None:
    done = tree.run("qmail-remote", "x")
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


def ask(port: int, over: str = "tcp", limit: float = PATIENCE, host: str = "127.0.0.1") -> object:
    return ResolverSocket(host, port).ask(AskDns(b"question", over, limit))


def test_an_answer_in_pieces_is_put_together() -> None:
    frame = (4096).to_bytes(2, "big") + bytes(4096)
    with stream_server(*(frame[at : at + 1] for at in range(40)), frame[40:], closes=False) as port:
        assert ask(port) == Stream(frame)


@pytest.mark.parametrize(("closes", "end"), [(True, "closed"), (False, "stalled")])
def test_an_answer_that_is_cut_off_says_how_it_ended(closes: bool, end: str) -> None:
    with stream_server(b"\x00\x10half", closes=closes) as port:
        assert ask(port, limit=PATIENCE if closes else 0.2) == Stream(b"\x00\x10half", end)


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_a_closed_port_is_refused(over: str) -> None:
    assert ask(DNS_PORT, over, host=HOST) == "refused"


def test_a_silent_nameserver_is_waited_for_no_longer_than_the_limit() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        nameserver = ResolverSocket("127.0.0.1", silent.getsockname()[1])
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
        *((wrong, 111) for wrong in ("=a:a:1:2:/home/a:::\n", "=a:a:one:2:/:::\n.\n", "a:a:1:2:/:::\n.\n")),
    ],
)
def test_the_table_of_users_is_checked(tree: Tree, text: str, status: int) -> None:
    (tree.home / "users/assign").write_text(text)
    done = tree.run("qmail-newu")
    assert done.returncode == status
    assert bool(done.stderr) == bool(status)
