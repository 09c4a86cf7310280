"""Signals that end the command: at once, with one line and a status, whatever it is doing.

What was reached stands in its file as soon as it is known, so nothing has to be saved. A thread waits for
the signals, which are blocked everywhere else: a loop without an end does not hold them up, and a process
that we start does not hear them. It is killed, and so ends without a word.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

#: Signal -> what is said of it. The exit status is 128 and its number, as for every command.
ENDING = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated (SIGTERM)",
    signal.SIGHUP: "ended, for the terminal is gone (SIGHUP)",
}

#: Seconds for the removal of containers. What is left then goes by itself, or at the next start.
_PATIENCE = 1.2

#: Seconds between two looks for containers, and how many looks in a row are to find none: an engine may be
#: in the middle of making one.
_LOOK, _LOOKS = 0.1, 3

#: Seconds in which a second signal is the same one: `timeout` sends one to us and one to our group.
_SAME = 0.3

#: Octets of stack of the thread that waits: it needs few, and memory may be limited.
_STACK = 1 << 18

_PR_SET_PDEATHSIG = 1

#: Directories that were made, and are removed where they are still empty.
directories: list[Path] = []

_kept: list[Callable[[], str]] = []
_watching = threading.Event()
_ending = threading.Event()


@contextlib.contextmanager
def keeping(tell: Callable[[], str]) -> Iterator[None]:
    """While this lasts, `tell` says what is kept of it, and how to go on."""
    _kept.append(tell)
    try:
        yield
    finally:
        _kept.remove(tell)


def watch() -> None:
    """Have the signals end this process. One that was ignored when it started stays ignored, as with nohup.

    To be called from the main thread, before others are started; a second call does nothing.
    """
    if _watching.is_set():
        return
    _watching.set()
    heard = {number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN}
    signal.signal(signal.SIGUSR1, _stand_still)
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    error = -1  # where there is no standard error
    with contextlib.suppress(OSError):
        error = os.dup(2)  # pytest takes the place of the stream, and of its descriptor
    usual = threading.stack_size(_STACK)
    threading.Thread(target=_wait, args=(heard, error), name="signals", daemon=True).start()
    threading.stack_size(usual)


def wait_if_ending() -> None:
    """Where the command is told to end, wait for that: whoever makes something that stays makes no more."""
    if _ending.is_set():
        threading.Event().wait()


def end_with_parent() -> None:
    """Have this process killed when the one that started it is gone, however that ended."""
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _stand_still(*_: object) -> None:
    """The main thread does nothing more from now on."""
    wait_if_ending()


def _wait(heard: Collection[signal.Signals], error: int) -> None:
    number = signal.sigwait(heard)
    began = time.monotonic()
    _ending.set()
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGUSR1)
    _say(ENDING[signal.Signals(number)], error)
    ended = _kill_children()
    work = [
        threading.Thread(target=each, daemon=True) for each in (_flush, lambda: _remove_containers(ended))
    ]
    for each in work:
        each.start()
    while any(each.is_alive() for each in work) and time.monotonic() < began + _PATIENCE:
        again = signal.sigtimedwait(heard, 0.02)
        if again is not None and time.monotonic() > began + _SAME:
            break
    for directory in reversed(directories):
        with contextlib.suppress(OSError):  # it is not empty
            directory.rmdir()
    os._exit(128 + number)


def _say(word: str, error: int) -> None:
    """One line on standard error, past whatever holds Python's own stream."""
    told = ""
    with contextlib.suppress(Exception):
        told = "; ".join(tell() for tell in _kept)
    with contextlib.suppress(OSError):
        line = f"qmail-conformance: {word}" + (f"; {told}" if told else "")
        start = "\n" if os.isatty(error) else ""  # a line of progress may stand there
        os.write(error, f"{start}{line}\n".encode("ascii", "backslashreplace"))


def _flush() -> None:
    """What was said before the signal is not lost."""
    for stream in (sys.stdout, sys.__stdout__):
        with contextlib.suppress(Exception):
            if stream is not None:
                stream.flush()


def _kill_children() -> set[int]:
    """Kill the processes that this one has started; their ids."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # After the name, in parentheses, come the state and the parent.
            if int((directory / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(directory.name))
    for child in found:
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
    return found


def _remove_containers(ended: Collection[int]) -> None:
    """Remove what this process and those that it started have on an engine, where they have used one."""
    if "conformance.targets.docker.engine" not in sys.modules:
        return
    with contextlib.suppress(Exception):
        from conformance.targets.docker.engine import connect
        from conformance.targets.docker.images import abandon
        from conformance.targets.docker.sweep import OWNER_LABEL, machine, remove
        from conformance.targets.docker.tunnel import close

        owners = tuple(f"{machine()}|{process}|" for process in (os.getpid(), *ended))
        client = connect()
        with contextlib.suppress(Exception):
            abandon(client)
        none = 0
        while none < _LOOKS:
            ours = [
                found["Id"]
                for found in client.api.containers(all=True, filters={"label": OWNER_LABEL})
                if found["Labels"][OWNER_LABEL].startswith(owners)
            ]
            for container in ours:
                with contextlib.suppress(Exception):
                    remove(client, container)
            none = 0 if ours else none + 1
            time.sleep(_LOOK)
        close()
