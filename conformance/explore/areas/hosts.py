"""What the areas of mail that goes out share: hosts and what they say, zones, addresses, messages."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from typing import Any, TypeVar

from conformance.explore.areas.choosing import Choices

T = TypeVar("T")
Table = dict[str, Any]

#: Every name stands below the root, so that none that qmail asks for leads out of the world.
ROOT = '@ TXT "the root"\n'

ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")

#: The domains that mail goes to, and the hosts that take it.
ZONES = {
    ".": ROOT,
    "big.example": "@ MX 10 mx\nmx A 127.0.0.2\nsub MX 0 mx\n",
    "there.example": "@ MX 10 mx\nmx A 127.0.0.3\n",
    "plain.test": "@ MX 10 first\n@ MX 20 second\nfirst A 127.0.0.4\n"
    "second A 127.0.0.5\nsecond A 127.0.0.2\n",
    "alone.test": "@ A 127.0.0.5\nalias CNAME there.example.\n",
}

_DOMAINS = (
    "big.example", "there.example", "plain.test", "alone.test", "sub.big.example", "BIG.Example",
    "alias.alone.test", "gone.example", "[127.0.0.2]", "127.0.0.3", "mx.there.example", "big.example.",
)  # fmt: skip

#: Local parts with and without signs that want quotes (RFC 5321 4.1.2).
_BOXES = (
    "a", "a", "b", "c", "list", "a.b", ".a", "a.", "a..b", "a b", 'a"b', "a\\b", "a@b", "a%there.example",
    "\u00fc", "a<b>", "a\tb", "a(b)", "a,b;c:d", "a!b", "a+b=c", "A", "x" * 64, "x" * 65, "x" * 900, "#",
    "a-b-c", "a\rb",
)  # fmt: skip


def some(choices: Choices, items: Sequence[T], most: int, least: int = 1) -> list[T]:
    """So many of the items, one perhaps more than once."""
    return [choices.of(items) for _ in range(choices.between(least, most))]


def put(choices: Choices, table: Table, name: str, values: Sequence[Any], one_in: int) -> None:
    """Once in so many times, one of the values under that name."""
    if choices.chance(one_in):
        table[name] = choices.of(values)


def table(made: dict[str, Any], name: str) -> Table:
    """A table of a document, there from now on."""
    found: Table = made.setdefault(name, {})
    return found


# What hosts say

_WORDS = (
    "ok", "", "two words", "\u00fc\u00df", "a\0b", "tab\there", "<b@big.example> no", "4.2.1 wait", "a\rb",
    "a/b_c%d",
)  # fmt: skip
#: Around the octets of a reply that qmail-remote keeps.
_LONG = tuple("x" * size for size in (500, 510, 4980, 4994, 4995, 4996, 4997, 5000, 5001, 9000))


def _forms(code: str, other: str) -> Iterable[str]:
    """A reply in all manners; in one of several lines the others may have another code."""
    yield from (f"{code} {words}" for words in _WORDS)
    yield code
    yield f"{code}\tok"
    yield f"{code}-one\r\n{code} two"
    yield f"{code}-one\r\n{other} two"
    yield f"{other}-one\r\n{code} two"
    yield f"{code}-\r\n{code}-\r\n{code} "
    yield f"{code}-one\n{code} two"
    yield f"{code}-one\n\n\n\n-two\n{code} three"
    yield f"{code}-one\r\n \r\n\r\n{code} two"
    yield "\r\n".join([*(f"{code}-line {number}" for number in range(40)), f"{code} end"])
    yield f"{code} ok\r\n{other} unasked"


_CODES = {
    "connect": ("220", "200", "221", "421", "450", "554", "521", "354", "22", "2200", "a20", ""),
    "EHLO": ("250", "251", "220", "421", "450", "500", "502", "550", "354", "999"),
    "HELO": ("250", "251", "220", "421", "450", "500", "550", "000"),
    "AUTH": ("235", "250", "334", "432", "432", "421", "454", "500", "535"),
    "challenge": ("334", "235", "432", "454", "500", "504", "535", "354"),
    "MAIL": ("250", "251", "299", "354", "399", "400", "421",
        "451", "499", "500", "530", "550", "552", "150"),
    "RCPT": ("250", "251", "252", "354", "399", "400", "421",
        "450", "452", "500", "550", "551", "553", "600", "150"),
    "DATA": ("354", "250", "200", "300", "353", "355", "399", "421", "451", "500", "503", "554", "x54"),
    "message": ("250", "200", "299", "300", "354", "399",
        "400", "421", "451", "500", "552", "554", "199", "600"),
    "QUIT": ("221", "250", "421", "500", "200"),
    "*": ("500", "250", "502"),
}  # fmt: skip
_ENDS = ("close", "reset", "stall", "stall", "deaf")
#: What a host says before it resets its connection may be lost with it, which is chance.
_ENDS_AFTER = tuple(end for end in _ENDS if end != "reset")
#: What may stand as a challenge of AUTH: base64, and what is none.
_CHALLENGES = (
    "334",
    *(f"334 {words}"
    for words in (
        "", "PDEuMkBoZXJlLmV4YW1wbGU+", "PDEuMkBoZXJlLmV4YW1wbGU", "not base64!", "=", "A", "AA=", "====",
        "YQ==", "YQ==YQ==", "VXNlcm5hbWU6", " PDEuMkBoZXJlLmV4YW1wbGU+", "PDEuMkBoZXJlLmV4YW1wbGU+ ",
        "eHh4" * 30, "eHh4" * 1500, "AAECAw==",
    )),
)  # fmt: skip


def _replies(step: str) -> dict[str, list[str]]:
    """The replies to a step: by another code, in another form, with an end, long."""
    codes = _CODES[step]
    codes_about = zip(codes, codes[1:] + codes[:1], strict=True)
    found = {
        "codes": [f"{code} said" for code in codes] + list(_CHALLENGES) * (step == "challenge"),
        "forms": [form for code, other in codes_about for form in _forms(code, other)],
        "long": [f"{code} {words}" for code, words in product((codes[0], codes[-2]), _LONG)],
        "ends": [
            *_ENDS * 2,
            *(f"{code} said; {end}" for code, end in product((codes[0], codes[-2]), _ENDS_AFTER)),
        ],
    }
    found["long"] += [f"{codes[0]}-{words}\r\n{codes[0]} {words}" for words in _LONG[-3:]]
    found["ends"] += [f"{codes[0]} said;close", f"{codes[0]}; stop", f"{codes[0][:2]};close"]
    return found


_REPLIES = {step: _replies(step) for step in _CODES}
_STEPS = (*_CODES, "RCPT <b@big.example>", "RCPT <c@there.example>", "RCPT <a@plain.test>")
_MANNERS = ("codes", "codes", "codes", "codes", "forms", "forms", "forms", "ends", "ends", "long")

#: Words that a host announces, by grammar and beside it (RFC 5321 4.1.1.1, RFC 4954 3).
_ANNOUNCED = (
    "AUTH LOGIN", "AUTH PLAIN", "AUTH CRAM-MD5", "AUTH LOGIN PLAIN", "AUTH PLAIN LOGIN CRAM-MD5",
    "auth login plain", "Auth Cram-Md5 Login", "AUTH=LOGIN", "AUTH=PLAIN LOGIN", "AUTH", "AUTH ",
    "AUTH  LOGIN", "AUTH\tPLAIN", "XAUTH LOGIN", "AUTHLOGIN", "AUTH DIGEST-MD5 GSSAPI",
    "AUTH DIGEST-MD5 LOGIN", "AUTH X-PLAIN", "AUTH PLAINX", "SIZE 1000", "SIZE", "STARTTLS", "SMTPUTF8",
    "PIPELINING", "8BITMIME", "DSN", "", "AUTH LOGIN\r", "X" * 600, "AUTH " + "X" * 600 + " LOGIN",
)  # fmt: skip
_METHODS: tuple[list[str], ...] = (
    ["LOGIN"], ["PLAIN"], ["CRAM-MD5"], ["CRAM-MD5"], ["LOGIN", "PLAIN"], ["PLAIN", "LOGIN"],
    ["LOGIN", "CRAM-MD5"], ["LOGIN", "PLAIN", "CRAM-MD5"], ["CRAM-MD5", "PLAIN"], ["login", "plain"],
    ["DIGEST-MD5"], ["DIGEST-MD5", "PLAIN"], ["Cram-Md5", "LOGIN"], [],
)  # fmt: skip

#: Users as routes name them, with their passwords; no bar stands in either.
_USERS = {
    "someone": "made-up", "someone@here.example": "made-up", "a+b=c@here.example": "two words",
    "some one@here.example": "colon:and;", "\u00fc@here.example": "p\u00e4ss", "x@y": "p" * 64,
    "x@z": "p" * 65, "long@here.example": "q" * 200, '"a b"@here.example': "!#$%&'*+", "u" * 300: "made-up",
    "a~b@c": "@", "@": "x", "a&b/c?d@here.example": "made-up",
}  # fmt: skip
#: `user|password` as a line of a route has it, half of one, and too much of it.
CREDENTIALS = (
    *[f"{user}|{password}" for user, password in _USERS.items()] * 2, "someone|", "|made-up", "someone",
    "|", "someone|made-up|more", "someone |made-up", "||",
)  # fmt: skip
_NAMES = ("", "x" * 300, "h\u00f6st", "two words")


def _reply(choices: Choices, step: str) -> str:
    return choices.of(_REPLIES[step.partition(" ")[0]][choices.of(_MANNERS)])


def exchanger(
    choices: Choices, address: str, steps: Sequence[str] = _STEPS, with_auth: bool = False
) -> Table:
    """A host with a script, on an address; `with_auth`: it announces methods, and not just perhaps."""
    made: Table = {"address": address}
    script: dict[str, Any] = {}
    for _ in range(choices.of((0, 1, 1, 1, 1, 2, 2, 3))):
        step = choices.steered("host step", {step: partial(str, step) for step in steps})
        script[step] = _reply(choices, step)
        if choices.chance(5):
            script[step] = [script[step], *(_reply(choices, step) for _ in range(choices.between(1, 2)))]
    if script:
        made["steps"] = script
    if with_auth or choices.chance(2):
        hows = _WITH_AUTH if with_auth and not choices.chance(4) else tuple(_HOWS)
        made |= choices.steered("host announces", {name: partial(_HOWS[name], choices) for name in hows})
    if choices.chance(30):  # for qmail has to wait
        made |= choices.of(({"silent": True}, {"pace": 0.05}, {"pace": 0.3}, {"pace": 1.1}))
    put(choices, made, "host", _NAMES, 30)
    return made


#: What a host announces, and whom it lets in.
_HOWS = {
    "methods": lambda choices: {"auth": choices.of(_METHODS), "users": _USERS},
    "one method": lambda choices: {"auth": [choices.of(("LOGIN", "PLAIN", "CRAM-MD5"))], "users": _USERS},
    "CRAM-MD5": lambda choices: {"auth": ["CRAM-MD5"], "users": _USERS},
    "methods in any order": lambda choices: {
        "auth": some(choices, ("LOGIN", "PLAIN", "CRAM-MD5", "X"), 4), "users": _USERS,
    },
    "other users": lambda choices: {"auth": choices.of(_METHODS[:8]), "users": {"someone": "other"}},
    "words": lambda choices: {"extensions": some(choices, _ANNOUNCED, 4), "users": _USERS},
    "one word": lambda choices: {"extensions": ["PIPELINING", choices.of(_ANNOUNCED)], "users": _USERS},
    "takes others": lambda choices: {
        "auth": choices.of(_METHODS), "accepts": choices.of((["PLAIN"], ["CRAM-MD5"], [])), "users": _USERS,
    },
    "unannounced": lambda choices: {"accepts": ["PLAIN", "LOGIN"], "users": _USERS},
    "no EHLO": lambda choices: {"ehlo": False},
}  # fmt: skip


#: Of these, what lets qmail-remote authenticate.
_WITH_AUTH = ("methods", "one method", "CRAM-MD5", "methods in any order", "other users")


def exchangers(choices: Choices, steps: Sequence[str] = _STEPS, with_auth: bool = False) -> list[Table]:
    """Hosts on some of the addresses: with scripts, ordinary ones, and those that are not there."""
    made = [
        exchanger(choices, address, steps, with_auth) for address in ADDRESSES[:2] if not choices.chance(8)
    ]
    for address in ADDRESSES[2:]:
        at = {"address": address}
        others = (
            *[at] * 6,
            None,
            None,
            at | {"silent": True},
            *[at | {"steps": {"connect": "421 later"}}] * 2,
        )
        if host := exchanger(choices, address, steps, with_auth) if choices.chance(3) else choices.of(others):
            made.append(host)
    if choices.chance(4):
        made.append(exchanger(choices, ADDRESSES[0], steps, with_auth) | {"port": 2525})
    return made or [{"address": "127.0.0.9"}]


# Messages and envelopes

_BODIES = (
    "", "\n", "hello\n", ".\n", "..\n", ".hello\n", "hello\n.\n", "\n.\n\n", "hello\n.\nmore\n..\n",
    "no end", ".", "hello\n.", "a\rb\n", "a\r\n", "\r\n.\r\n", "\r.\n", "a\0b\n", "\u00fc\u00df\n",
    "\x7f\x1b\n", "From here\n>From there\n", "-- \n", "\t\n",
)  # fmt: skip
#: Lines beside the limits of RFC 5321 4.5.3.1 and of qmail's buffers, with a dot on the next.
_FILLED = tuple(
    "x" * size + "\n.dot\n" for size in (997, 998, 999, 1000, 1001, 1019, 1020, 1021, 1022, 1023, 1024, 1025)
)
_HEADERS = (
    "", "", "Subject: hello\n\n", "From: a@here.example\nTo: b@big.example\nSubject: long\n folded\n\n",
    "Odd header\n\n",
)  # fmt: skip
_LARGE = (
    "".join(f"line {number}\n.\n" for number in range(300)),
    "".join("y" * size + "\n." + "z" * (size % 7) + "\n" for size in range(1, 120)),
)


def message(choices: Choices) -> str:
    """A message as qmail stores it."""
    if choices.chance(20):
        return choices.of(_LARGE)
    return choices.of(_HEADERS) + choices.of(_FILLED if choices.chance(4) else _BODIES)


#: Envelope senders.
_SENDERS = (
    *["a@here.example"] * 30, *(f"{box}@here.example" for box in _BOXES), "", "", "#@[]", "nobody", "a@",
    "@here.example", "a@sub.here.example", "A@HERE.example", "list-@here.example-@[]", "a@b@c",
    "a@other.example", "a@127.0.0.1", "a@[127.0.0.1]", "\u00fc", "a\nb@here.example", "list@sub.here.example",
)  # fmt: skip
_RECIPIENTS = (
    *["b@big.example", "c@there.example", "a@plain.test", "c@big.example"] * 25,
    *(f"b@{domain}" for domain in _DOMAINS), *(f"{box}@big.example" for box in _BOXES),
    *(f"{box}@plain.test" for box in _BOXES[::3]), "nobody", "", "@big.example", "b@", "b@[127.0.0.9]",
    "b@[127.0.0.2", "b@BIG.EXAMPLE", "b@big.example.", "b@\u00fc.example", "b@alone.test",
    "b@alias.alone.test", "b@sub.big.example", "b@here.example",
)  # fmt: skip
_HOSTS = (
    *_DOMAINS, "b\u00e4d.example", "bad name.example", "x" * 64 + ".example", "x." * 100 + "example",
    ".big.example", "[127.0.0.9]", "[127.0.0.1]", "0.0.0.0", "[0.0.0.0]", "[127.0.0.258]", "[127.0.0]",
    "1.2.3", "big..example", "\\98ig.example", "a\x07b.example", "localhost", ".",
)  # fmt: skip


#: Hosts at which qmail-smtpd listens in a pod, which the reference does not reach. Nor does qmail-remote,
#: but where all recipients are aliases.
_OWN = ("[127.0.0.1]", "0.0.0.0", "[0.0.0.0]")


def delivery(choices: Choices, to: Sequence[str] = _RECIPIENTS, hosts: Sequence[str] = _HOSTS) -> Table:
    """A run of qmail-remote. Without a host of its own, it goes to the domain of its first recipient."""
    made: Table = {"sender": choices.of(_SENDERS), "recipients": some(choices, to, choices.of((1, 1, 2, 3)))}
    put(choices, made, "host", hosts, 8)
    if choices.chance(2):
        made["message"] = message(choices)
    if made.get("host") in _OWN:
        made["recipients"].append("b@[127.0.0.2]")
    if not made["recipients"][0].rpartition("@")[2]:
        made.setdefault("host", "big.example")
    return made


def deliveries(choices: Choices, most: int, to: Sequence[str] = _RECIPIENTS) -> list[Table]:
    return [delivery(choices, to) for _ in range(choices.between(1, most))]
