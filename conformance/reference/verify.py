"""qmail-verify: whether a recipient exists, as far as this host can know."""

from __future__ import annotations

from typing import Callable

from conformance.reference.acts import Enqueue, Queued
from conformance.reference.control import ControlFiles
from conformance.reference.local import Homes, Local
from conformance.reference.octets import split_address
from conformance.reference.rewriting import Rewriting


def verified(control: ControlFiles, homes_for: Callable[[bytes], Homes], address: bytes) -> bool:
    """False for a local address that nobody receives. An address of another host is not judged: True.

    `homes_for` gives the home directories that may be meant by a local part.
    """
    is_local, rewritten = Rewriting(control).rewrite(address)
    if not is_local:
        return True
    box = split_address(rewritten)[0]
    return Local(homes_for(box), _nothing, frozenset()).exists(box)


def _nothing(wanted: Enqueue) -> Queued:
    raise AssertionError("to verify an address forwards nothing")
