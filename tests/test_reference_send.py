"""qmail-start of the reference: what becomes of mail in the queue, through files, processes and signals."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.catalogue import PPA_PATCHES
from tests.reference_tree import PATIENCE, Sending, Tree

Start = Callable[[], Sending]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, PPA_PATCHES)


@pytest.fixture
def start(tree: Tree) -> Iterator[Callable[[], Sending]]:
    started: list[Sending] = []

    def starting() -> Sending:
        started.append(Sending(tree))
        return started[-1]

    yield starting
    for each in started:
        each.clear_away()


@pytest.fixture
def sending(start: Start) -> Sending:
    return start()


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


def test_what_came_before_the_start_is_delivered(tree: Tree, start: Start) -> None:
    assert tree.hand_in("a@b.example", "alice@here.example") == 0
    sending = start()
    sending.wait_for("end msg ")
    assert len(tree.mail("alice")) == 1
    sending.end()


def test_dot_qmail_forwards_through_qmail_queue(tree: Tree, sending: Sending) -> None:
    (tree.homes / "alice/.qmail-list").write_text("&bob@here.example\n./Maildir/\n./mbox\n")
    tree.hand_in("a@b.example", "alice-list@here.example")
    sending.wait_for("end msg ")
    sending.wait_for("end msg ")
    assert (len(tree.mail("alice")), len(tree.mail("bob"))) == (1, 1)
    assert (tree.homes / "alice/mbox").read_text().startswith("From a@b.example ")
    sending.end()


def test_mail_for_nobody_bounces(tree: Tree, sending: Sending) -> None:
    tree.hand_in("alice@here.example", "nobody-at-all@here.example")
    sending.wait_for("bounce msg ")
    sending.wait_for("end msg ")
    sending.wait_for("end msg ")
    (bounce,) = tree.mail("alice")
    assert bounce.startswith("Return-Path: <>\n")
    assert "<nobody-at-all@here.example>:" in bounce
    assert nothing_is_queued(tree)
    sending.end()


@pytest.mark.parametrize("fails", [r"printf 'r\0Zlater\n\0'", "kill -SEGV $$", "exit 111"])
def test_deferred_mail_stays_and_is_tried_again_after_a_start(tree: Tree, start: Start, fails: str) -> None:
    tree.program("qmail-remote", f'test $(cat | wc -l) -gt 3 && case "$3" in b@*) {fails} ;; esac')
    tree.hand_in("a@here.example", "alice@here.example", "b@big.example")
    first = start()
    first.wait_for("delivery 2: deferral: ")
    assert first.end() == 0
    (remote,) = tree.files("remote")
    assert remote.read_bytes() == b"Tb@big.example\0"
    (local,) = tree.files("local")
    assert local.read_bytes() == b"Dalice@here.example\0"
    assert tree.files("todo") == []
    tree.program("qmail-remote", r"""printf 'r\0Kdone\n\0'""")
    second = start()
    second.wait_for("delivery 1: success: done/")
    second.wait_for("end msg ")
    assert len(tree.mail("alice")) == 1
    assert nothing_is_queued(tree)
    second.end()


def test_a_bounce_that_cannot_be_queued_is_not_lost(tree: Tree, start: Start) -> None:
    tree.hand_in("alice@here.example", "nobody-at-all@here.example")
    program = Path(tree.path("qmail-queue"))
    works = program.read_text()
    tree.program("qmail-queue", "exit 53")
    sending = start()
    sending.wait_for("warning: trouble injecting bounce message")
    assert [path.read_bytes()[:1] for path in tree.files("local")] == [b"D"]
    assert len(tree.files("bounce")) == 1
    program.write_text(works)
    sending.process.send_signal(signal.SIGALRM)
    sending.wait_for("bounce msg ")
    sending.wait_for("end msg ")
    sending.wait_for("end msg ")
    assert len(tree.mail("alice")) == 1
    sending.end()


def test_only_one_runs(tree: Tree, sending: Sending) -> None:
    sending.wait_for("status: ")
    command = [tree.path("qmail-start"), "./Maildir/"]
    second = subprocess.run(command, capture_output=True, timeout=PATIENCE)
    assert second.returncode == 111
    assert b"already running" in second.stdout
    sending.end()
