"""Makes a scenario from a transcript: what the client said, and the codes that came back.

Names become reserved ones, words of messages are masked, and credentials become those of a user of the
fixtures, so that what is sent to others holds nothing of whose transcript it was.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from conformance.inputs import LONG, read_octets
from conformance.pod.ordinary import DOMAIN
from conformance.scenario.escapes import escaped
from conformance.scenario.hidden import METHODS, STAND_INS, question
from conformance.scenario.pieces import toml
from conformance.scenario.reserved import Reserved, masked
from conformance.scenario.transcript import read_transcript
from conformance.scenario.transcript.lines import Heard, Session, Transcript

_ADDRESS = re.compile(
    r"(?P<verb>MAIL FROM|RCPT TO|VRFY|EXPN)(?P<colon>:? *)(?P<path><[^>]*>?|\S*)(?P<rest>.*)", re.I
)
_HELLO = re.compile(r"(HELO|EHLO)( +)(\S+)(.*)", re.I)
_AUTH = re.compile(r"(AUTH +(\S+))(?: +(.*))?", re.I)
_FIELD = re.compile(r"([!-9;-~]+):([ \t]*)(.*)")
_ADDRESSES = {"from", "to", "cc", "bcc", "sender", "reply-to", "return-path", "delivered-to", "message-id"}
_AS_IS = {"date", "mime-version", "content-transfer-encoding"}


#: How qmail refuses a line that ends without CR, when that is what ended the message.
_BARE_LF = re.compile("smtplf|bare (?:LF|newline)", re.I)


class Made(NamedTuple):
    """A scenario's text, what a person should know of how it was made, and how many questions stand in it."""

    scenario: str
    notes: list[str]
    questions: int


def load_transcript(path: Path) -> Made:
    """The scenario of a transcript file. Raises UsageError."""
    octets = read_octets(path, "Name a file with a transcript.", LONG)
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):  # as PowerShell writes
        text = octets.decode("utf-16", "replace")
    else:
        text = octets.decode("utf-8-sig", "surrogateescape")
    return make_scenario(read_transcript(text, path), path.name)


def make_scenario(transcript: Transcript, name: str) -> Made:
    """The scenario that says what the transcript shows; `name` is for the notes."""
    names = Reserved()
    for session in transcript.sessions:
        _find_own_domains(session.lines, names)
    writer = _Writer(names)
    chats = [writer.chat(session) for session in transcript.sessions]
    notes = [f"{name}: sessions: {len(chats)}; client and server are told apart {transcript.form}"]
    notes += [*transcript.notes, *writer.notes]
    given = {real: reserved for real, reserved in (names.domains | names.words).items() if real != reserved}
    if given:
        notes.append("names are replaced by reserved ones:")
        notes += [f"  {real} -> {reserved}" for real, reserved in given.items()]
    lines = [line for session in transcript.sessions for line in session.lines]
    size, mode = _size(lines), _mode(lines)
    taken = [] if size is None else [f"databytes {size}"]
    taken += [] if mode is None else [f"AUTH with mode {mode!r}"]
    if taken:
        notes.append(f"taken from what the host announces: {', '.join(taken)}")
    others = "other control files" if taken else "control files"
    notes.append(f"{others} and environment are the ordinary ones: change them where the host's are others")
    return Made(_document(chats, names, size, mode), notes, writer.questions)


def _find_own_domains(session: Sequence[Heard], names: Reserved) -> None:
    """A domain in which a recipient was taken is the host's own before anybody has authenticated.

    Later it is one where the greeting names a host in it.
    """
    host = next((line.text[4:].split(" ")[0].lower() for line in session if line.text[:3] == "220"), "")
    authenticated = False
    for line in session:
        authenticated = authenticated or line.code == "235"
        found = _ADDRESS.fullmatch(line.text) if line.part == "command" else None
        if found and found["verb"].upper() == "RCPT TO" and line.code == "250":
            domain = found["path"].strip("<>").rpartition("@")[2].lower()
            if domain and (not authenticated or f".{host}".endswith(f".{domain}")):
                names.own(domain)


