"""Whose an address is: local or not, by locals, virtualdomains, percenthack (qmail-send, qmail-verify)."""

from typing import Dict, Iterable, List, Optional, Tuple

from conformance.reference.control import ControlFiles, suffixes
from conformance.reference.octets import split_address


class Rewriting:
    """The control files that decide it (qmail-send(8), CONTROL FILES), read once at the start."""

    def __init__(self, control: ControlFiles) -> None:
        self.control, me = control, control.me
        self._locals: List[bytes] = []
        self._virtual: Dict[bytes, bytes] = {}
        self._me = me  # which is not read again
        self.reread(control)
        self._no_host = control.line("envnoathost", me, b"envnoathost") or b""
        self._percent_hack = control.keys("percenthack") or []

    def reread(self, control: ControlFiles) -> None:
        """Read locals and virtualdomains, now and at SIGHUP."""
        self._locals, self._virtual = self.local_domains(control), control.pairs("virtualdomains")

    def local_domains(self, control: ControlFiles) -> List[bytes]:
        """The lines of locals; without the file, me."""
        me, named = self._me, control.keys("locals")
        return ([] if me is None else [me.lower()]) if named is None else named

    def is_percent_hack(self, box: bytes, host: bytes) -> bool:
        """Whether `user%fqdn` at this host means `user@fqdn` (qmail-send(8), percenthack)."""
        return host.lower() in self._percent_hack and b"%" in box

    def rewrite(self, address: bytes) -> Tuple[bool, bytes]:
        """(whether it is local, the address as it is delivered to)."""
        if b"@" not in address:
            address += b"@" + self.missing_host()
        box, host = address.rpartition(b"@")[::2]
        while self.is_percent_hack(box, host):
            box, host = box.rpartition(b"%")[::2]
        address = box + b"@" + host
        host = address.rpartition(b"@")[2]  # what stood behind % may hold another @
        if host.lower() in self._locals:
            return True, address
        prefix = self.virtual_prefix(address, host)
        return (True, prefix + b"-" + address) if prefix else (False, address)

    def missing_host(self) -> bytes:
        """Where an address without @ is (qmail-send(8), envnoathost)."""
        return self._no_host

    def virtual_prefix(self, address: bytes, host: bytes) -> Optional[bytes]:
        """What virtualdomains puts before an address; empty for an exception, None when it has no line."""
        return self._first_prefix((address.lower(), *suffixes(host.lower())))

    def unprefixed(self, address: bytes) -> bytes:
        """The address without what virtualdomains put before it, as a bounce names it."""
        host = split_address(address)[1]
        prefix = None if host is None else self._first_prefix(suffixes(host.lower()))
        return address[len(prefix) + 1 :] if prefix and address.startswith(prefix + b"-") else address

    def _first_prefix(self, keys: Iterable[bytes]) -> Optional[bytes]:
        return next((self._virtual[key] for key in keys if key in self._virtual), None)
