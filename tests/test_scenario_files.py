"""Scenario files: what a line of a chat means, and what is said about a file that is wrong."""

import re
import textwrap
from pathlib import Path

import pytest

from conformance.cases.internet import zone_text
from conformance.errors import UsageError
from conformance.internet.zones import load_zone
from conformance.pod.configuration import Configuration, RecipientCheck
from conformance.pod.ordinary import CONTROL, DOMAIN, HOST, RESOLVER
from conformance.pod.world import Exchanger, World
from conformance.scenario.chat import ChatError, HalfClose, Write, read_chat
from conformance.scenario.escapes import escaped, expand, is_cut, pattern
from conformance.scenario.expecting import KEYS as EXPECTED
from conformance.scenario.form import Scenario
from conformance.scenario.reading import KEYS, read_scenario
from conformance.tomllines import lines, statements

FILE = Path("bug.toml")
NOOP = "session = '> NOOP'\n"
DELIVER = "[deliver]\nrecipients = ['b@big.example']\n"
SENDING = NOOP + "delivering = true\n"


def read(text: str) -> Scenario:
    return read_scenario(text, FILE)


def writes(text: str) -> list[bytes]:
    return [step.octets() for step in read_chat(text, 1).steps if isinstance(step, Write)]


# Chats


@pytest.mark.parametrize(
    ("text", "number", "word"),
    [
        ("> RSET\n" + "> \\{900000*a}\n" * 20, 19, "more than 16000000 octets in all"),
        ("> EHLO x\n" + "< 250-\n" * 1001, 1002, "more than 1000 lines of one reply"),
    ],
)
def test_what_is_too_much_for_one_chat_is_told_with_its_line(text: str, number: int, word: str) -> None:
    with pytest.raises(ChatError, match=word) as caught:
        read_chat(text, 1)
    assert caught.value.number == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> MAIL FROM:<>\n> RSET\n< 250\n< 250\n> QUIT\n", [b"MAIL FROM:<>\r\nRSET\r\n", b"QUIT\r\n"]),
        ("> NO\\c\n! cut\n> OP\n< 250", [b"NO", b"OP\r\n"]),
        ("> DATA\n< 354\n| .x\n|\n| y\n< 250", [b"DATA\r\n", b"..x\r\n\r\ny\r\n.\r\n"]),
    ],
    ids=["lines in a row go out together", "a cut begins a write", "dots are stuffed and the message ends"],
)
def test_what_goes_out_in_each_write(text: str, expected: list[bytes]) -> None:
    assert writes(text) == expected


def test_what_must_come() -> None:
    text = "# a\n\n  > EHLO x\n> NOOP\n< 250-AUTH*\n<! 250-SIZE*\n< 250\n< 250 ok\n! half-close\n"
    said, first, second, half, silence, closed = read_chat(f"{text}< silence 7\n  < closed", 1).steps
    assert isinstance(said, Write)
    assert isinstance(half, HalfClose)
    assert [line.kind for line in first.lines] == ["some", "none", "last"]
    assert [line.text for line in second.lines] == ["ok"]
    assert [(end.kind, end.seconds) for end in (silence, closed)] == [("silence", 7), ("closed", 3)]


