"""What the promises leave open: differences that are left out, few and narrow, each with its reason.

A rule speaks of one channel and of what each side shows there, whichever side that is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from conformance.explore.differences import Difference, kind_of
from conformance.pod import record as acts
from conformance.pod.record import Record
from conformance.report.story import Event


@dataclass(frozen=True)
class Rule:
    """`one` and `other` are patterns for the whole of what the two sides show, as `Difference` has it.

    `at_once`: whatever is `one` is left out of both stories before they are laid side by side, for where it
    comes often it would hide what stands beside it.
    """

    name: str
    channel: str
    one: str
    other: str
    reason: str
    source: str
    at_once: bool = False

    def leaves_out(self, difference: Difference) -> bool:
        """Whether it speaks of this difference."""
        sides = difference.left, difference.right
        return self.channel == difference.channel and any(
            re.fullmatch(self.one, left) and re.fullmatch(self.other, right)
            for left, right in (sides, sides[::-1])
        )


_UNREAD = (
    "Whether a queue program that reads nothing is gone before qmail-smtpd has written a short message into "
    "the pipe is chance: qmail-smtpd then sees the program's own status, or that nobody reads."
)
_SOURCE = "package source, qmail.c: qmail_close; pipe(7)"

_UNREAD_CREDENTIALS = (
    "Whether a checkprogram that reads nothing is gone before qmail-smtpd has written the credentials into "
    "the pipe is chance."
)
_OF_CREDENTIALS = "package source, debian/diff/0008, qmail-smtpd.c: authenticate; pipe(7)"

_INHERITED = (
    "What a program inherits besides is promised nowhere: the socket to qmail-verify, morercpthosts.cdb, "
    "pipes of AUTH that qmail-smtpd has left open."
)

RULES: tuple[Rule, ...] = (
    Rule(
        "descriptors that a program inherits",
        "program",
        r"suite:   descriptors: .*\bN log(, N (socket|pipe|….cdb))+",
        r"suite:   descriptors: .*\bN log(, N pipe)*",
        _INHERITED,
        "package source, qmail.c: qmail_open; debian/diff/0009, qmail-smtpd.c: rcptcheck",
    ),
    Rule(
        "spelling of SMTPAUTH",
        "program",
        r"suite:   SMTPAUTH=[^A-Z]*",
        r"suite:   SMTPAUTH=.*[A-Z].*",
        "A mode is read in any case; in which one programs find it is promised nowhere.",
        "package source, debian/diff/0008, qmail-smtpd.c: smtpauth_mode",
    ),
    Rule(
        "signals that RCPTCHECK's program ignores",
        "program",
        r"qmail:   rcptcheck ignores PIPE",
        r"nothing",
        "That qmail-smtpd ignores SIGPIPE, and whether its program does, is promised nowhere.",
        "package source, qmail-smtpd.c: main, sig_pipeignore; debian/diff/0009",
        at_once=True,
    ),
    Rule(
        "unread checkprogram, reply",
        "smtpd",
        r"qmail: 454 oops, unable to write pipe and I can't auth \(#4\.3\.0\)",
        r"qmail: (235 ok, go ahead \(#2\.0\.0\)|535 authentication failed \(#5\.7\.1\))",
        _UNREAD_CREDENTIALS,
        _OF_CREDENTIALS,
    ),
    Rule(
        "unread checkprogram, log",
        "log",
        r"qmail: qmail-smtpd: pid NUMBER from .*: auth - unable to write pipe.*",
        r"nothing|qmail: qmail-smtpd: pid NUMBER from .*: auth - authentication failed",
        _UNREAD_CREDENTIALS,
        _OF_CREDENTIALS,
    ),
    Rule(
        "dots that end a report of AUTH",
        "qmail-remote",
        r"qmail: ZConnected to N but .*[^.]\.\.",
        r"qmail: ZConnected to N but .*[^.]\.",
        "The dot that ends what the manual page lists may be the list's or the report's; qmail-rspawn reads "
        "none of it.",
        "qmail-remote(8) with patch:0008, RESULTS; debian/diff/0008, qmail-remote.c: mailfrom_plain",
    ),
    Rule(
        "unread queue program, reply",
        "smtpd",
        r"qmail: (250 ok NUMBER qp N|[45]\d\d .*)",
        r"qmail: 451 qq read error \(#4\.3\.0\)",
        _UNREAD,
        _SOURCE,
    ),
    Rule(
        "unread queue program, log",
        "log",
        r"qmail: qmail-smtpd: pid NUMBER from .*: Message (accepted|rejected).*",
        r"qmail: qmail-smtpd: pid NUMBER from .*: Message rejected \(N qq read error.*",
        _UNREAD,
        _SOURCE,
    ),
)

#: Messages that qmail-send takes up in a session from which on mail begets mail.
_STORM = 200


def is_storm(record: Record) -> bool:
    """Whether mail has begotten mail, as forwarding in a circle does, two copies of each.

    How much of that is handled in the time that is given is the machine's affair: where both sides show it,
    nothing of the session is compared. (Source: dot-qmail(5), forward lines; qmail-local.c: bouncexf.)
    """
    seen = (act.seen.log for act in record.acts if isinstance(act, acts.Observe))
    return any(sum(line.startswith("new msg ") for line in log) >= _STORM for log in seen)


_AT_ONCE = [rule for rule in RULES if rule.at_once]


def heard(events: Iterable[Event]) -> list[Event]:
    """A story without the events that are left out at once."""
    return [event for event in events if not any(map(partial(_is_left_out, event), _AT_ONCE))]


def _is_left_out(event: Event, rule: Rule) -> bool:
    return event.channel == rule.channel and re.fullmatch(rule.one, kind_of(event)) is not None


def kept(differences: Iterable[Difference]) -> list[Difference]:
    """Those that no rule leaves out."""
    return [each for each in differences if not any(rule.leaves_out(each) for rule in RULES)]
