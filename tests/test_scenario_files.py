"""Scenario files: what a line of a chat means, and what is said about a file that is wrong."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.scenario.chat import ChatError, Expected, HalfClose, Write, read_chat
from conformance.scenario.escapes import escaped, expand, is_cut, pattern
from conformance.scenario.expecting import KEYS as EXPECTED
from conformance.scenario.form import Scenario
from conformance.scenario.places import entries, lines
from conformance.scenario.reading import KEYS, load_scenario, read_scenario

FILE = Path("bug.toml")


def read(text: str) -> Scenario:
    return read_scenario(text, FILE)


def writes(text: str) -> list[bytes]:
    return [step.octets() for step in read_chat(text, 1).steps if isinstance(step, Write)]


def replies(text: str) -> list[Expected]:
    return [step for step in read_chat(text, 1).steps if isinstance(step, Expected)]


# Chats


def test_lines_in_a_row_go_out_in_one_write() -> None:
    assert writes("> MAIL FROM:<>\n> RCPT TO:<a@b.example>\n< 250\n< 250\n> QUIT\n") == [
        b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n",
        b"QUIT\r\n",
    ]


def test_a_cut_begins_a_new_write() -> None:
    assert writes("> NO\\c\n! cut\n> OP\n< 250") == [b"NO", b"OP\r\n"]


def test_a_message_has_its_dots_stuffed_and_ends() -> None:
    assert writes("> DATA\n< 354\n| .x\n|\n| y\n< 250") == [b"DATA\r\n", b"..x\r\n\r\ny\r\n.\r\n"]


def test_lines_of_one_reply_stand_together() -> None:
    first, second = replies("> EHLO x\n> NOOP\n< 250-AUTH*\n<! 250-SIZE*\n< 250\n< 250 ok")
    assert [line.kind for line in first.lines] == ["some", "none", "last"]
    assert [line.text for line in second.lines] == ["ok"]


def test_blank_lines_and_comments_say_nothing() -> None:
    assert len(read_chat("# a\n\n  > NOOP\n  < 250\n", 1).steps) == 2


def test_an_end_may_be_expected() -> None:
    chat = read_chat("> NOOP\n< 250\n! half-close\n< silence 7\n< closed", 1)
    assert isinstance(chat.steps[2], HalfClose)
    assert [(step.kind, step.seconds) for step in chat.steps if isinstance(step, Expected)][1:] == [
        ("silence", 7.0),
        ("closed", 3.0),
    ]


@pytest.mark.parametrize(
    ("text", "number", "word"),
    [
        ("> NOOP\nNOOP", 11, "no line of a chat"),
        (">NOOP", 10, "after `>` comes a space"),
        ("> NOOP\n< ok", 11, "write `< 250`"),
        ("> NOOP\n< 25", 11, "is no reply"),
        ("> NOOP\n\n! wait", 12, "there is no `! wait`"),
        ("> NOOP\n! early", 11, "first line"),
        ("! early", 10, "what the client says"),
        ("> \\q", 10, "is no escape"),
        ("> \\{plain:nobody}", 10, "there is no user 'nobody'"),
        ("> \\{900a}", 10, "is no escape"),
        ("> a\\cb", 10, "is no escape"),
        ("> \\{9999999*a}", 10, "is no escape"),
        ("> NOOP\n< 250-a\n< 251 b", 12, "one code"),
        ("> NOOP\n<! 250 a", 11, "speaks of a line"),
        ("# nothing", 10, "without a line"),
    ],
)
def test_a_wrong_line_is_told(text: str, number: int, word: str) -> None:
    with pytest.raises(ChatError, match=word.replace("(", "\\(")) as raised:
        read_chat(text, 10)
    assert raised.value.number == number


# Octets


@pytest.mark.parametrize(
    ("raw", "octets"),
    [
        ("a\\r\\n\\t\\0\\\\\\*", b"a\r\n\t\0\\*"),
        ("\\xff\\x00z", b"\xff\x00z"),
        ("\u00e4", "\u00e4".encode()),
        ("<\\{3*ab}>", b"<ababab>"),
        ("\\{2*\\xfe}", b"\xfe\xfe"),
        ("\\{base64:\\0alice\\0x}", b"AGFsaWNlAHg="),
        ("\\{user:alice}", b"YWxpY2U="),
        ("\\{plain:alice}", b"AGFsaWNlAHdvbmRlcmxhbmQtNw=="),
    ],
)
def test_an_escape_stands_for_octets(raw: str, octets: bytes) -> None:
    assert expand(raw) == octets
    assert not is_cut(raw)


def test_a_challenge_is_answered() -> None:
    # RFC 2195 with the key of the fixtures' user, computed apart with openssl dgst -md5 -hmac.
    said = expand("\\{cram-md5:alice}", "PDEyM0BteD4=")
    assert said == b"YWxpY2UgN2QzYzI0ZmJkMWIwMTYxZjdmZTgzOTU1ZGJiN2E3NWY="


def test_every_octet_can_be_written() -> None:
    octets = bytes(range(256))
    assert expand(escaped(octets)) == octets
    assert escaped(octets).isprintable()


def test_a_star_is_anything_and_can_be_meant() -> None:
    assert pattern("250 ok * qp *").fullmatch("250 ok 1 qp 2")
    assert not pattern("a\\*b").fullmatch("axb")
    assert pattern("a\\*b").fullmatch("a*b")
    assert pattern("(#5.7.1)").fullmatch("(#5.7.1)")
    assert pattern("p\u00e4").fullmatch("p\u00c3\u00a4")


# Places


PLACED = """# first
title = "x"
session = ['''
> NOOP
''', "> QUIT"]

