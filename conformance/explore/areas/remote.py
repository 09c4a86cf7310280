"""Mail that goes out: routes and credentials, hosts that say anything, reports."""

from functools import partial
from itertools import product
from typing import Any

from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.hosts import CREDENTIALS, ZONES, Table, deliveries, exchangers, put
from conformance.explore.document import Document

#: Hosts as smtproutes names them, and senders as authsenders does.
_KEYS = (
    *["big.example", "there.example", "", ".example"] * 3, "plain.test", ".big.example", ".test",
    "BIG.example", "There.Example", "big", "example", ".", "sub.big.example", "big.example.", "[127.0.0.2]",
    "127.0.0.3", "gone.example",
)  # fmt: skip
_SENDERS = (
    *["a@here.example", "@here.example", ""] * 3, ".here.example", ".example", "A@Here.Example",
    "list@sub.here.example", "@sub.here.example", "nobody", "a", "@", "#@[]", "a@other.example",
)  # fmt: skip
#: At 127.0.0.1:25 this host's own qmail-smtpd listens, to which 0.0.0.0 leads as well.
_RELAYS = (
    *["", "127.0.0.2", "127.0.0.3"] * 3, "mx.there.example", "there.example", "[127.0.0.3]", "plain.test",
    "127.0.0.4:25", "[127.0.0.2]:2525", "127.0.0.2:2525", ":2525", "127.0.0.3:", "127.0.0.3:25x",
    "127.0.0.3:65561", "127.0.0.3:0", "127.0.0.3:x", "127.0.0.1:2525", "gone.example", "127.0.0.9",
    "alone.test", "alias.alone.test", "mx.there.example ", "THERE.example", "127.0.0.3::25", "0.0.0.0:2525",
    "127.0.0.1", "0.0.0.0:25",
)  # fmt: skip
#: Lines that are none, or count in another way.
_ODD = (
    "", "# a comment", "#big.example:127.0.0.9", "#a@here.example:127.0.0.9", "big.example", ":", "::",
    "big.example:127.0.0.3\t", " big.example:127.0.0.9", "|", "x" * 1000,
)  # fmt: skip


def _line(choices: Choices, keys: tuple[str, ...]) -> str:
    """One of smtproutes or authsenders: with a relay or without, with credentials or without."""
    if choices.chance(9):
        return choices.of(_ODD)
    key = choices.of(keys)
    line = f"{key}:{choices.of(_RELAYS)}" if choices.chance(2) else choices.of((key, f"{key}:"))
    return f"{line}|{choices.of(CREDENTIALS)}" if choices.chance(2) else line


#: Names of a host; numbers of seconds, at limits and beside them.
_NAMES = (
    "helo.here.example", "", " ", "x" * 300, "two words", "name\nother", "# name", "h\u00f6st", "NAME \t",
    False,
)  # fmt: skip
_SECONDS = (0, 1, 2, "1 ", "1x", "x", "", "-1", "\n2", 4294967297, 99999999999, "  1", False, "1\n9")


def _control(choices: Choices) -> dict[str, Any]:
    """Control files of qmail-remote."""
    made: dict[str, Any] = {"timeoutremote": 1, "timeoutconnect": 1}
    for name, keys, one_in in (("smtproutes", _KEYS, 2), ("authsenders", _SENDERS, 3)):
        if choices.chance(one_in):
            made[name] = [_line(choices, keys) for _ in range(choices.of((1, 1, 2, 2, 3, 4)))]
    put(choices, made, "helohost", _NAMES, 5)
    put(choices, made, "me", _NAMES, 15)
    put(choices, made, "timeoutremote", _SECONDS, 15)
    put(choices, made, "timeoutconnect", _SECONDS, 15)
    return made


#: Hosts that have timed out before, beside the limits of qmail-tcpto(8), as far as the seconds of a session
#: allow: two minutes, and for how long a host is left alone, which is 3,840 to 5,824 s by process number.
_AGES = (0, 1, 60, 100, 140, 200, 1700, 1900, 3000, 3780, 5830, 6000, 100_000)
_TIMED_OUT: list[Table] = [
    {"address": f"127.0.0.{last}", "timeouts": times, "age": age}
    for last, times, age in product((2, 3, 4), (1, 2, 2, 3, 10), _AGES)
]
#: As many as the table holds, and what is beside that.
_CROWDS = [
    [
        {"address": f"127.0.9.{number}", "timeouts": 1 + number % times, "age": 200 + 7 * number % span}
        for number in range(1, size + 1)
    ]
    for size, times, span in ((63, 1, 50), (64, 1, 50), (64, 3, 100), (65, 2, 1), (64, 10, 9000))
]


def _hosts(choices: Choices, made: Document) -> None:
    """Hosts that say anything, and mail to them by whatever way."""
    made["exchanger"] = exchangers(choices)


#: What a host may say of credentials (RFC 4954 4 and 6).
_VERDICTS = ("235", "250", "334", "432", "454", "500", "535")


def _authenticating(choices: Choices, made: Document) -> None:
    """Credentials for nearly everybody, and hosts that announce AUTH and say anything about it."""
    file = choices.of(("authsenders", "authsenders", "smtproutes"))
    keys = (
        ("a@here.example", "@here.example", "", "")
        if file == "authsenders"
        else ("big.example", ".example", "", "")
    )
    lines = [f"{choices.of(keys)}:|{choices.of(CREDENTIALS)}", f":|{choices.of(CREDENTIALS)}"]
    made["control"][file] = made["control"].get(file, []) + lines[choices.between(0, 1) :]
    made["exchanger"] = exchangers(choices, ("AUTH", "challenge", "MAIL"), with_auth=True)
    for host in made["exchanger"]:
        if choices.chance(3):
            host.setdefault("steps", {})["AUTH"] = f"{choices.of(_VERDICTS)} said"


def _timeouts(choices: Choices, made: Document) -> None:
    """Hosts that are remembered, and hosts that are silent now."""
    made["exchanger"] = exchangers(choices)
    known: dict[str, Table] = {}
    for _ in range(choices.between(0, 3)):
        host = choices.of(_TIMED_OUT)
        known[host["address"]] = host
    made["timed-out"] = [*(choices.of(_CROWDS) if choices.chance(4) else []), *known.values()]
    for host in made["exchanger"]:
        if choices.chance(2):
            host["silent"] = True


def _document(choices: Choices) -> Document:
    made: Document = {"control": _control(choices), "zones": ZONES}
    themes = {"hosts": _hosts, "authenticating": _authenticating, "time-outs": _timeouts}
    choices.steered("remote theme", {name: partial(theme, choices, made) for name, theme in themes.items()})
    put(choices, made, "nobody-listens", (True,), 40)
    return made | {"deliver": deliveries(choices, 5)}


AREA = Area(
    "remote", "mail that goes out: routes, credentials, hosts that say anything", documents(_document)
)
