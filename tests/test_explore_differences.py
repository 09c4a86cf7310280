"""Differences of two records: what means nothing is settled, all else that a pod sees tells them apart."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from conformance.explore.chance import by_process, in_order, without_lost
from conformance.explore.differences import Difference, differ, differences
from conformance.explore.document import Document, made
from conformance.explore.invariants import broken
from conformance.explore.playing import ReferenceSide
from conformance.explore.rules import RULES, Rule, heard, kept
from conformance.explore.settling import settled
from conformance.explore.telling import told
from conformance.pod import record as acts
from conformance.pod.configuration import Configuration
from conformance.pod.observation import FileSeen, MxSession, Observation, TranscriptEntry
from conformance.pod.record import Record
from conformance.pod.world import Exchanger, World
from conformance.report.story import Event
from conformance.targets.names import parse_target


def played(document: Document, target: str = "reference-ppa") -> Record:
    return asyncio.run(ReferenceSide(parse_target(target)).play(made(document)))


def between(document: Document, left: str, right: str = "reference-ppa") -> list[Difference]:
    return differences(told(played(document, left)), told(played(document, right)))


CHAT = "> EHLO client.example\n< *\n> MAIL FROM:<a@b.example>\n< *\n> RCPT TO:<alice@here.example>\n< *\n"
MESSAGE = "> DATA\n< *\n| Subject: hello\n|\n| hello\n< *\n"


def test_what_a_reply_says_is_told_by_kind() -> None:
    found = between({"session": "> FROB\n< *\n"}, "reference-ppa~0006.dropped")
    assert found[0] == Difference(
        "smtpd", "qmail: 502 unimplemented (#5.5.1)", "qmail: 500 unrecognised (#5.5.2)"
    )


@pytest.mark.parametrize(
    ("document", "flaw", "channel"),
    [
        ({"session": CHAT + MESSAGE}, "smtpd.no-received", "queue"),
        ({"session": CHAT + MESSAGE, "delivering": True}, "send.no-delivered-to", "mailbox"),
        ({"deliver": [{"recipients": ["b@big.example"]}]}, "remote.no-quit", "exchanger"),
    ],
)
def test_every_channel_counts(document: Document, flaw: str, channel: str) -> None:
    assert channel in {each.channel for each in between(document, f"reference-ppa~{flaw}")}


def test_a_wait_is_told_in_whole_seconds() -> None:
    document: Document = {
        "session": "> AUTH PLAIN \\{base64:\\0alice\\0wrong}\n< *\n",
        "auth": {"mode": ""},
    }
    assert any(event.text == "[after 5 s]" for event in told(played(document)))


def test_two_plays_of_the_same_do_not_differ() -> None:
    document: Document = {"session": [CHAT + MESSAGE, "> NOOP\n< *\n"], "delivering": True}
    side = ReferenceSide(parse_target("reference-ppa"))

    async def twice() -> tuple[Record, Record]:
        await side.play(made({"session": "> NOOP\n"}))
        return await side.play(made(document)), await side.play(made(document), fresh=True)

    one, other = asyncio.run(twice())
    assert not differ(told(one), told(other))
    assert differences(told(one), told(other)) == []


def test_challenges_are_settled_and_prompts_are_not() -> None:
    challenge = "334 PDEyMy40NTZAaGVyZT4="
    assert settled(challenge) == "334 CHALLENGE"
    assert len({settled("334 VXNlcm5hbWU6"), settled("334 UGFzc3dvcmQ6"), settled(challenge)}) == 3
    answers = (base64.b64encode(f"erin {digit * 32}".encode()).decode() for digit in "07")
    assert {settled(f"RSET\\x0d{answer} x") for answer in answers} == {r"RSET\x0derin DIGEST x"}


def test_a_rule_speaks_of_one_difference_in_either_order() -> None:
    rule = Rule("test", "smtpd", "qmail: 451 .*", "nothing", "why", "where")
    assert rule.leaves_out(Difference("smtpd", "qmail: 451 no", "nothing"))
    assert rule.leaves_out(Difference("smtpd", "nothing", "qmail: 451 no"))
    assert not rule.leaves_out(Difference("log", "nothing", "qmail: 451 no"))
    assert not rule.leaves_out(Difference("smtpd", "nothing", "qmail: 250 ok"))


def test_a_queue_program_runs_from_data_on_though_the_message_never_ends() -> None:
    document: Document = {
        "session": CHAT + "> DATA\n< *\n> Subject: hello\n> \n> \\{2000*x}\n",
        "queue-program": {"default": 31, "complains": "oh\n"},
    }
    seen = next(act.seen for act in played(document).acts if isinstance(act, acts.Observe))
    assert [call.program for call in seen.hook_calls] == ["qmail-queue"]
    assert len(seen.hook_calls[0].input) == 2048, "whole buffers are written alone"
    assert "oh" in seen.log


def test_a_deaf_host_sees_no_end() -> None:
    document: Document = {
        "exchanger": [{"steps": {"RCPT": "deaf"}}],
        "deliver": [{"recipients": ["b@big.example"]}],
        "control": {"timeoutremote": 1},
    }
    assert not any(event.text.startswith("[client ") for event in told(played(document)))


def test_scenarios_that_are_played_at_the_same_time_do_not_meet() -> None:
    side = ReferenceSide(parse_target("reference-ppa"))
    wait = "> AUTH PLAIN \\{base64:\\0alice\\0wrong}\n< *\n"
    documents: list[Document] = [
        {"session": f"> EHLO a{number}.example\n< *\n{wait}", "auth": {"mode": ""}} for number in range(5)
    ]

    async def at_once() -> list[Record]:
        return list(await asyncio.gather(*(side.play(made(document)) for document in documents)))

    assert asyncio.run(at_once()) == [played(document) for document in documents]


def test_rules_are_told_with_their_reasons_and_leave_other_differences() -> None:
    for rule in RULES:
        assert rule.reason
        assert rule.source
    left_out = Difference("smtpd", "qmail: 250 ok NUMBER qp N", "qmail: 451 qq read error (#4.3.0)")
    other = Difference("smtpd", "qmail: 250 ok NUMBER qp N", "qmail: 451 qq trouble (#4.3.0)")
    assert kept([left_out, other]) == [other]


def test_deliveries_at_once_come_in_any_order() -> None:
    document: Document = {
        "session": CHAT + "> RCPT TO:<bob@here.example>\n< *\n" + MESSAGE,
        "delivering": True,
        "mode": {"alice": "gone", "bob": "gone"},
    }
    events = told(played(document), in_any_order=True)
    assert not any(event.text.startswith("status: ") for event in events)
    log = [event.text for event in events if event.channel == "log"]
    assert log == sorted(log)
    assert len([line for line in log if "starting delivery" in line]) == 2


def test_failures_at_once_are_noted_in_any_order() -> None:
    document: Document = {
        "session": CHAT
        + "> RCPT TO:<nobody@here.example>\n< *\n> RCPT TO:<no@here.example>\n< *\n"
        + MESSAGE,
        "delivering": True,
        "mode": {"alice": "gone"},
    }
    [noted] = [
        event.text
        for event in told(played(document), in_any_order=True)
        if event.text.startswith("[queue/bounce/NUMBER holds")
    ]
    assert 0 < noted.index("<no@here.example>") < noted.index("<nobody@here.example>")
    assert noted.endswith(r"by that name. (#5.1.1)\n\n']")


def test_blank_lines_in_what_a_host_says_are_no_end_of_a_failure() -> None:
    def noted(*failures: str) -> Event:
        holds = "".join(f"<{failure}\n\n" for failure in failures)
        return Event(0.0, "files", "qmail", "suite", f"[queue/bounce/NUMBER holds {holds!r}]")

    record = played({"session": CHAT + MESSAGE, "delivering": True})
    failures = ("b@x.example>:\nno", "a@x.example>:\none\n \n", "b@x.example>:\nnone")
    orders = [in_order(record, [noted(*order)]) for order in permutations(failures)]
    assert all(order == orders[0] for order in orders)


def test_whether_a_host_hears_of_the_end_is_chance_where_it_has_answered_the_lines_of_a_message() -> None:
    record = played({"session": CHAT + MESSAGE, "delivering": True})
    said = [
        ("qmail", "DATA"),
        ("exchanger", "200 ok"),
        ("qmail", "hello"),
        ("exchanger", "502 unimplemented"),
    ]
    ends = [("qmail", "QUIT"), ("exchanger", "221 bye"), ("exchanger", "[closed]")]

    def story(*lines: tuple[str, str]) -> list[Event]:
        return [Event(0.0, "127.0.0.2:25", speaker, "exchanger", text) for speaker, text in lines]

    gone = ("exchanger", "[client reset]")
    assert in_order(record, story(*said, *ends)) == in_order(record, story(*said, gone))
    old = [("exchanger", "[connected]"), ("qmail", "EHLO x"), ("exchanger", "502 unimplemented"), *said[:3]]
    assert in_order(record, story(*old, *ends)) != in_order(record, story(*old, gone))
    later = [*said, *ends, ("exchanger", "[connected]"), ("qmail", "HELO x")]
    assert in_order(record, story(*later, *ends)) != in_order(record, story(*later, gone))
    for some in (ends[:2], ends[2:]):
        assert in_order(record, story(*said[:3], *some)) != in_order(record, story(*said[:3], gone))


def test_who_tells_of_a_program_that_crashes_the_shell_or_qmail_is_told_alike() -> None:
    record = played({"session": CHAT + MESSAGE, "delivering": True})

    def of(shell: str, channel: str, text: str) -> list[Event]:
        return in_order(record, [Event(0.0, channel, "qmail", "suite", text.replace("CRASH", shell))])

    for channel, text, space in (
        ("log", "delivery N: failure: said/CRASH/I'm_not_going_to_try_again/", "_"),
        ("files", r"[queue/bounce/NUMBER holds '<alice@here.example>:\nCRASH\nI\'m not going\n\n']", " "),
    ):
        words = "Segmentation fault", "Aack, child crashed. (#4.3.0)"
        one, other = (of(each.replace(" ", space), channel, text) for each in words)
        assert one == other != of("Segmentation".replace(" ", space), channel, text)


def test_when_a_host_says_more_than_it_is_asked_is_chance() -> None:
    host = {"steps": {"MAIL": "250-one\r\n \r\n\r\n250 two"}}
    document: Document = {"deliver": [{"recipients": ["b@big.example"]}], "exchanger": [host]}
    events = [event for event in told(played(document), in_any_order=True) if event.channel == "127.0.0.2:25"]
    first = next(place for place, event in enumerate(events) if event.speaker == "exchanger")
    assert all(event.speaker == "exchanger" for event in events[first:])
    host = {"steps": {"MAIL": "250-one\r\n250 two"}}
    plain: Document = {"deliver": [{"recipients": ["b@big.example"]}], "exchanger": [host]}
    told_in_turns = [event.speaker for event in told(played(plain), in_any_order=True)]
    assert told_in_turns != sorted(told_in_turns)


def test_entries_of_an_mbox_come_in_any_order() -> None:
    def held(*senders: str) -> list[Event]:
        octets = "".join(f"From {sender} Thu Nov 26 10:00:00 2026\nS: x\n\ny\n\n" for sender in senders)
        file = FileSeen("homes/alice/mbox", "0600", "alice", "2000", octets)
        prepared = acts.Prepare(at=0.0, world=World(), configuration=Configuration(delivering=True))
        seen = acts.Observe(at=1.0, seen=Observation(files=[file]))
        return told(Record((prepared, acts.WaitUntilIdle(at=0.5, idle=True), seen)), in_any_order=True)

    assert not differ(held("a@b", "c@d"), held("c@d", "a@b"))
    assert differ(held("a@b", "c@d"), held("a@b", "a@b"))


def test_where_a_host_answers_in_the_middle_of_a_line_is_chance() -> None:
    def seen(*pieces: str, pace: float = 0.0) -> list[Event]:
        world = World(exchangers=[Exchanger(pace=pace)])
        client = [TranscriptEntry(0.0, "client", piece) for piece in pieces]
        end = [TranscriptEntry(0.0, "event", "client closed")] * bool(pace)
        session = MxSession(
            "127.0.0.2",
            25,
            [client[0], TranscriptEntry(0.0, "exchanger", "502 unimplemented\r\n"), *client[1:], *end],
        )
        observed = acts.Observe(at=1.0, seen=Observation(mx_sessions=[session]))
        return told(
            Record((acts.Prepare(at=0.0, world=world, configuration=Configuration()), observed)),
            in_any_order=True,
        )

    assert not differ(seen("a\r\nb", "c\r\n"), seen("a\r\n", "bc\r\n"))
    assert differ(seen("a\r\nb", "c\r\n"), seen("a\r\n", "b\r\nc\r\n"))
    assert not any("502" in event.text for event in seen("a\r\n"))
    assert not any("client closed" in event.text for event in seen("a\r\n", pace=0.3))


def test_replies_that_a_reset_may_have_dropped_are_no_difference() -> None:
    document: Document = {"session": "> NOOP\n> NOOP\n> QUIT\n< *\n"}
    record = played(document)
    less = Record(tuple(map(_reset, _without_replies(record))))
    assert differences(told(less), told(record))
    assert not differences(*without_lost((told(less), told(record)), (less, record)))
    assert broken(less, made(document).scenario) == []


def test_replies_that_are_missing_without_a_reset_are_one() -> None:
    record = played({"session": "> NOOP\n> NOOP\n> QUIT\n< *\n"})
    less = Record(tuple(_without_replies(record)))
    assert differences(*without_lost((told(less), told(record)), (less, record)))


def _without_replies(record: Record) -> Iterator[acts.Act]:
    """All but what qmail-smtpd said behind its first reply to a command."""
    greeted = False
    for act in record.acts:
        if isinstance(act, acts.Receive) and act.data:
            first, rest = act.data.partition("\r\n")[::2]
            yield replace(act, data=f"{first}\r\n" if not greeted or rest else act.data)
            greeted = True
        else:
            yield act


def _reset(act: acts.Act) -> acts.Act:
    if not isinstance(act, acts.Observe):
        return act
    sessions = [replace(session, reset=True) for session in act.seen.sessions]
    return replace(act, seen=replace(act.seen, sessions=sessions))


def waits(*seconds: int) -> list[Event]:
    return [Event(1.0, "qmail-remote", "qmail", "suite", f"[after {each} s]") for each in seconds]


@pytest.mark.parametrize(
    ("left", "right", "differs"),
    [((7,), (6,), False), ((), (1,), False), ((20,), (24,), False), ((), (2,), True), ((5,), (8,), True)],
)
def test_a_wait_in_a_pod_differs_by_more_than_a_busy_machine_adds(
    left: tuple[int, ...], right: tuple[int, ...], differs: bool
) -> None:
    assert bool(differences(waits(*left), waits(*right), in_pods=True)) == differs
    assert differences(waits(*left), waits(*right))


def test_when_a_host_answers_lines_that_qmail_did_not_mean_is_chance() -> None:
    document: Document = {"deliver": [{"recipients": ["b@big.example"], "sender": "a\nb@here.example"}]}
    record = played(document)
    seen = next(act for act in record.acts if isinstance(act, acts.Observe))
    (session,) = seen.seen.mx_sessions
    sooner = sorted(session.transcript, key=lambda entry: entry.source == "client")
    changed = replace(seen, seen=replace(seen.seen, mx_sessions=[replace(session, transcript=sooner)]))
    other = Record(tuple(changed if act is seen else act for act in record.acts))
    assert differences(told(record), told(other))
    assert not differences(told(record, in_any_order=True), told(other, in_any_order=True))


def test_when_a_client_hears_what_a_program_says_is_chance() -> None:
    document: Document = {
        "session": CHAT + "! pause 2\n> NOOP\n< *\n",
        "rcptcheck": {"says": "535 no\r\n"},
    }
    record = played(document)
    other = _later_reply(record)
    assert differences(told(record), told(other))
    assert not differences(told(record, in_any_order=True), told(other, in_any_order=True))


def _later_reply(record: Record) -> Record:
    """The record, with the last reply before the pause behind it."""
    played = list(record.acts)
    pause = next(number for number, act in enumerate(played) if isinstance(act, acts.Pause))
    heard = max(n for n, act in enumerate(played[:pause]) if isinstance(act, acts.Receive) and act.data)
    played.insert(pause, replace(played.pop(heard), at=played[pause - 1].at))
    return Record(tuple(played))


@pytest.mark.parametrize("sender", ["a@b.example", "a'b@c.example"])
def test_numbers_in_an_envelope_are_no_difference(sender: str) -> None:
    text = f"[queue/intd/1 holds {f'u64011{chr(0)}p11{chr(0)}F{sender}'!r}]"
    assert settled(text) == settled(text.replace("p11", "p1001"))


def test_what_programs_complain_of_without_a_line_end_is_left_out_however_often() -> None:
    document: Document = {
        "session": CHAT + "> DATA\n< *\n> \\na\n",
        "queue-program": {"complains": "x"},
    }
    record = played(document)
    (seen,) = [act for act in record.acts if isinstance(act, acts.Observe)]
    log = [f"xx{line}" if "newline" in line else line.removeprefix("x") for line in seen.seen.log]
    changed = replace(seen, seen=replace(seen.seen, log=log))
    other = Record(tuple(changed if act is seen else act for act in record.acts))
    assert differences(told(record), told(other))
    assert not differences(told(record, in_any_order=True), told(other, in_any_order=True))


def test_what_no_promise_speaks_of_hides_nothing_that_stands_beside_it() -> None:
    def noted(*lines: str) -> list[Event]:
        return [Event(0.0, "program", "qmail", "suite", f"  {line}") for line in lines]

    many = ["qmail-queue ignores PIPE"] * 150
    left = noted(*(line for one in many for line in ("rcptcheck ignores PIPE", one)), "else")
    assert heard(left) == noted(*many, "else")


def test_which_reply_is_lost_is_known_where_their_order_is_not() -> None:
    record = played({"session": "> NOOP\n< *\n> QUIT\n< *\n", "rcptcheck": {"says": "250 ok\r\n"}})
    less = Record(tuple(_reset(act) for act in record.acts if "221" not in (getattr(act, "data", "") or "")))
    stories = told(less, in_any_order=True), told(record, in_any_order=True)
    assert differences(*stories)
    assert not differences(*without_lost(stories, (less, record)))


def test_what_a_client_says_behind_a_lost_reply_is_lost_too() -> None:
    document: Document = {"session": "> NOOP\n> NOOP\n< *\n> QUIT\n< *\n"}
    record = played(document)
    told_last = [n for n, act in enumerate(record.acts) if "221" in (getattr(act, "data", "") or "")]
    said_last = [n for n, act in enumerate(record.acts) if isinstance(act, acts.Send) and "QUIT" in act.data]
    less = [act for n, act in enumerate(record.acts) if n not in (*told_last, *said_last)]
    other = Record(tuple(map(_reset, less)))
    assert differences(told(other), told(record))
    assert not differences(*without_lost((told(other), told(record)), (other, record)))


def test_the_reference_waits_before_a_client_ends_its_side_and_qmail_behind_it() -> None:
    document: Document = {
        "session": "> MAIL FROM:<>\n! cut\n> RCPT TO:<bob@here.example>\n> QUIT\n! half-close\n",
        "verifying": "mute",
        "environment": {"VERIFY": ":"},
    }
    assert any(event.text == "[after 5 s]" for event in told(played(document)))


def test_how_much_of_an_envelope_was_written_hangs_on_a_number() -> None:
    def holding(pid: int, count: int) -> str:
        return f"[queue/intd/{pid} holds {f'u64011{chr(0)}p{pid}{chr(0)}F' + 'a' * count!r}]"

    assert settled(holding(11, 800)) == settled(holding(1001, 798)).replace("/1001 ", "/11 ")


def test_lines_of_two_sessions_come_in_either_order() -> None:
    def line(process: int, words: str) -> Event:
        return Event(0.0, "log", "qmail", "suite", f"qmail-smtpd: pid {process} from 127.0.0.1: {words}")

    other = Event(0.0, "log", "qmail", "suite", "starting delivery 1")
    whole = [line(7, "New session"), line(7, "quitting"), other, line(9, "New session")]
    assert by_process([whole[0], whole[3], other, whole[1]]) == whole
    assert by_process(whole) == whole


def test_entries_are_ordered_by_what_they_say_and_not_by_their_numbers() -> None:
    def held(*entries: tuple[str, int]) -> Event:
        text = "".join(f"From x\nReceived: (qmail {number})\n{words}\n\n" for words, number in entries)
        return Event(0.0, "files", "qmail", "suite", f"[homes/alice/mbox holds {text!r}]")

    record = played({"session": CHAT + MESSAGE, "delivering": True})
    for entries in ([("a", 9), ("b", 8)], [("b", 5), ("a", 6)]):
        [event] = in_order(record, [held(*entries)])
        assert event.text.index("\\na\\n") < event.text.index("\\nb\\n")


def test_failures_of_a_bounce_in_an_mbox_come_in_any_order() -> None:
    def held(*failures: str, copy: str) -> Event:
        why = "I've given up. Sorry it didn't work out.\n\n" + "".join(f"<{each}\n\n" for each in failures)
        text = f"From x\n\n{why}--- Below this line is a copy of the message.\n\n{copy}\n\n"
        return Event(0.0, "files", "qmail", "suite", f"[homes/alice/mbox holds {text!r}]")

    record = played({"session": CHAT + MESSAGE, "delivering": True})
    told_of = [in_order(record, [held("a>:\nno", "b>:\nno", copy=copy)]) for copy in ("<b\n\n<a", "<a\n\n<b")]
    assert in_order(record, [held("b>:\nno", "a>:\nno", copy="<b\n\n<a")]) == told_of[0] != told_of[1]


def test_what_a_program_says_comes_before_replies_or_behind_them() -> None:
    def said(*replies: str) -> list[Event]:
        return [Event(0.0, "smtpd 0", "qmail", "client", reply) for reply in replies]

    talking = played({"session": "> NOOP\n", "rcptcheck": {"says": "535 no\r\n"}})
    silent = played({"session": "> NOOP\n"})
    orders = said("535 no", "250 ok"), said("250 ok", "535 no")
    assert in_order(talking, orders[0]) == in_order(talking, orders[1])
    piped = played({"session": "> NOOP\n", "queue-program": {"says": "535 no\r\n"}})
    assert in_order(piped, orders[0]) != in_order(piped, orders[1])
    assert in_order(silent, orders[0]) != in_order(silent, orders[1])
