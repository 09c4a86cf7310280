"""What came of a promise in one sentence: no verdict is explained by an assertion or by objects."""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.judge.runfile import read_run
from conformance.judge.verdict import Verdict
from conformance.pod.record import Connect, Receive, Record, Send
from conformance.report.decisive import deciding, missing
from conformance.report.sentences import looks_like_code, sentence, with_introspection
from conformance.report.story import events_of
from conformance.report.user_changes import does
from tests.judge_samples import CHANGE, PPA, verdict
from tests.report_samples import NASTY

SESSION = (
    ("", "220 mx ESMTP\r\n"),
    ("EHLO c\r\n", "250-mx\r\n250 8BITMIME\r\n"),
    ("MAIL FROM:<a@b.example>\r\n", "250 ok\r\n"),
    ("RCPT TO:<a%b@here.example>\r\n", "250 ok\r\n"),
    ("DATA\r\n", "354 go ahead\r\n"),
    ("Subject: hello\r\n\r\nhello\r\n.\r\n", "250 ok 17 qp 4\r\n"),
    ("<login of bob>\r\n", "535 no\r\n"),
)


def record() -> Record:
    acts: list[Connect | Receive | Send] = [Connect(at=0.0, connection=0)]
    for at, (said, answered) in enumerate(SESSION, 1):
        if said:
            acts.append(Send(at=at / 10, connection=0, data=said, taken=True))
        acts.append(Receive(at=at / 10 + 0.01, connection=0, data=answered))
    return Record(tuple(acts))


