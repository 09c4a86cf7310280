r"""What a client says to qmail-smtpd: lines of a chat, most of them ordinary, some beside the grammar."""

from dataclasses import dataclass

from conformance.explore.areas import words
from conformance.explore.areas.choosing import Choices
from conformance.scenario.escapes import expand

#: Envelope senders that mean something to somebody.
SENDERS = (
    "a@b.example", "bad@b.example", "BAD@b.example", "x@bad.example", "x@BAD.example", "alice@here.example",
    "list-@b.example-@[]", "owner-list-@[]", "-@[]", "#@[]", "@[]", "bad", "postmaster", "x@sub.bad.example",
)  # fmt: skip

#: How a path is written; the first is the right one.
FORMS = (
    "<{}>", "<{}>", "<{}>", " <{}>", "  <{}>", r"\t<{}>", "{}", " {}", "{} x", "<{}", "{}>", "<<{}>>",
    "<{}>>", "<{}> ", "<{}>x", "x<{}>", "Name <{}>", '"Name" <{}>', "< {}>", "<{} >", "<>{}",
    "<{}><bob@here.example>", "<{},bob@here.example>", "<{}> <bob@here.example>", '<"{}">', "[{}]", "({})",
    "'{}'", '"{}"', r"<\\{}>", "<{}@>", "<@{}>", "<{}\\0>", r"<{}\r>", r"<{}\n>", "<{}>>x", "<{};>",
    "<{}@here.example>", "<{}.>", "<{}>\\0x",
)  # fmt: skip

#: How MAIL and RCPT begin; `{}` stands for FROM or TO.
BEGINNINGS = (
    "{verb} {word}", "{verb} {word}:", "{verb} {word}: ", "{verb}  {word}:", "{verb}   {word}:",
    "{verb} {word} :", "{verb}", "{verb} ", "{verb}:", "{verb} {word}::", "{verb} {other}:", "{verb} X:",
    "{verb} :", " {verb} {word}:", r"{verb}\t{word}:", r"{verb} {word}\t:", "{verb} {word};", "{verb}{word}:",
    r"\0{verb} {word}:", "{verb} {word}:x ",
)  # fmt: skip

#: Lines at the top of a message; those that count as hops, and those that only look so.
FIELDS = (
    "Subject: hello", "From: a@b.example", "Received: x", "RECEIVED: x", "received: x", "Receivedx",
    "Received", "Delivered-To: x", "DELIVERED", "Delivered", " Received: x", ".Received: x", "..Received: x",
    "X-Received: x", r"\tReceived: x", "Recieved: x", "Deliveredx: y", "X", r"X: \xe4\xff", r"X: \0",
    "Return-Path: <x@b.example>", ":", "From x", "received", "Receive: x", "Date: x",
)  # fmt: skip

#: Lines of a body: dots, carriage returns and line feeds in all orders, octets that are no text.
BODY = (
    "hello", "hello", "", ".", "..", "...", ".hello", "..hello", " .", ". ", r"\r", r"\r\r", r".\r", r".\r\r",
    r"\r.", r"a\r.\rb", r"\r.\r", r".\r.\r", r"a\rb", r"a\r", r"\ra", r"a\nb", r"\n.", r"a\n.\r", r"\n.\n",
    r"\r\r\n.", r"\n", r"a\n", r".\n", r"\0", r"a\0b", r".\0", r"\xff", r"\xe4\xf6", r"\x7f", r"\x1a", r"\t",
    "  ", "Received: x", "Delivered-To: x", "From x", ">From x", r"a\r\n..b", r"a\r\n\r\n..b", "QUIT", "RSET",
    "DATA",
)  # fmt: skip

ODD_METHODS = (
    "", "", "plain", "Login", "cram-md5", "", "GSSAPI", "EXTERNAL", "PLAIN,LOGIN", "CRAM-MD5X", "PLAI",
    "PLAIN\\t", "DIGEST-MD5", "NTLM", "*", "=", "PLAIN=", "-", "XOAUTH2", "CRAM",
)  # fmt: skip

