"""Comparisons with records, made up for the tests of the HTML site, and a reader of its pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from conformance.judge.comparison import Comparison, compare
from conformance.judge.verdict import Verdict
from conformance.pod.configuration import Configuration
from conformance.pod.observation import MxSession, Observation, Question, QueuedMessage, TranscriptEntry
from conformance.pod.record import Act, Connect, Observe, Prepare, Receive, Record, Send
from conformance.pod.world import Exchanger, World
from conformance.targets.target import Target
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, deviation, run, verdict

VOID = frozenset({"meta", "link", "input", "br", "col"})


def record(*replies: str, questions: int = 2, transcript: Sequence[TranscriptEntry] = ()) -> Record:
    """One SMTP session that gets these replies, then some DNS questions and one session at an exchanger."""
    world = World(zones=["$ORIGIN big.example.\n@ MX 10 mx\n"], exchangers=[Exchanger()])
    configuration = Configuration(control={"me": "mx.here.example\n"}, environment={"RELAYCLIENT": ""})
    asked = Question("", "MX", "udp", "NOERROR", size=50, truncated=False, at=0.0)
    seen = Observation(
        questions=[replace(asked, name=f"q{i}.example", at=i / 1000) for i in range(questions)],
        mx_sessions=[MxSession("127.0.0.2", 25, list(transcript))] if transcript else [],
        queue=[QueuedMessage("a@here.example", ["b@big.example"], "")],
        log=["status: local 0/10 remote 0/20"],
    )
    acts: list[Act] = [
        Prepare(at=0.0, world=world, configuration=configuration),
        Connect(at=0.0, connection=0),
    ]
    for reply in replies:
        acts.append(Receive(at=0.0, connection=0, data=f"{reply}\r\n"))
        acts.append(Send(at=0.0, connection=0, data="NOOP\r\n", taken=True))
    acts.append(Observe(at=0.0, seen=seen))
    return Record(tuple(replace(act, at=index / 100) for index, act in enumerate(acts)))


def told(one: Verdict, *replies: str) -> Verdict:
    return replace(one, record=record(*replies))


def comparison() -> Comparison:
    """Stock beside two alike patched builds: one difference, one deviation, one surprise, one unstable."""
    other = replace(PPA, name="candidate")
    known = deviation(target="*", requirement=GUARD.name)
    stock = [told(verdict(one, STOCK), "220 mx ESMTP", "502 no") for one in (BASE, CHANGE, GUARD)]
    patched = [
        [
            told(verdict(BASE, target, "unmet", seen="assert False"), "220 mx ESMTP", "500 no"),
            told(verdict(CHANGE, target), "220 mx ESMTP", "500 no"),
            told(verdict(GUARD, target, "unmet", deviations=[known]), "220 mx ESMTP", "502 no"),
        ]
        for target in (PPA, other)
    ]
    return compare([run(STOCK, stock), run(PPA, patched[0]), run(other, patched[1])])


def alone(target: Target = PPA) -> Comparison:
    """One run with one verdict that did not repeat."""
    return compare([run(target, [told(verdict(CHANGE, target, "unmet", "met"), "220 hi")])])


class Page(HTMLParser):
    """What a test asks of a page: its elements in order, ids, links, its text; raises on a stray end tag."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("style", "script"):
            self.raw[self._open[-1]] = data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for attributes in self.all("a") if "href" in attributes]


def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))
