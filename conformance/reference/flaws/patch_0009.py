"""Flaws of patch 0009: RCPTCHECK."""

from typing import Any, Callable, Dict

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.flaws.flaw import flaw
from conformance.reference.recipients import GOOD, REFUSED, RecipientChecks
from conformance.reference.smtpd import SmtpdSession


def _first_only(self: Any, check: Any, address: bytes) -> Engine:
    if self.recipients and check == self.checks.rcptcheck:
        return True
    return (yield from SmtpdSession.passes(self, check, address))


def _stays(self: Any) -> bool:
    self.wire.say(self.unknown_reply)
    return False


def _refuses_and_adds(self: Any, check: Any, address: bytes) -> Engine:
    good: bool = yield from SmtpdSession.passes(self, check, address)
    if not good and check == self.checks.rcptcheck:
        self.recipients.append(address)
    return good


def _taking(status: object, meaning: str) -> Dict[str, Any]:
    """The program's exit status, or its fate, means something else."""
    return {"meaning": lambda self, seen: meaning if seen == status else RecipientChecks.meaning(self, seen)}


def _with_environment(change: Callable[[Dict[str, str]], Dict[str, str]]) -> Dict[str, Any]:
    """The program finds another environment."""
    return {
        "program_environment": lambda self, sender, address: change(
            RecipientChecks.program_environment(self, sender, address)
        )
    }


def _with_recipient(change: Callable[[str], str]) -> Dict[str, Any]:
    return _with_environment(lambda found: {**found, "RECIPIENT": change(found["RECIPIENT"])})


def _seven_bit(text: str) -> str:
    return "".join(chr(ord(octet) & 0x7F) for octet in text)


FLAWS = (
    flaw("0009.100-accepts", "takes exit 100 for acceptance", RecipientChecks, **_taking(100, GOOD)),
    flaw("0009.111-451", "answers 451 to exit 111",
        RecipientChecks, unknown_reply=b"451 unable to verify recipient (#4.3.0)\r\n"),
    flaw("0009.111-accepts", "takes exit 111 for acceptance", RecipientChecks, **_taking(111, GOOD)),
    flaw("0009.111-stays", "does not close the connection after exit 111",
        RecipientChecks, cannot_tell=_stays),
    flaw("0009.120-accepts", "takes exit 120 for acceptance", RecipientChecks, **_taking(120, GOOD)),
    flaw("0009.adds-refused", "refuses a recipient and adds it all the same",
        SmtpdSession, passes=_refuses_and_adds),
    flaw("0009.bare-environment", "runs the program with SENDER and RECIPIENT only",
        RecipientChecks, **_with_environment(lambda found: {k: found[k] for k in ("SENDER", "RECIPIENT")})),
    flaw("0009.crash-accepts", "takes a crashed program for acceptance",
        RecipientChecks, **_taking(acts.CRASHED, GOOD)),
    flaw("0009.exit-1", "takes exit 1 for a refusal", RecipientChecks, **_taking(1, REFUSED)),
    flaw("0009.missing-accepts", "takes a missing program for acceptance",
        RecipientChecks, **_taking(acts.MISSING, GOOD)),
    flaw("0009.no-sender", "does not set SENDER",
        RecipientChecks, **_with_environment(lambda found: {k: found[k] for k in found if k != "SENDER"})),
    flaw("0009.null-sender", "sets SENDER to <> for the null sender",
        RecipientChecks, **_with_environment(lambda found: {**found, "SENDER": found["SENDER"] or "<>"})),
    flaw("0009.once", "runs the program for the first recipient only",
        SmtpdSession, passes=_first_only),
    flaw("0009.recipient-7bit", "clears the eighth bit of the octets in RECIPIENT",
        RecipientChecks, **_with_recipient(_seven_bit)),
    flaw("0009.recipient-cut", "cuts RECIPIENT to 255 octets",
        RecipientChecks, **_with_recipient(lambda text: text[:255])),
    flaw("0009.recipient-lower", "lowers the case of RECIPIENT",
        RecipientChecks, **_with_recipient(str.lower)),
    flaw("0009.relayclient-checked", "runs the program for a client that may relay", SmtpdSession,
        recipient_checks=lambda self: SmtpdSession.recipient_checks(self) or [self.checks.rcptcheck]),
    flaw("0009.relayclient-given", "sets RELAYCLIENT for the program",
        RecipientChecks, **_with_environment(lambda found: {**found, "RELAYCLIENT": ""})),
    flaw("0009.unset-refuses", "takes RCPTCHECK unset for a program that cannot be run",
        RecipientChecks, program=lambda self: RecipientChecks.program(self) or ""),
)  # fmt: skip
