"""Control files as qmail reads them, from texts: one character is one octet (Latin-1)."""

from typing import Dict, List, Optional, Tuple

from conformance.reference.octets import leading_number


def _stripped(line: bytes) -> bytes:
    return line.rstrip(b"\n \t")


class ControlFiles:
    """The control directory: name -> text. A file that is not named does not exist."""

    def __init__(self, files: Dict[str, str]) -> None:
        self._files = {name: text.encode("latin-1") for name, text in files.items()}

    def line(self, name: str, *defaults: Optional[bytes]) -> Optional[bytes]:
        """The first line without trailing blanks; without the file, the first default that there is."""
        if name in self._files:
            return _stripped(self._files[name].partition(b"\n")[0])
        for default in defaults:
            if default is not None:
                return default
        return None

    @property
    def me(self) -> Optional[bytes]:
        return self.line("me")

    def number(self, name: str, default: int) -> int:
        """The number at the start of the first line."""
        number = leading_number(self.line(name) or b"")
        return default if number is None else number

    def lines(self, name: str) -> Optional[List[bytes]]:
        """The lines that are neither empty nor comments; None without the file."""
        if name not in self._files:
            return None
        stripped = [_stripped(line) for line in self._files[name].split(b"\n")]
        return [line for line in stripped if line and not line.startswith(b"#")]

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
