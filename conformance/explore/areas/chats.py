r"""Chats: what a client does in one connection, move by move, and at which pace."""

from collections.abc import Callable, Mapping
from functools import partial

from conformance.explore.areas import commands, words
from conformance.explore.areas.choosing import Choices
from conformance.explore.areas.commands import Around
from conformance.explore.document import WAIT

#: One command of each kind that leaves nothing behind.
_EVERYTHING = r"NOOP x\r\nFROBNICATE\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@here.example>\r\nRSET\r\n"

#: What is said many times over, to see whether anything is kept: a line, and how often at most.
_OFTEN = (
    (_EVERYTHING, 100),
    (_EVERYTHING, 100),
    (_EVERYTHING, 100),
    (r"NOOP x\r\n", 1000),
    (r"RSET\r\n", 1000),
    (r"FROBNICATE\r\n", 1000),
    (r"VRFY x\r\n", 1000),
    (r"EHLO x\r\n", 300),
    (r"HELO x\r\n", 1000),
    (r"MAIL FROM:<a@b.example>\r\n", 1000),
    (r"AUTH X\r\n", 300),
    (r"AUTH PLAIN A\r\n", 300),
    (r"MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@here.example>\r\n", 300),
    (r"DATA\r\n", 1000),
    (r"MAIL FROM:<>\r\nRCPT TO:<nobody@here.example>\r\n", 300),
    (r"MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@here.example>\r\nRSET\r\n", 300),
    (r"RCPT TO:<x@other.example>\r\n", 1000),
    (r"MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@here.example>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n", 100),
)  # fmt: skip


#: What a client may do next.
Move = Callable[["ChatMaker"], None]


class ChatMaker:
    """A chat that grows. `pace`: "steps", the client waits after each line; "pipelined"; "mixed"."""

    def __init__(self, choices: Choices, around: Around, moves: Mapping[str, Move]) -> None:
        self.choices = choices
        self.around = around
        self.lines: list[str] = []
        self._moves = moves
        self._pace = choices.of(("steps", "steps", "steps", "pipelined", "mixed"))

    def make(self) -> str:
        """The whole chat: a greeting of the client mostly, moves, and an end."""
        choices = self.choices
        early = choices.chance(60)
        self.lines += ["! early"] * early
        if early or not choices.chance(6):
            self.say(commands.hello(choices))
        for _ in range(choices.of((1, 2, 2, 3, 3, 5))):
            self.move()
        choices.steered(
            "end",
            {
                "quit": lambda: self.say(commands.simple(choices, "QUIT")),
                "closes": lambda: None,
                "half-close": lambda: self.lines.append("! half-close"),
                "unfinished": lambda: self.say(
                    rf"{choices.of(('NOOP', 'RCPT TO:<bob@here.example>', 'QUIT'))}\c"
                ),
            },
        )
        if not any(line[0] in ">|" for line in self.lines):
            self.say("NOOP")
        return "\n".join(self.lines) + "\n"

    def move(self) -> None:
        """One of the moves of the area."""
        moves = {name: partial(move, self) for name, move in self._moves.items()}
        self.choices.steered("move", moves)

    # What moves are made of

    def say(self, line: str, *, waits: bool = False) -> None:
        """Say a line, and wait for the reply as the pace has it; `waits`: whatever the pace."""
        choices = self.choices
        if choices.chance(60) and not line.endswith(r"\c"):
            line += choices.of(words.LINE_ENDS)
        if self.lines[-1:] != ["! early"]:
            self.perhaps_pause(16)
        head, blank, tail = line.partition(" ")
        if blank and "{" not in head and choices.chance(40) and self.lines[-1:] != ["! early"]:
            self.lines += [rf"> {head}\c", "! cut"]
            self.perhaps_pause(2)
            line = blank + tail
        self.lines.append(f"> {line}")
        if waits or self._pace == "steps" or (self._pace == "mixed" and choices.chance(2)):
            self.wait()

    def wait(self) -> None:
        """Wait for all replies that are due."""
        self.lines.append(WAIT)

    def perhaps_pause(self, one_in: int) -> None:
        """Where the time limit is low, say nothing for less or for more than that, on a busy machine too."""
        if self.around.waits and self.choices.chance(one_in):
            seconds = self.choices.of((0.5, 1.4)) * max(self.around.timeout, 1)
            self.lines.append(f"! pause {seconds:.1f}")

    def perhaps_something_else(self, one_in: int) -> None:
        """Once in a while something that has no place here."""
        if self.choices.chance(one_in):
            self.choices.steered("between", {name: partial(move, self) for name, move in _BETWEEN.items()})


