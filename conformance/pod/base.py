"""The pod as a case's handles see it: a handful of acts.

Three kinds implement it: sockets beside a real qmail, the embedded reference, and a record played again. Acts
raise `PodFailure` when the world fails; they never raise because of what qmail does.
"""

from typing import Literal, Protocol

from conformance.pod.configuration import Configuration
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.world import World


class PodFailure(Exception):
    """The pod, not qmail, misbehaved: the case is invalid and a fresh pod is needed."""


class Unsupported(Exception):
    """The target has nothing to do this with: the requirement is not decided on it."""


def text(octets: bytes) -> str:
    """Octets as JSON text, one character each."""
    return octets.decode("latin-1")


def octets(text: str) -> bytes:
    """The inverse of `text`."""
    return text.encode("latin-1")


class Pod(Protocol):
    """One running target together with its internet."""

    async def prepare(self, world: World, configuration: Configuration) -> None:
        """Make the pod stand as described; nothing of earlier cases is left. Milliseconds."""

    async def connect(self) -> int:
        """A TCP connection to qmail-smtpd; its number, unique within the pod's life."""

    async def send(self, connection: int, data: bytes) -> bool:
        """Send octets; False when the server no longer takes any."""

    async def receive(self, connection: int, limit: float) -> bytes | None:
        """The next octets from the server: b"" when it closed, None after `limit` seconds of silence."""

    async def pause(self, connection: int, seconds: float) -> None:
        """Let the client say nothing for so long; what the server says meanwhile is received later."""

    async def shut(self, connection: int) -> None:
        """Half close: no more octets from the client."""

    async def close(self, connection: int) -> None:
        """Close the connection."""

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        """Run qmail-remote as qmail-rspawn does, with `message` on its standard input."""

    async def wait_until_idle(self, limit: float) -> bool:
        """Wait until qmail-send rests: all that is left has been put off. False at the limit."""

    async def signal(self, name: Literal["ALRM", "HUP"], control: dict[str, str]) -> None:
        """Write these control files, and send qmail-send a signal."""

    async def packages(self, step: PackageStep) -> Installation:
        """Install, remove or purge qmail's packages. Afterwards the pod can be prepared no more."""

    async def observe(self) -> Observation:
        """What can be seen now."""
