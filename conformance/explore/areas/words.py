r"""Words of SMTP, ordinary and odd: limits and what is beside them, addresses, domains, credentials.

Everything is written as a line of a chat writes it: octets that are no text as escapes, `\{900*a}`.
"""

from collections.abc import Callable

#: Octets or things that some page sets as a limit: RFC 5321 4.5.3.1 (local part 64, domain 255, path 256,
#: command 512, text line 1000, recipients 100), RFC 4954 (12288), qmail (addresses 900 and 1003, hops 100,
#: credentials 512, a read 1024, a line of a control file 4096).
LENGTHS = (64, 127, 255, 256, 512, 900, 998, 1000, 1003, 1024, 4096, 12288)


def beside(limit: int) -> tuple[int, int, int]:
    """A limit, one below, one above."""
    return limit - 1, limit, limit + 1


#: How long something may be, and one too long.
LONG = tuple(sorted({length for limit in LENGTHS for length in beside(limit)}))

#: Numbers at the ends of what programs keep numbers in, and past RFC 1870's twenty digits.
NUMBERS = tuple(
    str(number)
    for number in (
        *range(3), 5, 7, 10, 100, 1000, 65536,
        *(each for power in (31, 32, 63, 64) for each in beside(2**power)),
        2**64 + 5, 2**65, 99999999999999999999, 100000000000000000000,
    )
)  # fmt: skip

#: What is no number, or not quite one.
NO_NUMBERS = (
    "", "0x10", "-1", "+5", " 5", "05", "00000000000000000000000000000001", "5 ", "1e3", "10k", "5.0", "many",
    r"5\t", "5#", "5,000", r"\xff",
)  # fmt: skip

#: Octets and short texts that mean something to somebody.
ODD = (
    "", " ", "  ", r"\t", r"\0", r"\x01", r"\x7f", r"\x80", r"\xff", r"\xc3\xa4", r"\r", '"', '""', "'",
    r"\\", "<", ">", "<>", "><", "(", ")", "(x)", "[", "]", "@", "@@", ":", "::", ";", ",", ".", "..", "%",
    "!", "+", "-", "_", "=", "#", "&", "$", "`", "|", "~", "/", "?", "*", "^", "{", "}",
)  # fmt: skip

#: Whose dot-qmail files are looked at.
ACCOUNTS = ("alice", "bob", "alias")

USERS = ("alice", "bob", "carol", "dave", "erin", "frank")

#: What may stand behind a user's name and a dash, or be somebody of ~alias.
EXTENSIONS = ("list", "info", "a.b", "x", "x-y", "boxes", "boxes-a", "boxes-a.b", "nobody")

#: Local parts that are often right.
BOXES = ("alice", "bob", "carol", "postmaster", "bob-list", "nobody")

#: Local parts on the edge of the grammar or past it.
ODD_BOXES = (
    *(f"{user}-{extension}" for user in ACCOUNTS for extension in EXTENSIONS),
    *EXTENSIONS,
    "", "Alice", "ALICE", "BOB-LIST", "bob-Boxes-X", "Postmaster", "grace", "root", "mailer-daemon", "alias",
    "-", "alice-", "alice--x", "-alice", "alice+x", "+alice", "alice.", ".alice", "al.ice", "al..ice",
    "alice/x", "/alice", "../alice/x", "bob-boxes/x", "bob-../alice/Maildir", "bob-/x",
    "a%b", "%alice", "alice%", "alice%b.example", "alice%there.example", "a%b%c", "a!b", "!alice", "alice!",
    "b.example!alice", "a@b", "@alice", "alice@", "a@b@c", "alice@there.example", "alice@here.example",
    '"alice"', '"al ice"', '"a@b"', '"a%b"', '"a!b"', '"alice', 'alice"', '""', '"', '"a""b"', 'al"i"ce',
    r"\\alice", r"al\\ice", r"a\\@b", r"a\\%b", r'"a\\"b"', r"alice\\", r'a\\"b', r"\\<", r"\\>", '"a>b"',
    '"a<b"', "a<b", "a>b", "a b", r"a\tb", r"a\0b", r"\0alice", r"a\rb", r"\xe4", r"p\xc3\xa4ter", r"\x80a",
    r"alice\xff", r"\xe1lice", r"alice\x7f", "a,b", "a;b", "a:b", ":alice", "(x)alice", "alice(x)", "a=b",
    "a+b", "owner-@", "alice-owner-", "list-bob=b.example", "a&b", "a|b", "a`id`", "$HOME", "#", "#alice",
)  # fmt: skip

#: Domains: those that qmail takes mail for in some configuration, and others.
DOMAINS = ("here.example", "there.example", "b.example", "sub.here.example", "other.example")
ODD_DOMAINS = (
    "HERE.EXAMPLE", "Here.Example", "mx.here.example", "a.sub.here.example", "xhere.example", "here.example.",
    ".here.example", "here.example.b.example", "there.EXAMPLE", "sub.there.example", "example", "", ".",
    "localhost", "list.example", "virtual.example", "bad.example", "BAD.example", "sub.bad.example",
    "hack.example", "[127.0.0.1]", "[127.0.0.1", "127.0.0.1", "127.0.0.1]", "[127.0.0.1]x", "x[127.0.0.1]",
    "[127.0.0.01]", "[127.0.0.257]", "[383.256.0.1]", "[127.0.1]", "[127.0.0.1.1]", "[0.0.0.0]",
    "[127.0.0.2]", "[192.0.2.1]", "[]", "[", "]", "[ 127.0.0.1]", "[127.0.0.1 ]", "[IPv6:::1]",
    "[2130706433]", "[here.example]", "[127.0.0.1].here.example", "[127.0.0.1]@there.example",
    "here.example@there.example", "here.example%there.example", "here.example!b", "b%here.example",
    "b.example#here.example", "here_example", "here.example ", " here.example", r"here.example\t",
    r"here.example\0", r"\xe4.example", "xn--4ca.example", "here.example,there.example", "here.example:25",
    "here.example>", '"here.example"', "(x)here.example", "here.example(x)", r"here.example\r",
    r"here\\.example", "-", "#here.example",
)  # fmt: skip

