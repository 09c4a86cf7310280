"""What qmail-smtpd is told: its settings, and the decisions that follow from the control files alone."""

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from conformance.reference.build import Build
from conformance.reference.control import ControlFiles
from conformance.reference.octets import VISIBLE, leading_number, showing, split_address


@dataclass
class SmtpdSettings:
    """One qmail-smtpd: its control files, environment (tcpserver's variables too), arguments and build."""

    control: Dict[str, str] = field(default_factory=dict)
    environment: Dict[str, str] = field(default_factory=dict)
    build: Build = field(default_factory=Build)
    checkprogram: Tuple[str, ...] = ()  #: arguments of qmail-smtpd: checkprogram, subprogram
    own_addresses: Tuple[str, ...] = ("0.0.0.0", "127.0.0.1")
    pid: int = 1


class Policy:
    """The control files of qmail-smtpd (qmail-smtpd(8), CONTROL FILES), read once at the start."""

    def __init__(self, settings: SmtpdSettings) -> None:
        self.control = settings.build.of(ControlFiles)(settings.control)
        self.greeting = self.greeting_text()
        self.local_ip_host = self.local_host()
        self.timeout = self.at_least_a_second(self.control.number("timeoutsmtpd", 1200))
        self.databytes = self.most_octets(settings.environment.get("DATABYTES"))
        self.rcpthosts = self.control.keys("rcpthosts")
        self.bad_senders = self.control.keys("badmailfrom") or []
        self.more_rcpthosts = [line.lower() for line in self.control.whole_lines("morercpthosts") or []]

    def at_least_a_second(self, seconds: int) -> int:
        """How long the client may be silent: nobody waits for nothing."""
        return max(seconds, 1)

    def local_host(self) -> Optional[bytes]:
        """What stands for an address of ours in brackets (qmail-smtpd(8), localiphost)."""
        name = self.control.line("localiphost", self.control.me)
        return None if name is None else name.partition(b"\0")[0]  # a string of C ends there

    def greeting_text(self) -> Optional[bytes]:
        """The words of the greeting: smtpgreeting, by default me; None without either (qmail-smtpd(8))."""
        return self.control.line("smtpgreeting", self.control.me)

    def most_octets(self, variable: Optional[str]) -> int:
        """The limit of a message's size, 0 for none; the variable DATABYTES overrides the control file."""
        if variable is None:
            number = self.control.number("databytes", 0)
        else:
            number = leading_number(variable.encode("latin-1")) or 0
        return min(number % 2**32, 2**32 - 2)  # unsigned, and one more must be countable

    def allowed(self, address: bytes) -> bool:
        """Whether mail for this recipient is taken in from anybody (qmail-smtpd(8), rcpthosts)."""
        host = split_address(address)[1]
        if self.rcpthosts is None or host is None:
            return True
        return any(self.listed(key) for key in self.rcpthosts_keys(host))

    def listed(self, key: bytes) -> bool:
        """Whether rcpthosts or morercpthosts has this line."""
        return key in (self.rcpthosts or []) or key in self.more_rcpthosts

    def rcpthosts_keys(self, host: bytes) -> List[bytes]:
        """The lines that allow a host: itself, and `.domain` for every domain that it is in."""
        host = host.lower()
        return [host[at:] for at in range(len(host)) if at == 0 or host[at] == ord(".")]

    def bad_sender(self, address: bytes) -> bool:
        """Whether badmailfrom lists this address or, as `@host`, its host (qmail-smtpd(8))."""
        host = split_address(address)[1]
        keys = [address.lower()] if host is None else [address.lower(), b"@" + host.lower()]
        return any(key in self.bad_senders for key in keys)


_CLEAN = showing(b" " + VISIBLE.translate(None, b":<>"), b"_")


def clean(octets: bytes) -> str:
    """Octets as qmail-smtpd's log shows them, a line feed as `/`."""
    return octets.replace(b"\n", b"/").translate(_CLEAN).decode("ascii")
