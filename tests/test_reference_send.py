"""qmail-start of the reference: what becomes of mail in the queue, through files, processes and signals."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from tests.reference_tree import Sending, Tree

Start = Callable[[], Sending]

#: What qmail-remote prints of a message that was accepted, for printf.
ACCEPTED = r"r\0Kdone\n\0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, PPA_PATCHES)


@pytest.fixture
def start(tree: Tree) -> Iterator[Start]:
    with ExitStack() as started:
        yield lambda: started.enter_context(Sending(tree))


@pytest.fixture
def sending(start: Start) -> Sending:
    return start()


def fields(tree: Tree, kind: str) -> list[str]:
    """What the only file of a channel holds: recipients that are done (D) or to do (T)."""
    (file,) = tree.files(kind)
    return file.read_text().split("\0")[:-1]


def nothing_is_queued(tree: Tree) -> bool:
    kinds = ("mess", "todo", "intd", "info", "local", "remote", "bounce", "pid")
    return not any(tree.files(kind) for kind in kinds)


def test_mail_reaches_the_maildir_and_leaves_the_queue(tree: Tree, sending: Sending) -> None:
    assert tree.hand_in("a@b.example", "alice@here.example") == 0
    number = sending.wait_for("end msg ").split()[-1]
    (message,) = tree.mail("alice")
    assert message.startswith("Return-Path: <a@b.example>\nDelivered-To: alice@here.example\nReceived: ")
    assert message.endswith("\nSubject: x\n\nhello\n")
    assert nothing_is_queued(tree)
    assert sending.lines[1] == f"new msg {number}"
    assert f"starting delivery 1: msg {number} to local alice@here.example" in sending.lines
    assert sending.end() == 0


def test_dot_qmail_forwards_through_qmail_queue(tree: Tree, sending: Sending) -> None:
    (tree.homes / "alice/.qmail-list").write_text("&bob@here.example\n./Maildir/\n./mbox\n")
    tree.hand_in("a@b.example", "alice-list@here.example")
    sending.wait_for("end msg ", "end msg ")
    assert (len(tree.mail("alice")), len(tree.mail("bob"))) == (1, 1)
    assert (tree.homes / "alice/mbox").read_text().startswith("From a@b.example ")


def test_mail_for_nobody_bounces(tree: Tree, sending: Sending) -> None:
    tree.hand_in("alice@here.example", "nobody-at-all@here.example")
    sending.wait_for("bounce msg ", "end msg ", "end msg ")
    (bounce,) = tree.mail("alice")
    assert bounce.startswith("Return-Path: <>\n")
    assert "<nobody-at-all@here.example>:" in bounce
    assert nothing_is_queued(tree)


@pytest.mark.parametrize("fails", [r"printf 'r\0Zlater\n\0'", "kill -SEGV $$", "exit 111"])
def test_deferred_mail_stays_and_is_tried_again_after_a_start(tree: Tree, start: Start, fails: str) -> None:
    tree.control("virtualdomains", "virtual.example:alice\n")
    (tree.homes / "alice/.qmail-default").write_text("|exit 111\n")
    case = f"case $3 in b@*) {fails} ;; *) printf '{ACCEPTED}' ;; esac"
    tree.program("qmail-remote", f"test $(cat | wc -l) -gt 3 && {case}")
    remote = [f"{box}@big.example" for box in ("a-long-name", "b", "c")]
    tree.hand_in("a@here.example", "alice@here.example", "x@virtual.example", *remote)
    first = start()
    first.wait_for("delivery 2: deferral: ", "delivery 4: deferral: ", "delivery 5: success: ")
    assert first.end() == 0
    assert fields(tree, "remote") == ["Da-long-name@big.example", "Tb@big.example", "Dc@big.example"]
    assert fields(tree, "local") == ["Dalice@here.example", "Talice-x@virtual.example"]
    assert tree.files("todo") == []
    (tree.homes / "alice/.qmail-default").write_text("./Maildir/\n")
    tree.program("qmail-remote", f"printf '{ACCEPTED}'")
    start().wait_for("delivery 2: success: done/", "end msg ")
    delivered = {mail.split("\n")[1] for mail in tree.mail("alice")}
    assert delivered == {"Delivered-To: alice@here.example", "Delivered-To: alice-x@virtual.example"}
    assert len(tree.mail("alice")) == 2
    assert nothing_is_queued(tree)


def test_a_bounce_that_cannot_be_queued_is_not_lost(tree: Tree, start: Start) -> None:
    tree.hand_in("alice@here.example", "nobody-at-all@here.example")
    program = Path(tree.path("qmail-queue"))
    works = program.read_text()
    tree.program("qmail-queue", "exit 53")
    sending = start()
    sending.wait_for("warning: trouble injecting bounce message")
    assert tree.files("local") == []
    assert len(tree.files("bounce")) == 1
    program.write_text(works)
    sending.process.send_signal(signal.SIGALRM)
    sending.wait_for("bounce msg ", "end msg ", "end msg ")
    assert len(tree.mail("alice")) == 1


def test_only_one_runs(tree: Tree, sending: Sending) -> None:
    sending.wait_for("status: ")
    second = tree.run("qmail-start", "./Maildir/")
    assert second.returncode == 111
    assert b"already running" in second.stdout
