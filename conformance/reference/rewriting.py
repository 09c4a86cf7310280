"""Whose an address is: local or not, by locals, virtualdomains, percenthack (qmail-send, qmail-verify)."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Optional, Tuple

from conformance.reference.control import ControlFiles, suffixes


class Rewriting:
    """The control files that decide it, read once at the start."""

    def __init__(self, read: ControlFiles, flaws: FrozenSet[str] = frozenset()) -> None:
        me = read.me
        self._flaws = flaws
        self._locals: Optional[List[bytes]] = read.keys("locals")
        if self._locals is None:
            self._locals = [me.lower()] if me else []
        self.virtual: Dict[bytes, bytes] = read.pairs("virtualdomains")
        self._no_host = read.line("envnoathost", me, b"envnoathost") or b""
        self._percent_hack = read.keys("percenthack") or []

    def rewrite(self, address: bytes) -> Tuple[bool, bytes]:
        """(whether it is local, the address as it is delivered to)."""
        if b"@" not in address:
            address += b"@" + self._no_host
        box, host = address.rpartition(b"@")[::2]
        while host.lower() in self._percent_hack and b"%" in box:
            box, host = box.rpartition(b"%")[::2]
        address = box + b"@" + host
        if host.lower() in (self._locals or []):
            return True, address
        keys = (address.lower(), *suffixes(host.lower()))
        for key in keys:
            if key in self.virtual and "send.no-virtualdomains" not in self._flaws:
                prefix = self.virtual[key]
                return (True, prefix + b"-" + address) if prefix else (False, address)
        return False, address
