"""VERIFY: qmail-verify at RCPT and at DATA, homes and aliases, together with everything else of a session."""

from conformance.explore.areas import chats
from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.setups import THINGS, Setup, homes, verify, whose
from conformance.explore.document import Document

_MOVES = {
    "transaction": chats.transaction,
    "transaction again": chats.transaction,
    "and again": chats.transaction,
    "other": chats.other,
    "often": chats.often,
}


def _document(choices: Choices) -> Document:
    setup = Setup(choices)
    verify(setup)
    if choices.chance(2):
        homes(setup)
    if choices.chance(3):
        whose(setup)
    if choices.chance(3):
        setup.some(THINGS)
    return {"session": chats.sessions(choices, setup.around, _MOVES), **setup.document}


AREA = Area("verify", "recipients that qmail-verify is asked about", documents(_document))
