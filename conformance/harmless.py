"""The one place where text from outside is made harmless, and the streams that let nothing else through.

What qmail said, a build's log, a file's name: each may hold octets that act on a terminal, or lines that a CI
service takes for commands. `harmless_output` puts a `HarmlessStream` before standard output and standard
error. Whatever is written to one shows and does nothing. Colours and a line that is rewritten have methods of
their own, whose control sequences are made in this module and out of no text.
"""

import contextlib
import errno
import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from typing import Literal, Self, TextIO, cast

from conformance.errors import WorldError

#: Columns that every page is given, however narrow the terminal says it is.
NARROWEST = 20
_WIDEST = 1_000

Tone = Literal["plain", "quiet", "good", "bad", "doubtful"]

_COLOURS: dict[Tone, str] = {"plain": "", "quiet": "2", "good": "32", "bad": "1;31", "doubtful": "33"}

#: What CI services take for a command to themselves: `::error::` where a line begins, `##[error]` and
#: `##vso[task]` anywhere. The last sign of it is written in a form that JSON and TOML read back.
_COMMAND = re.compile(r"^[ \t]*::|##\w*\[", re.MULTILINE)


def printable(text: str, *, keep: str = "") -> str:
    r"""`text` with everything that does not show replaced visibly: \x1b, \u202e. `keep` lists exceptions.

    Those are control characters, lone surrogates, and characters that reorder or hide text on a screen.
    """

    def escaped(character: str) -> str:
        number = ord(character)
        return f"\\x{number:02x}" if number < 0x80 else character.encode("ascii", "backslashreplace").decode()

    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else escaped(char) for char in text)


def harmless(text: str) -> str:
    """Lines in which nothing acts; they are the same where nothing would have."""
    return _COMMAND.sub(_no_command, printable(text, keep="\n\t"))


def columns(fallback: int) -> int:
    """Columns of the terminal, or of COLUMNS, as a page is laid out: 20 to 1,000."""
    return min(max(shutil.get_terminal_size((fallback, 24)).columns, NARROWEST), _WIDEST)


def _no_command(found: re.Match[str]) -> str:
    return f"{found[0][:-1]}\\u{ord(found[0][-1]):04x}"


class HarmlessStream(io.TextIOBase):
    """A text stream before another one, in whatever encoding that has.

    `needed`: what is written must arrive, and WorldError says that it did not. Otherwise what does not arrive
    is lost without a word, as there is nowhere to say it. `stream` is None where there is none.
    """

    def __init__(self, stream: TextIO | None, *, name: str = "the stream", needed: bool = True) -> None:
        self._stream = stream
        self._name = name
        self._needed = needed
        self._line = ""  #: what stands on the line that is not at its end
        self._failure: OSError | ValueError | None = None

    @classmethod
    def of(cls, stream: TextIO) -> Self:
        """The stream itself where it is harmless already, else one before it."""
        return stream if isinstance(stream, cls) else cls(stream)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write `text` with all that does not show replaced; only ends of lines and tabs are left."""
        # What stands on the line is harmless, so the first match can only end in what is new.
        whole = harmless(self._line + text)
        new = whole[len(self._line) :]
        self._line = whole.rpartition("\n")[2]
        self._put(new)
        return len(text)

    def paint(self, text: str, how: Tone) -> None:
        """Write `text` in the colour of a tone."""
        if code := _COLOURS[how]:
            self._put(f"\x1b[{code}m")
            self.write(text)
            self._put("\x1b[0m")
        else:
            self.write(text)

    def rewrite(self, text: str) -> None:
        """Replace what stands on the terminal's line."""
        self._put("\r")
        self._line = ""
        self.write(text.replace("\n", " "))
        self._put("\x1b[K")

    def flush(self) -> None:
        """Hand on what was written. Raises WorldError for it, or for what was written before."""
        if self._failure is not None:
            self._fail(self._failure)
        elif self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._fail(error)

    def _put(self, text: str) -> None:
        if self._stream is None:
            self._fail(OSError(errno.EBADF, "it is closed"))
            return
        try:
            self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
        except (OSError, ValueError) as error:
            self._fail(error)

    def _fail(self, error: OSError | ValueError) -> None:
        """Nothing more is written. The descriptor leads nowhere, or Python would complain while it ends."""
        self._failure = error
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        if self._needed:
            what = getattr(error, "strerror", None) or str(error)
            raise WorldError(f"{self._name}: {what}, so what was to be said did not arrive") from error


@contextlib.contextmanager
def harmless_output() -> Iterator[None]:
    """Standard output and standard error are harmless in here; the output must arrive, or it is WorldError.

    Descriptors that were closed are opened onto nothing before a file could take their numbers.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    if sys.stderr is None:  # pytest asks for it
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", closefd=False)  # type: ignore[misc]
    output = cast(TextIO, HarmlessStream(sys.stdout, name="standard output"))
    error = cast(TextIO, HarmlessStream(sys.stderr, name="standard error", needed=False))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        yield
