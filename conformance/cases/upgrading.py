"""What the cases of an upgrade share: qmail with mail in its queue is upgraded, removed and purged."""

import contextlib
from dataclasses import dataclass

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.pod.configuration import Program
from conformance.pod.installation import Installation
from conformance.pod.observation import Observation, QueuedMessage

#: Seconds for qmail-send to come to rest.
_REST = 15.0

SENDER = "a@b.example"
#: Marks of messages. `waits` goes to a host that takes nothing at first, `fails` to one that refuses it, so
#: that its bounce waits for the host of its sender; `local` to a user whose program first puts it off;
#: `stored` and `aliased` are in their Maildirs before anything is done; `never` stays in the queue.
WAITS, FAILS, LOCAL, STORED, ALIASED, NEVER, AFTER = (
    f"Subject: {mark}" for mark in ("waits", "fails", "local", "stored", "aliased", "never", "after")
)

#: What an administrator has written, and what he has removed.
EDITED = {"concurrencyremote": "7\n", "badmailfrom": "@spam.example\n", "databytes": "100000\n"}
REMOVED = "plusdomain"
#: By these what waited reaches a host that takes it.
ROUTES = "waits.example:[127.0.0.4]\nb.example:[127.0.0.4]\n"


@dataclass(frozen=True)
class Upgrade:
    """The packages after each step, and the world around them."""

    before: Installation
    after: Installation
    removed: Installation
    purged: Installation
    full: Observation  #: before the upgrade
    kept: Observation  #: after it
    tried: Observation  #: when all that waited was tried again
    later: Observation  #: when another message was handed in
    left: Observation  #: after the removal
    end: Observation  #: after the purge


def _message(mark: str) -> bytes:
    return f"{mark}\r\n\r\nhello\r\n".encode()


async def upgrade(internet: Internet, qmail: Qmail) -> Upgrade:
    """Upgrade qmail in use, remove it, purge it. Nothing is decided on the way: all see the same record.

    Raises Unsupported on a target without packages.
    """
    for name in ("waits", "never", "b"):
        internet.zone(f"{name}.example")
    internet.zone("fails.example", "@ MX 10 mx\nmx A 127.0.0.3\n")
    internet.exchanger("127.0.0.2", steps={"RCPT": "451 later"})
    internet.exchanger("127.0.0.3", steps={"RCPT": "550 no such user"})
    internet.exchanger("127.0.0.4")
    qmail.relay()
    qmail.control |= EDITED
    del qmail.control[REMOVED]
    qmail.delivery_programs["holds"] = Program(statuses=[111, 0])
    qmail.dot_qmail["alice/.qmail"] = "|/var/lib/conformance/holds\n./Maildir/\n"
    before = await qmail.packages("begin")
    for mark, recipient in (
        (STORED, "carol@here.example"),
        (ALIASED, "postmaster@here.example"),
        (LOCAL, "alice@here.example"),
        (WAITS, "x@waits.example"),
        (FAILS, "x@fails.example"),
        (NEVER, "x@never.example"),
    ):
        await qmail.submit(SENDER, [recipient], _message(mark))
    full = await rested(qmail)
    after = await qmail.packages("upgrade")
    kept = await rested(qmail)
    if after.sender != "none":
        await qmail.signal("ALRM", {"smtproutes": ROUTES})
    tried = await rested(qmail)
    async with await qmail.connect() as session:
        if session.greeting.code == 220:
            await session.submit(SENDER, ["carol@here.example"], _message(AFTER))
    handed = await rested(qmail)
    removed = await qmail.packages("remove")
    left = await qmail.observe()
    purged = await qmail.packages("purge")
    return Upgrade(before, after, removed, purged, full, kept, tried, handed, left, await qmail.observe())


async def rested(qmail: Qmail, limit: float = _REST) -> Observation:
    """When qmail-send rests, or does not within so many seconds."""
    with contextlib.suppress(AssertionError):
        return await qmail.delivered(limit)
    return await qmail.observe()


def queued(seen: Observation) -> list[str]:
    """The marks of the messages in the queue, with their recipients; a bounce has its message's."""
    return sorted(f"{mark_of(each)} for {' '.join(each.recipients)}" for each in seen.queue)


def delivered(seen: Observation, mark: str) -> int:
    """How often a message is in a Maildir or was accepted by a host; its bounce counts too."""
    stored = [octets for messages in seen.mailboxes.values() for octets in messages]
    accepted = [message.octets for session in seen.mx_sessions for message in session.messages]
    return sum(mark in octets for octets in (*stored, *accepted))


def mark_of(message: QueuedMessage) -> str:
    """The mark of a message, of a bounce that of the message in it."""
    found = [line for line in message.octets.splitlines() if line.startswith("Subject: ")]
    return found[-1].strip() if found else ""