@pytest.mark.parametrize(
    ("text", "number", "word"),
    [
        ("> NOOP\nNOOP", 11, "no line of a chat"),
        (">NOOP", 10, "after `>` comes a space"),
        ("> NOOP\n< ok", 11, "write `< 250`"),
        ("> NOOP\n< 25", 11, "is no reply"),
        ("> NOOP\n\n! wait", 12, "there is no `! wait`"),
        ("> NOOP\n! early", 11, "first line"),
        ("! early\n! pause 1\n> NOOP", 11, "what the client says"),
        ("> NOOP\n! pause 100", 11, "there is no `! pause 100`"),
        ("> DATA\n< 354\n| a\n! pause 1\n| b\n< 250", 14, "said in one write"),
        ("> DATA\n< 354\n| a\n> NOOP\n| b\n< 250", 14, "said in one write"),
        ("! early", 10, "what the client says"),
        ("> \\q", 10, "is no escape"),
        ("> \\{plain:alcie}", 10, "did you mean 'alice'?"),
        ("! erly\n> NOOP", 10, "did you mean 'early'?"),
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


def test_a_challenge_is_answered_and_every_octet_can_be_written() -> None:
    # RFC 2195 with the key of the fixtures' user, computed apart with openssl dgst -md5 -hmac.
    said = expand("\\{cram-md5:alice}", "PDEyM0BteD4=")
    assert said == b"YWxpY2UgN2QzYzI0ZmJkMWIwMTYxZjdmZTgzOTU1ZGJiN2E3NWY="
    octets = bytes(range(256))
    assert expand(escaped(octets)) == octets
    assert escaped(octets).isprintable()


def test_a_star_is_anything_and_can_be_meant() -> None:
    fitting = {
        "250 ok * qp *": "250 ok 1 qp 2",
        "a\\*b": "a*b",
        "(#5.7.1)": "(#5.7.1)",
        "p\u00e4": "p\u00c3\u00a4",
    }
    assert all(pattern(raw).fullmatch(text) for raw, text in fitting.items())
    assert not pattern("a\\*b").fullmatch("axb")


# Places


def test_places_of_values() -> None:
    text = (Path(__file__).parent / "scenarios" / "places.toml").read_text(encoding="utf-8")
    assert lines(text) == {
        ("title",): 2, ("session",): 4, ("session", 0): 4, ("session", 1): 5, ("zones",): 7,
        ("zones", "big.example"): 9, ("deliver",): 11, ("deliver", "recipients"): 13,
        ("deliver", "recipients", 0): 13, ("deliver", "recipients", 1): 14, ("padding", 0): 16,
        ("padding",): 16, ("padding", 0, "octets"): 17, ("padding", 1): 18, ("padding", 1, "octets"): 19,
        ("padding", 1, "steps"): 20, ("padding", 1, "steps", "MAIL"): 20,
    }  # fmt: skip
    spans = {each.path: (each.first, each.last) for each in statements(text)}
    assert spans["session",] == (3, 5)
    assert spans["deliver", "recipients"] == (12, 15)


# Files


def test_a_short_file_has_the_ordinary_world() -> None:
    scenario = read("session = '''\n> NOOP\n< 250\n'''")
    assert scenario.title == "bug"
    assert scenario.world == World([load_zone("here.example")], exchangers=[Exchanger()])
    assert scenario.configuration == Configuration(CONTROL)
    assert scenario.sessions[0].number == 2


def test_a_file_of_qmail_may_lack_its_last_line_feed() -> None:
    scenario = read(
        NOOP + "[control]\nrcpthosts = ['a.example', 'b.example\\c']\nme = 'c.example\\c'\n"
        "[dot-qmail]\n'alice/.qmail' = './Maildir/\\c'\n'bob/.qmail' = './Maildir/'\n"
    )
    control = scenario.configuration.control
    assert (control["rcpthosts"], control["me"]) == ("a.example\nb.example", "c.example")
    dot_qmail = scenario.configuration.dot_qmail
    assert dot_qmail == {"alice/.qmail": "./Maildir/", "bob/.qmail": "./Maildir/\n"}


@pytest.mark.parametrize(
    ("origin", "ordinary"),
    [("here.example", True), ("g.example", True), ("EXAMPLE", False), ("big.example", False)],
)
def test_a_domain_of_a_delivery_has_a_zone_unless_the_file_has_one(origin: str, ordinary: bool) -> None:
    zones = read(f"{DELIVER}[zones]\n'{origin}' = '@ A 127.0.0.2'\n").world.zones
    assert (zone_text("big.example") in zones) == ordinary


def test_control_files_are_lines_numbers_or_absent_and_a_text_crosses_as_its_octets() -> None:
    text = "[control]\ndatabytes = 100\nme = false\nrcpthosts = ['a.example', 'b.example']\n"
    given = {"databytes": "100\n", "rcpthosts": "a.example\nb.example\n"}
    ordinary = {name: content for name, content in CONTROL.items() if name != "me"}
    assert read(NOOP + text).configuration.control == ordinary | given
    scenario = read(NOOP + "[environment]\nX = 'p\u00e4'\n[rcptcheck]\nsays = '\u00e4'\n")
    assert scenario.configuration.environment["X"] == "p\u00c3\u00a4"
    assert scenario.configuration.recipient_check == RecipientCheck(says="\u00c3\u00a4")


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("title = 'x'\nsesion = '> NOOP'", 2, "did you mean 'session'"),
        ("title = 'x'\n", None, "nothing is done"),
        ("title = 5\n" + NOOP, 1, "is no text"),
        (NOOP + "[delivery-program.rcptcheck]\ndefault = 1", 2, "another program has this name"),
        ("title = \n", None, "line 1"),
        ("title = 'x'\nsession = '''\n> NOOP\n250\n'''", 4, "no line of a chat"),
        ("session = [\n'> NOOP',\n'NOOP',\n]", 3, "no line of a chat"),
        (NOOP + "[zones]\n'big.example' = '''\n@ MX 10 mx\n\nmx A 127.0.0\n'''", 6, "127.0.0"),
        (NOOP + "[zones]\n'big.example' = '@ MX 10'", 3, "MX takes 2 fields"),
        (NOOP + "[[padding]]\nname = 'a.example'\noctets = 70000", 4, "from 12 to 65535"),
        (NOOP + "[[padding]]\nname = 'a.example'\noctets = 700", None, "no zone of the world"),
        (NOOP + "[[padding]]\nname = 'here.example'", 2, "octets is missing"),
        (NOOP + "[[fault]]\nname = '*'\naction = 'rcod'", 4, "known: drop, delay"),
        (NOOP + "[[fault]]\nname = '*'", 2, "action is missing\n  known: drop, delay"),
        (DELIVER + "report = ['K*', 'Z*']", 3, "is no text"),
        (NOOP + "[[fault]]\nname = '*'\naction = 'raw'\noctets = '\\q'", 5, "is no escape"),
        (NOOP + "[[exchanger]]\naddress = '192.0.2.1'", 3, "no address of the closed world"),
        (
            NOOP + "[[exchanger]]\n[[exchanger]]\nport = 26\n[[exchanger]]",
            5,
            "two of them listen on 127.0.0.2",
        ),
        (NOOP + "[zones]\n'a.example' = ''\n'A.example.' = ''", 4, "stands there twice"),
        (NOOP + "[[padding]]\nname = 'here.example'\noctets = 700\n" * 2, None, "is filled up already"),
        (NOOP + "[auth]\nmode = ''\n[environment]\nSMTPAUTH = '!'", 3, "in [environment] as well"),
        ("session = [" + "'> \\{900000*a}',\n" * 20 + "]\n", 18, "octets in all"),
        (
            NOOP + "[[fault]]\nname = '*'\naction = 'raw'\noctets = '\\{65534*a}'",
            None,
            "do not fit into a message",
        ),
        (NOOP + "[[fault]]\nname = '*'\naction = 'drop'\n" * 1001, 2, "more than 1000"),
        (NOOP + "[expect]\nsaid = '\\{900000*a}'", 3, "the longest reply"),
        (NOOP + "verifying = 'moot'\n", 2, "'moot' is neither true nor false nor 'mute'"),
        (NOOP + "latency = nan\n", 2, "nan is no number of seconds"),
        (NOOP + f"latency = 1{'0' * 400}\n", 2, " … is no number of seconds"),
        (NOOP + f"latency = 1{'0' * 5000}\n", None, "Exceeds the limit"),
        (NOOP + f"x = {'[' * 10_000}", None, "nested more than 50 deep"),
        (NOOP + "[[exchanger]]\n[exchanger.steps]\nMAL = '250'", 4, "no step of a session"),
        (NOOP + "[control]\n'../me' = 'x'", 3, "no name of a control file"),
        (NOOP + "[environment]\n'A=' = 'x'", 3, "no variable"),
        (NOOP + "[environment]\nA = 1", 3, "is no text"),
        (NOOP + "[[signal]]\nname = 'ALRM'", 2, "qmail-send does not run"),
        (SENDING + "[[signal]]\nname = 'TERM'", 4, "'TERM' is not known"),
        (SENDING + "[[signal]]\nname = 'HUP'\nafter = 2", 5, "from 1 to 1"),
        (SENDING + "[signal]\nname = 'HUP'\ncontrol = { locals = false }", 5, "no file is taken away"),
        (DELIVER.replace("[", "delivering = true\n[signal]\nname = 'HUP'\n[", 1), 2, "is no session"),
        (NOOP + "[rcptcheck]\ndefault = 256", 3, "from 0 to 255"),
        (NOOP + "[rcptcheck]\nexits = 100", 3, "is no table"),
        (SENDING + "[[signal]]\nname = 'HPU'", 4, "did you mean 'HUP'"),
        (NOOP + "[auth]\nmod = '!'", 3, "did you mean 'mode'"),
        (NOOP + "[dot-qmail]\n'alice/list' = ''", 3, "no dot-qmail file"),
        (NOOP + "[delivery-program.'../x']", 2, "no name of a program"),
        (NOOP + "[delivery-program.passwords]", 2, "the name of something else"),
        (NOOP + "[mode]\n'alice/../bob' = '0777'", 3, "no mode in a home"),
        (NOOP + '[auth]\narguments = ["a\\u0000"]', 3, "one with a NUL"),
        (NOOP + "[[timed-out]]\naddress = '127.0.0.256'", 3, "no address of the closed world"),
        (NOOP + "delivering = 1\n", 2, "neither true nor false"),
        (NOOP + "[expect]\nasked = ['big.example mx']", 3, "is no question"),
        (NOOP + "[expect]\nqueue = ['a@b.example']", 3, "is no envelope"),
        (NOOP + "[expect]\nran = { rcptchek = 1 }", 3, "did you mean 'rcptcheck'"),
        (DELIVER + "report = 'ok'", 3, "begins with none of K, Z, D"),
        (DELIVER + "reports = ['r', 'x']", 3, "begins with none of r, h, s"),
        ("[deliver]\nhost = 'big.example'", 1, "recipients is missing"),
        ("deliver = 'big.example'", 1, "is no table"),
        (NOOP + "[requirement]\nname = 'base.x'", 2, "source is missing"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(text: str, line: int | None, word: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(text)
    told = str(raised.value)
    assert word in told
    assert told.startswith("bug.toml" if line is None else f"bug.toml, line {line}: ")
    assert raised.value.hint


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


def test_the_page_names_every_key_and_what_is_ordinary() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"qmail is `{HOST}` and takes mail for `{DOMAIN}`" in page
    assert f'resolver = "{RESOLVER}"' in page
    parts = examples()
    assert len(parts) >= 6
    assert [key for key in (*KEYS, *EXPECTED) if not re.search(rf"\b{key}\b", page)] == []
