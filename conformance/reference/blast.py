"""The message as it comes after DATA: its end, dots, stray line feeds, hops and size, line by line."""


class StrayNewline(Exception):
    """A line feed without a carriage return before it."""


class Blast:
    """Takes the lines of one message, each without its line feed.

    `message` is what is stored: line feeds for CR LF, dots unstuffed. A message that loops or is too large
    is read to its end all the same.
    """

    #: A message with so many hops loops (RFC 5321 6.3).
    most_hops = 100
    #: What the fields begin with that count as hops, of one that was relayed and of one that was delivered.
    hop_fields = (b"received", b"delivered")

    def __init__(self, databytes: int) -> None:
        self.message = bytearray()
        self.databytes = databytes
        self._hops = 0
        self._in_header = True

    @property
    def looping(self) -> bool:
        return self._hops >= self.most_hops

    def too_large(self) -> bool:
        """Whether the message is longer than databytes, if there is a limit (qmail-smtpd(8))."""
        return 0 < self.databytes < len(self.message)

    def line(self, line: bytes) -> bool:
        """Take one line; True when it was the final dot. Raises StrayNewline."""
        if not line.endswith(b"\r"):
            line = self.without_carriage_return(line)
        self._count(line)
        if self.ends_message(line):
            return True
        self.message += self.stored(self.unstuffed(line))
        return False

    def without_carriage_return(self, line: bytes) -> bytes:
        """The line that a line feed alone ends: none (RFC 5321 2.3.8). Raises StrayNewline."""
        raise StrayNewline

    def ends_message(self, line: bytes) -> bool:
        """CR LF . CR LF and nothing else ends a message (RFC 5321 4.1.1.4)."""
        return line == b".\r"

    def unstuffed(self, line: bytes) -> bytes:
        """A line without the dot that the client put before another one (RFC 5321 4.5.2)."""
        return line[1:] if line.startswith(b".") and line[1:2] != b"\r" else line

    def stored(self, line: bytes) -> bytes:
        """A line as the queue has it: every octet of it, and a line feed (RFC 6152 for the eighth bit)."""
        return line[:-1] + b"\n"

    def ends_header(self, line: bytes) -> bool:
        """An empty line ends the header (RFC 5322 2.1)."""
        return line == b"\r"

    def _count(self, line: bytes) -> None:
        if self._in_header:
            self._hops += line.lower().startswith(self.hop_fields)
            self._in_header = not self.ends_header(line)
