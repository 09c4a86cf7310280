"""Records told as conversations: nothing is lost, and only what means something counts as a difference."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.pod.configuration import Configuration
from conformance.pod.observation import (
    HookCall,
    MxSession,
    Observation,
    Question,
    RemoteResult,
    SmtpdProcess,
    TranscriptEntry,
)
from conformance.pod.record import Act, Failure, Observe, Prepare, Receive, Record, Remote
from conformance.pod.world import World
from conformance.report.alignment import Pair, first_difference, side_by_side
from conformance.report.story import Event, events_of, shortened

PREPARE = Prepare(at=0.0, world=World(), configuration=Configuration())


def recorded(*given: Act) -> Record:
    """A record of these acts, each a hundredth of a second after the one before."""
    return Record(tuple(replace(act, at=index / 100) for index, act in enumerate(given)))


def received(data: str | None) -> Receive:
    return Receive(at=0.0, connection=0, data=data)


def observed(**seen: Any) -> Observe:
    return Observe(at=0.0, seen=Observation(**seen))


def question(name: str, at: float = 0.0, **details: Any) -> Question:
    plain = Question(name, "MX", "udp", "NOERROR", 50, False, at)
    return replace(plain, **details)


def said(*lines: str, speaker: Any = "qmail", channel: str = "smtpd 0", start: float = 0.0) -> list[Event]:
    return [Event(start + i / 1000, channel, speaker, "client", line) for i, line in enumerate(lines)]


def texts(pairs: list[Pair]) -> list[tuple[str | None, str | None, bool]]:
    return [(p.left.text if p.left else None, p.right.text if p.right else None, p.same) for p in pairs]


@pytest.mark.parametrize(
    ("acts", "said"),
    [
        ([], []),
        ([received("250-a\r\n250 b\r\n")], ["250-a", "250 b"]),
        ([received("250-a\r"), received("\n25"), received("0 b\r\n")], ["250-a", "250 b"]),
        ([received("250 half"), received("")], ["250 half", "[closes the connection]"]),
        ([received("250 ha"), received(None), received("lf\r\n")], ["250 ha", "[silence]", "lf"]),
        ([Failure(at=0.0, reason="none\nat all")], ["[the world failed: none at all]"]),
    ],
)
def test_what_comes_is_told_line_by_line_however_it_was_cut(acts: list[Act], said: list[str]) -> None:
    assert [event.text for event in events_of(recorded(*acts))] == said
    assert events_of(None) == []


def test_a_question_and_its_answer_say_size_and_transport() -> None:
    asked = question("big.example", size=4096, over="tcp")
    unanswered = question("b.example", 0.001, rcode="", size=0)
    events = events_of(recorded(PREPARE, observed(questions=[asked, unanswered])))
    shown = [(e.speaker, e.listener, e.text, e.note) for e in events if e.channel == "dns"]
    assert shown == [
        ("qmail", "dns", "big.example MX?", "over tcp"),
        ("dns", "qmail", "NOERROR", "4096 octets over tcp"),
        ("qmail", "dns", "b.example MX?", "over udp"),
        ("dns", "qmail", "[no answer]", ""),
    ]


def test_each_observation_since_a_set_up_holds_all_so_only_the_last_one_counts_in_order_of_time() -> None:
    first, second = question("a.example", 0.001), question("b.example", 0.003)
    session = MxSession("127.0.0.2", 25, [TranscriptEntry(0.002, "event", "connected")])
    last = observed(questions=[first, second], mx_sessions=[session])
    events = events_of(recorded(PREPARE, observed(questions=[first]), last, PREPARE, observed()))
    told = [event.text for event in events if event.listener == "dns" or event.channel == "127.0.0.2:25"]
    assert told == ["a.example MX?", "[connected]", "b.example MX?"]


def test_times_and_process_numbers_are_no_difference_nor_which_channel_spoke_first() -> None:
    left = said("250 ok 1700000000 qp 17", "250 ok")
    right = said("250 ok 1700000001 qp 4711", "250 ok", start=5.0)
    dns, later = said("q", channel="dns"), said("q", channel="dns", start=6.0)
    pairs = side_by_side([*dns, *left], [*right, *later])
    assert all(pair.same for pair in pairs)
    assert first_difference(pairs) is None


def test_another_code_is_a_difference_and_stands_beside_its_counterpart_of_the_same_speaker() -> None:
    pairs = side_by_side(said("220 hi", "502 unimplemented"), said("220 hi", "500 unrecognised"))
    assert texts(pairs) == [("220 hi", "220 hi", True), ("502 unimplemented", "500 unrecognised", False)]
    assert first_difference(pairs) == 1
    pairs = side_by_side(said("250 ours"), said("250 theirs", speaker="exchanger"))
    assert texts(pairs) == [("250 ours", None, False), (None, "250 theirs", False)]


def test_lines_that_have_nothing_to_do_with_each_other_stand_in_rows_of_their_own() -> None:
    left = [*said("MAIL FROM:<a@here.example>"), *said("DATA", "354 go ahead", start=1)]
    right = [*said("250-PIPELINING", "250 8BITMIME"), *said("DATA", "354 go ahead", start=1)]
    assert texts(side_by_side(left, right)) == [
        ("MAIL FROM:<a@here.example>", None, False),
        (None, "250-PIPELINING", False),
        (None, "250 8BITMIME", False),
        ("DATA", "DATA", True),
        ("354 go ahead", "354 go ahead", True),
    ]


def test_no_line_is_lost_and_what_one_side_says_besides_does_not_shift_what_follows() -> None:
    left = said("a", "b", "c", "d", "e", "end", "end")
    right = said("a", "besides", "b", "c", "more", "d", "f", "end")
    pairs = side_by_side(left, right)
    assert [pair.left for pair in pairs if pair.left] == left
    assert [pair.right for pair in pairs if pair.right] == right
    assert [text for text, _, same in texts(pairs) if same] == ["a", "b", "c", "d", "end"]


@pytest.mark.parametrize(
    ("left", "right", "index"),
    [
        (
            [*said("early", "late one", channel="a"), *said("250 x", channel="b", start=0.0005)],
            [*said("early", "late other", channel="a"), *said("550 y", channel="b", start=0.0005)],
            2,
        ),
        (  # a slower run does not make its difference a later one
            [*said("ANY?", channel="dns", start=5.0), *said("same", channel="dns", start=6.0)],
            [*said("same", channel="dns"), *said("more", channel="b", start=1.0)],
            0,
        ),
    ],
)
def test_the_first_difference_is_the_first_in_time_not_the_first_row(
    left: list[Event], right: list[Event], index: int
) -> None:
    pairs = side_by_side(left, right)
    found = first_difference(pairs)
    assert found is not None
    assert pairs[found].left == left[index]


def test_what_an_observation_saw_was_over_with_the_act_before_it() -> None:
    """The pod's clock begins before the record says that the set-up has ended."""
    asked = [question("a.example", 0.010), question("b.example", 0.012)]
    result = RemoteResult("Kdone\0", status=0, ended=True, seconds=0.005)
    remote = Remote(at=0.0, host="", sender="", recipients=(), message="", result=result)
    events = events_of(recorded(PREPARE, remote, observed(questions=asked)))
    order = [event.text for event in events if event.channel != "set-up"]
    assert order.index("b.example MX?") < order.index("Kdone")
    times = [event.at for event in events if event.listener == "dns"]
    assert [round(time, 4) for time in times] == [0.0079, 0.0099]


