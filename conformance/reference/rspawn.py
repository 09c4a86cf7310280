"""qmail-rspawn: runs qmail-remote for one recipient, and makes one report of what that says."""

from typing import Callable, Tuple

from conformance.reference.octets import split_address
from conformance.reference.queue import Message

#: Runs qmail-remote: (message, host, recipient) -> (exit status or minus a signal, its output).
RunRemote = Callable[[Message, bytes, bytes], Tuple[int, bytes]]

_RANKS = {b"K": 1, b"Z": 0, b"D": -1}


class QmailRspawn:
    """Reports are `K` (delivered), `Z` (failed for now) or `D` (failed), and a text."""

    #: Who qmail-remote runs as.
    account = "qmailr"
    #: The exit status of what cannot be run, where that may be better later (RFC 5321 4.2.1).
    cannot_run = 111
    no_output = b"Zqmail-remote produced no output.\n"
    crashed = b"Zqmail-remote crashed.\n"
    unable = b"ZUnable to run qmail-remote.\n"
    #: Exit statuses that are permanent, as ever; of another one the recipient cannot be at fault.
    permanent: Tuple[int, ...] = (100,)
    #: Of a run without a report of the message it is not known what became of it (qmail-remote(8), RESULTS).
    without_report = 0

    def __init__(self, run: RunRemote) -> None:
        self._run = run

    def deliver(self, message: Message, address: bytes) -> bytes:
        """The report of one delivery."""
        host = split_address(address)[1] or b""
        return self.report(*self._run(message, host, address))

    def report(self, status: int, output: bytes) -> bytes:
        """What is made of one run for one recipient: a report for it, and one for the message."""
        if status < 0:
            return self.crashed
        if status:
            return b"DUnable to run qmail-remote.\n" if status in self.permanent else self.unable
        if not output:
            return self.no_output
        reports = output.split(b"\0")[:-1]
        ranks = (_RANKS[report[:1]] for report in reports if report[:1] in _RANKS)
        of_message = next(ranks, self.without_report)
        rank = self.rank(output[:1], of_message)
        # The first octet is a letter, whatever it is; the second report may end without a NUL.
        text, ended, behind = output[1:].partition(b"\0")
        text = text if ended else b""
        if of_message <= rank and behind[:1] in _RANKS:
            text += behind[1:].partition(b"\0")[0]
        return {1: b"K", 0: b"Z", -1: b"D"}[rank] + text

    def rank(self, letter: bytes, of_message: int) -> int:
        """A recipient refused for now (`s`) or for good (`h`) stays so (qmail-remote(8), RESULTS)."""
        return {b"s": 0, b"h": -1}.get(letter, of_message)
