"""JUnit XML: one test suite for each run, one test case for each requirement, for CI that reads it.

As expected passes, also a change that is unmet as expected (a property says so). Unexpected is a failure,
invalid an error, unsupported skipped. Unstable passes, with its attempts as a property and as output.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

from conformance.judge.comparison import Comparison
from conformance.judge.expectation import meaning
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.report.words import is_specification, printable, repeat_command, specification_sentence


def junit(comparison: Comparison) -> str:
    """The XML document, with its declaration, ready to be written as UTF-8. It always parses."""
    root = ET.Element("testsuites", {"name": "qmail-conformance"})
    for label, run in zip(comparison.labels, comparison.runs, strict=True):
        _suite(root, label, run)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, label: str, run: Run) -> None:
    standings = Counter(verdict.standing for verdict in run.verdicts)
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _text(label),
            "tests": str(len(run.verdicts)),
            "failures": str(standings["unexpected"]),
            "errors": str(standings["invalid"]),
            "skipped": str(standings["unsupported"]),
            "time": f"{sum(verdict.seconds for verdict in run.verdicts):.3f}",
            "timestamp": _text(run.header.started),
        },
    )
    facts = {
        "target": run.target.name,
        "kind": run.target.kind,
        "patches": " ".join(run.target.patches),
        **{f"package.{name}": version for name, version in run.target.packages.items()},
        "image": run.target.image,
        "queue": run.header.queue,
        "suite": run.header.suite,
        "selection": run.header.selection,
        "exit_status": str(run.footer.exit_status),
    }
    if is_specification(run.target):
        facts["specification"] = specification_sentence(run.target)
    _properties(suite, facts)
    for verdict in run.verdicts:
        _case(suite, run, verdict)
    if is_specification(run.target):
        ET.SubElement(suite, "system-out").text = _text(specification_sentence(run.target))


def _case(suite: ET.Element, run: Run, verdict: Verdict) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _text(f"qmail.{verdict.patch}"),
            "name": _text(verdict.requirement),
            "time": f"{verdict.seconds:.3f}",
        },
    )
    facts = {
        "promise": verdict.promise,
        "source": verdict.source,
        "role": verdict.role,
        "level": verdict.level,
        "verdict": verdict.verdict,
        "expected": verdict.expected,
    }
    if verdict.standing == "expected" and verdict.verdict != "met":
        facts["as-expected"] = f"{verdict.verdict}, as expected: {_why(verdict)}"
    if verdict.deviation is not None:
        facts.update({f"deviation.{key}": text for key, text in sorted(verdict.deviation.items())})
    if verdict.unstable:
        facts["unstable"] = ", ".join(verdict.attempts)
    _properties(case, facts)
    said = _outcome(verdict, run)
    if verdict.standing in ("unexpected", "invalid", "unsupported"):
        kind = {"unexpected": "failure", "invalid": "error", "unsupported": "skipped"}[verdict.standing]
        element = ET.SubElement(case, kind, {"message": _text(meaning(verdict))})
        if kind != "skipped":
            element.set("type", _kind(verdict))
        element.text = _text(said)
    elif verdict.standing == "unstable":
        ET.SubElement(case, "system-out").text = _text(f"{meaning(verdict)}\n{said}")


def _why(verdict: Verdict) -> str:
    if verdict.deviation is not None:
        return f"known deviation since {verdict.deviation['since']}: {verdict.deviation['reason']}"
    return f"the target does not claim patch {verdict.patch}"


def _kind(verdict: Verdict) -> str:
    if verdict.standing == "invalid":
        return "invalid"
    return "regression" if meaning(verdict).startswith("regression") else "unexpected agreement"


def _outcome(verdict: Verdict, run: Run) -> str:
    return (
        f"promise: {verdict.promise}\n"
        f"source: {verdict.source}\n"
        f"expected: {verdict.expected}\n"
        f"verdict: {verdict.verdict}\n"
        f"seen: {verdict.seen}\n"
        f"repeat: {repeat_command(run.target, verdict.requirement)}"
    )


def _properties(parent: ET.Element, facts: dict[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", {"name": _text(name), "value": _text(value)})


def _text(text: str) -> str:
    """Text that XML can hold: whatever does not show is replaced, U+FFFE and its like among it."""
    return printable(text, keep="\n\t")
