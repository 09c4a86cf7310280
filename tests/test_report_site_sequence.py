"""The sequence picture: who said what to whom, in few arrows, and honest about what it leaves out."""

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


def test_what_one_side_says_in_a_row_is_one_arrow_and_questions_and_events_are_each() -> None:
    said = [event("qmail", "client", line) for line in ("250-a", "250-b", "250 c")]
    events = [event("client", "qmail", "[connects]"), event("client", "qmail", "EHLO a"), *said]
    asked = [question("a.example"), question("a.example", "over tcp")]
    answer = event("dns", "qmail", "NOERROR", "dns", "29 octets over udp, truncated")
    assert [(arrow.source, arrow.sink, arrow.words) for arrow in arrows([*events, *asked, answer], ())] == [
        ("client", "qmail", "[connects]"),
        ("client", "qmail", "EHLO a"),
        ("qmail", "client", "250-a (+2)"),
        ("qmail", "dns", "a.example MX? udp"),
        ("qmail", "dns", "a.example MX? tcp"),
        ("dns", "qmail", "NOERROR 29 B udp, TC"),
    ]


def test_an_arrow_differs_where_one_of_its_lines_does() -> None:
    said = [event("qmail", "client", line) for line in ("250-a", "250 b")]
    other = event("client", "qmail", "QUIT")
    found = arrows([*said, other], {id(said[1])})
    assert [arrow.differs for arrow in found] == [True, False]
    assert "≠" in words(picture([*said, other], {id(said[1])}, "x"))


def test_only_lanes_that_are_used_are_drawn_and_the_picture_has_words_for_those_who_do_not_see_it() -> None:
    svg = picture([question("a.example")], (), "debs:ppa")
    assert words(svg) == ["qmail", "DNS", "a.example MX? udp"]
    assert 'role="img"' in svg
    assert "Sequence on debs:ppa: 1 step, 1 DNS question." in svg
    for nothing in ([event("suite", "qmail", "qmail-remote a")], []):
        assert picture(nothing, (), "x") == ""


def test_a_long_story_shows_its_beginning_and_its_difference_and_counts_the_rest() -> None:
    asked = [question(f"q{i}.example") for i in range(200)]
    drawn = words(picture(asked, {id(asked[150])}, "x"))
    assert "q0.example MX? udp" in drawn
    assert "q150.example MX? udp" in drawn
    assert f"… {200 - ROWS} more in the transcript …" in drawn
    assert len(drawn) < ROWS + 8


def test_long_names_are_shortened_and_hostile_ones_stay_text() -> None:
    svg = picture([question("x" * 200 + "<script>.example")], (), "<b>\x1b")
    assert "<script" not in svg
    assert "<b>" not in svg
    assert "\\x1b" in svg
    assert max(map(len, words(svg))) < 60