def transaction(chat: ChatMaker) -> None:
    """MAIL, recipients, and perhaps the message; a command is missing now and then, or one too many there."""
    choices, around = chat.choices, chat.around
    if choices.chance(4):
        _whole(chat)
        return
    if not choices.chance(25):
        chat.say(commands.mail(choices, around))
    chat.perhaps_something_else(12)
    for _ in range(choices.of((1, 1, 1, 2, 2, 3, 0))):
        chat.say(commands.rcpt(choices, around))
        chat.perhaps_something_else(20)
    if not choices.chance(5):
        message(chat)


def _whole(chat: ChatMaker) -> None:
    """A transaction of which nothing is odd but, perhaps, the addresses."""
    choices, around = chat.choices, chat.around
    chat.say(f"MAIL FROM:<{commands.sender(choices, around)}>")
    chat.say(f"RCPT TO:<{commands.recipient(choices, around)}>")
    chat.say(f"RCPT TO:<{choices.of(around.boxes)}@here.example>")
    _asked_for(chat, commands.message(choices, around))


def message(chat: ChatMaker) -> None:
    """DATA and a message: after 354, with DATA in one write, in pieces, or broken off."""
    choices = chat.choices
    lines = commands.message(choices, chat.around)
    if choices.chance(2):
        _asked_for(chat, lines)
        return
    choices.steered(
        "message",
        {
            "asked for": lambda: _asked_for(chat, lines),
            "raw": lambda: _raw(chat, lines, ["."]),
            "odd end": lambda: _raw(
                chat, lines, [choices.of((r".\r", r". ", r".\n\c", r"\n.", r"..", r".\r\r\n.", r"\r\n."))]
            ),
            "broken off": lambda: _raw(chat, lines, choices.of(([], [r".\c"], [r".\r\c"], [r"x\c"]))),
        },
    )


def _asked_for(chat: ChatMaker, lines: list[str]) -> None:
    chat.say(commands.simple(chat.choices, "DATA"), waits=True)
    chat.perhaps_pause(4)
    chat.lines += [f"| {line}" for line in lines] or ["|"]
    chat.wait()


def _raw(chat: ChatMaker, lines: list[str], end: list[str]) -> None:
    """A message in lines of its own, whatever DATA is answered with."""
    chat.say("DATA", waits=chat.choices.chance(2))
    for line in lines:
        chat.lines.append(
            f"> .{line}" if line.startswith(".") and not chat.choices.chance(4) else f"> {line}"
        )
        if chat.choices.chance(12):
            chat.lines.append("! cut")
    chat.perhaps_pause(2)
    chat.lines += [f"> {line}" for line in end]
    chat.wait()


def other(chat: ChatMaker) -> None:
    """A command that begins nothing."""
    choices = chat.choices
    chat.choices.steered(
        "other",
        {
            "simple": lambda: chat.say(commands.simple(choices, choices.of(("NOOP", "HELP", "VRFY")))),
            "RSET": lambda: chat.say(commands.simple(choices, "RSET")),
            "hello": lambda: chat.say(commands.hello(choices)),
            "unknown": lambda: chat.say(commands.unknown(choices)),
            "MAIL": lambda: chat.say(commands.mail(choices, chat.around)),
            "RCPT": lambda: chat.say(commands.rcpt(choices, chat.around)),
            "DATA": lambda: message(chat),
            "QUIT": lambda: chat.say(commands.simple(choices, "QUIT")),
            "cut": lambda: chat.lines.append("! cut"),
        },
    )


def silence(chat: ChatMaker) -> None:
    """The client says nothing for a while, where the limit is low; something, else."""
    if chat.around.waits:
        chat.perhaps_pause(2)
    else:
        other(chat)


def often(chat: ChatMaker) -> None:
    """The same again and again, once in a while; seldom very often, for that takes its time."""
    if not chat.choices.chance(10):
        other(chat)
        return
    said, most = chat.choices.of(_OFTEN)
    count = most if chat.choices.chance(20) else 60
    chat.lines.append(rf"> {words.repeated(count, said)}\c")
    chat.wait()


