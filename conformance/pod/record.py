"""Records, as data: everything that was done to a pod while one case ran, and what was seen of it.

Times (`at`) are seconds since the case began. A connection's number is its place among the case's own.
"""

from dataclasses import dataclass
from typing import Literal

from conformance.pod.configuration import Configuration
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.world import World


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """The world and qmail were set up; `at` is when they stood."""

    act: Literal["prepare"] = "prepare"
    at: float
    world: World
    configuration: Configuration


@dataclass(frozen=True, kw_only=True)
class Connect:
    act: Literal["connect"] = "connect"
    at: float
    connection: int


@dataclass(frozen=True, kw_only=True)
class Send:
    """`taken`: False when the server no longer took any octets."""

    act: Literal["send"] = "send"
    at: float
    connection: int
    data: str
    taken: bool


@dataclass(frozen=True, kw_only=True)
class Receive:
    """`data`: "" when the server had closed, None when it was silent."""

    act: Literal["receive"] = "receive"
    at: float
    connection: int
    data: str | None


@dataclass(frozen=True, kw_only=True)
class Pause:
    """The client said nothing for `seconds`, until `at`."""

    act: Literal["pause"] = "pause"
    at: float
    connection: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Shut:
    """The client half closed."""

    act: Literal["shut"] = "shut"
    at: float
    connection: int


@dataclass(frozen=True, kw_only=True)
class Close:
    act: Literal["close"] = "close"
    at: float
    connection: int


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A run of qmail-remote, which ended `at`."""

    act: Literal["remote"] = "remote"
    at: float
    host: str
    sender: str
    recipients: tuple[str, ...]
    message: str
    result: RemoteResult

    @property
    def arguments(self) -> tuple[str, ...]:
        """As qmail-remote was given them."""
        return self.host, self.sender, *self.recipients


@dataclass(frozen=True, kw_only=True)
class WaitUntilIdle:
    """`idle`: whether qmail-send came to rest."""

    act: Literal["wait-until-idle"] = "wait-until-idle"
    at: float
    idle: bool


@dataclass(frozen=True, kw_only=True)
class Signal:
    """qmail-send was sent a signal, once these control files stood."""

    act: Literal["signal"] = "signal"
    at: float
    name: Literal["ALRM", "HUP"]
    control: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Something was done to qmail's packages, which was over `at`."""

    act: Literal["packages"] = "packages"
    at: float
    step: PackageStep
    seen: Installation


@dataclass(frozen=True, kw_only=True)
class Observe:
    act: Literal["observe"] = "observe"
    at: float
    seen: Observation


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The world failed, and with that the case ended."""

    act: Literal["failure"] = "failure"
    at: float
    reason: str


ConnectionAct = Connect | Send | Receive | Pause | Shut | Close
Act = (
    Prepare
    | Connect
    | Send
    | Receive
    | Pause
    | Shut
    | Close
    | Remote
    | WaitUntilIdle
    | Signal
    | Packages
    | Observe
    | Failure
)


@dataclass(frozen=True)
class Record:
    """The acts of one case, in order."""

    acts: tuple[Act, ...] = ()

    @property
    def uses_up(self) -> bool:
        """Whether the pod is of no more use: other packages stand in it, or none."""
        steps = [act.seen for act in self.acts if isinstance(act, Packages)]
        return any(seen.said or not seen.unsupported for seen in steps)

    def with_failure(self, reason: str) -> "Record":
        """With the world's failure before all else, so that whoever judges the record says the same."""
        return Record((Failure(at=0.0, reason=reason), *self.acts))
