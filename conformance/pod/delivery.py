"""qmail-remote's output, read as qmail-rspawn reads it (qmail-remote(8), RESULTS)."""

from dataclasses import dataclass

from conformance.pod.observation import RemoteResult

#: How what the target's agent adds to a report without an end begins: the program was ended, and nothing is
#: believed of what it said.
CUT_OFF = "cut off: "


@dataclass(frozen=True)
class Report:
    """One report: its letter (r h s for a recipient, K Z D for the message) and its words."""

    letter: str
    text: str


@dataclass(frozen=True)
class DeliveryReport:
    """What qmail-remote reported once. A message report that is missing or garbled has the letter "".

    `rest` is what stood behind the report on the message: nothing that qmail-rspawn looks at. `raw` is all
    that qmail-remote wrote, to either output, for they are one to qmail-rspawn.
    """

    recipients: tuple[Report, ...]
    message: Report
    status: int
    ended: bool
    seconds: float
    rest: tuple[str, ...] = ()
    raw: str = ""

    @property
    def accepted(self) -> bool:
        """The remote host took the message for every recipient."""
        return self.message.letter == "K" and all(report.letter == "r" for report in self.recipients)

    @property
    def names_this_host(self) -> bool:
        """The report on the message is of this host: qmail-remote has talked to its own qmail-smtpd."""
        return self.text.startswith(("127.0.0.1 ", "0.0.0.0 "))

    @property
    def letters(self) -> str:
        """All letters in order, `rrhK`."""
        return "".join(report.letter for report in self.recipients) + self.message.letter

    @property
    def text(self) -> str:
        return self.message.text

    def __repr__(self) -> str:
        hung = "" if self.ended or self.text.startswith(CUT_OFF) else ", still running at the limit"
        crash = f", crashed by signal {-self.status}" if self.status < 0 else ""
        return f"<delivery {self.letters!r} {self.text!r}{hung}{crash}>"


def read_reports(result: RemoteResult) -> DeliveryReport:
    """Split the output at its NULs: the first `K`, `Z`, `D` is on the message, `r`, `h`, `s` before it."""
    *whole, unended = result.report.split("\0")
    parts = [part for part in whole if part]
    at = next((at for at, part in enumerate(parts) if part[0] in "KZD"), len(parts))
    on_message = parts[at] if at < len(parts) else ""
    cut_off = unended if unended.startswith(CUT_OFF) else ""
    rest = (*parts[at + 1 :], *filter(None, (unended,)))
    return DeliveryReport(
        recipients=tuple(Report(part[0], part[1:].strip()) for part in parts[:at] if part[0] in "rhs"),
        message=Report("", cut_off) if cut_off else Report(on_message[:1], on_message[1:].strip()),
        status=result.status,
        ended=result.ended,
        seconds=result.seconds,
        rest=rest,
        raw=result.report,
    )
