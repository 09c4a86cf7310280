"""AUTH: modes, methods, exchanges of every shape, credentials, and what becomes of the programs behind it."""

from conformance.explore.areas import chats
from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.setups import THINGS, Setup, authentication
from conformance.explore.document import Document

#: AUTH again and again between everything else.
_MOVES = {
    "auth": chats.authentication,
    "auth again": chats.authentication,
    "transaction": chats.transaction,
    "other": chats.other,
    "silence": chats.silence,
    "often": chats.often,
}


def _document(choices: Choices) -> Document:
    setup = Setup(choices)
    authentication(setup)
    if choices.chance(2):
        setup.some(THINGS)
    return {"session": chats.sessions(choices, setup.around, _MOVES), **setup.document}


AREA = Area("auth", "AUTH in qmail-smtpd", documents(_document))
