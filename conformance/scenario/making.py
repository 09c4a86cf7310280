"""Makes a scenario from a transcript: what the client said, and the codes that came back.

Names become reserved ones, words of messages are masked, and credentials become those of a user of the
fixtures, so that what is sent to others holds nothing of whose transcript it was.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import UsageError
from conformance.scenario.escapes import escaped
from conformance.scenario.reserved import OWN, Reserved, masked
from conformance.scenario.transcript import Heard, Transcript, read_transcript

#: The user of fixtures/mailboxes/ whose credentials stand in for real ones.
USER = "alice"

_ADDRESS = re.compile(
    r"(?P<verb>MAIL FROM|RCPT TO|VRFY|EXPN)(?P<colon>:? *)(?P<path><[^>]*>?|\S*)(?P<rest>.*)", re.I
)
_HELLO = re.compile(r"(HELO|EHLO)( +)(\S+)(.*)", re.I)
_AUTH = re.compile(r"(AUTH +(\S+))(?: +(.*))?", re.I)
_FIELD = re.compile(r"([!-9;-~]+):([ \t]*)(.*)")
_ADDRESSES = {"from", "to", "cc", "bcc", "sender", "reply-to", "return-path", "delivered-to", "message-id"}
_AS_IS = {"date", "mime-version", "content-transfer-encoding"}


@dataclass(frozen=True)
class Made:
    """A scenario's text, and what a person should know of how it was made."""

    scenario: str
    notes: tuple[str, ...]


@dataclass
class _Spoken:
    """One thing that the client said, with the code of its reply ("" when none came) and its text."""

    line: Heard
    code: str = ""


def load_transcript(path: Path) -> Made:
    """The scenario of a transcript file. Raises UsageError."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "Name a file with a transcript.") from error
    return make_scenario(read_transcript(text, path), path.name)


def make_scenario(transcript: Transcript, name: str) -> Made:
    """The scenario that says what the transcript shows; `name` is for its title."""
    names = Reserved()
    sessions = [_paired(session) for session in transcript.sessions]
    for session in sessions:
        _find_own(session, names)
    for transcribed, session in zip(transcript.sessions, sessions, strict=True):
        _find_named(transcribed, session, names)
    writer = _Writer(names)
    chats = [
        writer.chat(session, spoken) for session, spoken in zip(transcript.sessions, sessions, strict=True)
    ]
    control = _control(transcript, names)
    text = _document(transcript, chats, control, _mode(transcript))
    notes = [f"the form of {name}: {transcript.form}; sessions: {len(chats)}", *writer.notes]
    given = [*names.domains.items(), *names.words.items()]
    if given:
        notes.append("names are replaced by reserved ones:")
        notes += [f"  {real} -> {name}" for real, name in given]
    notes.append(
        "control files and environment are the ordinary ones: change them where the host's are others"
    )
    return Made(text, tuple(notes))


def _paired(session: tuple[Heard, ...]) -> list[_Spoken]:
    """What the client said, each with the code of its reply; that of a message belongs to its dot."""
    spoken: list[_Spoken] = []
    due: list[_Spoken] = []
    in_message = False
    for line in session:
        if line.side == "client":
            one = _Spoken(line)
            spoken.append(one)
            if not in_message or line.text == ".":
                due.append(one)
                in_message = False
        elif line.side == "server" and line.text[3:4] != "-" and due:
            one = due.pop(0)
            one.code = line.text[:3]
            in_message = one.code == "354"
    return spoken


def _find_own(session: list[_Spoken], names: Reserved) -> None:
    """A domain in which a recipient was taken before anybody authenticated is the host's own."""
    for one in session:
        if one.code == "235":
            return
        found = _ADDRESS.fullmatch(one.line.text)
        if found and found["verb"].upper() == "RCPT TO" and one.code == "250":
            domain = found["path"].strip("<>").rpartition("@")[2]
            if domain:
                names.own(domain)


def _find_named(transcribed: tuple[Heard, ...], session: list[_Spoken], names: Reserved) -> None:
    """So is a domain in which a recipient was taken at all, when the greeting names a host in it."""
    host = next((line.text[4:].split(" ")[0].lower() for line in transcribed if line.text[:3] == "220"), "")
    for one in session:
        found = _ADDRESS.fullmatch(one.line.text)
        if found and found["verb"].upper() == "RCPT TO" and one.code == "250":
            domain = found["path"].strip("<>").rpartition("@")[2].lower()
            if domain and f".{host}".endswith(f".{domain}"):
                names.own(domain)


class _Writer:
    """Writes chats, and notes what was left out."""

    def __init__(self, names: Reserved) -> None:
        self._names = names
        self.notes: list[str] = []

    def chat(self, session: tuple[Heard, ...], spoken: list[_Spoken]) -> str:
        """The lines of one chat."""
        codes = {id(one.line): one.code for one in spoken}
        credentials = _credentials(spoken)
        out: list[str] = []
        message = _Message(self._names)
        in_message = dropped = False
        for line in session:
            if line.side == "closed":
                out.append("< closed")
            elif line.side == "server":
                if line.text[3:4] == "-":
                    continue
                if dropped:
                    dropped = False
                    continue
                out.append(f"< {line.text[:3]}")
                in_message = line.text.startswith("354")
                message = _Message(self._names) if in_message else message
            elif in_message and line.text == ".":
                in_message = False
            elif in_message:
                out.append(f"| {message.line(line.text)}" if line.text else "|")
            elif line.text.strip().upper() == "STARTTLS":
                self.notes.append(
                    f"line {line.number}: STARTTLS is left out, the scenario goes on without TLS"
                )
                dropped = bool(codes[id(line)])
            else:
                out.append(f"> {credentials.get(id(line)) or _raw(self._command(line.text))}")
        return "\n".join(out)

    def _command(self, text: str) -> str:
        hello = _HELLO.fullmatch(text)
        if hello:
            name = hello[3] if hello[3].lower() == "localhost" else self._names.domain(hello[3])
            return f"{hello[1]}{hello[2]}{name}{hello[4]}"
        address = _ADDRESS.fullmatch(text)
        if address:
            path = self._names.path(address["path"])
            return f"{address['verb']}{address['colon']}{path}{self._names.text(address['rest'])}"
        return self._names.text(text)


