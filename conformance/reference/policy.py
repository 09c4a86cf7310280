"""What qmail-smtpd is told: its settings, and the decisions that follow from the control files alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, List, Optional, Tuple

from conformance.reference.control import ControlFiles
from conformance.reference.flaws import checked
from conformance.reference.octets import leading_number, split_address


@dataclass
class SmtpdSettings:
    """One qmail-smtpd: its control files, environment (tcpserver's variables too) and arguments.

    Raises ValueError when a flaw is named that does not exist.
    """

    control: Dict[str, str] = field(default_factory=dict)
    environment: Dict[str, str] = field(default_factory=dict)
    patches: FrozenSet[str] = frozenset()
    flaws: FrozenSet[str] = frozenset()
    checkprogram: Tuple[str, ...] = ()  #: arguments of qmail-smtpd: checkprogram, subprogram
    own_addresses: Tuple[str, ...] = ("0.0.0.0", "127.0.0.1")
    pid: int = 1

    def __post_init__(self) -> None:
        self.flaws = checked(self.flaws)


class Policy:
    """The control files of qmail-smtpd, read once at the start."""

    def __init__(self, settings: SmtpdSettings) -> None:
        control = ControlFiles(settings.control)
        self.flaws = settings.flaws
        self.greeting: Optional[bytes] = control.line("smtpgreeting", control.me)
        if "smtpd.greeting-file-ignored" in self.flaws:
            self.greeting = control.me
        if "smtpd.greeting-without-me" in self.flaws:
            self.greeting = control.line("smtpgreeting", b"unknown")
        self.local_ip_host: Optional[bytes] = control.line("localiphost", control.me)
        self.timeout = max(control.number("timeoutsmtpd", 1200), 1)
        self._rcpthosts = control.keys("rcpthosts")
        self._more = control.keys("morercpthosts") or []
        self._bad_senders: List[bytes] = control.keys("badmailfrom") or []
        self.databytes = control.number("databytes", 0)
        if "DATABYTES" in settings.environment:
            given = settings.environment["DATABYTES"].encode("latin-1")
            if "smtpd.databytes-variable-ignored" not in self.flaws:
                self.databytes = leading_number(given) or 0

    def allowed(self, address: bytes) -> bool:
        """Whether mail for this recipient is taken in from anybody."""
        if self._rcpthosts is None:
            return True
        host = split_address(address)[1]
        if host is None:
            return "smtpd.no-host-refused" not in self.flaws
        if "smtpd.open-relay" in self.flaws:
            return True
        host = host if "smtpd.rcpthosts-case" in self.flaws else host.lower()
        tails = [host[at:] for at in range(len(host)) if at == 0 or host[at] == ord(".")]
        if "smtpd.no-wildcards" in self.flaws:
            tails = [host]
        more = [] if "smtpd.no-morercpthosts" in self.flaws else self._more
        return any(tail in self._rcpthosts or tail in more for tail in tails)

    def bad_sender(self, address: bytes) -> bool:
        """Whether badmailfrom lists this address or its host."""
        if address.lower() in self._bad_senders:
            return True
        host = split_address(address)[1]
        return (
            host is not None
            and b"@" + host.lower() in self._bad_senders
            and "smtpd.badmailfrom-no-hosts" not in self.flaws
        )


def clean(octets: bytes) -> str:
    """Octets as the log shows them."""
    shown = bytearray()
    for octet in octets:
        plain = 32 <= octet <= 126 and octet not in b":<>"
        shown.append(0x2F if octet == 10 else octet if plain else 0x5F)
    return shown.decode("ascii")
