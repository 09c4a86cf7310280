"""Sessions with qmail-smtpd: of all kinds, and those about AUTH, RCPTCHECK or VERIFY beside all else."""

from collections.abc import Callable, Mapping

from conformance.explore.areas import chats
from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.setups import (
    THINGS,
    Setup,
    authentication,
    homes,
    rcptcheck,
    verify,
    whose,
)
from conformance.explore.document import Document

_TRANSACTIONS = {
    "transaction": chats.transaction,
    "transaction again": chats.transaction,
    "and again": chats.transaction,
    "other": chats.other,
    "often": chats.often,
}

_AUTHENTICATIONS = {
    "auth": chats.authentication,
    "auth again": chats.authentication,
    "transaction": chats.transaction,
    "other": chats.other,
    "silence": chats.silence,
    "often": chats.often,
}


def _area(
    name: str, title: str, moves: Mapping[str, chats.Move], arrange: Callable[[Setup, Choices], None]
) -> Area:
    """The area whose hosts `arrange` sets up, in which a client makes `moves`."""

    def document(choices: Choices) -> Document:
        setup = Setup(choices)
        arrange(setup, choices)
        session = chats.sessions(choices, setup.around, moves)
        return {"session": session, **setup.document}

    return Area(name, title, documents(document))


def _and_other_things(arrange: Callable[[Setup], None]) -> Callable[[Setup, Choices], None]:
    """What an area is about, and half of the time something else."""

    def both(setup: Setup, choices: Choices) -> None:
        arrange(setup)
        if choices.chance(2):
            setup.some(THINGS)

    return both


def _verify(setup: Setup, choices: Choices) -> None:
    verify(setup)
    if choices.chance(2):
        homes(setup)
    if choices.chance(3):
        whose(setup)
    if choices.chance(3):
        setup.some(THINGS)


SMTP = _area("smtp", "sessions with qmail-smtpd", chats.MOVES, lambda setup, _: setup.some(THINGS))
AUTH = _area("auth", "AUTH in qmail-smtpd", _AUTHENTICATIONS, _and_other_things(authentication))
RCPTCHECK = _area(
    "rcptcheck",
    "RCPTCHECK in qmail-smtpd",
    {**_TRANSACTIONS, "auth": chats.authentication},
    _and_other_things(rcptcheck),
)
VERIFY = _area("verify", "recipients that qmail-verify is asked about", _TRANSACTIONS, _verify)