class _Writer:
    """Writes chats, and notes what they do not say as the transcript does."""

    def __init__(self, names: Reserved) -> None:
        self._names = names
        self.notes: list[str] = []
        self.questions = 0

    def chat(self, session: Session) -> str:
        """The lines of one chat."""
        self.notes += session.notes
        credentials = self._credentials(session.lines)
        out: list[str] = []
        message = _Message(self._names)
        begun = is_dropped = False
        for index, line in enumerate(session.lines):
            if line.side == "server":
                if line.text[3:4] != "-":
                    out += [] if is_dropped else [f"< {line.text[:3]}"]
                    is_dropped = False
            elif line.part == "end":
                out.append("< closed" if line.side == "closed" else "! half-close")
            elif line.part == "message":
                message = message if begun else _Message(self._names)
                out.append(f"| {message.line(line.text.removeprefix('.'))}".rstrip(" "))
            elif line.part == "dot":
                out += [] if begun else ["> ."]  # a message without a line
            elif line.part == "unseen":
                out.append(
                    f"# line {line.number} of the transcript: the message is not shown, this stands in"
                )
                out += ["| Subject: stand-in", "|", "| stand-in"]
            elif line.part == "cut":
                message = message if begun else _Message(self._names)
                out.append(f"> {message.line(line.text)}{self._cut_end(session.lines[index + 1 :])}")
            elif line.text.strip().upper() == "STARTTLS" and line.code in ("220", ""):
                self.notes.append(
                    f"line {line.number}: STARTTLS is left out, the scenario goes on without TLS"
                )
                is_dropped = bool(line.code)
            else:
                out += credentials.get(line.number) or [f"> {_raw(self._command(line.text))}"]
            begun = line.part in ("message", "cut")
        return "\n".join(out)

    def _cut_end(self, rest: Sequence[Heard]) -> str:
        """How a line ends in a message that has no dot: without CR where that is why it was refused."""
        reply = next((line.text for line in rest if line.side == "server"), "")
        return r"\n\c" if _BARE_LF.search(reply) else ""

    def _credentials(self, session: Sequence[Heard]) -> dict[int, list[str]]:
        """What the chat says, by its number, for each line with credentials.

        They are wrong ones where they were refused; what is hidden becomes a question.
        """
        found: dict[int, list[str]] = {}
        said = iter([line for line in session if line.side == "client"])
        for line in said:
            auth = _AUTH.fullmatch(line.text) if line.part == "command" else None
            if auth is None:
                continue
            exchange = [line]
            while exchange[-1].code == "334" and (answer := next(said, None)):
                exchange.append(answer)
            is_wrong = exchange[-1].code == "535"
            words = list(METHODS.get(auth[2].upper(), ()))
            if auth[3] is not None:
                found[line.number] = self._answer(line, f"{_raw(auth[1])} ", auth[3], words, is_wrong)
            for answer in exchange[1:]:
                found[answer.number] = self._answer(answer, "", answer.text, words, is_wrong)
            if is_wrong and not any(each.hidden for each in exchange):
                what = "credentials were refused, and wrong ones stand in: change them if they were right"
                self.notes.append(f"line {line.number}: {what}")
        return found

    def _answer(self, line: Heard, command: str, said: str, words: list[str], is_wrong: bool) -> list[str]:
        """The lines of the chat for one line with credentials; `words` are those that are still to come."""
        if said in ("", "*", "=") and not line.hidden:
            return [f"> {command}{said}"]
        word = words.pop(0) if words else "secret"
        if line.hidden:
            self.questions += 1
            self.notes.append(f"line {line.number}: {question(word)}")
            asked = f"# line {line.number} of the transcript: {question(word)}"
            return [asked, rf"> {command}\{{hidden:{word}}}"]
        try:
            base64.b64decode(said.encode("utf-8", "replace"), validate=True)
        except (binascii.Error, ValueError):
            return [f"> {command}not!base64"]
        refused = is_wrong and word != "user"
        return [f"> {command}{STAND_INS[word][refused]}"]

    def _command(self, text: str) -> str:
        if hello := _HELLO.fullmatch(text):
            name = hello[3] if hello[3].lower() == "localhost" else self._names.domain(hello[3])
            return f"{hello[1]}{hello[2]}{name}{hello[4]}"
        if address := _ADDRESS.fullmatch(text):
            path = self._names.path(address["path"])
            return f"{address['verb']}{address['colon']}{path}{self._names.text(address['rest'])}"
        return self._names.text(text)


