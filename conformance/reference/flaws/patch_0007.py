"""Flaws of patch 0007: relay characters."""

from typing import Any

from conformance.reference.acts import Engine
from conformance.reference.envelope import AddressReader
from conformance.reference.flaws.flaw import dropped, flaw
from conformance.reference.octets import split_address
from conformance.reference.smtpd import SmtpdSession


def _refuses_and_adds(self: Any, address: bytes, command: str) -> Engine:
    if command == "RCPT":
        self.recipients.append(address)
    yield from SmtpdSession.refuse_relaying(self, address, command)


def _screens_domain_too(self: Any, address: bytes) -> bool:
    box, host = split_address(address)
    return AddressReader.relays(self, box + (host or b"").replace(b"@", b"") + b"@")


def _sticks(self: Any, address: bytes, command: str) -> bool:
    self.has_refused = getattr(self, "has_refused", False) or SmtpdSession.relays(self, address, command)
    return bool(self.has_refused)


def _outlives_rset(self: Any, address: bytes, command: str) -> Engine:
    self.flush_transaction = lambda: None
    yield from SmtpdSession.refuse_relaying(self, address, command)


FLAWS = (
    flaw("0007.550", "refuses with 550", SmtpdSession, relay_code=550),
    flaw("0007.adds-recipient", "refuses a recipient and adds it all the same",
        SmtpdSession, refuse_relaying=_refuses_and_adds),
    flaw("0007.at-forgotten", "does not screen for a further @", AddressReader, relay_characters=b"%!"),
    flaw("0007.bang-forgotten", "does not screen for !", AddressReader, relay_characters=b"%@"),
    flaw("0007.domain-screened", "screens the domain part of an address, too",
        AddressReader, relays=_screens_domain_too),
    dropped("0007.dropped", "screens nothing"),
    flaw("0007.first-octet", "does not see a relay character at the start", AddressReader,
        relays=lambda self, address: AddressReader.relays(self, split_address(address)[0][1:] + b"@")),
    flaw("0007.null-refused", "takes the null sender for an address with relay characters",
        AddressReader, relays=lambda self, address: not address or AddressReader.relays(self, address)),
    flaw("0007.percent-forgotten", "does not screen for %", AddressReader, relay_characters=b"!@"),
    flaw("0007.plus-refused", "refuses + as well", AddressReader, relay_characters=b"%!@+"),
    flaw("0007.recipients-only", "does not screen the sender", SmtpdSession,
        relays=lambda self, address, command: (command != "MAIL" and SmtpdSession.relays(self, address,
        command))),
    flaw("0007.refusal-sticks", "refuses every address after one with relay characters",
        SmtpdSession, relays=_sticks),
    flaw("0007.rset-idle", "RSET does nothing any more once an address was refused for relay characters",
        SmtpdSession, refuse_relaying=_outlives_rset),
    flaw("0007.relayclient-exempt", "does not screen the recipients of a client that may relay", SmtpdSession,
        relays=lambda self, address, command: (not (command == "RCPT" and self.client.relay_suffix is not
        None) and SmtpdSession.relays(self, address, command))),
    flaw("0007.verp-exempt", "does not screen variable senders", SmtpdSession,
        relays=lambda self, address, command: (not address.endswith(b"-@[]")
        and SmtpdSession.relays(self, address, command))),
    flaw("0007.sender-only", "does not screen recipients (the hunk landed in MAIL)", SmtpdSession,
        relays=lambda self, address, command: (command != "RCPT" and SmtpdSession.relays(self, address,
        command))),
)  # fmt: skip