def unmet(seen: str) -> Verdict:
    return replace(verdict(CHANGE, PPA, "unmet", seen=seen), record=record())


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            "<reply 250 'ok'>\nassert 250 == 553\n +  where 250 = <reply 250 'ok'>.code",
            "RCPT TO:<a%b@here.example> was answered 250 ok; 553 was promised",
        ),
        (
            "[250, 250]\nassert [250, 250] == [553, 503]",
            "MAIL FROM:<a@b.example> was answered 250 ok; 553 was promised",
        ),
        (
            "assert [250, 250, 354] == [250, 553]",
            "RCPT TO:<a%b@here.example> was answered 250 ok; 553 was promised",
        ),
        ("assert (250, 354) == (250, 503)", "DATA was answered 354 go ahead; 503 was promised"),
        ("assert [421, 421] == [250, 250]", "the replies were 421, 421; 250, 250 were promised"),
        ("<reply 250 'ok 17 qp 4'>", "the message was answered 250 ok 17 qp 4"),
        (
            "<reply 501 'no'>\nassert 501 in (503, 554)\n +  where 501 = <reply 501 'no'>.code",
            "the client was answered 501 no; one of 503, 554 was promised",
        ),
        (
            "<no reply: silent for 4 s after RCPT TO:<a@b>>\nassert 0 == 421",
            "no reply came (silent for 4 s after RCPT TO:<a@b>); 421 was promised",
        ),
        (
            "assert False\n +  where False = <delivery 'Z' 'CNAME lookup failed. (#4.4.3)'>.accepted",
            "the message was deferred: CNAME lookup failed. (#4.4.3); that a host takes it was promised",
        ),
        (
            "<delivery 'rK' 'ok\\nsaid'>\nassert 'K' == 'Z'\n"
            " +  where 'K' = Report(letter='K', text='').letter",
            "the message was reported delivered: ok said; that it is deferred was promised",
        ),
        (
            "assert 'rK' == 'hD'",
            "the message was reported delivered; that it is refused for good (hD) was promised",
        ),
        (
            "assert 0 == 1\n +  where 0 = len([])\n +    where [] = messages()\n"
            " +      where messages = internet.messages",
            "0 messages that a host took; 1 was promised",
        ),
        (
            "assert ['ANY', 'ANY'...', ...] == ['MX', 'A']\n  \n  At index 0 diff: 'ANY' != 'MX'",
            "'ANY' was seen where 'MX' was promised",
        ),
        ("assert {'A', 'ANY'} == {'A'}", "'ANY' was seen, and was not promised"),
        ("assert {'A'} == {'A', 'B', 'C'}", "'B', 'C' were promised, and are missing"),
        ("assert {'A', 'B'} <= {'A', 'C'}", "'B' is not among 'A', 'C'"),
        ("assert [] == ['a > b']", "'a > b' was promised, and is missing"),
        ("assert ['a', 'c'] == ['a', 'b', 'c']", "'b' was promised behind 'a', and is missing"),
        ("assert ['a', 'b', 'c'] == ['a', 'c']", "'b' was seen behind 'a', and was not promised"),
        ("assert ['a', 'x', 'b'] == ['a', 'y']", "'x', 'b' were seen behind 'a'; 'y' was promised"),
        ("assert ['x', 'a'] == ['a', 'y']", "'x' was seen, and was not promised, among others"),
        ("assert ['a', 'x', ...] == ['a', 'y', 'z', ...]", "'x' was seen behind 'a'; 'y' was promised"),
        ("assert {'k': 1, 'm': 2} == {'k': 3, 'm': 2}", "'k': 1 was seen, 3 was promised"),
        ("assert {} == {'bob': 1}", "'bob': 1 was promised, and is missing"),
        ("assert {'k': 1, 'a': 2, ...} == {'k': 1, 'a': 3, ...}", "'a': 2 was seen, 3 was promised"),
        ("assert 'a\\nb\\nc' == 'a\\nx\\nc'", "'b' was seen behind 'a'; 'x' was promised"),
        ("assert 'x' == 'y'", "'x' was seen; 'y' was promised"),
        (
            "assert [250, 354] == ([250] * 3)",
            "DATA was answered 354 go ahead; 250 was promised",
        ),
        (
            "assert [421, 421] == (([421] * 2) + [250])",
            "the replies were 421, 421; 421, 421, 250 were promised",
        ),
        ("assert 'success' == 'deferral'", "the delivery was a success; put off was promised"),
        (
            "assert 0 == 451\n +  where 0 = <no reply: closed after EHLO c>.code",
            "no reply came (closed after EHLO c); 451 was promised",
        ),
        (
            "assert None\n +  where None = <function search at 0x7f>('from .* by', 'Received: x')",
            "nothing that reads 'from .* by' is in 'Received: x'",
        ),
        (
            "assert None == 'v'\n +  where None = <built-in method get of dict object at 0x7f>('VARIABLE')",
            "VARIABLE: nothing; 'v' was promised",
        ),
        (
            "assert False\n +  where False = LoggedMessage(number=1, ended=False).ended",
            "ended: no; yes was promised",
        ),
        (
            "assert [HookCall(program='rcptcheck', environment={'PATH': '/usr/lo..., ends=0)] == []",
            "what was seen: a run of 'rcptcheck'; there was to be none",
        ),
        (
            "assert ({}, [QueuedMessage(sender='a@b', recipients=['x(y)'], octets='(')]) == ({}, [])",
            "what was seen: nothing, a message; nothing, nothing was promised",
        ),
        ("assert 'x' in 'a in b'", "'x' was promised in 'a in b', and is not there"),
        ("assert 'x' not in ['x']", "'x' was promised not to be in 'x', and is there"),
        ("authenticated as []\nassert [] == ['alice']", "authenticated as nothing; 'alice' was promised"),
        ("it chose ['AUTH LOGIN']\nassert False", "it chose 'AUTH LOGIN'"),
        ("asked about ['']\nassert [''] == []", "asked about ''; there was to be none"),
        ("0 bounces, and 0 queued\nassert 0 == 1", "0 bounces, and 0 queued"),
        (
            "HELO mx\nassert False\n"
            " +  where False = <built-in method startswith of str object at 0x7f>('EHLO')\n"
            " +    where <built-in method startswith of str object at 0x7f> = 'HELO mx'.startswith",
            "'HELO mx' was seen; what starts with 'EHLO' was promised",
        ),
        (
            "[HookCall(program='qmail-queue', arguments=[])]",
            "not as promised: a run of 'qmail-queue'",
        ),
        ("", ""),
        (
            "<reply 220 'mx ESMTP'>\nassert 'mx ESMTP' == 'other'\n"
            " +  where 'mx ESMTP' = <reply 220 'mx ESMTP'>.text",
            "the client, which connects, was answered 220 mx ESMTP; 'other' was promised",
        ),
        (
            "assert 535 == 235\n +  where 535 = <reply 535 'no'>.code",
            "the client's login of bob was answered 535 no; 235 was promised",
        ),
        ("an assertion without words", "an assertion without words"),
    ],
)
def test_what_came_is_said_in_words(seen: str, said: str) -> None:
    assert sentence(unmet(seen)) == said
    assert not looks_like_code(said or "nothing")


def test_what_pytest_says_stands_behind_it() -> None:
    made = unmet("assert 'rK' == 'Z'")
    said = "the message was reported delivered; that it is deferred was promised"
    assert with_introspection(made, 100) == f"{said} (assert 'rK' == 'Z')"
    assert with_introspection(unmet("all went to one"), 100) == "all went to one"
    assert does(made) == said
    assert (
        sentence(replace(made, verdict="invalid", seen="the container ended\nmore")) == "the container ended"
    )


