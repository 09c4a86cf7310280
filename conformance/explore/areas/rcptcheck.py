"""RCPTCHECK: what the program sees, prints and comes to, together with everything else of a session."""

from conformance.explore.areas import chats
from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.setups import THINGS, Setup, rcptcheck
from conformance.explore.document import Document

_MOVES = {
    "transaction": chats.transaction,
    "transaction again": chats.transaction,
    "and again": chats.transaction,
    "other": chats.other,
    "often": chats.often,
    "auth": chats.authentication,
}


def _document(choices: Choices) -> Document:
    setup = Setup(choices)
    rcptcheck(setup)
    if choices.chance(2):
        setup.some(THINGS)
    return {"session": chats.sessions(choices, setup.around, _MOVES), **setup.document}


AREA = Area("rcptcheck", "RCPTCHECK in qmail-smtpd", documents(_document))
