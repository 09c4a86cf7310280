"""Transcripts become scenarios: forms are recognised, nobody's name is left, what is unclear is told."""

from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import UsageError
from conformance.scenario.making import Made, make_scenario
from conformance.scenario.reading import read_scenario
from conformance.scenario.reserved import Reserved, masked
from conformance.scenario.transcriptforms import FORMS, read_transcript
from conformance.scenario.trial import Trials
from conformance.targets.ready import Images, make_ready

FILE = Path("log.txt")

SWAKS, TELNET, RECORDIO, ARROWS, EXIM, POSTFIX, OPENSSL = (
    (Path(__file__).parent / "transcripts" / f"{name}.txt").read_bytes().decode("utf-8")
    for name in ("swaks", "telnet", "recordio", "arrows", "exim", "postfix", "openssl")
)

#: What must be left of nobody.
REAL = (
    "corp.internal", "john", "Doe", "jane", "partner", "laptop", "kim", "real.internal", "203.0.113", "sales",
)  # fmt: skip


def made(text: str) -> Made:
    found = make_scenario(read_transcript(text, FILE), FILE.name)
    read_scenario(found.scenario, Path("made.toml"))
    return found


def chat(text: str) -> list[str]:
    return [line for line in made(text).scenario.splitlines() if line[:2] in ("> ", "< ", "| ", "|")]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("swaks", SWAKS), ("recordio", RECORDIO), ("Postfix, verbose log", POSTFIX),
        ("Exim or Postfix, >>> and <<<", ARROWS), ("Exim or Postfix, >>> and <<<", EXIM),
        ("C: and S:", "S: 220 hi\nC: NOOP\nS: 250 ok\n"),
        ("lines with > and <", "< 220 hi\n> NOOP\n< 250 ok\n"),
        ("telnet, nc or openssl s_client", TELNET), ("telnet, nc or openssl s_client", OPENSSL),
    ],
    ids=["swaks", "recordio", "postfix", "arrows", "exim", "letters", "chat", "telnet", "openssl"],
)  # fmt: skip
def test_a_form_is_recognised_and_said(form: str, text: str) -> None:
    found = made(text)
    assert found.notes[0].startswith(f"the form of log.txt: {form}; sessions: ")
    assert form in FORMS
    assert [real for real in REAL if real.lower() in found.scenario.lower()] == []


def test_a_made_scenario_holds_on_the_patched_reference() -> None:
    scenario = read_scenario(made(SWAKS).scenario, Path("made.toml"))
    with Trials(make_ready(["reference-ppa"], Images())) as trials:
        (tried,) = trials.run(scenario)
    assert tried.met, [check for check in tried.checks if not check.met]
    assert len(tried.checks) == 12


def test_what_a_swaks_transcript_becomes() -> None:
    found = chat(SWAKS)
    assert found[:6] == [
        "< 220", "> EHLO other1.example", "< 250", "> AUTH PLAIN \\{base64:\\0alice\\0wrong}", "< 535",
        "> AUTH LOGIN",
    ]  # fmt: skip
    assert found[7:10:2] == ["> \\{user:alice}", "> \\{password:alice}"]
    assert "> MAIL FROM:<user1.user2@here.example> SIZE=1234" in found
    assert "> RCPT TO:<user3%other2.example@here.example>" in found
    assert "| From: <user1.user2@here.example>" in found
    assert "| Subject: xxxxxxxxx \\x27\\x27\\x27xxxxxxx\\x27\\x27\\x27" in found
    assert "| .xxxx xxxx xx xxx.x.xxx.xx, \\xc3\\xbc" in found
    assert 'mode = "+cram"' in made(SWAKS).scenario


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (
            "<-  220 hi\n -> DATA\n<-  354 go\n -> Subject: a\n ->   b\n -> .\n<-  250 ok\n",
            ["| Subject: x", "|   x", "< 250"],
        ),
        (TELNET, ["|", "| xxx xxxxxx xxx xxxx", "< 250", "> quit", "< 221", "< closed"]),
        (RECORDIO, ["> QUIT", "< 221", "< closed", "< 220", "> FROB", "< 502"]),
    ],
    ids=["spaces at the start stay", "replies in a message are the client's", "sessions are told apart"],
)
def test_how_a_chat_ends(text: str, last: list[str]) -> None:
    assert chat(text)[-len(last) :] == last


@pytest.mark.parametrize("greeting", ["S: 220 hi\n", "S: 220-hi\nS: 220 there\n"])
def test_a_greeting_within_begins_another_session(greeting: str) -> None:
    assert made(f"{greeting}C: QUIT\nS: 221 bye\n" * 2).scenario.count("'''") == 4


