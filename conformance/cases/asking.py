"""What a build says of itself in a session: the keywords of its EHLO, and which verbs it knows."""

from dataclasses import dataclass

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail

#: Verbs of RFCs and of patches that go around, beside those that a build's own program names.
VERBS = (
    *(
        "ATRN",
        "AUTH",
        "BDAT",
        "BURL",
        "DEBUG",
        "ETRN",
        "EXPN",
        "LHLO",
        "SAML",
        "SEND",
        "SOML",
        "STARTTLS",
        "TURN",
    ),
    *("VERB", "WIZ", "XCLIENT", "XEXCH50", "XFORWARD"),
)

#: What no qmail knows.
_UNKNOWN = "XYZZY"


@dataclass(frozen=True)
class Answers:
    """Keywords without their parameters, and the verbs that are answered otherwise than an unknown one."""

    keywords: tuple[str, ...]
    verbs: tuple[str, ...]


async def answers(qmail: Qmail, verbs: list[str]) -> Answers:
    """Ask; each verb in a session of its own, for what one does to the next is not asked here."""
    async with qmail.session(hello=False) as session:
        hello = await session.hello()
    unknown = await qmail.reply_to(_UNKNOWN)
    known = []
    for verb in verbs:
        reply = await qmail.reply_to(verb)
        if (reply.code, reply.lines) != (unknown.code, unknown.lines):
            known.append(verb)
    keywords = [line.split()[0].partition("=")[0].upper() for line in hello.lines[1:] if line.split()]
    return Answers(tuple(dict.fromkeys(keywords)), tuple(known))


async def ask(internet: Internet, qmail: Qmail, verbs: str) -> None:
    """The same as a script, for its record."""
    await answers(qmail, verbs.split())
