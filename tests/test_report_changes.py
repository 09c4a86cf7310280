"""What changed between two runs: nothing that matters is left out, and chance is not called a change."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict, VerdictName
from conformance.report.changes import KINDS, Changes, changes, conclusion, markdown, render, to_json
from conformance.report.export import dumps
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, deviation, run, verdict
from tests.schemas import faults
from tests.test_report_files import NASTY, with_texts


def of(*attempts: VerdictName, known: bool = False, seconds: float = 0.25, seen: str = "") -> Verdict:
    made = verdict(CHANGE, PPA, *attempts, deviations=[deviation()] if known else [], seen=seen)
    return replace(made, seconds=seconds)


def between(old: Verdict, new: Verdict) -> Changes:
    rest = [verdict(BASE, PPA), verdict(GUARD, PPA)]
    return changes(run(PPA, [*rest, old]), run(PPA, [*rest, new]))


def kinds(found: Changes) -> dict[str, list[str]]:
    listed = {kind: [one.requirement for one in getattr(found, kind)] for kind in KINDS}
    return {kind: names for kind, names in listed.items() if names}


@pytest.mark.parametrize(
    ("old", "new", "kind", "status"),
    [
        (of("met"), of("unmet"), ["unmet"], 1),
        (of("invalid"), of("unmet"), ["unmet"], 1),
        (of("unmet", "met"), of("unmet"), ["unmet"], 1),
        (of("met"), of("unmet", known=True), ["unmet", "expectation"], 0),
        (of("unmet"), of("unmet"), [], 0),
        (of("unmet"), of("met"), ["met"], 0),
        (of("unsupported"), of("met"), ["met"], 0),
        (of("met"), of("invalid"), ["undecided"], 0),
        (of("met"), of("unsupported"), ["undecided"], 0),
        (of("met"), of("met", "unmet"), ["undecided"], 0),
        (of("invalid"), of("unsupported"), [], 0),
        (of("unmet", known=True), of("unmet"), ["expectation"], 0),
        (of("met", seconds=0.05), of("met", seconds=0.1), ["slower"], 0),
        (of("met", seconds=0.04), of("met", seconds=0.08), [], 0),
        (of("met", seconds=1.0), of("met", seconds=1.9), [], 0),
        (of("met", seconds=0.0), of("met", seconds=0.05), ["slower"], 0),
        (of("met", seconds=0.1), of("unmet", known=True, seconds=5.0), ["unmet", "expectation"], 0),
        (of("invalid", seconds=0.1), of("invalid", seconds=5.0), [], 0),
        (of("met"), of("met"), [], 0),
    ],
)
def test_each_change_has_its_kind(old: Verdict, new: Verdict, kind: list[str], status: int) -> None:
    found = between(old, new)
    assert kinds(found) == {one: [CHANGE.name] for one in kind}
    assert found.exit_status == status


def test_gone_and_new_requirements_and_a_new_one_that_is_unmet_is_loud() -> None:
    rest = [verdict(BASE, PPA)]
    found = changes(run(PPA, [*rest, verdict(GUARD, PPA)]), run(PPA, [*rest, of("unmet")]))
    assert kinds(found) == {"gone": [GUARD.name], "added": [CHANGE.name]}
    assert found.exit_status == 1
    quiet = changes(run(PPA, rest), run(PPA, [*rest, of("unmet", known=True)]))
    assert quiet.exit_status == 0


def test_other_targets_are_told_and_runs_without_a_common_requirement_refused() -> None:
    found = changes(run(STOCK), run(PPA, suite="0.2.0", selection="--patch 0005"))
    said = " ".join(found.caveats)
    for part in ("different targets: stock and ppa", "1.06-6.2; now 1.06-6.2~ppa3", "0.1.0; now 0.2.0"):
        assert part in said
    assert "none; now 0004, 0005" in said
    assert "everything; now --patch 0005" in said
    assert "another" in said
    assert changes(run(PPA), run(PPA)).caveats == ()
    with pytest.raises(UsageError, match="no requirement in common"):
        changes(run(PPA, [verdict(BASE, PPA)]), run(PPA, [verdict(GUARD, PPA)]))


def test_runs_that_are_named_the_wrong_way_round_are_told() -> None:
    old, new = run(PPA), run(PPA)
    later = replace(old, header=replace(old.header, started="2024-06-01T12:00:00+00:00"))
    assert changes(later, new).caveats == ("The run named first is the younger one.",)
    assert changes(new, later).caveats == ()


def test_the_text_says_what_was_what_is_and_how_to_repeat_it() -> None:
    text = render(between(of("met"), of("unmet", seen="Z, deferred")))
    assert "newly unmet: 1" in text
    assert re.search(rf"{CHANGE.name} +was met, now unmet!; regression: .*; Z, deferred", text)
    assert f"repeat: qmail-conformance run ppa -k {CHANGE.name}" in text
    assert text.endswith("1 newly unmet; 1 unmet and not as expected; exit status 1\n")
    assert conclusion(between(of(), of())).startswith("nothing changed; nothing newly unmet")


def test_every_kind_stands_in_every_form() -> None:
    base = [verdict(BASE, PPA)]
    pairs: dict[str, tuple[list[Verdict], list[Verdict]]] = {
        "unmet": ([of("met")], [of("unmet")]),
        "met": ([of("unmet")], [of("met")]),
        "undecided": ([of("met")], [of("invalid")]),
        "expectation": ([of("unmet", known=True)], [of("unmet")]),
        "gone": ([of()], []),
        "added": ([], [of()]),
        "slower": ([of(seconds=0.1)], [of(seconds=2.0)]),
    }
    assert set(pairs) == set(KINDS)
    for kind, (old, new) in pairs.items():
        found = changes(run(PPA, base + old), run(PPA, base + new))
        data = json.loads(dumps(to_json(found)))
        assert faults("changes-1", data) == []
        assert [one["requirement"] for one in data["changes"][kind]] == [CHANGE.name]
        assert KINDS[kind] in render(found)
        page = markdown(found)
        assert KINDS[kind].partition(" (")[0].capitalize() in page
        assert CHANGE.name in page


def test_the_schema_refuses_what_was_changed() -> None:
    data = json.loads(dumps(to_json(between(of("met"), of("unmet")))))
    assert faults("changes-1", {**data, "exit_status": 3})
    assert faults("changes-1", {**data, "changes": {}})
    assert faults("changes-1", {**data, "regressions": "none"})
    data["changes"]["unmet"][0]["new"]["verdict"] = "failed"
    assert faults("changes-1", data)


def nasty(text: str) -> tuple[Run, Run]:
    new = with_texts(text).runs[0]
    old = replace(new, verdicts=tuple(replace(one, seen="") for one in run(PPA).verdicts))
    return old, new


@pytest.mark.parametrize("text", NASTY)
def test_whatever_a_run_holds_the_forms_stay_whole(text: str, tmp_path: Path) -> None:
    found = changes(*nasty(text))
    shown = render(found)
    assert all(one.isprintable() or one == "\n" for one in shown)
    page = markdown(found)
    assert "<script" not in page
    assert "\n# heading" not in page
    assert all(line.count("|") == 3 for line in page.splitlines() if line.startswith("|"))
    assert json.loads(dumps(to_json(found)))["new"]["target"]["name"] == text
