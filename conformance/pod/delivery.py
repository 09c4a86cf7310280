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
    """What qmail-remote reported once. A message report that is missing or garbled has the letter ""."""

    recipients: tuple[Report, ...]
    message: Report
    status: int
    ended: bool
    seconds: float

    @property
    def accepted(self) -> bool:
        """The remote host took the message for every recipient."""
        return self.message.letter == "K" and all(report.letter == "r" for report in self.recipients)

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
    """Split the output at its NULs; only `r`, `h`, `s` before the last and `K`, `Z`, `D` last are reports."""
    parts = [part for part in result.report.split("\0") if part]
    recipients = tuple(Report(part[0], part[1:].strip()) for part in parts if part[0] in "rhs")
    last = parts[-1] if parts and parts[-1][0] in "KZD" else ""
    cut_off = parts[-1] if parts and parts[-1].startswith(CUT_OFF) else ""
    return DeliveryReport(
        recipients=recipients,
        message=Report(last[:1], last[1:].strip()) if not cut_off else Report("", cut_off),
        status=result.status,
        ended=result.ended,
        seconds=result.seconds,
    )
