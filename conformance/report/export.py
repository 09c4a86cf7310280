"""The report as one JSON document for other programs: `docs/schema/report-1.schema.json` describes it.

Names stay as they are within one number of the schema; what is added later is added to a new number.
Records are not in it: they are in the run files, whose lines `docs/schema/run-2.schema.json` describes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from conformance.catalogue.patches import PATCHES
from conformance.errors import EXIT_MEANINGS
from conformance.judge.comparison import Comparison, PatchSummary, Row
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict
from conformance.report.words import is_specification, known_deviations

FORM = "qmail-conformance report"
SCHEMA = 1


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
        "targets": [_target(*one) for one in zip(comparison.labels, comparison.runs, strict=True)],
        "patches": _patches(comparison),
        "requirements": [_requirement(comparison, row) for row in comparison.rows],
        "deviations": [
            {
                "target": known.label,
                "reason": known.reason,
                "source": known.source,
                "since": known.since,
                "requirements": list(known.requirements),
            }
            for known in known_deviations(comparison)
        ],
    }


def dumps(data: dict[str, Any]) -> str:
    """JSON text in ASCII, so that nothing in it reorders or hides text where it is shown."""
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _target(label: str, run: Run) -> dict[str, Any]:
    target = run.target
    return {
        "label": label,
        "name": target.name,
        "kind": target.kind,
        "specification": is_specification(target),
        "patches": list(target.patches),
        "packages": dict(target.packages),
        "image": target.image,
        "queue": run.header.queue,
        "started": run.header.started,
        "finished": run.footer.finished,
        "run_file": run.path.name,
        "counts": dict(run.footer.counts),
        "exit_status": run.footer.exit_status,
    }


def _patches(comparison: Comparison) -> list[dict[str, Any]]:
    """Each patch that a requirement belongs to; a summary for each target that claims it."""
    present = {row.patch for row in comparison.rows}
    ordered = [patch for patch in PATCHES if patch in present] + sorted(present - set(PATCHES))
    return [
        {
            "patch": patch,
            "title": PATCHES[patch].title if patch in PATCHES else "",
            "summaries": [_summary(one) for one in comparison.patches if one.patch == patch],
        }
        for patch in ordered
    ]


def _summary(summary: PatchSummary) -> dict[str, Any]:
    data = asdict(summary)
    del data["patch"]
    return {"target": data.pop("label"), **data, "sentence": summary.sentence}


def _requirement(comparison: Comparison, row: Row) -> dict[str, Any]:
    return {
        "requirement": row.requirement,
        "patch": row.patch,
        "role": row.role,
        "level": row.level,
        "promise": row.promise,
        "source": row.source,
        "differs": row.differs,
        "explained": row.explained,
        "verdicts": [_verdict(*one) for one in zip(comparison.labels, row.cells, strict=True)],
    }


def _verdict(label: str, cell: Verdict) -> dict[str, Any]:
    return {
        "target": label,
        "verdict": cell.verdict,
        "expected": cell.expected,
        "standing": cell.standing,
        "deviation": cell.deviation,
        "seen": cell.seen,
        "seconds": cell.seconds,
        "attempts": list(cell.attempts),
    }
