"""What a scenario file says, once it is read: the world, the configuration, the acts, what must be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.cases.internet import Internet
from conformance.cases.qmail import CONTROL, DELIVERY_LIMIT, MESSAGE, Qmail
from conformance.catalogue.requirements import Level, Role
from conformance.pod.configuration import PasswordCheck, RecipientCheck
from conformance.pod.world import Exchanger, Fault, Padding
from conformance.scenario.chat import Chat

#: The zone of the target's own domain, there unless the scenario has one of that name.
OWN_DOMAIN = "here.example"


@dataclass(frozen=True)
class Report:
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
    reports: tuple[Report, ...] = ()


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


@dataclass(frozen=True)
class Scenario:
    """One scenario. `path` is its file, `source` the text of that; sessions come first, then deliveries."""

    path: Path
    title: str
    source: str = ""
    text: str = ""
    sessions: tuple[Chat, ...] = ()
    deliveries: tuple[Deliver, ...] = ()
    expected: tuple[Sighting, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    paddings: tuple[Padding, ...] = ()
    faults: tuple[Fault, ...] = ()
    exchangers: tuple[Exchanger, ...] = ()
    nobody_listens: bool = False
    refuse_tcp: bool = False
    control: Mapping[str, str] = field(default_factory=lambda: dict(CONTROL))
    environment: Mapping[str, str] = field(default_factory=dict)
    recipient_check: RecipientCheck | None = None
    password_check: PasswordCheck | None = None
    dot_qmail: Mapping[str, str] = field(default_factory=dict)
    resolver: str = "timeout:1 attempts:2"
    delivering: bool = False
    verifying: bool = False
    claim: Claim | None = None

    def arrange(self, internet: Internet) -> None:
        """Put the world into `internet`; a domain of a delivery without a zone gets an ordinary one."""
        for origin, records in self.zones.items():
            internet.zone(origin, records)
        known = [origin.lower() for origin in self.zones]
        if OWN_DOMAIN not in known:
            internet.load(OWN_DOMAIN)
            known.append(OWN_DOMAIN)
        for deliver in self.deliveries:
            domains = [deliver.host, *(to.rpartition("@")[2] for to in deliver.recipients)]
            for domain in (each.lower().rstrip(".") for each in domains):
                below = any(domain == origin or domain.endswith(f".{origin}") for origin in known)
                if domain and not domain.startswith("[") and not below:
                    internet.zone(domain)
                    known.append(domain)
        for padding in self.paddings:
            internet.padding(padding.name, padding.type, padding.octets, padding.needed)
        for fault in self.faults:
            details = {name: value for name, value in vars(fault).items() if name not in ("name", "action")}
            internet.fault(fault.name, fault.action, **details)
        for exchanger in self.exchangers:
            internet.exchanger(**vars(exchanger))
        if self.nobody_listens:
            internet.refuse_smtp()
        if self.refuse_tcp:
            internet.refuse_tcp()

    def configure(self, qmail: Qmail) -> None:
        """Set qmail up."""
        qmail.control = dict(self.control)
        qmail.environment = dict(self.environment)
        qmail.dot_qmail = dict(self.dot_qmail)
        qmail.resolver = self.resolver
        qmail.delivering = self.delivering
        qmail.verifying = self.verifying
        if self.recipient_check is not None:
            qmail.check_recipients(**vars(self.recipient_check))
        if self.password_check is not None:
            mode = self.environment.get("SMTPAUTH")
            check = self.password_check
            qmail.authenticate(mode, fate=check.fate, subprogram=check.subprogram)