def test_two_long_conversations_are_laid_side_by_side_at_once() -> None:
    """Aligned in the best way, these would take minutes."""
    left = said(*(f"RCPT TO:<r{i}@x.example>" if i % 2 else "250 ok" for i in range(20_000)))
    right = said(*(f"RCPT TO:<s{i}@x.example>" if i % 2 else "250 ok" for i in range(20_000)))
    pairs = side_by_side(left, right)
    assert sum(pair.same for pair in pairs) == 10_000
    assert first_difference(pairs) == 1


def test_a_long_story_keeps_its_ends_and_says_how_much_is_left_out() -> None:
    events = said(*map(str, range(1000)))
    short = shortened(events, 10)
    assert len(short) == 11
    assert (short[0], short[-1]) == (events[0], events[-1])
    assert "990 events left out" in short[5].text
    assert shortened(events[:10], 10) == events[:10]


def test_how_a_session_ended_is_told_and_a_reset_is_no_difference() -> None:
    ends = [SmtpdProcess(0, 5, 0), SmtpdProcess(1, 6, -11), SmtpdProcess(2, 7)]
    first = events_of(recorded(observed(sessions=ends)))
    assert [(event.channel, event.text) for event in first] == [
        ("smtpd 0", "[qmail-smtpd ended: status 0]"),
        ("smtpd 1", "[qmail-smtpd ended: signal 11]"),
    ]
    again = events_of(recorded(observed(sessions=[SmtpdProcess(0, 8, 0, reset=True), ends[1]])))
    assert again[0].text == "[qmail-smtpd ended: status 0; its connection was reset]"
    assert [pair.same for pair in side_by_side(first, again)] == [True, True]


def test_a_program_is_told_with_what_it_found() -> None:
    found = {"TCPREMOTEIP": "127.0.0.1", "TCPREMOTEINFO": "bob", "RECIPIENT": "a@b.example"}
    call = HookCall(
        "rcptcheck", ["x"], "/var/lib/qmail", found, account="qmaild", group="nofiles", umask="0022",
        siblings=1, descriptors={"0": "socket", "2": "log"}, envelope="F\0\0",
    )  # fmt: skip
    assert [event.text for event in events_of(recorded(PREPARE, observed(hook_calls=[call])))[1:]] == [
        "[ran rcptcheck x]",
        "  in /var/lib/qmail as qmaild:nofiles, umask 0022",
        "  descriptors: 0 socket, 2 log",
        "  other children of its parent: 1",
        "  TCPREMOTEINFO=bob",
        "  RECIPIENT=a@b.example",
        "  read the envelope F\0\0",
    ]
