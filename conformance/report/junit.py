"""JUnit XML: one test suite for each run, one test case for each requirement, for CI that reads it.

As expected passes, also a change that is unmet as expected (a property says so); what is as a known deviation
says is skipped with its reason, for it is no success. Unexpected is a failure, invalid an error, unsupported
skipped. Unstable passes, with its attempts as a property and as output. A property of each suite is the run's
conclusion in one line.
Beside a baseline what is newly unmet is a failure, and what was unmet before in the same words is skipped, so
that a build passes in CI where it passes the gate.
"""

from collections import Counter
from xml.etree import ElementTree as ET

from conformance.harmless import printable
from conformance.judge.baseline import AgainstBaseline
from conformance.judge.comparison import Comparison
from conformance.judge.expectation import meaning
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.report.baseline import TITLES
from conformance.report.export import STANDS_ON, picked
from conformance.report.sentences import sentence
from conformance.report.words import (
    is_specification,
    repeat_command,
    run_conclusions,
    shows_deviation,
    specification_sentence,
)

#: Assessment -> the element that says it; the others pass.
_ELEMENTS = {"unexpected": "failure", "invalid": "error", "unsupported": "skipped"}


def junit(comparison: Comparison, since: AgainstBaseline | None = None) -> str:
    """The XML document in ASCII, with its declaration. It always parses, whatever a stream's encoding is.

    `since`: what became of a baseline's verdicts on the first run.
    """
    root = ET.Element("testsuites", {"name": "qmail-conformance"})
    for label, run, said in zip(comparison.labels, comparison.runs, run_conclusions(comparison), strict=True):
        _suite(root, label, run, said, since if run is comparison.runs[0] else None)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    document: bytes = ET.tostring(root, "us-ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document.decode("ascii")}\n'


def _suite(root: ET.Element, label: str, run: Run, conclusion: str, since: AgainstBaseline | None) -> None:
    kinds = Counter(_kind(verdict, since)[0] for verdict in run.verdicts)
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_text(label),
        tests=str(len(run.verdicts) + bool(run.cut_off)),
        failures=str(kinds["failure"]),
        errors=str(kinds["error"] + bool(run.cut_off)),
        skipped=str(kinds["skipped"]),
        time=f"{sum(verdict.seconds for verdict in run.verdicts):.3f}",
        timestamp=_text(run.header.started),
    )
    specification = specification_sentence(run.target) if is_specification(run.target) else ""
    facts = {
        "conclusion": conclusion,
        "target": run.target.name,
        "kind": run.target.kind,
        "patches": " ".join(run.target.patches),
        **{f"package.{name}": version for name, version in run.target.packages.items()},
        "image": run.target.image,
        **picked(run.target, *STANDS_ON),
        **picked(run.header, "queue", "suite", "selection"),
        "exit_status": str(run.footer.exit_status),
        "specification": specification,
    }
    _properties(suite, facts)
    for verdict in run.verdicts:
        _case(suite, run, verdict, since)
    if run.cut_off:
        case = ET.SubElement(suite, "testcase", classname="qmail", name="the whole run")
        ET.SubElement(case, "error", message=_text(f"cut off after {run.cut_off}"))
    if specification:
        ET.SubElement(suite, "system-out").text = _text(specification)


def _case(suite: ET.Element, run: Run, verdict: Verdict, since: AgainstBaseline | None) -> None:
    name, patch = _text(verdict.requirement), _text(verdict.patch)
    seconds = f"{verdict.seconds:.3f}"
    case = ET.SubElement(suite, "testcase", classname=f"qmail.{patch}", name=name, time=seconds)
    facts = picked(verdict, "promise", "source", "role", "level", "verdict", "expected")
    facts["severity"] = verdict.severity or ""
    if verdict.assessment == "expected" and verdict.verdict != "met":
        facts["as-expected"] = f"{verdict.verdict}, as expected: {_why(verdict)}"
    if verdict.deviation is not None:
        facts.update({f"deviation.{key}": text for key, text in sorted(verdict.deviation.items())})
    if verdict.unstable:
        facts["unstable"] = ", ".join(verdict.attempts)
    _properties(case, facts)
    shown = picked(verdict, "promise", "source", "expected", "verdict")
    shown |= {"what came": sentence(verdict), "seen": verdict.seen}
    # What is quoted may have lines, which must not look like these.
    said = "".join(f"{name}: {value}\n".replace("\n", "\n    ")[:-4] for name, value in shown.items())
    said += f"repeat: {repeat_command(run.target, verdict.requirement)}"
    kind, title = _kind(verdict, since)
    if kind:
        why = _why(verdict) if verdict.assessment == "expected" else ""
        message = ": ".join(filter(None, (title, meaning(verdict) or why)))
        element = ET.SubElement(case, kind, {"message": _text(message)})
        if kind != "skipped":
            element.set("type", title or _type(verdict))
        element.text = _text(said)
    elif verdict.assessment == "unstable":
        ET.SubElement(case, "system-out").text = _text(f"{meaning(verdict)}\n{said}")


def _kind(verdict: Verdict, since: AgainstBaseline | None) -> tuple[str, str]:
    """The element that tells of a verdict, "" for one that passes, and what a baseline says of it."""
    if since is not None and verdict in since.newly:
        return "failure", TITLES["newly"]
    if since is not None and verdict in since.before:
        return "skipped", TITLES["before"]
    if shows_deviation(verdict):
        return "skipped", ""
    return _ELEMENTS.get(verdict.assessment, ""), ""


def _why(verdict: Verdict) -> str:
    if verdict.deviation is not None:
        return f"known deviation since {verdict.deviation['since']}: {verdict.deviation['reason']}"
    return f"the target does not claim patch {verdict.patch}"


def _type(verdict: Verdict) -> str:
    if verdict.assessment == "invalid":
        return "invalid"
    if verdict.elsewhere is not None:
        return "regression" if verdict.verdict == "unmet" else "unexpected agreement"
    return "regression" if meaning(verdict).startswith("regression") else "unexpected agreement"


def _properties(parent: ET.Element, facts: dict[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", {"name": _text(name), "value": _text(value)})


def _text(text: str) -> str:
    """Text that XML can hold: whatever does not show is replaced, U+FFFE and its like among it."""
    return printable(text, keep="\n\t")