@pytest.mark.parametrize(
    "seen",
    [
        *NASTY,
        "assert {[]: 1} == {'\\d'}",
        "assert " + "(" * 9_000 + " == 250",
        "assert " + "9" * 9_000 + " == 250",
        "<reply 250 '" + "\\" * 9_000 + "\nassert '\x00' == [250]",
        "<delivery '" * 2_000,
        "<no reply: " + "> " * 9_000,
    ],
    ids=range(len(NASTY) + 6),
)
def test_whatever_a_build_says_there_is_one_line(seen: str, recwarn: pytest.WarningsRecorder) -> None:
    for text in (seen, f"assert {seen}", f"assert [{seen}] == 250", f"said {seen}\nassert 0 == 1"):
        said = sentence(unmet(text))
        assert said.isprintable()
        assert len(said) < 600
    assert not recwarn.list


@pytest.mark.parametrize(
    "text",
    [
        "",
        "assert 0 == 1",
        "seen: 250] * 4",
        "'a', Ellipsis",
        "it was QueuedMessage(sender='')",
        "seen: <reply 250 'ok'>",
        "[250]",
        "1 == 2",
        "<object at 0x17>",
        "it is at 0x17",
    ],
)
def test_code_is_known_as_such(text: str) -> None:
    assert looks_like_code(text)


@pytest.mark.parametrize(
    ("seen", "event"),
    [
        ("assert 250 == 553\n +  where 250 = <reply 250 'ok'>.code", "250 ok"),
        ("assert [250, 354] == [250, 503]", "354 go ahead"),
        ("<no reply: silent for 4 s after x>\nassert 0 == 421", "<login of bob>"),
        ("assert [] == [1]\n  At index 0 diff: 'RCPT TO:<a%b' != 'x'", "RCPT TO:<a%b@here.example>"),
        ("said ['MAIL FROM:<a@b.example>', 'hello']\nassert False", "MAIL FROM:<a@b.example>"),
        ("EHLO c\nassert False\n +  where False = startswith('HELO')", "EHLO c"),
        ("assert 'x' in 'Subject: hello\\nhello'", "Subject: hello"),
        ("assert [250, 250, 354] == [250, 553]", "250 ok"),
        ("assert 'rK' == 'Z'", None),
        ("assert 1 == 2", None),
        ("\nassert '' == 'no'", None),
    ],
)
def test_the_event_that_decides_is_found(seen: str, event: str | None) -> None:
    made = unmet(seen)
    found = deciding(made, events_of(made.record))
    assert (found.text if found else None) == event
    assert deciding(replace(made, verdict="met"), events_of(made.record)) is None


#: No patch, and flaws of every area of base: what came of hundreds of requirements.
FLAWED = "reference-stock~smtpd.mail-empty,smtpd.rcpt-empty,smtpd.literal-wraps,remote.data-2xx-sent"


def test_no_verdict_of_a_run_is_explained_by_code(tmp_path: Path) -> None:
    main(["run", FLAWED, "-q", "-n", "2", "--out", str(tmp_path)])
    [path] = tmp_path.glob("*.jsonl")
    unmet = [verdict for verdict in read_run(path).verdicts if verdict.verdict == "unmet"]
    assert len(unmet) > 200
    assert [(each.requirement, sentence(each)) for each in unmet if looks_like_code(sentence(each))] == []


@pytest.mark.parametrize(
    ("seen", "event"),
    [
        ("assert '' == 'RCPT TO:<a%b@here.example>'", "RCPT TO:<a%b@here.example>"),
        ("assert set() == {'8BITMIME', 'X'}", "250 8BITMIME"),
        (
            "assert [] == ['a%b@here....here.example']\n\n  Right contains one more item: 'a%b'",
            "RCPT TO:<a%b@here.example>",
        ),
        ("assert [] == [('go ahead', 1)]", "354 go ahead"),
        ("assert 'go ahead' in []", "354 go ahead"),
        ("assert [] == ['hello']", "hello"),  # and not the subject, which has more in it
        ("assert 0 == 1", None),
        ("assert '' == 'no'", None),  # too short to tell anything
    ],
)
def test_what_is_missing_is_found_in_the_story_that_has_it(seen: str, event: str | None) -> None:
    made = unmet(seen)
    found = missing(made, events_of(made.record))
    assert (found.text if found else None) == event
    assert missing(replace(made, verdict="met"), events_of(made.record)) is None
