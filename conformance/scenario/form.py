"""What a scenario file says, once it is read: the world, the configuration, the acts, what must be seen."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from conformance.cases.qmail import DELIVERY_LIMIT, MESSAGE
from conformance.catalogue.requirements import Level, Role
from conformance.catalogue.severity import Severity
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.scenario.chat import Chat


@dataclass(frozen=True)
class ExpectedReport:
    """What qmail-remote must report: letter and text with `*` as wildcard, `K*`. `number`: its line."""

    what: str
    pattern: str
    number: int
    index: int | None = None  #: of the recipient; None: the message


@dataclass(frozen=True)
class Deliver:
    """One run of qmail-remote."""

    host: str
    sender: str
    recipients: tuple[str, ...]
    number: int
    message: bytes = MESSAGE
    limit: float = DELIVERY_LIMIT
    reports: tuple[ExpectedReport, ...] = ()


@dataclass(frozen=True)
class SendSignal:
    """qmail-send gets a signal when it rests, after so many sessions, once these control files stand."""

    name: Literal["ALRM", "HUP"]
    after: int
    number: int
    control: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sighting:
    """One thing that must be seen when all is done. `kind` is the key in `[expect]`, `of` what it speaks of.

    `wanted` is a number, or a text with `*` as wildcard.
    """

    kind: str
    wanted: int | str
    number: int
    of: str = ""

    def __str__(self) -> str:
        of = f" {self.of}" if self.of else ""
        return f"{self.kind}{of}: {self.wanted}"


@dataclass(frozen=True)
class Claim:
    """The requirement that a scenario decides."""

    name: str
    source: str
    promise: str
    role: Role | None = None
    level: Level = "must"
    severity: Severity | None = None


@dataclass(frozen=True)
class Scenario:
    """One scenario. `path` is its file, `source` the text of that; sessions come first, then deliveries."""

    path: Path
    title: str
    source: str = ""
    text: str = ""
    sessions: tuple[Chat, ...] = ()
    signals: tuple[SendSignal, ...] = ()
    deliveries: tuple[Deliver, ...] = ()
    expected: tuple[Sighting, ...] = ()
    world: World = field(default_factory=World)
    configuration: Configuration = field(default_factory=Configuration)
    claim: Claim | None = None

    def signals_after(self, sessions: int) -> list[SendSignal]:
        """Those that qmail-send gets once so many sessions are over, in order."""
        return [signal for signal in self.signals if signal.after == sessions]
