"""Generated scenarios as text: what is written is read back, and it is a scenario."""

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from conformance.errors import UsageError
from conformance.explore.areas import AREAS
from conformance.explore.document import Document, fitted, made, of_file, text_of
from conformance.explore.expecting import expecting
from conformance.explore.playing import ReferenceSide
from conformance.explore.stream import Stream
from conformance.explore.variants import built_upon
from conformance.scenario.reading import read_scenario
from conformance.targets.names import parse_target


def first_of(area: str, count: int = 40) -> list[Document]:
    return [each.document for each in Stream(area, "1").batch(count)]


@pytest.mark.parametrize("area", AREAS)
def test_what_an_area_makes_is_written_and_read_back(area: str) -> None:
    documents = first_of(area)
    assert documents
    for document in documents:
        text = text_of(document)
        assert tomllib.loads(text) == document
        scenario = read_scenario(text, Path("made.toml"))
        assert scenario.world == made(document).scenario.world
        assert scenario.configuration == made(document).scenario.configuration


def test_odd_values_are_written_as_they_are() -> None:
    document: Document = {
        "session": ["> A'''B\n< *\n", "> \\x00\\c\n", "one line"],
        "aliases": ["a\tb", "\x7f\u00e9\u2028", "'"],
        "verifying": True,
        "latency": 0.5,
        "control": {"me": "a\nb\n", "odd.name": ["x", "y\nz"], "databytes": 3, "helohost": False},
        "exchanger": [{"address": "127.0.0.2", "steps": {"RCPT <a@b>": ["250 a", "450 b\r\n250 c"]}}],
        "auth": {"checkprogram": {"default": 2}},
        "zones": {"": "@ TXT x\n"},
    }
    assert tomllib.loads(text_of(document)) == document


def test_variants_keep_to_the_form_of_documents() -> None:
    documents = [document for area in AREAS for document in first_of(area, 10)]
    random = Random(7)
    fit = 0
    for _ in range(300):
        one, other = random.choice(documents), random.choice(documents)
        before = text_of(one), text_of(other)
        document = built_upon(random, one, other)
        assert (text_of(one), text_of(other)) == before, "what is built upon stays as it is"
        assert tomllib.loads(text_of(document)) == document
        try:
            made(document)
            fit += 1
        except UsageError:
            continue
    assert fit > 150


def test_a_scenario_file_without_its_expectations(tmp_path: Path) -> None:
    path = tmp_path / "found.toml"
    path.write_text(
        "title = 'x'\nsession = '''\n< 220\n> NOOP\n< 250 ok\n<! 250-AUTH*\n'''\n"
        "[deliver]\nrecipients = ['b@big.example']\nreport = 'K*'\n[expect]\nqueue = 0\n",
        encoding="utf-8",
    )
    assert of_file(path) == {
        "session": ["< *\n> NOOP\n< *\n< *\n"],
        "deliver": {"recipients": ["b@big.example"]},
    }


def test_what_is_made_does_not_depend_on_what_else_is_loaded() -> None:
    batch = "[each.document for each in Stream('smtp', '7').batch()]"
    makes = f"from conformance.explore.stream import Stream; print({batch})"
    loads = "from conformance.cases.collection import all_requirements; all_requirements()"
    alone, beside = (
        subprocess.run([sys.executable, "-c", f"{before}; {makes}"], capture_output=True, check=True).stdout
        for before in ("pass", loads)
    )
    assert alone == beside


def test_no_variant_has_the_mode_of_a_file_that_is_not_there() -> None:
    one = {"mode": {"alice/.qmail": "0600", "alice": "0755"}, "dot-qmail": {"alice/.qmail": "#"}}
    other = {"dot-qmail": {"bob/.qmail": "#"}}
    found = [built_upon(Random(number), one, other) for number in range(50)]
    assert all("alice" in each["mode"] for each in found)
    assert {("alice/.qmail" in each["mode"]) == ("alice/.qmail" in each["dot-qmail"]) for each in found} == {
        True
    }
    assert {"bob/.qmail" in each["dot-qmail"] for each in found} == {True, False}


def test_a_blank_at_the_end_of_a_line_stays_in_the_file_of_a_finding() -> None:
    one = made({"session": "> NOOP  \n> QUIT\n"})
    record, done = asyncio.run(ReferenceSide(parse_target("reference-ppa")).traced(one))
    document = tomllib.loads(expecting(one, done, record, record))
    assert r"> NOOP \x20" in document["session"].splitlines()


@pytest.mark.parametrize(
    ("session", "reads"),
    [("> NOOP\n< *\n> NOOP\n", True), ("> NOOP\n> NOOP\n", False), ("> NOOP\\r\\nNOOP\n", False)],
)
def test_no_program_reads_the_connection_where_more_may_come(session: str, reads: bool) -> None:
    program = {"default": 0, "reads": True}
    left = program if reads else {"default": 0}
    document = {"session": session, "rcptcheck": program, "auth": {"mode": "", "subprogram": program}}
    kept = {"session": session, "rcptcheck": left, "auth": {"mode": "", "subprogram": left}}
    assert fitted(document) == kept


@pytest.mark.parametrize(
    ("lifetime", "is_aged"), [(0, True), (["1x", "9"], True), (4294967296, True), (60, False)]
)
def test_where_a_second_decides_whether_mail_is_too_old_it_is_so(lifetime: Any, is_aged: bool) -> None:
    again, reread = {"name": "ALRM", "after": 1}, {"name": "HUP", "after": 1}
    document = {
        "session": ["> NOOP\n", "> QUIT\n"],
        "control": {"queuelifetime": lifetime},
        "signal": [again, again, reread],
    }
    chats, signals = ["> NOOP\n", "> QUIT\n! pause 2.6\n"], [reread, {**again, "after": 2}]
    aged = {**document, "session": chats, "signal": signals}
    assert fitted(document) == (aged if is_aged else document)
    assert fitted(aged) == aged


@pytest.mark.parametrize(
    ("more", "is_brief"),
    [({}, False), ({"fate": "crash"}, True), ({"dot-qmail": {"alice/.qmail": "#\n|forward bob"}}, True)],
)
def test_programs_say_little_where_words_of_no_sure_length_stand_beside(
    more: Document, is_brief: bool
) -> None:
    much = {"says": "x" * 3000, "default": 1}
    document: Document = {"delivery-program": {"filter": much, "second": {}}}
    if "fate" in more:
        document["delivery-program"]["second"] = more
    else:
        document |= more
    said = fitted(document)["delivery-program"]["filter"]["says"]
    assert (len(said) < 300) == is_brief
    assert is_brief or fitted(document) == document


def test_where_mail_is_soon_too_old_none_waits_for_a_limit() -> None:
    control = {"concurrencyremote": 1, "queuelifetime": 0}
    assert fitted({"session": "> NOOP\n", "control": control})["control"] == {"queuelifetime": 0}
    control["queuelifetime"] = 60
    assert fitted({"session": "> NOOP\n", "control": control})["control"] == control


def test_a_qmail_send_that_cannot_start_gets_no_signal() -> None:
    document = {"session": "> NOOP\n", "control": {"me": False}, "signal": [{"name": "ALRM", "after": 1}]}
    assert fitted(document) == document
    assert "signal" not in fitted({**document, "control": {"me": False, "locals": False}})


def test_in_a_home_that_is_gone_no_file_has_a_mode() -> None:
    modes = {"alice": "gone", "alice/.qmail": "0600", "bob/.qmail": "0600", "bob/Maildir": "gone"}
    assert set(fitted({"mode": modes})["mode"]) == {"alice", "bob/.qmail", "bob/Maildir"}
