"""The sequence picture: who said what to whom, in few arrows, and honest about what it leaves out."""

from __future__ import annotations

import re
from typing import Any

from conformance.report.site.sequence import ROWS, arrows, picture
from conformance.report.story import Event


def event(speaker: Any, listener: Any, text: str, channel: str = "smtpd 0", note: str = "") -> Event:
    return Event(0.0, channel, speaker, listener, text, note)


def question(name: str, note: str = "over udp") -> Event:
    return event("qmail", "dns", f"{name} MX?", "dns", note)


def words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_lines_said_in_a_row_are_one_arrow() -> None:
    said = [event("qmail", "client", line) for line in ("250-a", "250-b", "250 c")]
    found = arrows([*said, event("client", "qmail", "QUIT")], frozenset())
    assert [(one.source, one.sink, one.words) for one in found] == [
        ("qmail", "client", "250-a (+2)"),
        ("client", "qmail", "QUIT"),
    ]


def test_each_question_and_each_event_has_an_arrow_of_its_own() -> None:
    told = [question("a.example"), question("a.example", "over tcp")]
    closes = [event("client", "qmail", "[connects]"), event("client", "qmail", "EHLO a")]
    found = [one.words for one in arrows([*told, *closes], frozenset())]
    assert found == ["a.example MX? udp", "a.example MX? tcp", "[connects]", "EHLO a"]


def test_an_answer_says_size_transport_and_truncation_in_short() -> None:
    answer = event("dns", "qmail", "NOERROR", "dns", "29 octets over udp, truncated")
    assert arrows([answer], frozenset())[0].words == "NOERROR 29 B udp, TC"


def test_an_arrow_differs_where_one_of_its_lines_does() -> None:
    said = [event("qmail", "client", line) for line in ("250-a", "250 b")]
    other = event("client", "qmail", "QUIT")
    found = arrows([*said, other], frozenset({id(said[1])}))
    assert [one.differs for one in found] == [True, False]
    assert "≠" in words(picture([*said, other], frozenset({id(said[1])}), "x"))


def test_only_lanes_that_are_used_are_drawn() -> None:
    drawn = words(picture([question("a.example")], frozenset(), "x"))
    assert drawn == ["qmail", "DNS", "a.example MX? udp"]


def test_what_the_suite_does_is_not_drawn_and_nothing_makes_no_picture() -> None:
    assert picture([event("suite", "qmail", "qmail-remote a")], frozenset(), "x") == ""
    assert picture([], frozenset(), "x") == ""


def test_a_long_story_shows_its_beginning_and_its_difference_and_counts_the_rest() -> None:
    told = [question(f"q{i}.example") for i in range(200)]
    drawn = words(picture(told, frozenset({id(told[150])}), "x"))
    assert "q0.example MX? udp" in drawn
    assert "q150.example MX? udp" in drawn
    assert f"… {200 - ROWS} more in the transcript …" in drawn
    assert len(drawn) < ROWS + 8


def test_long_names_are_shortened_and_hostile_ones_stay_text() -> None:
    svg = picture([question("x" * 200 + "<script>.example")], frozenset(), "<b>\x1b")
    assert "<script" not in svg
    assert "<b>" not in svg
    assert "\\x1b" in svg
    assert max(map(len, words(svg))) < 60


def test_the_picture_has_words_for_those_who_do_not_see_it() -> None:
    svg = picture([question("a.example")], frozenset(), "debs:ppa")
    assert 'role="img"' in svg
    assert "Sequence on debs:ppa: 1 steps" not in svg
    assert "Sequence on debs:ppa: 1 step, 1 DNS question." in svg
