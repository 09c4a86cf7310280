"""What stands in control files, variables and dot-qmail files of set-ups, and beside it."""

from conformance.explore.areas import words
from conformance.scenario.escapes import escaped

#: Rows of control files with a row for each thing: rcpthosts, badmailfrom, and others.
HOSTS = (
    "here.example", "there.example", "HERE.example", "There.Example", ".b.example", ".here.example",
    ".example", "b.example", "sub.here.example", "[127.0.0.1]", "[192.0.2.1]", "127.0.0.1", "there.example.",
    "other.example\u00e4", "d" * 300 + ".example", "list.example", "there.example:x", "*.b.example", ".", "@",
    "",
)  # fmt: skip
SENDER_ROWS = (
    "bad@b.example", "@bad.example", "BAD@b.example", "@BAD.example", "bad", "@", "", "@b.example",
    "a@b.example", "a@", "@.example", ".bad.example", "<>", "@[]", "#@[]", "alice@here.example",
    "bad.example", "*@b.example", "@" + "d" * 300,
)  # fmt: skip
#: What stands around the word of a row.
AROUND_ROWS = (
    "{}", "{}", "{}", "{}", "{}", "{} ", "{}\t", "{} \t ", " {}", "#{}", "{} # x", "{}#", "{}\r", "{} x",
    "{}:", "{}\n",
)  # fmt: skip
#: The one line of a file such as smtpgreeting.
LINES = (
    "mail.b.example", "MAIL.b.example", "mail.b.example ESMTP ready", "", " ", " mail.b.example",
    "mail.b.example ", "mail.b.example\t", "mail.b.example # x", "#mail.b.example", "mail.b.example\r",
    "m\u00e4il.b.example", "here.example", "there.example", "x" * 300, "-", "220 hello", "mail.b.example \t ",
    r"mail.b.example\c",
)  # fmt: skip
LIMITS = (10, 20, 50, 100, 1000)
#: What stands behind or before a number in a control file or variable.
AROUND_NUMBERS = (
    "{}", "{}", "{}", "{}", "{}x", "{} ", "{}\t", " {}", "0{}", "{}k", "+{}", "-{}", "{} # x", "#{}", "{}\r",
)  # fmt: skip

DOT_QMAIL = (
    *(f"{user}/.qmail-{each.replace('.', ':')}" for user in words.ACCOUNTS for each in words.EXTENSIONS),
    "alias/.qmail-default", "alias/.qmail-default", "alice/.qmail-default", "bob/.qmail-a.b",
    "alice/.qmail-a.b", "alice/.qmail-x-default", "bob/.qmail-boxes-a:b-default", "alias/.qmail-x-default",
    "alias/.qmail-alice", "grace/.qmail-x",
)  # fmt: skip
DOT_QMAIL_TEXTS = ("./Maildir/", "&bob@here.example", "", "#", "|exit 0", "| fastforward -d x", "|exit 100")

ALIASES = (
    "info@here.example", "INFO@here.example", "@here.example", "@there.example", "info@", "x@",
    "x-y@here.example", "@list.example", "list@list.example", "nobody@here.example", "nobody@",
    "a.b@here.example", "@", "alice@here.example",
)  # fmt: skip

#: What a program of qmail-smtpd says, and envelopes that a queue program hands on.
SAYS = ("", "", "", "250 ok\r\n", "535 no\r\n")
ENVELOPES = (
    "F\0Tbob@here.example\0\0", "Fa@b.example\0\0", "F\0Tbob@here.example\0",
    "Fa@b.example\0Tbob@here.example", "", "\0", "Fa@b.example\0Xbob@here.example\0\0",
    "Xa@b.example\0Tbob@here.example\0\0", "F\0Tbob@here.example\0T\0\0", f"F\0T{'a' * 988}@here.example\0\0",
    f"F\0T{'a' * 989}@here.example\0\0", f"F{'a' * 1100}\0Tbob@here.example\0\0",
    "Fa@b.example\0Tbob@here.example\0Talice@here.example\0\0", "F\0Tbob@here.example\0\0x",
)  # fmt: skip


def as_said(row: str) -> list[str]:
    """What a client may say for a row of a control file: the row, and what somebody might take it for."""
    row = row.removesuffix(r"\c").rstrip(" \t")
    plain = row.strip().removeprefix("#").partition("#")[0].strip()
    said = (row, plain, plain.lower(), f"sub{plain}" if plain.startswith(".") else plain)
    return [escaped(text.encode("utf-8")) for text in said if text]