class _Message:
    """One message, line by line: fields with addresses keep them (mapped), other words are masked."""

    def __init__(self, names: Reserved) -> None:
        self._names = names
        self._in_header = True

    def line(self, text: str) -> str:
        """A line, without the dot that is stuffed, as it stands in a chat."""
        field = _FIELD.fullmatch(text) if self._in_header else None
        if field is None:
            self._in_header = self._in_header and bool(text) and text[0] in " \t"
            return _raw(masked(text))
        name, space, value = field.groups()
        if name.lower() in _ADDRESSES:
            addresses = re.findall(r"(?<![^\s<>,;:\"()])[^\s<>,;:\"()]+@[^\s<>,;\"()]+", value)
            value = ", ".join(f"<{self._names.path(address)}>" for address in addresses)
        elif name.lower() not in _AS_IS:
            value = masked(value)
        return _raw(f"{name}:{space}{value}")


def _raw(text: str) -> str:
    """A text as a line of a chat says it; three quotes would end the value that the chat stands in."""
    return escaped(text.encode("utf-8", "surrogateescape")).replace("'''", r"\x27\x27\x27")


def _announced(lines: list[Heard], word: str) -> list[str]:
    """What stands behind `word` in the replies to EHLO."""
    found = re.compile(rf"250[ -]{word}[ =]?(.*)", re.I)
    return [match[1] for line in lines if line.side == "server" and (match := found.fullmatch(line.text))]


def _mode(lines: list[Heard]) -> str | None:
    """SMTPAUTH as it must have been; None: unset."""
    methods = {method.upper() for said in _announced(lines, "AUTH") for method in said.split()}
    if not methods and not any(line.code in ("235", "334", "535") for line in lines):
        return None
    mode = ("+cram" if methods & {"LOGIN", "PLAIN"} else "cram") if "CRAM-MD5" in methods else ""
    needed = any(line.code == "530" and line.text.upper().startswith("MAIL") for line in lines)
    return f"!{mode}" if needed else mode


def _size(lines: list[Heard]) -> int | None:
    """The size that the host announces first."""
    sizes = (size for size in _announced(lines, "SIZE") if re.fullmatch(" *[1-9][0-9]{0,9} *", size))
    return next(map(int, sizes), None)


def _document(chats: list[str], names: Reserved, size: int | None, mode: str | None) -> str:
    parts = [
        "# Made from a transcript.",
        "# Names are reserved ones, words of messages are masked.",
        f"# The host's own domain is {DOMAIN}. Expected are the codes that the transcript shows.\n",
        'title = "A session from a transcript"\n',
    ]
    texts = [f"'''\n{chat}\n'''" for chat in chats]
    parts.append(f"session = {texts[0]}" if len(texts) == 1 else "session = [\n" + ",\n".join(texts) + ",\n]")
    own = [name for name in names.domains.values() if re.fullmatch(r"here\d*\.example", name)]
    control = [f"rcpthosts = {toml(own)}"] if len(own) > 1 else []
    control += [] if size is None else [f"databytes = {size}"]
    if control:
        parts += ["", "[control]", *control]
    if mode is not None:
        parts += ["", "[auth]", f'mode = "{mode}"']
    return "\n".join(parts) + "\n"