#: What is said in the place of base64, and odd credentials in it.
RESPONSES = (
    "*", "=", "", " ", "A", "AA", "AAA", "AAAA", "AA=", "AA==", "AAA=", "A===", "=AAA", "A=AA",
    "*x", " *", "* ", "**", r"\0", r"\xff", "!!!!", "----", "AAA*", "AA AA", r"AAAA\t", "AAAA====", r"AAAA\r",
    "abc.", "_-_-", "QUIT", "RSET", "EHLO x", r"\{base64:\0}", r"\{base64:\0\0}", r"\{base64:alice}",
    r"\{base64:alice\0}", r"\{base64:\0alice}", r"\{base64:\0alice\0}", r"\{base64:\0\0wonderland-7}",
    r"\{base64:\0alice\0wrong}", r"\{base64:alice\0alice\0wonderland-7}",
    r"\{base64:bob\0alice\0wonderland-7}", r"\{base64:alice\0\0wonderland-7}",
    r"\{base64:\0alice\0wonderland-7\0}", r"\{base64:\0alice\0wonderland-7\0x}",
    r"\{base64:\0alice\0wonderland-7x}", r"\{base64:\0alice \0wonderland-7}",
    r"\{base64:\0ALICE\0wonderland-7}", r"\{base64:\0nobody\0x}", r"\{base64:\0grace\0}",
    r"\{base64:\0grace\0x}", r"\{base64: }", r"\{base64:\xff\xfe}", r"\{base64:wrong}",
    r"\{base64:alice 00000000000000000000000000000000}", r"\{base64:alice }", r"\{base64: 0}",
    r"\{base64:alice  0}", r"\{base64:wonderland-7}", r"\{base64:alice wonderland-7}",
    rf"\{{base64:\0alice\0{'x' * 200}}}", r"\{300*A}", r"\{12288*A}", r"\{12289*A}", r"\{20000*A}",
)  # fmt: skip


