"""What others say about a recipient: the program of RCPTCHECK (patch 0009) and the qmail-verify server."""

from typing import Any, Dict, Optional

from conformance.reference import acts
from conformance.reference.acts import Engine
from conformance.reference.build import Build
from conformance.reference.client import Client
from conformance.reference.wire import Quit, Wire

#: What an exit status of RCPTCHECK's program says of the recipient.
GOOD, REFUSED, UNKNOWN, NOT_RUN = "good", "refused", "unknown", "not run"


class RecipientChecks:
    """Each check returns True when the recipient may be added; refused, the client has been told."""

    #: The reply when the program cannot tell now (0009, exit 111).
    unknown_reply = b"421 unable to verify recipient (#4.3.0)\r\n"

    def __init__(self, build: Build, client: Client, wire: Wire, timeout: float) -> None:
        self.build = build
        self.client = client
        self.wire = wire
        self.timeout = timeout
        self.runs = 0  #: of the program, in this session
        self.unverified = False  #: VERIFY is deferred, and a recipient of the transaction is not valid

    def begin(self) -> None:
        """A transaction begins, of whose recipients nothing is known."""
        self.unverified = False

    def hello(self) -> None:
        """HELO and EHLO are as good as RSET (RFC 5321 4.1.4)."""
        self.unverified = False

    def rcptcheck(self, sender: bytes, address: bytes) -> Engine:
        """RCPTCHECK (0009), for every recipient."""
        program = self.program()
        if program is None or not self.build.carries("0009"):
            return True
        status = yield self.run(program, self.program_environment(sender, address))
        meaning = self.meaning(status)
        if meaning == UNKNOWN:
            return self.cannot_tell()
        if meaning == NOT_RUN:
            last = b"421 unable to execute recipient check (#4.3.0)\r\n"
            raise Quit(1, "Unable to execute recipient check: quitting", last)
        if meaning == REFUSED:
            reply = "553 sorry, no mailbox here by that name. (#5.1.1)"
            yield from self.wire.answer(reply, "Recipient could not be externally validated")
        return meaning == GOOD

    def program(self) -> Optional[str]:
        """The program to run; None without RCPTCHECK (0009)."""
        return self.client.environment.get("RCPTCHECK")

    def program_environment(self, sender: bytes, address: bytes) -> Dict[str, str]:
        """qmail-smtpd's own, with SENDER and RECIPIENT as they are, whatever octets they hold (0009)."""
        envelope = {"SENDER": sender.decode("latin-1"), "RECIPIENT": address.decode("latin-1")}
        return {**self.client.environment, **envelope}

    def run(self, program: str, environment: Dict[str, str]) -> acts.CheckRecipient:
        """How the program is run: the client does not hear it, and it has nothing of the client's to read."""
        self.runs += 1
        return acts.CheckRecipient(program, environment, self.limit(), self.surroundings())

    def surroundings(self) -> acts.Surroundings:
        """How the program finds itself: no descriptor of qmail-smtpd's but the one of the log."""
        return acts.Surroundings({0: acts.NOTHING, 1: acts.NOTHING, 2: acts.LOG})

    def limit(self) -> Optional[float]:
        """Seconds that the program may take: as long as the client may (timeoutsmtpd)."""
        return self.timeout

    def meaning(self, status: Any) -> str:
        """What an exit status says (0009): 100 refuses, 111 cannot tell, 120 that nothing was run."""
        if status in (120, acts.CRASHED, acts.MISSING):
            return NOT_RUN
        return {100: REFUSED, 111: UNKNOWN, acts.HUNG: UNKNOWN}.get(status, GOOD)

    def cannot_tell(self) -> bool:
        """The program cannot tell now: the session ends (0009)."""
        raise Quit(1, "Unable to verify recipient: quitting", self.unknown_reply)

    def verify(self, sender: bytes, address: bytes) -> Engine:
        """The distribution's recipient verification (qmail-smtpd(8), VERIFY)."""
        server = self.verify_server()
        deferred = self.verifies_later(server)
        if not server or (deferred and self.unverified):
            return True
        found: str = yield acts.VerifyRecipient(server, address)
        if found == "valid":
            return True
        if found != "invalid":
            return self.not_answered(found)
        self.unverified = True
        if not deferred:
            reply = "550 sorry, no mailbox here by that name. (#5.1.1)"
            yield from self.wire.answer(reply, "Unverified mailbox at RCPT time")
        return deferred

    def verify_server(self) -> str:
        """The value of VERIFY; empty, as unset, it turns verification off (qmail-smtpd(8))."""
        return self.verify_value() or ""

    def verify_value(self) -> Optional[str]:
        """VERIFY as it is set (0002); None where it is not."""
        return self.client.environment.get("VERIFY") if self.build.carries("0002") else None

    @staticmethod
    def verifies_later(server: str) -> bool:
        """Whether a value of VERIFY that begins with D defers the answer to DATA (qmail-smtpd(8))."""
        return server[:1] in ("D", "d")

    def not_answered(self, found: str) -> bool:
        """qmail-verify says neither: the session ends, for now nothing is known (qmail-smtpd(8))."""
        # Its words for a time-out are never said: select leaves errno as a missing control file set it.
        logged = f"temporary failure ({'file does not exist' if found == 'timeout' else found})"
        raise Quit(1, logged, b"451 qv temporary failure (#4.3.0)\r\n")

    def refuses_data(self) -> bool:
        """Whether a deferred verification has found a recipient that does not exist."""
        return self.unverified and self.verifies_later(self.verify_value() or "")
