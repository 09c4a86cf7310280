"""Mail through qmail-send: to Maildirs, dot-qmail files, programs and hosts, and bounces."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.hosts import ZONES, Table, exchangers, put, some
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


def _table(made: Document, name: str) -> Table:
    """A table of the document, there from now on."""
    table: Table = made.setdefault(name, {})
    return table


_LINES = (
    "&carol@here.example", "carol@here.example", "&b@big.example", "&alice@here.example",
    "&nobody@here.example", "&grace", "&c@there.example", "./Maildir/", "./Maildir/", "./mbox", "./mbox",
    "|exit 0", "|exit 99", "|exit 100", "|exit 111", "|exit 1", "|exit 64", "|exit 75", "|exit 77",
    "|exit 127", "|kill -KILL $$", "|forward carol bob@there.example", "|forward alice-list@here.example",
    "# nothing", "#", "", "+list", "+list", "+other", "./Maildir/ \t", "./mbox ", "./nowhere/", "&",
    "& carol@here.example", "carol@here.example ", "&alice-list@here.example", "&x@virtual.example",
    "|/var/lib/conformance/filter one two", "|/var/lib/conformance/missing", "&b@gone.example",
    '&"a b"@here.example', "&alice-list-owner@here.example", "&bob-list@here.example",
)  # fmt: skip
_PROGRAM_LINES = ("|/var/lib/conformance/filter", "|/var/lib/conformance/second")
#: Dot-qmail files, and the local parts that fall to them or near them.
_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("alice/.qmail", ("alice", "ALICE")),
    ("alice/.qmail-list", ("alice-list", "Alice-List", "alice-LIST", "alice-list-x", "alice-list-owner")),
    ("alice/.qmail-list", ("alice-list",)),
    (
        "alice/.qmail-default",
        ("alice-x", "alice-a.b", "alice-", "alice-list", "alice-A-b", "alice-x-y-z", "alice-default"),
    ),
    ("alice/.qmail-a-default", ("alice-a-b", "alice-a-", "alice-a", "alice-a-b-c", "alice-A-B.c")),
    ("alice/.qmail-a-b-default", ("alice-a-b-c", "alice-a-b", "alice-a-c")),
    ("alice/.qmail-a:b", ("alice-a.b", "alice-A.B", "alice-a:b", "alice-a.b-c")),
    ("alice/.qmail-a.b", ("alice-a.b", "alice-a:b")),
    (
        "bob/.qmail-default",
        ("bob-a$b`c", "bob-x", "bob-list-x", "bob-a/b", "bob-\u00fc", "bob-a b", "bob-../alice/x"),
    ),
    ("bob/.qmail-default", ("bob-a$b`c", "bob-$HOME", "bob-`x`")),
    ("bob/.qmail-list-default", ("bob-list-x", "bob-list", "bob-list-")),
    ("carol/.qmail", ("carol",)),
    ("grace/.qmail", ("grace",)),
    ("alias/.qmail-default", ("nobody", "nobody-x", "a.b", "", "alias", "\u00fc")),
    ("alias/.qmail-list", ("list", "LIST", "list-x", "alias-list")),
    ("alias/.qmail-list-default", ("list-x", "list", "list-a.b", "List-X")),
    ("alias/.qmail-a:b", ("a.b", "a:b", "A.B")),
)
_OWNERS: tuple[dict[str, str], ...] = (
    {"alice/.qmail-list-owner": "&bob@here.example"}, {"alice/.qmail-list-owner": ""},
    {"alice/.qmail-list-owner": "#", "alice/.qmail-list-owner-default": "#"},
    {"alice/.qmail-list-owner-default": "./Maildir/"}, {"alias/.qmail-list-owner": "./Maildir/"},
    {"alice/.qmail-owner": "./Maildir/"},
)  # fmt: skip


def _dot_qmail(choices: Choices, made: Document) -> list[str]:
    """Dot-qmail files with lines of every kind, more or less safe, and mail for those whom they serve."""
    recipients: list[str] = []
    for _ in range(choices.between(1, 2)):
        file, boxes = choices.of(_FILES)
        lines = _program_lines(choices, made) if choices.chance(3) else some(choices, _LINES, 4)
        _table(made, "dot-qmail")[file] = (
            choices.of(("", "\n./Maildir/", "\n", "#\n"))
            if choices.chance(12)
            else "\n".join(lines) + choices.of(("", "", "", r"\c"))
        )
        if choices.chance(4):
            _table(made, "mode")[file] = choices.of(
                ("0666", "0646", "0744", "0744", "0600", "0766", "0664", "0755")
            )
        domain = "here.example"
        if choices.chance(5):
            domain = "mail.deep.here.example"
            _table(made, "control")["locals"] = ["here.example", domain]
        recipients += [f"{box}@{domain}" for box in some(choices, boxes, 2)]
    return recipients


def _program_lines(choices: Choices, made: Document) -> list[str]:
    """Lines that run programs, and others around them."""
    programs = _table(made, "delivery-program")
    for name in ("filter", "second"):
        programs[name] = _program(choices)
    return [
        choices.of(_PROGRAM_LINES if choices.chance(2) else _LINES) for _ in range(choices.between(0, 2))
    ] + [choices.of(_PROGRAM_LINES)]


_STATUSES = (0, 0, 0, 1, 1, 64, 65, 70, 75, 76, 77, 78, 99, 99, 100, 100, 101, 111, 111, 112, 120, 127, 255)
_OUTPUTS = (
    "said\n", "no end", "two\nlines\n", "a\n\nb\n", "\n\n\n", "\u00fc\0x\n", "x" * 3000 + "\n",
    "did 0+0+1\n", "K", " blank \n",
)  # fmt: skip


def _program(choices: Choices) -> Table:
    """A program that does the same each time: which of several deliveries runs it first is chance."""
    made: Table = {}
    put(choices, made, "default", _STATUSES, 2)
    put(choices, made, "fate", ("crash", "crash", "missing"), 8)
    put(choices, made, "exits", ({"alice-list@here.example": 100}, {"alice@here.example": 99}), 15)
    put(choices, made, "says", _OUTPUTS, 3)
    put(choices, made, "complains", ("it complains\n", "so"), 8)
    put(choices, made, "reads", (True,), 2)
    return made


def _list(choices: Choices, made: Document) -> list[str]:
    """A list that forwards, runs programs, and may have an owner."""
    files = _table(made, "dot-qmail")
    user = choices.of(("alice", "alice", "alias"))
    lines = _program_lines(choices, made) if choices.chance(2) else []
    if choices.chance(4):
        lines = ["+list", *lines]
    files[f"{user}/.qmail-list"] = "\n".join([*lines, *some(choices, _LINES, 3), choices.of(_LINES[:7])])
    if choices.chance(2):
        files |= choices.of(_OWNERS)
    extension = choices.of(("list", "list", "List", "list-owner"))
    return [f"{'alice-' * (user == 'alice')}{extension}@here.example"]


def _mbox(choices: Choices, made: Document) -> list[str]:
    user = choices.of(("alice", "bob", "carol", "grace"))
    _table(made, "dot-qmail")[f"{user}/.qmail"] = "\n".join(["./mbox", *some(choices, _LINES, 2, 0)])
    return [f"{user}@here.example"] * choices.of((1, 1, 2))


def _home(choices: Choices, made: Document) -> list[str]:
    """A home that is not as it should be."""
    user = choices.of(("alice", "bob", "carol", "alias"))
    what = choices.of((user, user, user, f"{user}/Maildir"))
    modes = ("0777", "0757", "1755", "0775", "0700", "1777", "gone", "gone") if what == user else ("gone",)
    _table(made, "mode")[what] = choices.of(modes)
    return [f"{'postmaster' if user == 'alias' else user}@here.example"]


_PREFIXES = ("alice", "vd", "bob-boxes", "", "", "nobody", "Alice-A", "alias-list", "alice-list")
_VIRTUAL = (
    "virtual.example", ".virtual.example", "user@virtual.example", "", "sub.virtual.example",
    "Virtual.EXAMPLE", "here.example", "b@big.example", "big.example", "x@virtual.example", ".example",
    "hack.example", ".sub.virtual.example", "alice@here.example", "# virtual.example",
)  # fmt: skip
#: A line without a prefix, and one that holds for more than that.
_EXCEPTIONS = (
    ("sub.virtual.example", ".virtual.example"), ("x@virtual.example", "virtual.example"),
    ("big.example", ""),
    ("deep.sub.virtual.example", ".sub.virtual.example"), ("virtual.example", ""),
    (".virtual.example", ".example"),
)  # fmt: skip
_VIRTUAL_RECIPIENTS = (
    "x@virtual.example", "user@virtual.example", "USER@virtual.example", "x@sub.virtual.example",
    "X@Virtual.example", "alice-a@virtual.example", "x@deep.sub.virtual.example", "b@big.example",
    "c@big.example", "alice@here.example", "x@other.virtual.example", "c@there.example",
    "boxes-x@virtual.example",
)  # fmt: skip


def _virtual(choices: Choices, made: Document) -> list[str]:
    """virtualdomains: lines for domains, wildcards, addresses, everything, and exceptions."""
    lines = [f"{choices.of(_VIRTUAL)}:{choices.of(_PREFIXES)}" for _ in range(choices.of((1, 2, 2, 3, 4)))]
    if choices.chance(3):
        exception, wider = choices.of(_EXCEPTIONS)
        lines += [f"{exception}:", f"{wider}:{choices.of(_PREFIXES)}"][:: choices.of((1, -1))]
    _table(made, "control")["virtualdomains"] = lines + [f"{lines[0]} "] * choices.chance(20)
    if choices.chance(2):
        _table(made, "dot-qmail")["alias/.qmail-vd-default"] = choices.of(
            ("./Maildir/", "&alice", "|exit 100")
        )
    put(choices, _table(made, "dot-qmail"), "alice/.qmail-default", ("./Maildir/", "&b@big.example"), 2)
    if choices.chance(4):
        _table(made, "dot-qmail")["alice/.qmail-default"] = "\n".join(_program_lines(choices, made))
    return some(choices, _VIRTUAL_RECIPIENTS, 4, 2)


_LOCALS: tuple[Any, ...] = (
    ["here.example", "one.example"], ["one.example", "here.example"], ["HERE.EXAMPLE"], [],
    ["# here.example"], ["#one.example", "here.example"], False, ["here.example \t"],
    ["here.example", "virtual.example"], ["here.example", "big.example"], [".example"], ["mx.here.example"],
    [""], ["One.Example"],
)  # fmt: skip


def _locals(choices: Choices, made: Document) -> list[str]:
    """locals in every manner, beside virtualdomains mostly."""
    _table(made, "control")["locals"] = choices.of(_LOCALS)
    boxes = (
        "alice@here.example",
        "alice@one.example",
        "alice@ONE.example",
        "alice@mx.here.example",
        "alice@HERE.example",
    )
    return some(choices, boxes, 3) + (_virtual(choices, made) if choices.chance(2) else [])


def _percent(choices: Choices, made: Document) -> list[str]:
    """percenthack, and addresses with a percent sign."""
    lines: tuple[list[str], ...] = (
        ["hack.example"],
        ["here.example"],
        ["HACK.example", "here.example"],
        [],
        ["# hack.example"],
        ["hack.example "],
    )
    _table(made, "control")["percenthack"] = choices.of(lines)
    boxes = (
        "alice%here.example@hack.example", "b%big.example@hack.example", "x%virtual.example@here.example",
        "b%big.example%there.example@here.example", "a%@here.example", "%here.example@here.example",
        "b@hack.example",
        "alice%HERE.example@Hack.Example", "alice%hack.example@there.example", "alice@here.example",
    )  # fmt: skip
    return some(choices, boxes, 3)


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
        _table(made, "control")[name] = choices.of(_BOUNCES[name])
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
    control = _table(made, "control")
    control["queuelifetime"] = choices.of((0, 0, 0, 1, "0 ", "x", "", 604800, 99999999999, 4294967296))
    made["exchanger"] = choices.of(([{"address": "127.0.0.9"}], [{"address": "127.0.0.2", "silent": True}]))
    _table(made, "mode")["carol"] = "0777"
    return some(choices, ("b@big.example", "carol@here.example", "nobody@here.example", "c@there.example"), 3)


_THEMES: dict[str, Callable[[Choices, Document], list[str]]] = {
    "dot-qmail": _dot_qmail,
    "dot-qmail again": _dot_qmail,
    "list": _list,
    "mbox": _mbox,
    "home": _home,
    "virtual": _virtual,
    "locals": _locals,
    "percent": _percent,
    "bounces": _bounces,
    "remote program": _remote_program,
    "hosts": _hosts,
    "old": _old,
}


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
    sessions = []
    for _ in range(choices.of((1, 1, 2))):
        chat = f"> EHLO client.example\n{WAIT}\n"
        for _ in range(choices.of((1, 1, 2))):
            to = some(choices, recipients, 5, 2) + some(choices, _RECIPIENTS, 2, 0)
            chat += transaction(choices.of(_SENDERS), to, _message(choices, made))
        sessions.append(chat)
    if choices.chance(3 if "queuelifetime" in made["control"] else 20):
        sessions[-1] += "! pause 1.5\n"
    return {"delivering": True, "session": sessions} | made


AREA = Area(
    "delivery", "mail through qmail-send: mailboxes, dot-qmail files, programs, bounces", documents(_document)
)