def authentication(chat: ChatMaker) -> None:
    """An AUTH exchange: right, wrong, malformed, cancelled, or one that goes on as it should not."""
    choices = chat.choices
    choices.steered(
        "auth",
        {
            "right": lambda: _exchange(chat, choices.of(words.USERS)),
            "right, and mail": lambda: _authenticated(chat),
            "cancelled": lambda: _cancelled(chat),
            "wrong": lambda: _exchange(chat, None),
            "odd": lambda: _odd_exchange(chat),
            "another's": lambda: chat.say(r"AUTH PLAIN \{base64:bob\0alice\0wonderland-7}"),
        },
    )


def _authenticated(chat: ChatMaker) -> None:
    """An exchange that goes well, what might undo it, and mail."""
    choices = chat.choices
    _exchange(chat, choices.of(words.USERS))
    choices.steered(
        "after auth",
        {
            "nothing": lambda: None,
            "RSET": lambda: chat.say(commands.simple(choices, "RSET")),
            "hello": lambda: chat.say(commands.hello(choices)),
            "other": lambda: other(chat),
            "transaction": lambda: transaction(chat),
        },
    )
    transaction(chat)


def _cancelled(chat: ChatMaker) -> None:
    """The client changes its mind, at the first question or at the second."""
    method = chat.choices.of(chat.around.methods or ("LOGIN",))
    chat.say(f"AUTH {method}", waits=True)
    if chat.choices.chance(3):
        chat.say(_answers(method, "alice")[0], waits=True)
    chat.say("*", waits=True)


def _exchange(chat: ChatMaker, user: str | None) -> None:
    """By one of the methods, most often one that is offered; `user` None: with something wrong in it."""
    choices, offered = chat.choices, chat.around.methods
    method = (
        choices.of(offered)
        if offered and not choices.chance(6)
        else choices.of(("PLAIN", "LOGIN", "CRAM-MD5"))
    )
    verb = choices.of(("AUTH", "AUTH", "AUTH", "auth", "AUTH "))
    written = choices.of(words.SPELLINGS)(method) if choices.chance(8) else method
    answers = _answers(method, user or choices.of(words.USERS))
    if user is None:
        answers[choices.between(0, len(answers) - 1)] = choices.of(commands.RESPONSES)
    initial = choices.chance(2) if method != "CRAM-MD5" else choices.chance(8)
    first = [f"{verb} {written} {answers.pop(0)}" if initial else f"{verb} {written}"]
    for line in [*first, *answers]:
        chat.perhaps_pause(4)
        chat.say(line, waits=not choices.chance(15))


def _answers(method: str, user: str) -> list[str]:
    """What the client answers, in order, by a method."""
    return {
        "PLAIN": [rf"\{{plain:{user}}}"],
        "LOGIN": [rf"\{{user:{user}}}", rf"\{{password:{user}}}"],
        "CRAM-MD5": [rf"\{{cram-md5:{user}}}"],
    }[method]


def _odd_exchange(chat: ChatMaker) -> None:
    """Methods nobody offers, and credentials with something before, behind or in the place of them."""
    choices = chat.choices
    method = choices.of((*commands.ODD_METHODS, "PLAIN", "LOGIN", "CRAM-MD5"))
    odd, right = choices.of(words.ODD), choices.of(_answers("PLAIN", "alice") + _answers("LOGIN", "alice"))
    response = choices.of(
        (f"{odd}{right}", f"{right}{odd}", f"{right} {right}", choices.of(commands.RESPONSES))
    )
    chat.say(
        f"AUTH {method}{choices.of(('', ' ', '  '))}{response}" if choices.chance(2) else f"AUTH {method}",
        waits=True,
    )
    for _ in range(choices.between(0, 2)):
        chat.say(choices.of((response, choices.of(commands.RESPONSES), right)), waits=True)


_BETWEEN: dict[str, Move] = {
    "other": other,
    "auth": authentication,
    "pause": silence,
    "cut": lambda chat: chat.lines.append("! cut"),
}

#: The moves of all inbound areas, each as often as it is named.
MOVES: dict[str, Move] = {
    "transaction": transaction,
    "transaction again": transaction,
    "other": other,
    "often": often,
    "auth": authentication,
    "silence": silence,
}


def sessions(choices: Choices, around: Around, moves: Mapping[str, Move]) -> str | list[str]:
    """A chat or, now and then, one after the other."""
    chats = [ChatMaker(choices, around, moves).make() for _ in range(choices.of((1, 1, 1, 1, 1, 2, 3)))]
    return chats[0] if len(chats) == 1 else chats
