"""Control files as qmail reads them, from texts: one character is one octet (Latin-1)."""

from typing import Dict, List, Optional, Tuple

from conformance.reference.octets import leading_number


class ControlFiles:
    """The control directory: name -> text. A file that is not named does not exist."""

    def __init__(self, files: Dict[str, str]) -> None:
        self._files = {name: text.encode("latin-1") for name, text in files.items()}

    def line(self, name: str, *defaults: Optional[bytes]) -> Optional[bytes]:
        """The first line without trailing blanks; without the file, the first default that there is."""
        if name in self._files:
            return self.stripped(self.first_row(self._files[name]))
        for default in defaults:
            if default is not None:
                return default
        return None

    @property
    def me(self) -> Optional[bytes]:
        return self.line("me")

    def number(self, name: str, default: int) -> int:
        """The number at the start of the first line, in an int of 32 bits (control_readint)."""
        number = leading_number(self.line(name) or b"")
        return default if number is None else (number + 2**31) % 2**32 - 2**31

    def lines(self, name: str) -> Optional[List[bytes]]:
        """The lines that are neither empty nor comments; a NUL divides one in two. None without the file."""
        whole = self.whole_lines(name)
        return None if whole is None else [part for line in whole for part in line.split(b"\0")]

    def whole_lines(self, name: str) -> Optional[List[bytes]]:
        """The same where a NUL divides nothing."""
        if name not in self._files:
            return None
        stripped = [self.stripped(line) for line in self.rows(self._files[name])]
        return [line for line in stripped if line and not line.startswith((b"#", b"\0"))]

    def rows(self, octets: bytes) -> List[bytes]:
        """All lines of a file; the last one counts without its end too."""
        return octets.split(b"\n")

    def first_row(self, octets: bytes) -> bytes:
        """The one line that counts of a file of one line."""
        return octets.partition(b"\n")[0]

    def stripped(self, line: bytes) -> bytes:
        """A line without what is blank at its end."""
        return line.rstrip(b"\n \t")

    def keys(self, name: str) -> Optional[List[bytes]]:
        """The lines, in lower case: a list to look things up in."""
        lines = self.lines(name)
        return None if lines is None else [line.lower() for line in lines]

    def pairs(self, name: str) -> Dict[bytes, bytes]:
        """Lines `key:value`, keys in lower case; a line without a colon counts for nothing, the last wins."""
        found: Dict[bytes, bytes] = {}
        for line in self.lines(name) or []:
            key, colon, value = line.partition(b":")
            if colon:
                found[key.lower()] = value
        return found


def suffixes(name: bytes, stops: bytes = b".") -> Tuple[bytes, ...]:
    """`name`, its tails from each of `stops` on, and the empty text: the order in which routes are tried."""
    cuts = [0] + [at for at in range(1, len(name)) if name[at] in stops] + [len(name)]
    return tuple(name[at:] for at in cuts)