@dataclass(frozen=True)
class Around:
    """What a client knows of the qmail that it talks to: limits worth standing beside, who is there."""

    databytes: int = 0
    timeout: int = 30  #: seconds, as timeoutsmtpd has it
    methods: tuple[str, ...] = ()
    boxes: tuple[str, ...] = words.BOXES
    domains: tuple[str, ...] = words.DOMAINS
    senders: tuple[str, ...] = SENDERS
    named_domains: tuple[str, ...] = ()  #: by control files
    named_senders: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether a client can wait for the time limit."""
        return self.timeout < 10


def recipient(choices: Choices, around: Around) -> str:
    """An address for RCPT, as a path has it between its brackets; an ordinary one half of the time."""
    if choices.chance(2):
        named = around.named_domains and choices.chance(2)
        return f"{choices.of(around.boxes)}@{choices.of(around.named_domains) if named else 'here.example'}"
    box = choices.of(words.ODD_BOXES if choices.chance(4) else around.boxes)
    domain = choices.of(words.ODD_DOMAINS if choices.chance(8) else around.domains)
    return choices.steered(
        "recipient",
        {
            "ordinary domain": lambda: f"{choices.of(words.BOXES)}@{choices.of(around.domains)}",
            "any": lambda: f"{box}@{domain}",
            "any box": lambda: f"{choices.of(words.ODD_BOXES)}@here.example",
            "any domain": lambda: f"alice@{choices.of(words.ODD_DOMAINS)}",
            "no host": lambda: box,
            "route": lambda: f"{choices.of(words.ROUTES)}{box}@{domain}",
            "long": lambda: long_address(choices),
            "odd": lambda: _with_odd(choices, box, domain),
        },
    )


def long_address(choices: Choices) -> str:
    """An address of a length beside a limit, the local part or the domain being the long one."""
    length = choices.of([each for each in words.LONG if each < 4096])
    if choices.chance(3):
        return f"alice@{words.repeated(length - len('alice@.example'), 'd')}.example"
    domain = choices.of(("here.example", "b.example"))
    return f"{words.repeated(length - len(domain) - 1, 'a')}@{domain}"


def _with_odd(choices: Choices, box: str, domain: str) -> str:
    odd = choices.of(words.ODD)
    forms = (
        f"{box}{odd}@{domain}",
        f"{odd}{box}@{domain}",
        f"{box}@{odd}{domain}",
        f"{box}@{domain}{odd}",
        odd,
    )
    return choices.of(forms)


def sender(choices: Choices, around: Around) -> str:
    """An address for MAIL, an ordinary one half of the time."""
    if choices.chance(2):
        named = around.named_senders and choices.chance(2)
        return choices.of(around.named_senders if named else ("a@b.example", "a@b.example", ""))
    return choices.steered(
        "sender",
        {
            "null": lambda: "",
            "known": lambda: choices.of(around.senders),
            "any": lambda: recipient(choices, around),
        },
    )


def _path(choices: Choices, address: str) -> str:
    form = choices.of(FORMS) if choices.chance(6) else "<{}>"
    return form.format(address)


def _beginning(choices: Choices, verb: str, word: str, other: str) -> str:
    form = choices.of(BEGINNINGS) if choices.chance(25) else "{verb} {word}:"
    verb, word = (choices.of(words.SPELLINGS)(each) if choices.chance(10) else each for each in (verb, word))
    return form.format(verb=verb, word=word, other=other)


def mail(choices: Choices, around: Around) -> str:
    """A MAIL, with parameters once in a while."""
    line = _beginning(choices, "MAIL", "FROM", "TO") + _path(choices, sender(choices, around))
    while choices.chance(2 if around.databytes else 3):
        line += choices.of((" ", " ", " ", " ", "", "  ", "\\t")) + parameter(choices, around)
    return line


_SIZE_SPELLINGS = ("SIZE", "SIZE", "SIZE", "size", "Size")


def parameter(choices: Choices, around: Around) -> str:
    """A parameter of MAIL: SIZE beside every limit, AUTH, or another one."""
    return choices.steered(
        "parameter",
        {
            "SIZE": lambda: f"{choices.of(_SIZE_SPELLINGS)}={_size(choices, around)}",
            "AUTH": lambda: f"AUTH={choices.of(words.IDENTITIES)}",
            "other": lambda: choices.of(words.PARAMETERS),
        },
    )


def _size(choices: Choices, around: Around) -> str:
    if around.databytes and choices.chance(2):
        return str(choices.of(words.beside(around.databytes)))
    return choices.of(words.NUMBERS if choices.chance(2) else (*words.NUMBERS, *words.NO_NUMBERS))


def rcpt(choices: Choices, around: Around) -> str:
    """A RCPT."""
    line = _beginning(choices, "RCPT", "TO", "FROM") + _path(choices, recipient(choices, around))
    return f"{line} {parameter(choices, around)}" if choices.chance(20) else line


def simple(choices: Choices, verb: str) -> str:
    """A verb that takes nothing, or hardly anything."""
    verb = choices.of(words.SPELLINGS)(verb) if choices.chance(10) else verb
    return verb + (choices.of(words.ARGUMENTS) if choices.chance(5) else "")


def unknown(choices: Choices) -> str:
    """A line whose verb nobody knows; or a very long one."""
    if choices.chance(8):
        return choices.of(("FROBNICATE ", "NOOP ", "", "HELO ")) + words.repeated(choices.of(words.LONG), "x")
    if choices.chance(8):
        return choices.of(words.ODD) + choices.of(words.VERBS)
    return choices.of(words.UNKNOWN)


def hello(choices: Choices) -> str:
    """EHLO or HELO."""
    verb = choices.of(("EHLO", "EHLO", "HELO", "ehlo"))
    if choices.chance(3):
        name = choices.of(words.NAMES)
        return (
            f"{verb}{choices.of((' ', ' ', ' ', '  ', ''))}{name}" if name else choices.of((verb, f"{verb} "))
        )
    return f"{verb} client.example"


def message(choices: Choices, around: Around) -> list[str]:
    """The lines of a message, dots as they are meant."""
    lines = [choices.of(FIELDS) for _ in range(choices.between(0, 3))]
    if choices.chance(12):
        hops = choices.of(words.beside(100)) - sum("eceived" in line or "elivered" in line for line in lines)
        field = choices.of(("Received: x", "RECEIVED: x", "Delivered-To: x", "Received"))
        place = choices.between(0, len(lines))
        count = hops - 1 if choices.chance(3) else hops
        lines.insert(place, words.repeated(count, rf"{field}\r\n") + "X: y")
    if not choices.chance(8):
        lines.append("")
    lines += [choices.of(BODY) for _ in range(choices.between(0, 4))] if choices.chance(2) else ["hello"]
    if choices.chance(12):
        lines.append(words.repeated(choices.of(words.beside(100)), r"Received: x\r\n") + "x")
    if choices.chance(10):
        lines.append(words.repeated(choices.of(words.LONG), choices.of(("x", "x", "..", r"\r", r"\xff"))))
    return _filled(choices, lines, around.databytes) if around.databytes else lines


def _filled(choices: Choices, lines: list[str], databytes: int) -> list[str]:
    """The message with a last line that brings it to a size beside the limit."""
    size = sum(len(expand(line)) + 1 for line in lines)
    missing = choices.of(words.beside(databytes)) - size - 1
    return [*lines, words.repeated(missing, "x")] if 0 <= missing <= 100_000 else lines
