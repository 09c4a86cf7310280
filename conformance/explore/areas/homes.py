"""What stands in homes: dot-qmail files with lines of every kind, lists, mboxes, and homes that are amiss."""

from conformance.explore.areas.choosing import Choices
from conformance.explore.areas.hosts import Table, put, some, table
from conformance.explore.document import Document

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


def dot_qmail(choices: Choices, made: Document) -> list[str]:
    """Dot-qmail files with lines of every kind, more or less safe, and mail for those whom they serve."""
    recipients: list[str] = []
    for _ in range(choices.between(1, 2)):
        file, boxes = choices.of(_FILES)
        lines = program_lines(choices, made) if choices.chance(3) else some(choices, _LINES, 4)
        table(made, "dot-qmail")[file] = (
            choices.of(("", "\n./Maildir/", "\n", "#\n"))
            if choices.chance(12)
            else "\n".join(lines) + choices.of(("", "", "", r"\c"))
        )
        if choices.chance(4):
            table(made, "mode")[file] = choices.of(
                ("0666", "0646", "0744", "0744", "0600", "0766", "0664", "0755")
            )
        domain = "here.example"
        if choices.chance(5):
            domain = "mail.deep.here.example"
            table(made, "control")["locals"] = ["here.example", domain]
        recipients += [f"{box}@{domain}" for box in some(choices, boxes, 2)]
    return recipients


def program_lines(choices: Choices, made: Document) -> list[str]:
    """Lines that run programs, and others around them."""
    programs = table(made, "delivery-program")
    for name in ("filter", "second"):
        programs[name] = _program(choices)
    return [
        choices.of(_PROGRAM_LINES if choices.chance(2) else _LINES) for _ in range(choices.between(0, 2))
    ] + [choices.of(_PROGRAM_LINES)]


_STATUSES = (0, 0, 0, 1, 1, 64, 65, 70, 75, 76, 77, 78, 99, 99, 100, 100, 101, 111, 111, 112, 120, 127, 255)
_OUTPUTS = (
    "said\n", "no end", "two\nlines\n", "a\n\nb\n", "\n\n\n", "\u00fc\0x\n", "x" * 3000 + "\n",
    "x" * 3072 + "yz\n", "did 0+0+1\n", "K", " blank \n",
)  # fmt: skip


def _program(choices: Choices) -> Table:
    """A program that does the same each time: which of several deliveries runs it first is chance."""
    made: Table = {}
    put(choices, made, "default", _STATUSES, 2)
    put(choices, made, "fate", ("crash", "crash", "missing"), 8)
    put(choices, made, "exits", ({"alice-list@here.example": 100}, {"alice@here.example": 99}), 15)
    put(choices, made, "says", _OUTPUTS, 3)
    put(choices, made, "complains", ("it complains\n", "no end"), 8)
    put(choices, made, "reads", (True,), 2)
    return made


def mailing_list(choices: Choices, made: Document) -> list[str]:
    """A list that forwards, runs programs, and may have an owner."""
    files = table(made, "dot-qmail")
    user = choices.of(("alice", "alice", "alias"))
    lines = program_lines(choices, made) if choices.chance(2) else []
    if choices.chance(4):
        lines = ["+list", *lines]
    files[f"{user}/.qmail-list"] = "\n".join([*lines, *some(choices, _LINES, 3), choices.of(_LINES[:7])])
    if choices.chance(2):
        files |= choices.of(_OWNERS)
    extension = choices.of(("list", "list", "List", "list-owner"))
    return [f"{'alice-' * (user == 'alice')}{extension}@here.example"]


def mbox(choices: Choices, made: Document) -> list[str]:
    user = choices.of(("alice", "bob", "carol", "grace"))
    table(made, "dot-qmail")[f"{user}/.qmail"] = "\n".join(["./mbox", *some(choices, _LINES, 2, 0)])
    return [f"{user}@here.example"] * choices.of((1, 1, 2))


def home(choices: Choices, made: Document) -> list[str]:
    """A home that is not as it should be."""
    user = choices.of(("alice", "bob", "carol", "alias"))
    what = choices.of((user, user, user, f"{user}/Maildir"))
    modes = ("0777", "0757", "1755", "0775", "0700", "1777", "gone", "gone") if what == user else ("gone",)
    table(made, "mode")[what] = choices.of(modes)
    return [f"{'postmaster' if user == 'alias' else user}@here.example"]
