"""qmail-verify in the reference: whose address it is, who receives it, and the question over UDP."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.reference.control import ControlFiles
from conformance.reference.homes import HomesInMemory
from conformance.reference.programs.verify import ask, serve
from conformance.reference.verify import server_of, verified
from conformance.targets.embedded import ReferencePod
from tests.agents import on_a_loop
from tests.reference_tree import Smtp, Tree

CONTROL = {
    "me": "mx.here.example\n",
    "locals": "here.example\n",
    "virtualdomains": "virtual.example:alice\n.plain.example:\n",
    "percenthack": "here.example\n",
}
ALICE = {".qmail-list": "", ".qmail-box-default": ""}
HOMES = HomesInMemory({"alice": ALICE, "alias": {".qmail-postmaster": ""}})


@pytest.mark.parametrize(
    ("address", "exists"),
    [
        ("alice@here.example", True),
        ("ALICE@Here.Example", True),
        ("nobody@here.example", False),
        ("postmaster@here.example", True),
        ("alice-list@here.example", True),
        ("alice-other@here.example", False),
        ("alice-box-any@here.example", True),
        ("list@virtual.example", True),
        ("other@virtual.example", False),
        ("x@sub.plain.example", True),
        ("x@elsewhere.example", True),
        ("x%elsewhere.example@here.example", True),
        ("nobody", True),
    ],
)
def test_who_exists(address: str, exists: bool) -> None:
    assert verified(ControlFiles(CONTROL), HOMES, address.encode()) is exists


@contextmanager
def serving(tree: Tree) -> Iterator[int]:
    """qmail-verify at a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))

        def until_closed() -> None:
            with suppress(OSError):
                serve(str(tree.home), service)

        threading.Thread(target=until_closed, daemon=True).start()
        yield service.getsockname()[1]


def test_the_server_reads_users_and_their_files(tmp_path: Path) -> None:
    tree = Tree(tmp_path, STOCK_PATCHES)
    (tree.homes / "alice/.qmail-list").write_text("./Maildir/\n")
    with serving(tree) as port:
        for box, answer in ((b"alice", "valid"), (b"alice-list", "valid"), (b"alice-no", "invalid")):
            assert ask(f"DEFER,127.0.0.1:{port}", box + b"@here.example") == answer
    assert ask(":1", b"alice@here.example") == "connection refused"


def test_qmail_smtpd_asks_it(tmp_path: Path) -> None:
    tree = Tree(tmp_path, STOCK_PATCHES)
    with serving(tree) as port, Smtp(tree, {"VERIFY": f":{port}"}) as smtp:
        assert smtp.say("MAIL FROM:<a@b.example>", "RCPT TO:<alice@here.example>") == "250 ok"
        assert smtp.say("RCPT TO:<nobody-at-all@here.example>").startswith("550 ")


@pytest.mark.parametrize(
    ("value", "server"),
    [
        ("DEFER", ("127.0.0.1", 11113)),
        (":", ("127.0.0.1", 11113)),
        ("DEFER,192.168.1.1:10101", ("192.168.1.1", 10101)),
        ("192.168.1.1", ("192.168.1.1", 11113)),
        ("DEFER:127.0.0.1:11113", ("127.0.0.1", 127)),  # the first colon ends the search for an address
    ],
)
def test_the_server_is_read_as_qmail_smtpd_does(value: str, server: tuple[str, int]) -> None:
    assert server_of(value) == server


@on_a_loop
async def test_a_mute_qmail_verify_keeps_nobody_but_its_session_waiting() -> None:
    pod = ReferencePod(PPA_PATCHES)
    await pod.prepare(
        World(), Configuration({"me": "mx.here.example\n"}, environment={"VERIFY": ":"}, verifying="mute")
    )
    connection = await pod.connect()
    assert (await pod.receive(connection, 1) or b"").startswith(b"220 ")
    await pod.send(connection, b"MAIL FROM:<>\r\n")
    assert await pod.receive(connection, 1) == b"250 ok\r\n"
    await pod.send(connection, b"RCPT TO:<bob@mx.here.example>\r\n")
    assert (await pod.receive(connection, 4.9), pod.clock.at) == (None, 4.9)
    assert (await pod.receive(connection, 1) or b"").startswith(b"451 ")
    assert pod.clock.at == 5
