"""Known sessions, and how some forty tools print them: what is read back is what was printed, or refused.

A session is a list of turns: ("C", line), ("A", answer to 334), ("M", line of a message as on the wire),
("D", its dot), ("S", lines of a reply), ("closed",). Hosts are reserved names, credentials made up.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

from conformance.errors import UsageError
from conformance.scenario.transcript import read_transcript
from conformance.scenario.transcript.lines import Session

Turn = tuple[str, ...]

_HELLO: list[Turn] = [
    ("S", "220 mx.here.example ESMTP"),
    ("C", "EHLO client.example"),
    ("S", "250-mx.here.example", "250-AUTH LOGIN PLAIN CRAM-MD5", "250-PIPELINING", "250 8BITMIME"),
]
_BYE: list[Turn] = [("C", "QUIT"), ("S", "221 mx.here.example")]
_MESSAGE: list[Turn] = [
    ("M", line) for line in (
        "Subject: 250 apples", "From: <carol@client.example>", "", "451 is no reply here", "QUIT", "..",
        "  indented", "< 354 go on", "it's \"quoted\", and C:\\new", "", "250 ok",
    )
]  # fmt: skip

SESSIONS: dict[str, list[Turn]] = {
    "delivered": [
        *_HELLO, ("C", "MAIL FROM:<a@client.example> SIZE=1000"), ("S", "250 ok"),
        ("C", "RCPT TO:<alice@here.example>"), ("S", "250 ok"),
        ("C", "RCPT TO:<bob@elsewhere.example>"),
        ("S", "553 sorry, that domain isn't in my list of 300 allowed rcpthosts (#5.7.1)"),
        ("C", "DATA"), ("S", "354 go ahead"), *_MESSAGE, ("D", "."), ("S", "250 ok 1795867200 qp 4718"),
        *_BYE,
    ],
    "pipelined": [
        *_HELLO, ("C", "MAIL FROM:<>"), ("C", "RCPT TO:<nobody@here.example>"),
        ("C", "RCPT TO:<alice@here.example>"), ("C", "DATA"), ("S", "250 ok"),
        ("S", "553 sorry, this recipient is not here (#5.7.1)"), ("S", "250 ok"), ("S", "354 go ahead"),
        ("M", "Subject: hello"), ("M", ""), ("M", "hello"), ("D", "."), ("C", "QUIT"),
        ("S", "250 ok 1795867201 qp 4719"), ("S", "221 mx.here.example"),
    ],
    "login": [
        *_HELLO, ("C", "AUTH LOGIN"), ("S", "334 VXNlcm5hbWU6"), ("A", "YWxpY2VAaGVyZS5leGFtcGxl"),
        ("S", "334 UGFzc3dvcmQ6"), ("A", "bWFkZS11cC13cm9uZw=="), ("S", "535 authentication failed (#5.7.1)"),
        ("C", "AUTH PLAIN AGFsaWNlAG1hZGUtdXA="), ("S", "235 ok, go ahead (#2.0.0)"),
        ("C", "MAIL FROM:<alice@here.example>"), ("S", "250 ok"), *_BYE,
    ],
    "odd": [
        ("S", "220 mx.here.example ESMTP"), ("C", "HELO [192.0.2.7]"), ("S", "250 mx.here.example"),
        ("C", "FROBNICATE now"), ("S", "502 unimplemented (#5.5.1)"), ("C", "NOOP"), ("S", "250 ok"),
        ("C", "RCPT TO:<alice@here.example>"), ("S", "503 MAIL first (#5.5.1)"), ("C", "DATA"),
        ("S", "503 MAIL first (#5.5.1)"), ("C", "RSET"), ("S", "250 flushed"),
        ("C", "MAIL FROM:<a@client.example>"), ("S", "451 See later"),
    ],
    "unanswered": [
        *_HELLO, ("C", "MAIL FROM:<a@client.example>"), ("S", "250 ok"), ("C", "RCPT TO:<bob@here.example>"),
    ],
    "turned away": [
        ("S", "220 mx.here.example ESMTP"), ("C", "EHLO client.example"), ("S", "421 too many (#4.3.2)"),
    ],
}  # fmt: skip


def truth(turns: Iterable[Turn]) -> list[str]:
    """What a session is, one line each turn."""
    names = {"C": "C", "A": "C", "M": "|", "D": "|"}
    return [f"S: {turn[-1][:3]}" if turn[0] == "S" else f"{names[turn[0]]}: {turn[1]}" for turn in turns]


def told(session: Session) -> list[str]:
    """The same of what was read."""
    found = []
    for line in session.lines:
        if line.side == "server":
            found += [f"S: {line.text[:3]}"] if line.text[3:4] != "-" else []
        elif line.part == "end":
            found.append(line.side)
        else:
            sign = "|" if line.part in ("message", "dot") else "C"
            what = f"({line.part}) " if line.part in ("cut", "unseen") else "(hidden) " if line.hidden else ""
            found.append(f"{sign}: {what}{line.text}")
    return found


def reading(text: str) -> list[str]:
    """All that a text is read as, or that it is refused, with the lines that notes and errors name."""
    try:
        transcript = read_transcript(text, Path("log.txt"))
    except UsageError as error:
        return [f"refused: {error.message.removeprefix('log.txt, ')}"]
    found = []
    for session in transcript.sessions:
        found += ["session", *told(session), *(f"note: {note}" for note in session.notes)]
    return found + [f"note: {note}" for note in transcript.notes]


Printer = Callable[[list[Turn]], Iterator[str]]


def _marked(client: str, server: str, refused: str = "", more: str = "") -> Printer:
    """Each line behind its mark; `refused`: that of 4xx and 5xx, `more`: that of later lines of a reply."""

    def printed(turns: list[Turn]) -> Iterator[str]:
        for side, *lines in turns:
            for index, line in enumerate(lines):
                mark = server if side == "S" else client
                if side == "S" and index and more:
                    mark = more
                elif side == "S" and line[0] in "45" and refused:
                    mark = refused
                yield (mark + line).rstrip() if line else mark.rstrip()

    return printed


def _python(turns: list[Turn]) -> Iterator[str]:
    """smtplib: each line in quotes, the message at once, and each reply once more."""
    message = ""
    for side, *lines in turns:
        if side == "S":
            yield from (f"reply: {(line + chr(13) + chr(10)).encode()!r}" for line in lines)
            text = "\n".join(line[4:] for line in lines)
            yield f"reply: retcode ({lines[-1][:3]}); Msg: {text.encode()!r}"
        elif side in "MD":
            message += f"{lines[0]}\r\n"
            if side == "D":
                yield f"send: {message.encode()!r}"
        else:
            yield f"send: {lines[0] + chr(13) + chr(10)!r}"


def _quoted(client: str, server: str, end: str = "\\r\\n") -> Printer:
    """Each line in double quotes, as Ruby's and others' inspect it."""
    marked = _marked(client, server)

    def printed(turns: list[Turn]) -> Iterator[str]:
        for turn in turns:
            for line in turn[1:]:
                (row,) = marked([(turn[0], "x")])
                yield row[:-1] + json.dumps(line)[:-1] + end + '"'

    return printed


def _busybox(turns: list[Turn]) -> Iterator[str]:
    for side, *lines in turns:
        for line in lines:
            yield f"sendmail: {'recv' if side == 'S' else 'send'}:'{line}'"


def _json(turns: list[Turn]) -> Iterator[str]:
    for number, row in enumerate(_marked("C: ", "S: ")(turns)):
        time = f"2026-11-28T12:00:{number % 60:02d}.{number * 37 % 1000:03d}Z"
        yield json.dumps({"time": time, "level": "debug", "msg": row, "pid": 4711})


def _recordio(turns: list[Turn]) -> Iterator[str]:
    for side, *lines in turns:
        for line in lines:
            whole = f"{line}\r "
            pieces = [whole[i : i + 24] for i in range(0, len(whole), 24)]
            for piece in pieces:
                yield f"4711 {'>' if side == 'S' else '<'} {piece}{'' if piece is pieces[-1] else '+'}"


def _postfix(turns: list[Turn]) -> Iterator[str]:
    yield "smtp_stream_setup: maxtime=300 enable_deadline=0 min_data_rate=0"
    for side, *lines in turns:
        for line in lines:
            yield f"{'<' if side == 'S' else '>'} mx.here.example[192.0.2.25]:25: {line}"
        if side == "S":
            yield "match_string: smtp_discard_ehlo_keywords: mx.here.example ~? chunking"


def _tcpflow(turns: list[Turn]) -> Iterator[str]:
    client, server = "192.000.002.007.51620", "192.000.002.025.00025"
    for side, *lines in turns:
        for line in lines:
            yield f"{server}-{client}: {line}" if side == "S" else f"{client}-{server}: {line}"


def _plain(turns: list[Turn]) -> Iterator[str]:
    for _, *lines in turns:
        yield from lines


def _telnet(turns: list[Turn]) -> Iterator[str]:
    yield from ("Trying 192.0.2.25...", "Connected to mx.here.example.", "Escape character is '^]'.")
    yield from _plain(turns)


def _openssl(turns: list[Turn]) -> Iterator[str]:
    yield from (
        "CONNECTED(00000003)",
        "depth=0 CN = mx.here.example",
        "verify return:1",
        "---",
        "Certificate chain",
    )
    yield from (
        " 0 s:CN = mx.here.example",
        "   i:CN = mx.here.example",
        "---",
        "SSL handshake has read 1 bytes",
        "---",
    )
    yield from _plain(turns)


def _javamail(turns: list[Turn]) -> Iterator[str]:
    yield "DEBUG: setDebug: JavaMail version 1.6.2"
    yield 'DEBUG SMTP: trying to connect to host "mx.here.example", port 25, isSSL false'
    for _, *lines in turns:
        yield from lines
        if lines[-1] == "250 8BITMIME":
            yield 'DEBUG SMTP: Found extension "PIPELINING", arg ""'


def _hexadecimal(client: str, server: str, at: Callable[[int, int], str]) -> Printer:
    """Dumps of 16 octets a row; `at` writes an offset, in the piece or in all that this side has said."""

    def printed(turns: list[Turn]) -> Iterator[str]:
        said = {"S": 0, "C": 0}
        for side, *lines in turns:
            who = side if side == "S" else "C"
            octets = "".join(f"{line}\r\n" for line in lines).encode()
            for start in range(0, len(octets), 16):
                row = octets[start : start + 16]
                shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
                pairs = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}".ljust(48)
                yield f"{server if who == 'S' else client}{at(start, said[who] + start)}  {pairs} {shown}"
            said[who] += len(octets)

    return printed


def _follow_ascii(turns: list[Turn]) -> Iterator[str]:
    yield from (
        "=" * 67,
        "Follow: tcp,ascii",
        "Filter: tcp.stream eq 0",
        "Node 0: 192.0.2.7:5",
        "Node 1: 192.0.2.25:25",
    )
    for side, *lines in turns:
        octets = sum(len(line) + 2 for line in lines)
        yield f"{chr(9) if side == 'S' else ''}{octets}"
        yield from (f"{line}\r" for line in lines)
        yield ""
    yield "=" * 67


def _trace_ascii(turns: list[Turn]) -> Iterator[str]:
    for side, *lines in turns:
        for line in lines:
            arrow = "<= Recv" if side == "S" else "=> Send"
            yield f"{arrow} header, {len(line) + 2} bytes (0x{len(line) + 2:x})"
            for at in range(0, max(len(line), 1), 64):
                yield f"{at:04x}: {line[at : at + 64]}"
        yield "== Info: this and that"


PRINTERS: dict[str, Printer] = {
    "swaks": _marked(" -> ", "<-  ", "<** "),
    "swaks, TLS": _marked(" ~> ", "<~  ", "<~* "),
    "msmtp": _marked("--> ", "<-- "),
    "MDaemon": _marked("<-- ", "--> "),
    "curl": _marked("> ", "< "),
    "server's curl": _marked("< ", "> "),
    "C and S": _marked("C: ", "S: "),
    "nodemailer": _marked("C: ", "S: ", more="   "),
    "bounce": _marked(">>> ", "<<< "),
    "Exim": _marked("  SMTP>> ", "  SMTP<< ", more="         "),
    "sendmail -v": _marked("050 >>> ", "050 "),
    "mailx -v": _marked(">>> ", ""),
    "PHPMailer": _marked("CLIENT -> SERVER: ", "SERVER -> CLIENT: ", more=" " * 18),
    "Thunderbird": _marked("I/SMTP SMTP Send: ", "I/SMTP SMTP Response: "),
    "K-9": _marked("D SmtpTransport: SMTP >>> ", "V SmtpTransport: SMTP <<< "),
    "Net::SMTP": _marked("Net::SMTP=GLOB(0x55d0c8a81f40)>>> ", "Net::SMTP=GLOB(0x55d0c8a81f40)<<< "),
    "fetchmail": _marked("fetchmail: SMTP> ", "fetchmail: SMTP< "),
    "mutt": _marked("4> ", "4< "),
    "arrows beyond ASCII": _marked("\u2192 ", "\u2190 "),
    "words": _marked("sent: ", "received: "),
    "smtplib": _python,
    "Ruby": _quoted('<- "x', '-> "x'),
    "Go": _quoted('smtp: client="x', 'smtp: server="x', end=""),
    "busybox": _busybox,
    "JSON": _json,
    "recordio": _recordio,
    "Postfix": _postfix,
    "tcpflow": _tcpflow,
    "plain": _plain,
    "telnet": _telnet,
    "openssl": _openssl,
    "JavaMail": _javamail,
    "tshark, hex": _hexadecimal("", "\t", lambda row, all: f"{all:08x}"),
    "swaks, raw": _hexadecimal("  > ", "<   ", lambda row, all: f"{row:04d}:"),
    "tshark, ascii": _follow_ascii,
    "curl --trace-ascii": _trace_ascii,
}


def _stamps(form: str) -> Callable[[str], str]:
    numbers = count(7)

    def stamped(row: str) -> str:
        number = next(numbers)
        values = {
            "s": f"{number // 7 % 60:02d}",
            "n": f"{number * 7919 % 1_000_000:06d}",
            "h": f"{number * 7919:08x}",
        }
        return form.format(**values, count=number) + row

    return stamped


#: Name -> what stands before every row.
PREFIXES: dict[str, str] = {
    "none": "",
    "syslog": "Nov 28 12:00:{s} mx smtpd: ",
    "journal": "Nov 08 12:00:{s} mx qmail-smtpd[311]: ",
    "splogger": "Nov 28 12:00:{s} mx smtpd: 17958672{s}.{n} ",
    "tai64n": "@400000006b0a3c80{h} ",
    "tai64nlocal": "2026-11-28 12:00:{s}.{n}500 ",
    "Docker": "2026-11-28T12:00:{s}.{n}123Z ",
    "compose": "smtp-1  | ",
    "Kubernetes": "2026-11-28T12:00:{s}.{n}123+01:00 stdout F ",
    "logcat": "11-28 12:00:{s}.146  6608  6679 D Tag: ",
    "Python": "2026-11-28 12:00:{s},{n} DEBUG mail.smtp: ",
    "MOZ_LOG": "2026-11-28 12:00:{s}.{n} UTC - [Parent 5788: Main Thread]: ",
    "minutes": "[12:{s}] ",
    "counted": "[{count}] ",
    "elapsed": "+{count}.{n}s ",
    "quoted": "> ",
    "quoted twice": "> > ",
    "indented": "    ",
}


def printed(name: str, prefix: str, turns: list[Turn], end: str = "\n") -> str:
    """A session as a tool prints it, with `prefix` before each row."""
    stamped = _stamps(PREFIXES[prefix])
    return "".join(f"{stamped(row)}{end}" for row in PRINTERS[name](turns))
