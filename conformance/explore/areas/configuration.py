"""Control files and variables: empty, missing, doubled, with comments and blanks, very long."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.delivery import transaction
from conformance.explore.areas.hosts import ZONES, Table, deliveries, put, some
from conformance.explore.document import WAIT, Document

_LONG = "x" * 300


def _of_one_line(*lines: str, nul: bool = True) -> list[Any]:
    """A file of which the first line counts, in all manners; `nul`: among them one that a NUL ends."""
    found: list[Any] = [False, "", " ", "\n", "#", "# comment"]
    for line in lines:
        found += [
            line,
            line,
            line.upper(),
            f"{line} \t",
            f" {line}",
            [line, "other.example"],
            ["", line],
            f"# {line}",
            f"{line}#",
            f"{line}\r",
            rf"{line}\c",
        ]
        found += [f"{line} # comment", f"{line}{_LONG}", [f"{line}\t", ""], f"{line}\u00fc"]
        found += [f"{line}\0more"] * nul
    return found


def _of_lines(*lines: str) -> list[Any]:
    """A file of which every line counts, in all manners."""
    every = list(lines)
    found: list[Any] = [
        False,
        [],
        [""],
        ["# comment"],
        every,
        every[::-1],
        every + every,
        [line.upper() for line in every],
    ]
    found += [
        [f"{line} \t" for line in every],
        [f" {line}" for line in every],
        [f"#{line}" for line in every],
    ]
    found += [
        [every[0], *(f"# {line}" for line in every)],
        ["", *every, ""],
        [f"{line}\r" for line in every],
        [*every[:-1], rf"{every[-1]}\c"],
        [f"{line} # x" for line in every],
    ]
    found += [
        [_LONG, *every],
        [*every, "y" * 3000],
        [f"{line}\0x" for line in every],
        ["\t", "  ", *every],
        [every[-1]],
        [every[0]],
    ]
    return found + [[line] for line in every] + [every[place:] for place in range(1, len(every))]


def _numbers(*numbers: int) -> list[Any]:
    """A file with a number, at limits and beside them."""
    around = sorted({near for number in numbers for near in (number - 1, number, number + 1) if near >= 0})
    large = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1, 2**64, 10**30]
    odd = ["", " ", "x", "-1", "+1", "1x", " 1", "1 ", "01", "0x10", "1.5", "1\n2", "# 1", "\n1", False]
    return [*around * 2, *map(str, large), *odd, *(f"{number} octets" for number in numbers)]


def _seconds(*numbers: int) -> list[Any]:
    """A file with a number of seconds; none that an int of 32 bits has as a negative one, of no meaning."""
    return [number for number in _numbers(*numbers) if str(number) not in _NEGATIVE]


_NEGATIVE = tuple(map(str, (2**31, 2**32 - 1, 2**64 - 1)))

_CONTROL: dict[str, list[Any]] = {
    # What RELAYCLIENT adds to an address of these stands behind their NUL, and what qmail-send adds to one of
    # these is another record in its queue.
    "me": _of_one_line("mx.here.example", nul=False),
    "smtpgreeting": _of_one_line("greeting.here.example", "a greeting of words"),
    "localiphost": _of_one_line("here.example", "local.example", nul=False),
    "helohost": _of_one_line("helo.here.example"),
    "bouncefrom": _of_one_line("daemon"),
    "bouncehost": _of_one_line("bounce.here.example"),
    "doublebounceto": _of_one_line("alice", "nobody"),
    "doublebouncehost": _of_one_line("here.example"),
    "envnoathost": _of_one_line("here.example", "one.example", nul=False),
    "databytes": _numbers(0, 1, 100, 200),
    "timeoutsmtpd": _seconds(0, 2),
    "timeoutremote": _seconds(0, 2),
    "timeoutconnect": _seconds(0, 2),
    "queuelifetime": _numbers(0, 1),
    "concurrencylocal": _numbers(0, 1, 2),
    "concurrencyremote": _numbers(0, 1),
    "rcpthosts": _of_lines("here.example", ".sub.example", "there.example", "one.example"),
    "morercpthosts": _of_lines("more.example", ".more.example"),
    "badmailfrom": _of_lines("bad@there.example", "@bad.example", "Bad@Case.example", "@"),
    "locals": _of_lines("here.example", "one.example", "local.example"),
    "percenthack": _of_lines("here.example", "hack.example"),
    "virtualdomains": _of_lines(
        "virtual.example:alice", "user@virtual.example:bob-list", ".virtual.example:alias-x", "one.example:",
    ),
    "smtproutes": _of_lines(
        "big.example:127.0.0.3", ".example:127.0.0.2", "there.example:", ":127.0.0.4",
        "plain.test:127.0.0.2:25|u|p",
    ),
    "authsenders": _of_lines("a@here.example:127.0.0.3|u|p", "@here.example|u|p", ":127.0.0.2:25|u@x|p"),
}  # fmt: skip

_ENVIRONMENT: dict[str, Sequence[str]] = {
    "RELAYCLIENT": ("", "", "@here.example", "@fix.example", " ", "\u00fc", _LONG, ".example"),
    "DATABYTES": (
        "0", "1", "100", "150", "200", "", "x", "-1", "99999999999999999999", "100x", " 100",
        str(2**32), str(2**31),
    ),
    "TCPREMOTEINFO": ("", "info", "two words", "a(b)c", "\u00fc", "a\nb", "x" * 1000, "a\\b"),
    "TCPREMOTEHOST": (
        "", "client.example", "Client.EXAMPLE", "a b", "\u00fc.example", "x" * 1000, "a(b", "unknown",
    ),
    "TCPLOCALHOST": ("", "mx.here.example", "other.example"),
    "TCPREMOTEIP": ("", "192.0.2.1", "::1", "x"),
    "VERIFY": ("", ":", "DEFER", ":\u00fc", "x", "client.example"),
    "SMTPAUTH": ("", "+cram", "-", "!", "!cram", "x", "cram"),
    "QMAILQUEUE": ("", "/nothing"),
}  # fmt: skip

_SENDERS = (
    "alice@here.example", "bad@there.example", "BAD@THERE.example", "x@bad.example", "X@BAD.Example",
    "bad@case.example", "", "a@good.example", "bad",
    "x@sub.bad.example", "bad@there.example.", "a@here.example",
)  # fmt: skip
_RECIPIENTS = (
    "alice@here.example", "ALICE@HERE.example", "bob", "x@a.sub.example", "x@sub.example",
    "b@there.example", "b@more.example", "b@x.more.example",
    "alice@[127.0.0.1]", "alice@one.example", "x%big.example@here.example", "b@big.example",
    "alice@local.example", "x@virtual.example",
    "user@virtual.example", "b@hack.example", "alice%here.example@hack.example", "nobody@here.example",
    "x@x.virtual.example", "b!c@here.example",
)  # fmt: skip


#: Messages of sizes around those that databytes allows; each line end counts for one octet.
_SIZES = (
    *["", "hello", "Subject: hello\n\nhello"] * 4,
    *(f"\\{{{size}*x}}" for size in (1, 97, 98, 99, 100, 101, 148, 149, 150, 198, 199, 200, 201)),
    *(f"\\{{{size}*x}}\n\\{{48*y}}" for size in (48, 49, 50, 51, 52)),
)  # fmt: skip
#: What a chat may end with.
_LAST = ("! pause 1\n", "! pause 2.5\n", f"> AUTH PLAIN \\{{plain:alice}}\n{WAIT}\n", f"> QUIT\n{WAIT}\n")


def _session(choices: Choices) -> str:
    """A chat that meets most of what the files say."""
    chat = choices.of((f"> EHLO client.example\n{WAIT}\n",) * 4 + (f"> HELO client.example\n{WAIT}\n", ""))
    for _ in range(choices.of((1, 1, 2, 3))):
        chat += transaction(choices.of(_SENDERS), some(choices, _RECIPIENTS, 6), choices.of(_SIZES))
    if choices.chance(4):
        chat += choices.of(_LAST)
    return chat


def _named(choices: Choices, place: str, named: Mapping[str, Sequence[Any]], least: int, most: int) -> Table:
    """Some of what has a name, each with one of its values."""
    drawn = {
        name: partial(lambda name, values: (name, choices.of(values)), name, named[name]) for name in named
    }
    return dict(choices.steered(place, drawn) for _ in range(choices.between(least, most)))


def _document(choices: Choices) -> Document:
    made: Document = {"session": _session(choices)}
    put(choices, made, "delivering", (True,), 2)
    put(choices, made, "verifying", (True, True, True, "mute"), 6)
    made["control"] = {"timeoutremote": 1, "timeoutconnect": 1} | _named(
        choices, "control file", _CONTROL, 1, 4
    )
    made["environment"] = _named(choices, "variable", _ENVIRONMENT, 0, 2)
    made["zones"] = ZONES | {"here.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}
    if choices.chance(2):
        made["deliver"] = deliveries(choices, 3)
    return made


AREA = Area("configuration", "control files and variables of every shape", documents(_document))
