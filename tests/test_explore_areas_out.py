"""The grammars of mail that goes out, the DNS, deliveries and configuration, and what they reach."""

import asyncio
from collections.abc import Iterable
from functools import cache

import pytest

from conformance.explore.areas import AREAS
from conformance.explore.areas.hosts import ROOT
from conformance.explore.document import text_of
from conformance.explore.playing import ReferenceSide
from conformance.explore.stream import Stream
from conformance.pod.record import Observe, Record, Remote, Signal
from conformance.scenario.reading import read_scenario
from conformance.targets.names import parse_target

pytest.importorskip("hypothesis")

OUTWARD = ("remote", "dns", "delivery", "configuration")


@cache
def played(area: str) -> list[tuple[dict, Record]]:
    """Some documents of an area, each with its record on the patched reference."""

    async def run() -> list[tuple[dict, Record]]:
        side = ReferenceSide(parse_target("reference-ppa"))
        stream = Stream(area, "11")
        return [(made.document, await side.play(made)) for _ in range(6) for made in stream.batch(50)]

    return asyncio.run(run())


def observations(area: str) -> Iterable[Observe]:
    return (act for _, record in played(area) for act in record.acts if isinstance(act, Observe))


def reports(area: str) -> str:
    """All that qmail-remote reported."""
    acts = (act for _, record in played(area) for act in record.acts if isinstance(act, Remote))
    return "\0".join(act.result.report for act in acts)


@pytest.mark.parametrize("area", OUTWARD)
def test_every_document_is_a_scenario_file(area: str, tmp_path) -> None:
    assert area in AREAS
    documents = [document for document, _ in played(area)]
    assert len(documents) > 250
    for document in documents[::3]:
        read_scenario(text_of(document), tmp_path / "made.toml")


@pytest.mark.parametrize("area", OUTWARD)
def test_no_question_leads_out_of_the_world(area: str) -> None:
    assert not [name for observe in observations(area) for name in observe.seen.stray]
    assert all(document["zones"]["."] == ROOT for document, _ in played(area) if "zones" in document)


@pytest.mark.parametrize(
    ("area", "words"),
    [
        (
            "remote",
            "accepted message|does not like recipient|connection died|sender was rejected|greeting failed",
        ),
        (
            "remote",
            "my name was rejected|failed on DATA|failed after I sent|Possible duplicate|partial final lines",
        ),
        (
            "remote",
            "authentication was rejected|no supported AUTH|password expired|base64decode challenge|#4.4.1",
        ),
        (
            "dns",
            "couldn't find any host named|couldn't find any host by|mail exchanger or IP|best-preference MX",
        ),
    ],
)
def test_the_reports_of_qmail_remote_are_reached(area: str, words: str) -> None:
    said = reports(area)
    assert [each for each in words.split("|") if each not in said] == []


def test_hosts_are_offered_each_method() -> None:
    said = "".join(
        entry.text for observe in observations("remote") for session in observe.seen.mx_sessions
        for entry in session.transcript if entry.source == "client"
    )  # fmt: skip
    assert [method for method in ("CRAM-MD5", "PLAIN", "LOGIN") if f"AUTH {method}\r\n" not in said] == []
    assert " AUTH=" in said


def test_answers_come_over_both_transports_in_all_sizes() -> None:
    questions = [question for observe in observations("dns") for question in observe.seen.questions]
    assert {question.over for question in questions} == {"udp", "tcp"}
    assert {question.rcode for question in questions} >= {"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", ""}
    sizes = {question.size for question in questions}
    assert {512, 513} <= sizes
    assert max(sizes) > 4096


def test_deliveries_reach_mailboxes_programs_bounces_and_the_queue() -> None:
    seen = [observe.seen for observe in observations("delivery")]
    log = "\n".join(line for each in seen for line in each.log)
    assert [
        each
        for each in ("success:", "failure:", "deferral:", "bounce msg", "triple bounce")
        if each not in log
    ] == []
    assert {call.program for each in seen for call in each.hook_calls} >= {"filter", "second", "qmail-remote"}
    assert any(file.path.endswith("/mbox") for each in seen for file in each.files)
    assert any(each.queue for each in seen)
    assert {user for each in seen for user in each.mailboxes} >= {"alice", "bob", "carol", "alias"}


def test_qmail_send_gets_signals_alone_and_with_files_that_change() -> None:
    signals = [act for _, record in played("delivery") for act in record.acts if isinstance(act, Signal)]
    assert {(each.name, bool(each.control)) for each in signals} >= {
        ("ALRM", False), ("ALRM", True), ("HUP", True),
    }  # fmt: skip
    assert {"locals", "virtualdomains"} <= {name for each in signals for name in each.control}


def test_files_and_variables_come_in_every_shape() -> None:
    documents = [document for document, _ in played("configuration")]
    assert {name for document in documents for name in document["control"]} >= {
        "me",
        "rcpthosts",
        "databytes",
        "smtproutes",
    }
    values = [value for document in documents for value in document["control"].values()]
    for odd in (False, "", []):
        assert odd in values
    assert any(len(str(value)) > 255 for value in values)
