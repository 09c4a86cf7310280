"""`find` leads from what people type to the requirement that speaks of it."""

import json
import time
from fnmatch import fnmatchcase

import pytest

from conformance.cli import main
from conformance.project.form import NO_PROJECT
from conformance.search import listening
from conformance.search.entries import Entry, entries_of
from conformance.search.heard import FILE
from conformance.search.index import Index

Told = pytest.CaptureFixture[str]

LOGGED = "Nov 30 03:11:09 mx qmail: 1764471069.123456 delivery 12: deferral: "


@pytest.fixture(scope="module")
def index() -> Index:
    return Index(entries_of(NO_PROJECT))


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("CNAME lookup failed temporarily", "0004.any.*"),
        (f"{LOGGED}CNAME_lookup_failed_temporarily._(#4.4.3)/", "0004.any.*"),
        ("AUTH without a method", "0008.form.no-argument"),
        ("plus sign in the user name of AUTH=", "0008.xtext.plus"),
        ("smtproutes default relay sends credentials", "0008.line.*"),
        ("qmail-smtpd without arguments authenticates everybody", "0008.arguments.*"),
        ("SIZE in a quoted local part", "0008.size.quoted-local-part"),
        ("AUTH=LOGIN line in EHLO", "0008.ehlo.grammar"),
        ("CRAM-MD5 wrong on 64 bit", "0008.out.cram"),
        ("RSET forgets login", "0008.success.survives-rset"),
        ("rcptcheck hangs", "0009.program.hang*"),
        ("RCPTCHECK program eats pipelined input", "0009.input.*"),
        ("RCPTCHECK empty", "0009.program.empty"),
        ("percenthack", "*.percenthack*"),
        ("MX 0 .", "base.mx.null"),
        ("0.0.0.0", "base.mx.unspecified-address"),
        ("AAAA only", "base.mx.ipv6-*"),
        ("MAIL FROM without address", "base.argument.*"),
        ("EHLO [192.0.2.9] brackets in Received", "base.received.brackets"),
        ("bare LF commands", "base.line-feed.commands"),
        ("451 See http://pobox.com/~djb/docs/smtplf.html.", "base.smuggling.*"),
        ("BDAT", "base.bdat.*"),
        ("second MX after bad greeting", "base.mx.next-after-*"),
        ("VERP", "base.verp.*"),
        (f"{LOGGED}Unable_to_run_qmail-remote./", "base.rspawn.*"),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "base.rcpthosts.*"),
        ("Connected_to_192.0.2.7_but_connection_died._Possible_duplicate!_(#4.4.2)/", "base.remote.dropped"),
        ("Connected to 192.0.2.7 but my name was rejected.", "base.report.hello-*"),
        ("550 sorry, no mailbox here by that name. (#5.1.1)", "*.verify.*"),
        ("451 qv temporary failure", "base.verify.*"),
        ("RFC 5321 4.5.3.1", "base.hostile.*"),
        ("RFC 7505", "base.mx.null"),
        ("rfc5321:4.5.3.1", "base.hostile.*"),
        ("5.7.1", "0007.*.enhanced-code"),
        ("500", "0006.*"),
        ("control/rcpthosts", "base.control.rcpthosts-*"),
        ("/var/qmail/control/concurrencyremote", "base.send-log.concurrency*"),
        ("0006.unknown.code", "0006.unknown.code"),
    ],
)
def test_a_symptom_leads_to_its_requirement_in_the_first_lines(
    question: str, wanted: str, index: Index
) -> None:
    first = [entry.name for entry in index.find(question) if entry.kind == "requirement"][:5]
    assert any(fnmatchcase(name, wanted) for name in first), first


def test_what_is_kept_of_the_references_is_what_they_say() -> None:
    again = "it is no longer: `python -m conformance.search.listening`"
    assert FILE.read_text(encoding="utf-8") == listening.written(), again


@pytest.mark.parametrize(
    "words", ["pid 4711 from 192.0.2.9: Unrecognized command", "0007 relay", "rcpthosts", "535"]
)
def test_the_answer_is_ten_lines_at_most(words: str, capsys: Told) -> None:
    assert main(["find", words]) == 0
    assert 5 <= len(capsys.readouterr().out.splitlines()) <= 10


def test_the_first_lines_are_of_each_kind_and_all_of_it_is_had(capsys: Told) -> None:
    assert main(["find", "0007", "relay"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("0007.") for line in lines) == 5
    assert any(line.startswith("known of qmail=1.06-6.2*: 0007.rcpt.") for line in lines)
    assert lines[-2].startswith("try: qmail-conformance reproduce 0007.")
    assert lines[-1].startswith("try: qmail-conformance deviations list -k 0007.rcpt.")
    assert main(["find", "--all", "0007", "relay"]) == 0
    whole = capsys.readouterr().out
    assert "0007.rcpt.percenthack: " in whole
    assert "--all" not in whole


def test_a_scenario_is_found_by_its_title(capsys: Told) -> None:
    assert main(["find", "client that authenticates may relay"]) == 0
    told = capsys.readouterr().out
    assert "scenario smtp-auth: A client that authenticates may relay\n" in told
    assert told.endswith("try: qmail-conformance try smtp-auth --target TARGET\n")


def test_as_json_it_is_whole(capsys: Told) -> None:
    assert main(["find", "--json", "0007 relay"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["requirements"]) > 5
    assert told["requirements"][0].keys() == {"name", "promise", "patch", "source", "severity"}
    [known] = [each for each in told["deviations"] if "0007.rcpt.percent" in each["requirements"]]
    assert known["targets"] == ["qmail=1.06-6.2*"]


def test_nothing_found_is_no_success_and_names_near_words(capsys: Told) -> None:
    assert main(["find", "percenthak"]) == 4
    assert "Near it: percenthack" in capsys.readouterr().err
    assert main(["find", "452"]) == 4
    told = capsys.readouterr().err
    assert "nothing speaks of 452" in told
    assert "Near" not in told, "another number is another thing"


@pytest.mark.parametrize("question", ["", '"', "* AND ^ (", "\0\udcff\x1b[2J", "NEAR(a b", "a" * 9999])
def test_no_question_is_too_odd(question: str, index: Index) -> None:
    assert isinstance(index.find(question), list)


def test_of_a_long_question_what_there_is_counts(index: Index) -> None:
    question = " ".join(f"word{number}" for number in range(5000)) + " rcpthosts"
    assert "rcpthosts" in index.find(question)[0].name
    started = time.process_time()
    index.near(question)
    assert time.process_time() - started < 5


def test_a_word_in_a_promise_is_worth_more_than_one_in_a_case() -> None:
    entries = [Entry("requirement", name, told, works=works) for name, told, works in (
        ("a", "of something else", "wanted"), ("b", "the wanted promise", "something else"),
    )]  # fmt: skip
    assert [entry.name for entry in Index(entries).find("wanted")] == ["b", "a"]


@pytest.mark.parametrize(("words", "status", "told"), [([" "], 2, "no words"), (["q" * 5000], 4, "qqq")])
def test_no_words_are_wrong_use_and_many_are_cut(
    words: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", *words]) == status
    said = capsys.readouterr().err
    assert told in said
    assert len(said) < 1000