def test_starttls_is_left_out_and_said() -> None:
    text = "S: 220 hi\nC: STARTTLS\nS: 220 go\nC: NOOP\nS: 250 ok\n"
    assert "line 2: STARTTLS is left out" in "\n".join(made(text).notes)
    assert chat(text) == ["< 220", "> NOOP", "< 250"]


def test_more_than_one_own_domain_and_a_size_make_control_files() -> None:
    found = made(
        "S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 SIZE 500\nC: MAIL FROM:<>\nS: 250 ok\n"
        "C: RCPT TO:<a@one.internal>\nS: 250 ok\nC: RCPT TO:<a@two.internal>\nS: 250 ok\n"
        "C: RCPT TO:<a@far.internal>\nS: 553 no\n"
    )
    scenario = read_scenario(found.scenario, Path("made.toml"))
    assert scenario.configuration.control["rcpthosts"] == "here.example\nhere2.example\n"
    assert scenario.configuration.control["databytes"] == "500\n"
    assert "> RCPT TO:<user1@other2.example>\n< 553" in found.scenario


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("C: AUTH PLAIN\nS: 334 \nC: AGEAYg==\nS: 235 ok", "\\{plain:alice}"),
        ("C: AUTH CRAM-MD5\nS: 334 PDE+\nC: YSBi\nS: 235 ok", "\\{cram-md5:alice}"),
        ("C: AUTH CRAM-MD5\nS: 334 PDE+\nC: YSBi\nS: 535 no", "\\{base64:alice " + "0" * 32 + "}"),
        ("C: AUTH LOGIN\nS: 334 VXM=\nC: *\nS: 501 no", "> *"),
        ("C: AUTH PLAIN s3cret!\nS: 501 no", "AUTH PLAIN not!base64"),
        ("C: AUTH XOAUTH2 c2VjcmV0MQ==\nS: 504 no", "AUTH XOAUTH2 \\{base64:secret}"),
    ],
)
def test_credentials_become_those_of_the_fixtures(said: str, expected: str) -> None:
    text = made(f"S: 220 hi\n{said}\n").scenario
    assert expected in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("nothing of the kind\n", 1, "no session is recognised"),
        ("220 hi\nNOOP\n250 ok\n?? what\n", 4, "is unclear"),
        ("S: 220 hi\nC: NOOP\nS: ok\n", 3, "is no reply"),
        ("S: 220 hi\nC: EHLO x\nS: 250-one\nC: NOOP\n", 4, "not whole"),
        ("S: 220 hi\nC: EHLO x\nS: 250-one\n", 3, "not whole"),
        ("> NOOP\n> QUIT\n", 1, "unclear"),
        ("> 250 a\n< 250 b\n", 1, "unclear"),
        ("C: NOOP\nC: QUIT\n", 1, "the server says nothing"),
    ],
)
def test_what_is_unclear_is_told_with_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises(UsageError, match=word) as raised:
        read_transcript(text, FILE)
    assert str(raised.value).startswith(f"log.txt, line {line}: ")
    assert raised.value.hint


def test_names_are_mapped_the_same_way_each_time() -> None:
    names = Reserved()
    assert names.own("Corp.Internal") == "here.example"
    for path, mapped in (
        ("<Kim@corp.internal>", "<user1@here.example>"),
        ("<@relay.internal:kim@CORP.internal>", "<@other1.example:user1@here.example>"),
        ("<relay.internal!kim@[203.0.113.8]>", "<other1.example!user1@[192.0.2.1]>"),
        ('<"kim lee"@a.example>', '<"user1 user2"@a.example>'),
        ("<postmaster>", "<postmaster>"),
    ):
        assert names.path(path) == mapped
    assert len(names.word("k" * 900)) == 900
    said = "XFORWARD ADDR=203.0.113.8 kim@corp.internal"
    assert names.text(said) == "XFORWARD ADDR=192.0.2.1 user1@here.example"
    assert len(names.text("x" * 200_000)) == 200_000
    assert masked("Tel. 0123 \u00e9") == "xxx. xxxx \u00fc"


def test_the_command_makes_a_file_that_can_be_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = tmp_path / "log.txt", tmp_path / "bug.toml"
    log.write_text(TELNET, encoding="utf-8")
    assert main(["try", "--from-transcript", str(log), "-o", str(out)]) == 0
    told = capsys.readouterr().err
    assert "telnet, nc or openssl s_client" in told
    assert "  corp.internal -> here.example" in told
    assert main(["try", str(out), "--target", "reference-stock"]) == 0
    capsys.readouterr()
    assert main(["try", "--from-transcript", str(log)]) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")
    assert main(["try", "--from-transcript", str(tmp_path / "none")]) == 2
