"""How qmail-smtpd is set up: control files, variables, programs; each thing by itself is rare."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from conformance.explore.areas import commands, texts, words
from conformance.explore.areas.choosing import Choices
from conformance.explore.areas.commands import Around
from conformance.explore.document import Document

#: Exit statuses that mean something of RCPTCHECK's program, of the checkprogram, of qmail-queue.
_CHECK, _PASSWORD, _QUEUE = (100, 100, 111, 120, 0), (0, 1, 2, 111), (11, 31, 53, 54, 63, 71, 91, 120, 0)

#: What may be set up.
Thing = Callable[["Setup"], None]


class Setup:
    """A set-up that grows; `around` is what a client would like to know of it."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.document: Document = {}
        self.databytes = 0
        self.timeout = 30
        self.methods: tuple[str, ...] = ()
        self.boxes: list[str] = []  #: who is there because of this set-up
        self.domains: list[str] = []  #: that it names
        self.senders: list[str] = []

    @property
    def around(self) -> Around:
        """What it names, it names for a client to ask about."""
        return Around(
            self.databytes,
            self.timeout,
            self.methods,
            words.BOXES + _often(self.boxes, words.BOXES),
            words.DOMAINS + tuple(self.domains),
            commands.SENDERS + tuple(self.senders),
            tuple(self.domains),
            tuple(self.senders),
        )

    def table(self, name: str) -> dict[str, Any]:
        """A table of the document, there from now on."""
        found: dict[str, Any] = self.document.setdefault(name, {})
        return found

    def some(self, things: Mapping[str, Thing]) -> None:
        """None, one or a few of these things."""
        if self.choices.chance(20):
            self.low_timeout()
        for _ in range(self.choices.of((0, 1, 1, 1, 2, 2, 3, 4))):
            self.choices.steered("set-up", {name: partial(thing, self) for name, thing in things.items()})

    def status(self, known: tuple[int, ...]) -> int:
        """An exit status: one that means something to who runs the program, or any."""
        return self.choices.of(words.STATUSES if self.choices.chance(2) else known)

    def program(
        self, known: tuple[int, ...], fates: tuple[str, ...] = ("crash", "hang", "missing")
    ) -> dict[str, Any]:
        """A program with behaviour; one that hangs has a low time limit around it."""
        choices = self.choices
        made: dict[str, Any] = {"default": self.status(known) if choices.chance(3) else 0}
        if choices.chance(4):
            made["statuses"] = [self.status(known) for _ in range(choices.between(1, 3))]
        if choices.chance(8):
            made["fate"] = choices.of(fates)
            if made["fate"] == "hang":
                self.low_timeout()
        if choices.chance(6):
            made["says"] = choices.of(texts.SAYS)  # a line that is no reply: who waits is chance
        if choices.chance(6):
            made["complains"] = choices.of(("x\n", "550 no\r\n", "x"))
        if choices.chance(10):
            made["reads"] = True
        return made

    def low_timeout(self) -> None:
        """A time limit that a client can wait for."""
        self.timeout = self.choices.of((1, 1, 2, 3))
        written = self.choices.of((0, "0", "1x", " 1", "01")) if self.timeout == 1 else self.timeout
        self.table("control")["timeoutsmtpd"] = written


