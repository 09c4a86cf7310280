"""Mail through qmail-send: to Maildirs, dot-qmail files, programs and hosts, and bounces."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.domains import local_domains, percent_hack, virtual_domains
from conformance.explore.areas.homes import dot_qmail, home, mailing_list, mbox
from conformance.explore.areas.hosts import ZONES, Table, exchangers, put, some, table
from conformance.explore.document import WAIT, Document
from conformance.scenario.escapes import escaped

# Messages and envelopes

_SENDERS = (
    *["alice@here.example", "a@here.example", "b@big.example"] * 4, "", "", "#@[]", "#@[]", "carol",
    "nobody@here.example", "alice-list-@here.example-@[]", "list-@there.example-@[]", "-@[]",
    "@here.example-@[]", "x-@[]", "alice-list@here.example", '"a b"@here.example', "a\u00fcb@here.example",
    "b@gone.example", "x@virtual.example", "postmaster@here.example", "a+b=c@there.example",
    "Alice@Here.example", '"a\\"b"@big.example', "alice%here.example@hack.example", "c@there.example",
)  # fmt: skip
#: Recipients on this host and elsewhere whom no set-up is about.
_RECIPIENTS = (
    *["alice@here.example", "b@big.example", "nobody@here.example"] * 3, "bob@here.example",
    "carol@here.example", "grace@here.example", "ALICE@here.example", "alice@HERE.example",
    "Alice@here.example", "alice", "nobody", "postmaster@here.example", "root@here.example",
    "mailer-daemon@here.example", "alias@here.example", "@here.example", "alice@mx.here.example",
    "c@there.example", "b@gone.example", "b@plain.test", "B@BIG.example", "b@[127.0.0.2]",
    "alice@[127.0.0.1]", '"a b"@here.example', '"alice"@here.example', "b@big.example.",
    "\u00fc@here.example", "x" * 100 + "@here.example", "b@mx.big.example", "alice-@here.example",
    "bob-boxes-x@here.example", "bob-boxes-a-b@here.example", "bob-list@here.example", "one@one.example",
    "x@one.example", "b@alone.test", "a/b@here.example", "alice+list@here.example",
)  # fmt: skip

_FIELDS = (
    "Subject: hello", "From: a@here.example", "Delivered-To: alice@here.example",
    "Delivered-To: alice-list@here.example", "delivered-to: alice@here.example",
    "Delivered-To: ALICE@here.example", "Return-Path: <x@other.example>", "From a@b Thu",
    "Precedence: bulk", "Errors-To: carol@here.example", " folded", "Subject: \u00fc\u00df", "no field",
    "Delivered-To: bob@here.example",
)  # fmt: skip
_BODY = (
    "hello", "From here on", ">From there", ">>From >From", "from here", " From", ".", "..x", "",
    "\u00fc\u00df\u20ac", r"\x00\x80\xff", r"\r", r"a\rb", r"\{998*x}", r"\{2000*y}",
    "Delivered-To: alice@here.example", "-- ", "--- Below this line", "x ",
    "Delivered-To: alice-list@here.example",
)  # fmt: skip


def _message(choices: Choices, made: Document) -> str:
    """The lines of a message in a chat; no large one, where a host may go before it has been written."""
    fields = some(choices, _FIELDS, 3) if choices.chance(3) else ["Subject: hello"]
    body = some(choices, _BODY, 4) if choices.chance(2) else ["hello"]
    if choices.chance(25) and "exchanger" not in made:
        body += [r"\{1000*x}"] * 60 + ["the end"]
    return "\n".join([*fields, *([] if choices.chance(20) else [""]), *body])


def transaction(sender: str, recipients: Sequence[str], message: str) -> str:
    """The lines of a chat that hands a message in, whatever is said of each of them."""
    said = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]
    lines = [f"> {escaped(line.encode())}\n{WAIT}" for line in said]
    lines += [f"| {line}" for line in message.split("\n")]
    return "\n".join([*lines, WAIT]) + "\n"


# Themes: each puts into the document what it is about, and says whom mail for it is to


_NAMES = (
    "", "one.example", "here.example", "HERE.example", "two words", "gone.example", "there.example",
    "h\u00f6st", "x\ny", " ", "big.example",
)  # fmt: skip
_BOUNCES: dict[str, Sequence[Any]] = {
    "envnoathost": _NAMES,
    "me": (*_NAMES, False),
    "bouncefrom": ("daemon", "", "two words", "a@b", "MAILER", "\u00fc", 'q"'),
    "bouncehost": _NAMES,
    "doublebounceto": ("alice", "", "nobody", "carol", "two words", "a@b", "alice-list", "@"),
    "doublebouncehost": _NAMES,
    # Where one is 0, what waits for it holds one of the places that both share, as the reference does not.
    "concurrencylocal": (1, 1, 2, 3, 255, "x", 300),
    "concurrencyremote": (1, 2, 255, ""),
}


def _bounces(choices: Choices, made: Document) -> list[str]:
    """Control files of bounces and limits, and mail that fails."""
    for name in some(choices, list(_BOUNCES), 3):
        table(made, "control")[name] = choices.of(_BOUNCES[name])
    failing = (
        "nobody@here.example",
        "nobody@here.example",
        "carol-x@here.example",
        "b@gone.example",
        "nobody",
        "alice",
    )
    return some(choices, failing, 3)


_LETTERS = ("r", "rok", "hno\n", "h", "slater\n", "", "x", "R", "htwo\n\nparagraphs\n")
_REPORTS = (
    "Kok\n\0",
    "Kok\n\0",
    "Zlater\n\0",
    "Dno\n\0",
    "K\0",
    "",
    "Kok",
    "\0",
    "Xodd\0",
    "Dtwo\n\nparagraphs\n\0",
)
_SAID = (
    "", "K", "r", "Kok\n", "r\0r\0Kok\0", "h\0h\0Dno\0", "r" * 5000 + "\0Kok\0", "\0\0\0",
    "rtwo\nlines\n\n\0Kok\n\n\0",
)  # fmt: skip


def _remote_program(choices: Choices, made: Document) -> list[str]:
    """What stands in the place of qmail-remote, and what it says and does."""
    said = choices.of(_SAID) if choices.chance(5) else f"{choices.of(_LETTERS)}\0{choices.of(_REPORTS)}"
    program: Table = {"says": said}
    put(choices, program, "default", (1, 100, 111, 99, 255), 3)
    put(choices, program, "fate", ("crash", "missing"), 4)
    put(choices, program, "reads", (True,), 3)
    made["remote-program"] = program
    return some(choices, ("b@big.example", "c@there.example", "b@gone.example"), 3)


def _hosts(choices: Choices, made: Document) -> list[str]:
    """Hosts that say anything about what qmail-send has for them."""
    made["exchanger"] = exchangers(
        choices, ("connect", "HELO", "MAIL", "RCPT", "RCPT", "DATA", "message", "QUIT")
    )
    for host in made["exchanger"]:  # the reference delivers one after the other, and would be at it too long
        host.pop("pace", None)
    return some(
        choices, ("b@big.example", "b@big.example", "c@there.example", "a@plain.test", "c@big.example"), 3
    )


def _old(choices: Choices, made: Document) -> list[str]:
    """Mail that cannot be delivered now, and how long it may wait."""
    control = table(made, "control")
    control["queuelifetime"] = choices.of((0, 0, 0, 1, "0 ", "x", "", 604800, 99999999999, 4294967296))
    made["exchanger"] = choices.of(([{"address": "127.0.0.9"}], [{"address": "127.0.0.2", "silent": True}]))
    table(made, "mode")["carol"] = "0777"
    return some(choices, ("b@big.example", "carol@here.example", "nobody@here.example", "c@there.example"), 3)


_THEMES: dict[str, Callable[[Choices, Document], list[str]]] = {
    "dot-qmail": dot_qmail,
    "dot-qmail again": dot_qmail,
    "list": mailing_list,
    "mbox": mbox,
    "home": home,
    "virtual": virtual_domains,
    "locals": local_domains,
    "percent": percent_hack,
    "bounces": _bounces,
    "remote program": _remote_program,
    "hosts": _hosts,
    "old": _old,
}


def _signal(choices: Choices, made: Document) -> tuple[Table, list[str]]:
    """A signal for qmail-send, and whom files are about that change before it."""
    if choices.chance(2):
        return {"name": "ALRM"}, []
    other: Document = {}
    theme = choices.of((local_domains, virtual_domains, percent_hack, _bounces))
    recipients = theme(choices, other)
    control = {name: value for name, value in other.pop("control").items() if value is not False}
    for name, files in other.items():
        table(made, name).update(files)
    return {"name": "HUP" if choices.chance(2) else "ALRM", "control": control}, recipients


def _session(choices: Choices, made: Document, recipients: Sequence[str]) -> str:
    """The chat of a session that hands in a message or two for some of the recipients, and for others."""
    chat = f"> EHLO client.example\n{WAIT}\n"
    for _ in range(choices.of((1, 1, 2))):
        to = some(choices, recipients, 5, 2) + some(choices, _RECIPIENTS, 2, 0)
        chat += transaction(choices.of(_SENDERS), to, _message(choices, made))
    return chat


def _document(choices: Choices) -> Document:
    made: Document = {
        "zones": ZONES | {"here.example": "@ MX 10 mx\nmx A 127.0.0.1\n"},
        "environment": {"RELAYCLIENT": ""},
        "control": {"timeoutremote": 1, "timeoutconnect": 1},
    }
    recipients: list[str] = []
    for _ in range(choices.of((1, 2, 2, 3))):
        themes = {name: partial(theme, choices, made) for name, theme in _THEMES.items()}
        recipients += choices.steered("delivery theme", themes)
    sessions = [_session(choices, made, recipients) for _ in range(choices.of((1, 1, 2)))]
    if choices.chance(3):
        made["signal"] = []
        for after in range(1, choices.of((2, 2, 3))):
            signal, others = _signal(choices, made)
            made["signal"].append(signal | {"after": after})
            if others or after == len(sessions):
                sessions.insert(after, _session(choices, made, recipients + others))
    if choices.chance(3 if "queuelifetime" in made["control"] else 20):
        sessions[-1] += "! pause 1.5\n"
    return {"delivering": True, "session": sessions} | made


AREA = Area(
    "delivery", "mail through qmail-send: mailboxes, dot-qmail files, programs, bounces", documents(_document)
)
