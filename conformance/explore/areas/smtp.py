"""Sessions with qmail-smtpd: commands in any order, transactions, messages, control files and variables."""

from conformance.explore.areas.area import Area
from conformance.explore.areas.chats import MOVES, sessions
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.setups import THINGS, Setup
from conformance.explore.document import Document


def _document(choices: Choices) -> Document:
    setup = Setup(choices)
    setup.some(THINGS)
    return {"session": sessions(choices, setup.around, MOVES), **setup.document}


AREA = Area("smtp", "sessions with qmail-smtpd", documents(_document))