def _often(named: list[str], others: tuple[str, ...]) -> tuple[str, ...]:
    """What a set-up names, about as often in all as what is always there."""
    return tuple(named) * (len(others) // len(named) + 1) if named else ()


def databytes(setup: Setup) -> None:
    """A limit of a message's size, in the file, in the variable, or in both."""
    choices = setup.choices
    limit = choices.of(texts.LIMITS)
    in_file, in_variable = choices.of(((True, False), (True, False), (False, True), (True, True)))
    if in_file:
        setup.table("control")["databytes"] = _number(choices, limit)
    if in_variable:
        limit = choices.of((limit, limit * 2, limit // 2, choices.of(texts.LIMITS))) if in_file else limit
        setup.table("environment")["DATABYTES"] = _number(choices, limit)
    setup.databytes = limit
    if choices.chance(8):
        setup.table("control")["databytes"] = choices.of((*words.NUMBERS, "", "0", "many"))


def _number(choices: Choices, number: int) -> str:
    return choices.of(texts.AROUND_NUMBERS).format(number)


def rows(name: str, table: tuple[str, ...]) -> Thing:
    """A control file of several rows, none, or no such file."""

    def put(setup: Setup) -> None:
        choices = setup.choices
        there = [
            choices.of(texts.AROUND_ROWS).format(choices.of(table))
            for _ in range(choices.of((0, 1, 2, 2, 3, 4, 5)))
        ]
        if there and choices.chance(3):
            there[-1] = there[-1].rstrip("\n") + r"\c"  # the file ends without a line feed
        absent = name != "badmailfrom" and choices.chance(8)
        setup.table("control")[name] = False if absent else there or ""
        for row in there:
            if name == "badmailfrom":
                setup.senders += [said if "@" in said[1:] else f"x{said}" for said in texts.as_said(row)]
            else:
                setup.domains += texts.as_said(row)

    return put


def line(name: str) -> Thing:
    """A control file of one line."""

    def put(setup: Setup) -> None:
        choices = setup.choices
        value = choices.of(texts.LINES)
        more = [choices.of(texts.LINES)] if choices.chance(6) else []
        setup.table("control")[name] = False if name == "me" and choices.chance(8) else [value, *more]

    return put


def variable(name: str, *values: str) -> Thing:
    """A variable of qmail-smtpd's environment."""

    def put(setup: Setup) -> None:
        setup.table("environment")[name] = setup.choices.of(values)

    return put


_CHECKED = (*(f"{box}@here.example" for box in ("alice", "bob", "carol", "nobody")), "")


def rcptcheck(setup: Setup) -> None:
    """RCPTCHECK: a program, and for some recipients another exit status."""
    choices = setup.choices
    made = setup.program(_CHECK)
    if choices.chance(2):
        made["exits"] = {choices.of(_CHECKED): setup.status(_CHECK) for _ in range(choices.between(1, 2))}
    setup.document["rcptcheck"] = made
    if choices.chance(10):
        setup.table("environment")["RCPTCHECK"] = choices.of(("", "/nowhere", "nowhere", "/"))


_SERVERS = ("", "DEFER:", "defer", "DEFER:127.0.0.1:11113", "127.0.0.1", ":11113", "DEFER:x", "x", " ")


def verify(setup: Setup) -> None:
    """VERIFY: an address of the server, DEFER, or something odd; qmail-verify runs mostly."""
    choices = setup.choices
    setup.table("environment")["VERIFY"] = choices.of(_SERVERS if choices.chance(8) else (":", ":", "DEFER"))
    setup.document["verifying"] = choices.of((False, "mute")) if choices.chance(10) else True
    setup.boxes += [_box(choices) for _ in range(3)]
    if choices.chance(2):
        aliases = [choices.of(texts.ALIASES) for _ in range(choices.between(1, 3))]
        setup.document["aliases"] = aliases
        setup.boxes += [each.partition("@")[0] or "x" for each in aliases]
        setup.domains += [each.partition("@")[2] or "here.example" for each in aliases]
    if choices.chance(2):
        setup.table("dot-qmail")["alias/.qmail-default"] = choices.of(texts.DOT_QMAIL_TEXTS)


def _box(choices: Choices) -> str:
    """A local part as delivery takes it apart: a user, an extension, what is odd about it."""
    user = choices.of((*words.ACCOUNTS, "nobody", "Alice"))
    dash = choices.of(("-", "-", "-", "", "--", "+", "-/"))
    return (
        f"{user}{dash}{choices.of(words.EXTENSIONS)}{choices.of(('', '', '', '-x', '/x', '.x', 'X', ':x'))}"
    )


def homes(setup: Setup) -> None:
    """Dot-qmail files, and permissions of homes."""
    choices = setup.choices
    for _ in range(choices.between(1, 3)):
        name = choices.of(texts.DOT_QMAIL)
        setup.table("dot-qmail")[name] = choices.of(texts.DOT_QMAIL_TEXTS)
        user, _, extension = name.partition("/.qmail-")
        box = (extension if user == "alias" else f"{user}-{extension}").replace("default", "x")
        setup.boxes += [box, box.replace(":", "."), box.upper(), f"{box}-y"]


def whose(setup: Setup) -> None:
    """Which domains are local or virtual, and where a percent sign means something."""
    choices = setup.choices
    control = setup.table("control")
    name = choices.of(("locals", "virtualdomains", "percenthack"))
    if name == "virtualdomains":
        pairs = (
            "virtual.example:alice-x",
            "there.example:bob",
            ".b.example:alias-x",
            "here.example:bob-boxes",
            ":alice",
            "list.example:",
        )
        control[name] = [choices.of(pairs) for _ in range(choices.between(1, 2))]
    else:
        control[name] = [
            choices.of(("here.example", "there.example", "hack.example", "HERE.example", ""))
            for _ in range(choices.between(1, 2))
        ]
    setup.domains += [
        "here.example",
        "there.example",
        "virtual.example",
        "list.example",
        "hack.example",
        "b.example",
    ]
    setup.boxes += ["alice%there.example", "alice%here.example", "alice%b.example", "x%hack.example"] * (
        name == "percenthack"
    )
    control["rcpthosts"] = [
        "here.example",
        "there.example",
        "virtual.example",
        "list.example",
        "hack.example",
        ".b.example",
    ]


def authentication(setup: Setup) -> None:
    """SMTPAUTH and a checkprogram, with the fates of both programs."""
    choices = setup.choices
    table = setup.table("auth")
    mode = (
        choices.of(words.MODES) if choices.chance(3) else choices.of(("", "", "cram", "+cram", "!", "!+cram"))
    )
    if not choices.chance(15):
        setup.table("environment").pop("SMTPAUTH", None)
        table["mode"] = mode
        setup.methods = _methods(mode)
    if choices.chance(2):
        return
    choices.steered(
        "checkprogram",
        {
            "fails": lambda: table.update(fate=choices.of(("crash", "missing"))),
            "other": lambda: table.update(checkprogram=setup.program(_PASSWORD)),
            "subprogram": lambda: table.update(subprogram=choices.of(("false", setup.program(_PASSWORD)))),
            "arguments": lambda: table.update(arguments=choices.of(_ARGUMENTS)),
        },
    )


def mode_alone(setup: Setup) -> None:
    """SMTPAUTH without more, as where nobody has given qmail-smtpd a checkprogram."""
    setup.table("auth" if "auth" in setup.document else "environment").pop("mode", None)
    setup.table("environment")["SMTPAUTH"] = setup.choices.of(words.MODES)


_ARGUMENTS: tuple[list[str], ...] = (
    [], ["{checkprogram}"], ["{checkprogram}", "{subprogram}", "x"], ["mx.here.example", "{checkprogram}",
    "{subprogram}"],
    ["{subprogram}", "{checkprogram}"], ["/nowhere", "{subprogram}"], [""], ["{checkprogram}", "/nowhere"],
    ["{checkprogram}", "/bin/false"], ["", "{checkprogram}", "{subprogram}"],
)  # fmt: skip


def _methods(mode: str) -> tuple[str, ...]:
    """What a client would try under a mode: more often than not what is offered."""
    words_of = mode.removeprefix("!").lower()
    if words_of.startswith("cram"):
        return ("CRAM-MD5",)
    return ("PLAIN", "LOGIN", "CRAM-MD5") if words_of.startswith("+cram") else ("PLAIN", "LOGIN")


def queue_program(setup: Setup) -> None:
    """A program in the place of qmail-queue, or QMAILQUEUE that names none."""
    choices = setup.choices
    if choices.chance(8):
        setup.table("environment")["QMAILQUEUE"] = choices.of(("", "/nowhere", "/bin/false"))
        return
    made = setup.program(_QUEUE, ("crash", "missing"))
    if choices.chance(2):
        made["default"] = setup.status(_QUEUE)
    if choices.chance(3):
        made["queues"] = False
    made["reads"] = not choices.chance(6)
    if made["reads"] and choices.chance(3):  # what becomes of an envelope that follows no message is chance
        made["gives"] = choices.of(texts.ENVELOPES)
    setup.document["queue-program"] = made


#: All that may be set up for a session, by name.
THINGS: dict[str, Thing] = {
    "databytes": databytes,
    "a limit of size": databytes,
    "timeoutsmtpd": Setup.low_timeout,
    "rcpthosts": rows("rcpthosts", texts.HOSTS),
    "morercpthosts": rows("morercpthosts", texts.HOSTS),
    "badmailfrom": rows("badmailfrom", texts.SENDER_ROWS),
    "smtpgreeting": line("smtpgreeting"),
    "localiphost": line("localiphost"),
    "me": line("me"),
    "RELAYCLIENT": variable("RELAYCLIENT", "", "", "", "@there.example", ".x", "%here.example", "x", " "),
    "TCPREMOTEHOST": variable(
        "TCPREMOTEHOST", "host.example", "HOST.example", "", "client.example", "a b", "(x)", "\u00e4"
    ),
    "TCPREMOTEINFO": variable("TCPREMOTEINFO", "joe", "", "a b", "alice", "\u00e4", "x@y", "<x>", "j\no"),
    "TCPREMOTEIP": variable("TCPREMOTEIP", "", "192.0.2.1", "::1", "x y"),
    "TCPLOCALHOST": variable("TCPLOCALHOST", "mx.b.example", "", "a b"),
    "TCPLOCALIP": variable("TCPLOCALIP", "192.0.2.1", "", "x"),
    "SENDER": variable("SENDER", "x@b.example", ""),
    "RECIPIENT": variable("RECIPIENT", "x@b.example", ""),
    "SMTPAUTH": mode_alone,
    "RCPTCHECK": variable("RCPTCHECK", "", "/nowhere", "/"),
    "VERIFY": variable("VERIFY", "", ":", "DEFER", "DEFER:", "x"),
    "rcptcheck": rcptcheck,
    "verify": verify,
    "homes": homes,
    "whose": whose,
    "auth": authentication,
    "queue": queue_program,
    "queue again": queue_program,
}
