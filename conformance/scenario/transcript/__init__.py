"""Reads the transcript of a session as other tools write it: who said what, and which reply answers what.

One mechanism for all tools: what stands before commands and replies is learned from the text (`marks`), and
a reading counts only if it makes whole sessions (`grammar`). What does not is a UsageError with its line.
"""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from conformance.errors import UsageError
from conformance.scenario.transcript.blocks import Row, blocks
from conformance.scenario.transcript.grammar import sessions
from conformance.scenario.transcript.lines import Session, Transcript, wrong
from conformance.scenario.transcript.marks import only_replies, readings

_FEWEST = 8  #: readings that are tried at least
_MOST_ROWS = 400_000  #: rows that are read in all of them, where more are tried

__all__ = ["read_transcript"]


def read_transcript(text: str, path: Path) -> Transcript:
    """The sessions that a transcript shows; `path` is for messages. Raises UsageError."""
    found: list[Session] = []
    notes: list[str] = []
    forms: list[str] = []
    several = blocks(text, path)
    for rows in several:
        read = _block(rows, path)
        if read is None:
            first = only_replies(rows)
            if first is not None and len(several) == 1:
                hint = (
                    "A tool that shows only what it receives (`nc < file`) leaves the commands out: add them."
                )
                raise wrong(path, first, "only replies are shown, and no command of the client", hint)
            what = (
                "no session is seen here" if first is None else "replies alone, and no command of the client"
            )
            notes.append(f"lines {rows[0].number} to {rows[-1].number}: {what}")
            continue
        forms.append(read.form)
        found += read.sessions
        notes += read.notes
    if not found:
        hint = (
            "A transcript shows the client's commands (EHLO …) and the server's replies (250 …), one a line."
        )
        raise wrong(path, 1, "no session is recognised here", hint)
    return Transcript("; ".join(dict.fromkeys(forms)), tuple(found), tuple(notes))


class _Read(NamedTuple):
    """What one block says, and how it was read."""

    form: str
    sessions: list[Session]
    notes: list[str]


def _block(rows: list[Row], path: Path) -> _Read | None:
    """What one block says. Raises UsageError.

    The first reading that makes sense counts; one with greetings comes before one in which they are missing.
    """
    trouble: UsageError | None = None
    partial: _Read | None = None
    for reading in islice(readings(rows, path), max(_FEWEST, _MOST_ROWS // len(rows))):
        try:
            streams = reading.streams()
            found = [each for stream in streams for each in sessions(stream, path, reading.is_bare)]
            is_whole = all(session.lines[0].side == "server" for session in found)
            read = {line.number for session in found for line in session.lines}
            if len(streams) > 1 and not is_whole:
                number = next(each.lines[0].number for each in found if each.lines[0].side == "client")
                what = "several connections are mixed here, and the beginning of this one is not shown"
                raise wrong(path, number, what, "Take it out, or give one connection alone.")
            lines = [line for session in found for line in session.lines]
            open_ = {line.number for line in lines if line.side == "client" and not line.code}
            told = read.union(*(session.told for session in found))
            notes = reading.check_rest(told, open_, is_whole)
        except UsageError as error:
            trouble = trouble or error
            continue
        found.sort(key=lambda session: session.lines[0].number)
        if is_whole:
            return _Read(reading.form, found, notes)
        partial = partial or _Read(reading.form, found, notes)
    if partial is None and trouble is not None:
        raise trouble
    return partial
