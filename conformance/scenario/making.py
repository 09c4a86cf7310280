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
from conformance.scenario.pieces import toml
from conformance.scenario.reserved import Reserved, masked
from conformance.scenario.transcriptforms import Heard, Transcript, read_transcript

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


class Made(NamedTuple):
    """A scenario's text, and what a person should know of how it was made."""

    scenario: str
    notes: list[str]


def load_transcript(path: Path) -> Made:
    """The scenario of a transcript file. Raises UsageError."""
    octets = read_octets(path, "Name a file with a transcript.", LONG)
    text = octets.decode("utf-8", "surrogateescape")
    return make_scenario(read_transcript(text, path), path.name)


def make_scenario(transcript: Transcript, name: str) -> Made:
    """The scenario that says what the transcript shows; `name` is for its title."""
    names = Reserved()
    for session in transcript.sessions:
        _find_own_domains(session, names)
    writer = _Writer(names)
    chats = [writer.chat(session) for session in transcript.sessions]
    notes = [f"the form of {name}: {transcript.form}; sessions: {len(chats)}", *writer.notes]
    if given := names.domains | names.words:
        notes.append("names are replaced by reserved ones:")
        notes += [f"  {real} -> {reserved}" for real, reserved in given.items()]
    notes.append(
        "control files and environment are the ordinary ones: change them where the host's are others"
    )
    return Made(_document(transcript, chats, names), notes)


def _find_own_domains(session: Sequence[Heard], names: Reserved) -> None:
    """A domain in which a recipient was taken is the host's own before anybody has authenticated.

    Later it is one where the greeting names a host in it.
    """
    host = next((line.text[4:].split(" ")[0].lower() for line in session if line.text[:3] == "220"), "")
    authenticated = False
    for line in session:
        authenticated = authenticated or line.code == "235"
        found = _ADDRESS.fullmatch(line.text)
        if found and found["verb"].upper() == "RCPT TO" and line.code == "250":
            domain = found["path"].strip("<>").rpartition("@")[2].lower()
            if domain and (not authenticated or f".{host}".endswith(f".{domain}")):
                names.own(domain)


class _Writer:
    """Writes chats, and notes what was left out."""

    def __init__(self, names: Reserved) -> None:
        self._names = names
        self.notes: list[str] = []

    def chat(self, session: Sequence[Heard]) -> str:
        """The lines of one chat."""
        credentials = _credentials(session)
        out: list[str] = []
        message: _Message | None = None
        dropped = False
        for line in session:
            if line.side == "closed":
                out.append("< closed")
            elif line.side == "server":
                if line.text[3:4] == "-":
                    continue
                if not dropped:
                    out.append(f"< {line.text[:3]}")
                    message = _Message(self._names) if line.text.startswith("354") else None
                dropped = False
            elif message is not None:
                if line.text == ".":
                    message = None
                else:
                    out.append(f"| {message.line(line.text)}" if line.text else "|")
            elif line.text.strip().upper() == "STARTTLS":
                self.notes.append(
                    f"line {line.number}: STARTTLS is left out, the scenario goes on without TLS"
                )
                dropped = bool(line.code)
            else:
                out.append(f"> {credentials.get(line.number) or _raw(self._command(line.text))}")
        return "\n".join(out)

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
            value = ", ".join(f"<{self._names.path(address)}>" for address in addresses)
        elif name.lower() not in _AS_IS:
            value = masked(value)
        return _raw(f"{name}:{space}{value}")


def _raw(text: str) -> str:
    """A text as a line of a chat says it; three quotes would end the value that the chat stands in."""
    return escaped(text.encode("utf-8", "surrogateescape")).replace("'''", r"\x27\x27\x27")


def _credentials(session: Sequence[Heard]) -> dict[int, str]:
    """What stands in, by its number, for each line with credentials: wrong ones where they were refused."""
    found: dict[int, str] = {}
    said = iter([line for line in session if line.side == "client"])
    for line in said:
        auth = _AUTH.fullmatch(line.text)
        if auth is None:
            continue
        exchange = [line]
        while exchange[-1].code == "334" and (answer := next(said, None)):
            exchange.append(answer)
        forms = _forms(auth[2].upper(), exchange[-1].code == "535")
        if auth[3] is not None:
            found[line.number] = f"{_raw(auth[1])} {_answer(auth[3], forms)}"
        for answer in exchange[1:]:
            found[answer.number] = _answer(answer.text, forms)
    return found


def _forms(method: str, wrong: bool) -> list[str]:
    """What a client answers with this method, in order."""
    right, refused = {
        "PLAIN": ([rf"\{{plain:{USER}}}"], [rf"\{{base64:\0{USER}\0wrong}}"]),
        "LOGIN": (
            [rf"\{{user:{USER}}}", rf"\{{password:{USER}}}"],
            [rf"\{{user:{USER}}}", r"\{base64:wrong}"],
        ),
        "CRAM-MD5": ([rf"\{{cram-md5:{USER}}}"], [rf"\{{base64:{USER} {'0' * 32}}}"]),
    }.get(method, ([], []))
    return refused if wrong else right


def _answer(said: str, forms: list[str]) -> str:
    given = said not in ("", "*", "=")
    try:
        base64.b64decode(said.encode("utf-8", "replace") if given else b"", validate=True)
    except (binascii.Error, ValueError):
        return "not!base64"
    form = forms.pop(0) if forms else r"\{base64:secret}"
    return form if given else said


def _announced(lines: list[Heard], word: str) -> list[str]:
    """What stands behind `word` in the replies to EHLO."""
    found = re.compile(rf"250[ -]{word}[ =]?(.*)", re.I)
    return [match[1] for line in lines if line.side == "server" and (match := found.fullmatch(line.text))]


def _mode(lines: list[Heard]) -> str | None:
    """SMTPAUTH as it must have been; None: unset."""
    methods = {method.upper() for said in _announced(lines, "AUTH") for method in said.split()}
    if not methods:
        return None
    mode = ("+cram" if methods & {"LOGIN", "PLAIN"} else "cram") if "CRAM-MD5" in methods else ""
    needed = any(line.code == "530" and line.text.upper().startswith("MAIL") for line in lines)
    return f"!{mode}" if needed else mode


def _document(transcript: Transcript, chats: list[str], names: Reserved) -> str:
    lines = [line for session in transcript.sessions for line in session]
    parts = [
        f"# Made from a transcript ({transcript.form}).",
        "# Names are reserved ones, words of messages are masked.",
        f"# The host's own domain is {DOMAIN}. Expected are the codes that the transcript shows.\n",
        'title = "A session from a transcript"\n',
    ]
    texts = [f"'''\n{chat}\n'''" for chat in chats]
    parts.append(f"session = {texts[0]}" if len(texts) == 1 else "session = [\n" + ",\n".join(texts) + ",\n]")
    own = [name for name in names.domains.values() if re.fullmatch(r"here\d*\.example", name)]
    sizes = [size for size in _announced(lines, "SIZE") if size.strip().isdigit() and int(size)]
    control = [f"rcpthosts = {toml(own)}"] if len(own) > 1 else []
    control += [f"databytes = {int(size)}" for size in sizes[:1]]
    if control:
        parts += ["", "[control]", *control]
    if (mode := _mode(lines)) is not None:
        parts += ["", "[auth]", f'mode = "{mode}"']
    return "\n".join(parts) + "\n"