ROUTES = (
    "@b.example:", "@b.example,@other.example:", "@here.example:", "@:", "@b.example", ":", "@b.example::",
    "b.example:", "@b.example :", " @b.example:", "@b.example,",
)  # fmt: skip

#: Names that a client gives itself.
NAMES = (
    "client.example", "CLIENT.example", "unknown", "UNKNOWN", "host.example", "", "localhost",
    "mx.here.example", "[127.0.0.1]", "[IPv6:::1]", "a b", "(x)", "<x>", "a%b+c", "x@y", "a/b=c:d", r"a\rb",
    r"a\x0bb", r"a\tb", r"\xe4\xff", r"a\0b", "#", "a_b", "-x", "a;b", r"\\", '"x"', "x:y>z<", "{x}",
)  # fmt: skip

VERBS = ("NOOP", "RSET", "HELP", "VRFY", "QUIT", "DATA", "HELO", "EHLO", "MAIL", "RCPT", "AUTH")

#: Verbs that qmail-smtpd does not know.
UNKNOWN = (
    "FROBNICATE", "X", "", " ", "EXPN", "TURN", "ETRN", "STARTTLS", "BDAT", "BDAT 5 LAST", "SEND", "SOML",
    "SAML", "XCLIENT", "BURL", "LHLO", "GET / HTTP/1.0", "QUITX", "QUI", "MAILFROM:<a@b.example>", "DATA.",
    r"NOOP\tx", r"\xff\xfe", r"NO\0OP", r"\0NOOP", ".", "..", "220 hello", "NOOP:",
    "RCPTTO:<alice@here.example>", r"EHLO\tx", "RSET;", "*", "=", '"NOOP"', "-",
)  # fmt: skip

#: How a verb is written.
SPELLINGS: tuple[Callable[[str], str], ...] = (str.upper, str.lower, str.capitalize, str.swapcase)

#: What stands behind a verb that takes nothing.
ARGUMENTS = (
    "", "", " x", " ", "  ", "  x", " now", r"\t", r"\tx", r" \0", r" x\0y", r" \xff", " a b c", " <x>",
    " alice", " bob@here.example", " :", r" \r", r"\rNOOP", r"\rQUIT", r"\nNOOP", r"\r\nNOOP", r"\r\r",
    r" \\", " 0", " FROM:<x>", r" x\rRSET", r"\r\0",
)  # fmt: skip

#: How a line ends: `\c` takes the CR LF away that a chat adds.
LINE_ENDS = ("", "", "", r"\n\c", r"\r", r" ", r"\0", r"\t", r"\r\r\n\c", r"\n\n\c", r"\r\c")

#: Parameters of MAIL and RCPT beside SIZE.
PARAMETERS = (
    "BODY=7BIT", "BODY=8BITMIME", "body=8bitmime", "BODY=BINARYMIME", "BODY", "BODY=", "SMTPUTF8", "smtputf8",
    "SMTPUTF8=x", "AUTH", "auth=bob", "RET=HDRS", "ENVID=x", "NOTIFY=NEVER", "ORCPT=rfc822;bob@b.example",
    "X", "X=Y", "=", "=5", "SIZEX=5", "XSIZE=5", "TRANSID=<x@b.example>", "BY=1;R", "MT-PRIORITY=3",
    "REQUIRETLS", "x", "SIZE:5", "SIZE", "SIZE=",
)  # fmt: skip

#: What AUTH= on MAIL may name, in xtext.
IDENTITIES = (
    "<>", "", "mallory", "mallory", "alice", "m+61llory", "e+3Dmc2@b.example", "+", "+6", "+zz", r"\xff",
    "<mallory>", "unknown", "mallory@b.example", "a=b",
)  # fmt: skip

#: What an AUTH mode may be (SMTPAUTH).
MODES = (
    "", "-", "!", "cram", "+cram", "!cram", "!+cram", "CRAM", "+Cram", "-cram", "-+cram", "- ", "-x", "!x",
    "!-", "!!", "x", "login", "plain", "+", "+cram-md5", "cram-md5", " cram", "cram+", "++cram", "!CRAM",
    "+crammed", "--", "0", "no",
)  # fmt: skip

#: Exit statuses that somebody gives a meaning, and their neighbours.
STATUSES = (
    0, 1, 2, 10, 11, 12, 31, 32, 40, 41, 50, 51, 52, 53, 54, 55, 61, 62, 63, 64, 65, 66, 70, 71, 72, 74, 81,
    82, 91, 92, 98, 99, 100, 101, 109, 110, 111, 112, 113, 119, 120, 121, 126, 127, 128, 139, 254, 255,
)  # fmt: skip


def repeated(count: int, text: str) -> str:
    """A text so many times over, as a chat writes it."""
    return rf"\{{{count}*{text}}}" if count > 0 else ""