[zones]
"big.example" = '''
@ MX 10 mx
'''
[deliver]
recipients = [
  "a@big.example",  # [not a table]
  "b@big.example",
]
[[padding]]
octets = 600
[[padding]]
octets = 700
steps.MAIL = "250"
"""


def test_places_of_values() -> None:
    assert lines(PLACED) == {
        ("title",): 2, ("session",): 4, ("session", 0): 4, ("session", 1): 5, ("zones",): 7,
        ("zones", "big.example"): 9, ("deliver",): 11, ("deliver", "recipients"): 13,
        ("deliver", "recipients", 0): 13, ("deliver", "recipients", 1): 14, ("padding", 0): 16,
        ("padding", 0, "octets"): 17, ("padding", 1): 18, ("padding", 1, "octets"): 19,
        ("padding", 1, "steps", "MAIL"): 20,
    }  # fmt: skip
    spans = {entry.path: (entry.first, entry.last) for entry in entries(PLACED)}
    assert spans["session",] == (3, 5)
    assert spans["deliver", "recipients"] == (12, 15)


# Files


def test_a_short_file_has_the_ordinary_world() -> None:
    scenario = read("session = '''\n> NOOP\n< 250\n'''")
    assert scenario.title == "bug"
    assert scenario.control["rcpthosts"] == "here.example\n"
    assert scenario.sessions[0].number == 2


def test_control_files_are_given_as_lines_numbers_or_not_at_all() -> None:
    text = (
        "session = '> QUIT'\n[control]\ndatabytes = 100\nme = false\nrcpthosts = ['a.example', 'b.example']\n"
    )
    control = read(text).control
    assert control["databytes"] == "100\n"
    assert control["rcpthosts"] == "a.example\nb.example\n"
    assert "me" not in control
    assert control["timeoutremote"] == "5\n"


def test_a_text_crosses_as_its_octets() -> None:
    scenario = read("session = '> QUIT'\n[environment]\nX = 'p\u00e4'\n[rcptcheck]\nsays = '\u00e4'\n")
    assert scenario.environment["X"] == "p\u00c3\u00a4"
    assert scenario.recipient_check is not None
    assert scenario.recipient_check.says == "\u00c3\u00a4"


NOOP = "session = '> NOOP'\n"
DELIVER = "[deliver]\nrecipients = ['b@big.example']\n"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("title = 'x'\nsesion = '> NOOP'", 2, "did you mean 'session'"),
        ("title = 'x'\n", None, "nothing is done"),
        ("title = 5\n" + NOOP, 1, "is no text"),
        ("title = \n", None, "line 1"),
        ("title = 'x'\nsession = '''\n> NOOP\n250\n'''", 4, "no line of a chat"),
        ("session = [\n'> NOOP',\n'NOOP',\n]", 3, "no line of a chat"),
        (NOOP + "[zones]\n'big.example' = '''\n@ MX 10 mx\n\nmx A 127.0.0\n'''", 6, "127.0.0"),
        (NOOP + "[zones]\n'big.example' = '@ MX 10'", 3, "MX takes 2 fields"),
        (NOOP + "[[padding]]\nname = 'a.example'\noctets = 70000", 4, "from 12 to 65535"),
        (NOOP + "[[padding]]\nname = 'a.example'\noctets = 700", None, "no zone of the world"),
        (NOOP + "[[padding]]\nname = 'here.example'", 2, "octets is missing"),
        (NOOP + "[[fault]]\nname = '*'\naction = 'rcod'", 4, "known: drop, delay"),
        (NOOP + "[[fault]]\nname = '*'\naction = 'raw'\noctets = '\\q'", 5, "is no escape"),
        (NOOP + "[[exchanger]]\naddress = '192.0.2.1'", 3, "no address of the closed world"),
        (NOOP + "[[exchanger]]\n[exchanger.steps]\nMAL = '250'", 4, "no step of a session"),
        (NOOP + "[control]\n'../me' = 'x'", 3, "no name of a control file"),
        (NOOP + "[environment]\n'A=' = 'x'", 3, "no variable"),
        (NOOP + "[environment]\nA = 1", 3, "is no text"),
        (NOOP + "[rcptcheck]\ndefault = 256", 3, "from 0 to 255"),
        (NOOP + "[rcptcheck]\nexits = 100", 3, "is no table"),
        (NOOP + "[auth]\nmod = '!'", 3, "did you mean 'mode'"),
        (NOOP + "[dot-qmail]\n'alice/list' = ''", 3, "no dot-qmail file"),
        (NOOP + "delivering = 1\n", 2, "neither true nor false"),
        (NOOP + "[expect]\nasked = ['big.example mx']", 3, "is no question"),
        (NOOP + "[expect]\nqueue = ['a@b.example']", 3, "is no envelope"),
        (NOOP + "[expect]\nran = { rcptchek = 1 }", 3, "did you mean 'rcptcheck'"),
        (DELIVER + "report = 'ok'", 3, "begins with none of K, Z, D"),
        (DELIVER + "reports = ['r', 'x']", 3, "begins with none of r, h, s"),
        ("[deliver]\nhost = 'big.example'", 1, "recipients is missing"),
        ("deliver = 'big.example'", 1, "is no table"),
        (NOOP + "[requirement]\nname = 'base.x'", 2, "promise is missing"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(text: str, line: int | None, word: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(text)
    told = str(raised.value)
    assert word in told
    assert told.startswith("bug.toml" if line is None else f"bug.toml, line {line}: ")
    assert raised.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_scenario(tmp_path / "none.toml")


PAGE = Path(__file__).parent.parent / "docs" / "scenarios.md"


def examples() -> list[str]:
    """The examples of the page that are parts of a scenario file, each with something that is done."""
    blocks = re.findall(r"(?:(?:^    .*)?\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = [textwrap.dedent(block).strip("\n") + "\n" for block in blocks if block.strip()]
    parts = [re.sub("^qmail-conformance .*", "", block, flags=re.M) for block in found]
    parts = [block for block in parts if block.strip()]
    return [block if re.search(r"^session|^\[deliver\]", block, re.M) else NOOP + block for block in parts]


@pytest.mark.parametrize("text", examples(), ids=lambda text: text.strip().splitlines()[1][:30])
def test_an_example_of_the_page_is_right(text: str) -> None:
    assert read(text).path == FILE


def test_the_page_names_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    parts = examples()
    assert len(parts) >= 6
    assert [key for key in (*KEYS, *EXPECTED) if not re.search(rf"\b{key}\b", page)] == []
