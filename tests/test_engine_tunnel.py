"""An engine by ssh: one connection for all, and what is said when there is none. The ssh here is a script."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.errors import EngineGone
from conformance.targets.docker import tunnel

#: What ssh does with `-L HERE:THERE`, and a line of what it was asked in the file LOG.
SSH = f"""#!{sys.executable}
import os, pathlib, sys
sys.path.insert(0, {os.getcwd()!r})
pathlib.Path(os.environ["LOG"]).open("a").write(" ".join(sys.argv[1:]) + "\\n")
if "refuses.example" in sys.argv[-2]:
    sys.exit("Permission denied (publickey).")
from tests import engineproxy
here, engineproxy.ENGINE = sys.argv[sys.argv.index("-L") + 1].split(":")
engineproxy.EngineProxy(pathlib.Path(here))
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the ssh on PATH writes."""
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    yield tmp_path / "log"
    tunnel.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Path]:
    """A socket that says what it is told."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def echo() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.sendall(client.recv(100))

        threading.Thread(target=echo, daemon=True).start()
        yield path


def said(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        client.sendall(b"hello")
        return client.recv(100)


def test_one_connection_serves_all_and_is_made_anew_when_it_broke(log: Path, engine: Path) -> None:
    host = f"ssh://me@far.example:22{engine}"
    path = tunnel.reach(host)
    assert (said(path), said(path)) == (b"hello", b"hello")
    assert tunnel.reach(host) == path
    assert len(log.read_text().splitlines()) == 1
    assert "-- ssh://me@far.example:22 " in log.read_text()
    process = tunnel._tunnels[host].process
    process.kill()
    process.wait()
    anew = tunnel.reach(host)
    assert anew != path
    assert said(anew) == b"hello"
    assert not Path(path).parent.exists()


def test_what_ssh_says_is_told_with_what_to_do(log: Path) -> None:
    with pytest.raises(EngineGone, match="Permission denied") as raised:
        tunnel.reach("ssh://refuses.example")
    assert "`ssh -o BatchMode=yes ssh://refuses.example true` must succeed" in raised.value.hint


def test_without_ssh_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineGone, match="ssh cannot be started") as raised:
        tunnel.reach("ssh://far.example")
    assert raised.value.hint == "install openssh-client"
