"""Comparisons made up for the tests of reports, texts that must not break one, and a reader of HTML pages."""

from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from conformance.judge.comparison import Comparison, compare
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict, VerdictName
from conformance.pod.configuration import Configuration
from conformance.pod.observation import MxSession, Observation, Question, QueuedMessage, TranscriptEntry
from conformance.pod.record import Act, Connect, Observe, Prepare, Receive, Record, Send
from conformance.pod.world import Exchanger, World
from conformance.targets.target import Target
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, SAMPLES, STOCK, deviation, run, verdict

VOID = frozenset({"meta", "link", "input", "br", "col", "img", "source"})


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


def with_replies(verdict: Verdict, *replies: str) -> Verdict:
    return replace(verdict, record=record(*replies))


def comparison() -> Comparison:
    """Stock beside two alike patched builds: one difference, one deviation, one surprise."""
    other = replace(PPA, name="candidate")
    known = deviation(target="*", requirement=GUARD.name)
    runs = [
        run(STOCK, [with_replies(verdict(sample, STOCK), "220 mx ESMTP", "502 no") for sample in SAMPLES])
    ]
    for target in (PPA, other):
        verdicts = [
            with_replies(verdict(BASE, target, "unmet", seen="assert False"), "220 mx ESMTP", "500 no"),
            with_replies(verdict(CHANGE, target), "220 mx ESMTP", "500 no"),
            with_replies(verdict(GUARD, target, "unmet", deviations=[known]), "220 mx ESMTP", "502 no"),
        ]
        runs.append(run(target, verdicts))
    return compare(runs)


def alone(target: Target = PPA) -> Comparison:
    """One run with one verdict that did not repeat."""
    return compare([run(target, [with_replies(verdict(CHANGE, target, "unmet", "met"), "220 hi")])])


def change(*attempts: VerdictName, known: bool = False, seen: str = "", seconds: float = 0.25) -> Verdict:
    """A verdict on the change, on the build that claims it; `known`: with the deviation that says unmet."""
    made = verdict(CHANGE, PPA, *attempts, deviations=[deviation()] if known else [], seen=seen)
    return replace(made, seconds=seconds)


def beside(made: Verdict) -> Run:
    """A run with this verdict on the change, and all else as expected."""
    return run(PPA, [verdict(BASE, PPA), made, verdict(GUARD, PPA)])


NASTY = (
    "".join(map(chr, range(0x20))) + "\x7f\x85\u2028\ufffe\uffff\ud800\U0010ffff",
    "]]></failure><testcase name='x'/> & <!-- -- -->",
    "a | b \\| c ``` `d` **e** <script>alert(1)</script> [x](javascript:y) ![i](http://h.example/i) $x$",
    "</details>\n\n# heading\n\n| a |\n",
    "<!--",
    "\\",
)


def with_texts(text: str) -> Comparison:
    """A comparison in which every text that comes from outside is `text`."""
    target = replace(PPA, name=text, packages={text: text}, image=text)
    known = deviation(target="*", reason=text, source=text)
    verdicts = [
        verdict(BASE, target, "unmet", seen=text),
        verdict(CHANGE, target, "unmet", deviations=[known], seen=text),
        verdict(GUARD, target, "unmet", "met", seen=text),
    ]
    verdicts = [replace(made, promise=text, source=text) for made in verdicts]
    return compare([run(target, verdicts, suite=text, selection=text, queue=text)])


class Page(HTMLParser):
    """What a test asks of a page: its elements in order, ids, links, its text; raises on a stray end tag."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self.html = html
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
