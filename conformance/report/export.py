"""The report as one JSON document for other programs: `docs/schema/report-1.schema.json` describes it.

Names stay as they are within one number of the schema; what is added later is added to a new number.
Records are not in it: they are in the run files, whose lines `docs/schema/run-2.schema.json` describes.
"""

import json
from dataclasses import asdict
from typing import Any

from conformance.catalogue.builtin import PATCHES
from conformance.errors import EXIT_MEANINGS
from conformance.judge.comparison import Comparison, PatchSummary, Row
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.report.words import KnownDeviation, is_specification, known_deviations

FORM = "qmail-conformance report"
SCHEMA = 1

#: What a target's image stands on; told where there is one.
STANDS_ON = ("release", "base", "system", "architecture")


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data. Verdicts stand in the order of `targets`, which names each label once."""
    header = comparison.runs[0].header
    status = comparison.exit_status
    return {
        "form": FORM,
        "schema": SCHEMA,
        "suite": header.suite,
        "selection": header.selection,
        "exit_status": status,
        "meaning": EXIT_MEANINGS[status],
        "targets": [_target(*pair) for pair in zip(comparison.labels, comparison.runs, strict=True)],
        "patches": _patches(comparison),
        "requirements": [_requirement(comparison, row) for row in comparison.rows],
        "deviations": [_deviation(known) for known in known_deviations(comparison)],
    }


def dumps(data: dict[str, Any]) -> str:
    """JSON text in ASCII, so that nothing in it reorders or hides text where it is shown."""
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def picked(source: object, *names: str) -> dict[str, Any]:
    """Attribute -> value, for attributes that are exported as they are."""
    return {name: getattr(source, name) for name in names}


def _target(label: str, run: Run) -> dict[str, Any]:
    return {
        "label": label,
        **picked(run.target, "name", "kind"),
        "specification": is_specification(run.target),
        **picked(run.target, "patches", "packages", "image"),
        **{name: value for name, value in picked(run.target, *STANDS_ON).items() if value},
        **picked(run.header, "queue", "started"),
        "finished": run.footer.finished,
        "run_file": run.path.name,
        **picked(run.footer, "counts", "exit_status"),
    }


def _patches(comparison: Comparison) -> list[dict[str, Any]]:
    """Each patch that a requirement belongs to; a summary for each target that claims it."""
    return [
        {
            "patch": patch,
            "title": PATCHES[patch].title if patch in PATCHES else comparison.titles.get(patch, ""),
            "summaries": [_summary(summary) for summary in comparison.patches if summary.patch == patch],
        }
        for patch in dict.fromkeys(row.patch for row in comparison.rows)
    ]


def _summary(summary: PatchSummary) -> dict[str, Any]:
    data = asdict(summary)
    del data["patch"]
    return {"target": data.pop("label"), **data, "sentence": summary.sentence}


def _deviation(known: KnownDeviation) -> dict[str, Any]:
    data = asdict(known)
    return data if data["severity"] else {key: data[key] for key in data if key != "severity"}


def _requirement(comparison: Comparison, row: Row) -> dict[str, Any]:
    return {
        **picked(row, "requirement", "patch", "role", "level", "promise", "source", "differs", "explained"),
        "verdicts": [
            {"target": label, **said_of(cell), "attempts": cell.attempts}
            for label, cell in zip(comparison.labels, row.cells, strict=True)
        ],
    }


def said_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict without its record and without what its requirement says."""
    return {
        **picked(verdict, "verdict", "expected"),
        "standing": verdict.assessment,
        **picked(verdict, "deviation", "seen", "seconds"),
        **({"severity": verdict.severity} if verdict.severity else {}),
        **({"elsewhere": verdict.elsewhere} if verdict.elsewhere else {}),
    }
