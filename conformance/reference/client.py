"""What qmail-smtpd knows of its client: tcpserver's variables, its greeting, and what it may do."""

from typing import Dict, Optional

from conformance.reference.octets import date, showing


class Client:
    """One client. `environment` is what hooks are run with; it changes as the client authenticates."""

    def __init__(self, environment: Dict[str, str]) -> None:
        self.environment = dict(environment)
        self.relay_suffix = self.given_relay_suffix()
        self.address = self.told("TCPREMOTEIP")
        self.host = self.told("TCPREMOTEHOST")
        self.info = self.variable("TCPREMOTEINFO")
        self.local = self.told("TCPLOCALHOST", "TCPLOCALIP")
        self.helo: Optional[bytes] = None
        self.protocol = b"SMTP"
        self.attempts = 0  #: to authenticate, that a checkprogram was asked about

    def variable(self, name: str) -> Optional[bytes]:
        """A variable of the environment, or None."""
        value = self.environment.get(name)
        return None if value is None else value.encode("latin-1")

    def told(self, *names: str) -> bytes:
        """The first of these variables that is set, be it empty."""
        values = (self.variable(name) for name in names)
        return next((value for value in values if value is not None), b"unknown")

    def given_relay_suffix(self) -> Optional[bytes]:
        """What RELAYCLIENT holds, the empty text too: the client may relay (qmail-smtpd(8), RELAYCLIENT)."""
        return self.variable("RELAYCLIENT")

    def greets(self, name: bytes) -> None:
        """HELO or EHLO with this name; the Received field tells it unless tcpserver said the same."""
        self.helo = None if name.lower() == self.host.lower() else name

    # What authentication changes (0008)

    def speaks_esmtpa(self) -> None:
        """The Received field says so (RFC 3848)."""
        self.protocol = b"ESMTPA"

    def may_relay(self) -> None:
        """As if RELAYCLIENT were set and empty."""
        self.relay_suffix = b""
        self.environment["RELAYCLIENT"] = ""

    def is_named(self, user: bytes) -> None:
        """The Received field and hooks name the user as TCPREMOTEINFO."""
        self.info = user
        self.environment["TCPREMOTEINFO"] = user.decode("latin-1")

    def is_said_to_be(self, word: bytes) -> None:
        """AUTH= of a client that has not authenticated counts as AUTH=<>: it names nobody (RFC 4954 5)."""

    def shown(self, octets: bytes) -> bytes:
        """What a Received field shows of what somebody else says."""
        return safe(octets)

    def received(self, when: float) -> bytes:
        """The Received field, folded as qmail does (RFC 5321 4.4)."""
        helo = b"" if self.helo is None else b" (HELO " + self.shown(self.helo) + b")"
        info = b"" if self.info is None else self.shown(self.info.partition(b"\0")[0]) + b"@"
        return b"Received: from %s%s (%s%s)\n  by %s with %s; %s\n" % (
            self.shown(self.host),
            helo,
            info,
            self.shown(self.address),
            self.shown(self.local),
            self.protocol,
            date(when).encode("ascii"),
        )


_SAFE = showing(b".@%+/=:-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", b"?")


def safe(octets: bytes) -> bytes:
    """What a Received field may hold; anything else is a question mark."""
    return octets.translate(_SAFE)
