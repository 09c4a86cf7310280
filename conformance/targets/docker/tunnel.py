"""An engine on another machine: its socket is brought here over one connection of the system's own ssh.

The Docker SDK has a process of ssh for each connection, and a pod has four: more at once than sshd takes.
"""

import contextlib
import os
import select
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from conformance.errors import EngineGone
from conformance.targets.docker.endpoint import SOCKET

#: Seconds that logging in may take.
PATIENCE = 30

_OPTIONS = (
    # Nobody is there to be asked for a password, and no connection of somebody else's would end with us.
    *("BatchMode=yes", "ControlPath=none", "ExitOnForwardFailure=yes"),
    *(f"ConnectTimeout={PATIENCE}", "ServerAliveInterval=15"),
)

#: Taken again where a signal interrupts who has it.
_lock = threading.RLock()
_tunnels: dict[str, "_Tunnel"] = {}


def reach(host: str) -> str:
    """The path of a socket here that leads to the engine of ssh://[USER@]HOST[:PORT][/PATH/OF/ITS/SOCKET].

    It stands as long as this process. Raises EngineGone.
    """
    with _lock:
        tunnel = _tunnels.get(host)
        if tunnel is None or tunnel.process.poll() is not None:
            if tunnel is not None:
                tunnel.close()
            _tunnels[host] = tunnel = _Tunnel(host)
        return tunnel.path


def close() -> None:
    """End all of them, for a process that ends without cleaning up."""
    with _lock:
        for tunnel in _tunnels.values():
            tunnel.close()
        _tunnels.clear()


class _Tunnel:
    """One process of ssh, which lives no longer than we do: its other end reads from us until we end."""

    def __init__(self, host: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="qmail-conformance-", ignore_cleanup_errors=True)
        self.path = f"{self._directory.name}/engine"
        self._complaint = Path(self._directory.name, "complaint")
        url = urlsplit(host)
        command = ["ssh", "-T", *(f"-o{option}" for option in _OPTIONS)]
        command += ["-L", f"{self.path}:{url.path.rstrip('/') or SOCKET}"]
        command += ["--", f"ssh://{url.netloc}", "echo up && exec cat >/dev/null"]
        try:
            with self._complaint.open("wb") as complaint:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaint,
                    start_new_session=True,  # what Ctrl-C ends is ours, and needs the engine for that
                )
        except OSError as error:
            self._directory.cleanup()
            raise EngineGone(f"ssh cannot be started: {error.strerror}", "install openssh-client") from error
        if not self._is_up():
            reason = self._said() or f"no answer in {PATIENCE} s"
            self.close()
            raise EngineGone(
                f"ssh does not reach {host}: {reason}",
                f"`ssh -o BatchMode=yes ssh://{url.netloc} true` must succeed: with a key that asks for no "
                "passphrase, or is in ssh-agent, and a host that is known",
            )

    def close(self) -> None:
        """End it, and what it left here."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.kill()
        self.process.wait()
        self._directory.cleanup()

    def _is_up(self) -> bool:
        """Whether the other end has spoken, which it does when the socket here stands."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        return bool(ready) and bool(os.read(self.process.stdout.fileno(), 1))

    def _said(self) -> str:
        self.process.kill()
        self.process.wait()
        return " ".join(self._complaint.read_text(encoding="utf-8", errors="replace").split())