class _Message:
    """One message, line by line: fields with addresses keep them (mapped), other words are masked."""

    def __init__(self, names: Reserved) -> None:
        self._names = names
        self._in_header = True

    def line(self, said: str) -> str:
        """A line as the client said it, as it stands behind `| `."""
        text = said[1:] if said.startswith(".") else said
        field = _FIELD.fullmatch(text) if self._in_header else None
        if field is None:
            self._in_header = self._in_header and bool(text) and text[0] in " \t"
            return _raw(masked(text))
        name, space, value = field.groups()
        if name.lower() in _ADDRESSES:
            addresses = re.findall(r"[^\s<>,;:\"()]+@[^\s<>,;\"()]+", value)
            value = ", ".join(f"<{self._names.path(one)}>" for one in addresses)
        elif name.lower() not in _AS_IS:
            value = masked(value)
        return _raw(f"{name}:{space}{value}")


def _raw(text: str) -> str:
    """A text as a line of a chat says it; three quotes would end the value that the chat stands in."""
    return escaped(text.encode("utf-8", "surrogateescape")).replace("'''", r"\x27\x27\x27")


def _credentials(spoken: list[_Spoken]) -> dict[int, str]:
    """What stands in for each line with credentials: right ones, or wrong ones where they were refused."""
    found: dict[int, str] = {}
    index = 0
    while index < len(spoken):
        start = spoken[index]
        index += 1
        auth = _AUTH.fullmatch(start.line.text)
        if auth is None:
            continue
        answers = []
        last = start
        while last.code == "334" and index < len(spoken):
            last = spoken[index]
            index += 1
            answers.append(last)
        wrong = last.code == "535"
        forms = _forms(auth[2].upper(), wrong)
        if auth[3] is not None:
            found[id(start.line)] = f"{_raw(auth[1])} {_answer(auth[3], forms)}"
        for answer in answers:
            found[id(answer.line)] = _answer(answer.line.text, forms)
    return found


def _forms(method: str, wrong: bool) -> list[str]:
    """What a client answers with this method, in order."""
    if method == "PLAIN":
        return [rf"\{{base64:\0{USER}\0wrong}}" if wrong else rf"\{{plain:{USER}}}"]
    if method == "LOGIN":
        return [rf"\{{user:{USER}}}", r"\{base64:wrong}" if wrong else rf"\{{password:{USER}}}"]
    if method == "CRAM-MD5":
        return [rf"\{{base64:{USER} {'0' * 32}}}" if wrong else rf"\{{cram-md5:{USER}}}"]
    return []


def _answer(said: str, forms: list[str]) -> str:
    if said in ("", "*", "="):
        if forms:
            forms.pop(0)
        return said
    try:
        base64.b64decode(said.encode("utf-8", "replace"), validate=True)
    except (binascii.Error, ValueError):
        return "not!base64"
    return forms.pop(0) if forms else r"\{base64:secret}"


def _announced(transcript: Transcript, word: str) -> list[str]:
    """What stands behind `word` in the replies to EHLO."""
    found = re.compile(rf"250[ -]{word}[ =]?(.*)", re.I)
    lines = [line.text for session in transcript.sessions for line in session if line.side == "server"]
    return [match[1] for text in lines if (match := found.fullmatch(text))]


def _mode(transcript: Transcript) -> str | None:
    """SMTPAUTH as it must have been; None: unset."""
    methods = {one.upper() for said in _announced(transcript, "AUTH") for one in said.split()}
    if not methods:
        return None
    mode = ("+cram" if methods & {"LOGIN", "PLAIN"} else "cram") if "CRAM-MD5" in methods else ""
    needed = any(
        one.code == "530" and one.line.text.upper().startswith("MAIL")
        for session in transcript.sessions
        for one in _paired(session)
    )
    return f"!{mode}" if needed else mode


def _control(transcript: Transcript, names: Reserved) -> dict[str, str]:
    own = [name for name in names.domains.values() if re.fullmatch(r"here\d*\.example", name)]
    control = {}
    if len(own) > 1:
        control["rcpthosts"] = "[" + ", ".join(f'"{name}"' for name in own) + "]"
    sizes = [int(size) for size in _announced(transcript, "SIZE") if size.strip().isdigit() and int(size)]
    if sizes:
        control["databytes"] = str(sizes[0])
    return control


def _document(transcript: Transcript, chats: list[str], control: dict[str, str], mode: str | None) -> str:
    parts = [
        f"# Made from a transcript ({transcript.form}).",
        "# Names are reserved ones, words of messages are masked.",
        f"# The host's own domain is {OWN}. Expected are the codes that the transcript shows.",
        "",
        'title = "A session from a transcript"',
        "",
    ]
    if len(chats) == 1:
        parts += ["session = '''", chats[0], "'''"]
    else:
        parts += ["session = ["]
        for chat in chats:
            parts += ["'''", chat, "''',"]
        parts += ["]"]
    if control:
        parts += ["", "[control]", *(f"{name} = {value}" for name, value in control.items())]
    if mode is not None:
        parts += ["", "[auth]", f'mode = "{mode}"']
    return "\n".join(parts) + "\n"
