"""What others say about a recipient: the program of RCPTCHECK (patch 0009) and the qmail-verify server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.reference import acts
from conformance.reference.acts import Engine

if TYPE_CHECKING:
    from conformance.reference.smtpd import Session


class Quit(Exception):
    """The process ends: everything said so far goes out first."""

    def __init__(self, status: int, logged: str = "", reply: bytes = b"") -> None:
        super().__init__(logged)
        self.status = status
        self.logged = logged
        self.reply = reply


def check_recipient(session: Session, address: bytes) -> Engine:
    """RCPTCHECK (0009): True when the recipient may be added. Exits 111 and 120 end the session."""
    program = session.environment.get("RCPTCHECK")
    if "0009" not in session.patches:
        return True
    if program is None:
        if "0009.unset-refuses" not in session.flaws:
            return True
        program = ""
    if "0009.once" in session.flaws and session.recipients:
        return True
    sender = session.sender or b""
    if "0009.null-sender" in session.flaws and not sender:
        sender = b"<>"
    envelope = {"SENDER": sender.decode("latin-1"), "RECIPIENT": address.decode("latin-1")}
    if "0009.no-sender" in session.flaws:
        del envelope["SENDER"]
    if "0009.recipient-lower" in session.flaws:
        envelope["RECIPIENT"] = envelope["RECIPIENT"].lower()
    if "0009.recipient-7bit" in session.flaws:
        envelope["RECIPIENT"] = "".join(chr(ord(octet) & 0x7F) for octet in envelope["RECIPIENT"])
    if "0009.recipient-cut" in session.flaws:
        envelope["RECIPIENT"] = envelope["RECIPIENT"][:255]
    if "0009.relayclient-given" in session.flaws:
        envelope["RELAYCLIENT"] = ""
    inherited = {} if "0009.bare-environment" in session.flaws else session.environment
    status = yield acts.CheckRecipient(
        program, {**inherited, **envelope}, to_client="0009.output-shown" in session.flaws
    )
    if status == 111 and "0009.111-accepts" not in session.flaws:
        code = b"451" if "0009.111-451" in session.flaws else b"421"
        last = code + b" unable to verify recipient (#4.3.0)\r\n"
        if "0009.111-stays" not in session.flaws:
            raise Quit(1, "Unable to verify recipient: quitting", last)
        session.wire.say(last)
        return False
    if status in (120, acts.CRASHED, acts.MISSING) and not _forgives(session, status):
        last = b"421 unable to execute recipient check (#4.3.0)\r\n"
        raise Quit(1, "Unable to execute recipient check: quitting", last)
    refusals = (100, 1) if "0009.exit-1" in session.flaws else (100,)
    if status in refusals and "0009.100-accepts" not in session.flaws:
        if "0009.adds-refused" in session.flaws:
            session.recipients.append(address)
        reply = "553 sorry, no mailbox here by that name. (#5.1.1)"
        yield from session.answer(reply, "Recipient could not be externally validated")
        return False
    return True


def _forgives(session: Session, status: object) -> bool:
    if status == 120:
        return "0009.120-accepts" in session.flaws
    if status == acts.CRASHED:
        return "0009.crash-accepts" in session.flaws
    return status == acts.MISSING and "0009.missing-accepts" in session.flaws


def verify_recipient(session: Session, address: bytes) -> Engine:
    """The distribution's recipient verification: True when the recipient may be added."""
    verify = session.environment.get("VERIFY")
    if verify == "" and "smtpd.verify-empty-on" in session.flaws:
        verify = ":"
    if not verify or "smtpd.verify-ignored" in session.flaws:
        return True
    deferred = verify[0] in "Dd"
    if deferred and session.unverified:
        return True
    found: str = yield acts.VerifyRecipient(verify, address)
    unanswered = found != "invalid" and "smtpd.verify-silence-accepts" in session.flaws
    if found == "valid" or unanswered:
        return True
    if found != "invalid":
        logged = f"temporary failure ({found})"
        if found == "timeout":
            logged = "Timeout (no response from verification server)"
        raise Quit(1, logged, b"451 qv temporary failure (#4.3.0)\r\n")
    session.unverified = True
    if deferred:
        return True
    reply = "550 sorry, no mailbox here by that name. (#5.1.1)"
    yield from session.answer(reply, "Unverified mailbox at RCPT time")
    return False
