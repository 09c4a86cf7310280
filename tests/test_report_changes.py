"""What changed between two runs: nothing that matters is left out, and chance is not called a change."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import UsageError
from conformance.judge.verdict import Verdict
from conformance.report.changes import KINDS, Changes, changes, conclusion, markdown, render, to_json
from conformance.report.export import dumps
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, deviation, many, run, verdict, write
from tests.report_samples import beside, change, page
from tests.schemas import faults


def between(old: Verdict, new: Verdict) -> Changes:
    return changes(beside(old), beside(new))


def kinds(found: Changes) -> dict[str, list[str]]:
    return {kind: [each.requirement for each in found.kinds[kind]] for kind in KINDS if found.kinds[kind]}


@pytest.mark.parametrize(
    ("old", "new", "kind", "status"),
    [
        (change("met"), change("unmet"), ["unmet"], 1),
        (change("invalid"), change("unmet"), ["unmet"], 1),
        (change("unmet", "met"), change("unmet"), ["unmet"], 1),
        (change("met"), change("unmet", known=True), ["unmet", "expectation"], 0),
        (change("unmet"), change("unmet"), [], 0),
        (change("unmet"), change("met"), ["met"], 0),
        (change("unsupported"), change("met"), ["met"], 0),
        (change("met"), change("invalid"), ["undecided"], 0),
        (change("met"), change("unsupported"), ["undecided"], 0),
        (change("met"), change("met", "unmet"), ["undecided"], 0),
        (change("invalid"), change("unsupported"), [], 0),
        (change("unmet", known=True), change("unmet"), ["expectation"], 0),
        (change("met", seconds=0.05), change("met", seconds=0.1), ["slower"], 0),
        (change("met", seconds=0.04), change("met", seconds=0.08), [], 0),
        (change("met", seconds=1.0), change("met", seconds=1.9), [], 0),
        (change("met", seconds=0.0), change("met", seconds=0.05), ["slower"], 0),
        (change("met", seconds=0.1), change("unmet", known=True, seconds=5.0), ["unmet", "expectation"], 0),
        (change("invalid", seconds=0.1), change("invalid", seconds=5.0), [], 0),
        (change("met"), change("met"), [], 0),
    ],
)
def test_each_change_has_its_kind(old: Verdict, new: Verdict, kind: list[str], status: int) -> None:
    found = between(old, new)
    assert kinds(found) == {name: [CHANGE.name] for name in kind}
    assert found.exit_status == status


@pytest.mark.parametrize(
    ("times", "slower"),
    [
        (1.0, [CHANGE.name]),  # it alone took longer
        (3.5, []),  # the machine was busier
    ],
)
def test_a_case_is_slower_where_it_stands_out(times: float, slower: list[str]) -> None:
    others = [replace(verdict(sample, PPA), seconds=0.1 + i / 100) for i, sample in enumerate(many(3))]
    later = [replace(each, seconds=each.seconds * (times + i % 3 / 10)) for i, each in enumerate(others)]
    old, new = (change(seconds=seconds) for seconds in (0.1, 0.4))
    found = changes(run(PPA, [*others, old]), run(PPA, [*later, new]))
    assert [each.requirement for each in found.kinds["slower"]] == slower


def test_what_fails_otherwise_than_its_deviation_describes_is_newly_unmet() -> None:
    known = [deviation(seen=("Z, *",))]
    old, new = (verdict(CHANGE, PPA, "unmet", deviations=known, seen=seen) for seen in ("Z, deferred", "K"))
    assert (kinds(between(old, new)), between(old, new).exit_status) == ({"unmet": [CHANGE.name]}, 1)
    assert "was unmet~, now unmet!; regression: unmet, but not as" in render(between(old, new))
    assert kinds(between(new, old)) == {}


def test_gone_and_new_requirements_and_a_new_one_that_is_unmet_is_loud() -> None:
    rest = [verdict(BASE, PPA)]
    found = changes(run(PPA, [*rest, verdict(GUARD, PPA)]), run(PPA, [*rest, change("unmet")]))
    assert kinds(found) == {"gone": [GUARD.name], "added": [CHANGE.name]}
    assert found.exit_status == 1
    quiet = changes(run(PPA, rest), run(PPA, [*rest, change("unmet", known=True)]))
    assert quiet.exit_status == 0


def test_other_targets_are_told_and_runs_without_a_common_requirement_refused() -> None:
    old, new = run(STOCK), run(PPA, suite="0.2.0", selection="--patch 0005")
    new = replace(new, header=replace(new.header, started="2023-06-01T12:00:00+00:00"))
    assert changes(old, new).caveats == (
        "These are different targets: stock and ppa.",
        f"The patches claimed are others: 0001, 0002, 0003; now {', '.join(PPA.patches)}.",
        "Package qmail: 1.06-6.2; now 1.06-6.2~ppa3.",
        "The image is another one.",
        "The suite: 0.1.0; now 0.2.0.",
        "The selection: everything; now --patch 0005.",
        "The run named first is the younger one.",
    )
    assert changes(run(PPA), run(PPA)).caveats == ()
    with pytest.raises(UsageError, match="no requirement in common"):
        changes(run(PPA, [verdict(BASE, PPA)]), run(PPA, [verdict(GUARD, PPA)]))


def test_the_text_says_what_was_what_is_and_how_to_repeat_it() -> None:
    text = render(between(change("met"), change("unmet", seen="Z, deferred")))
    assert "newly unmet: 1" in text
    assert re.search(rf"{CHANGE.name} +was met, now unmet!; regression: .*; Z, deferred", text)
    assert f"repeat: qmail-conformance run ppa -k {CHANGE.name}" in text
    assert text.endswith("1 newly unmet; 1 unmet and not as expected; exit status 1\n")
    assert conclusion(between(change(), change())).startswith("nothing changed; nothing newly unmet")


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("unmet", [change("met")], [change("unmet")]),
        ("met", [change("unmet")], [change("met")]),
        ("undecided", [change("met")], [change("invalid")]),
        ("expectation", [change("unmet", known=True)], [change("unmet")]),
        ("gone", [change()], []),
        ("added", [], [change()]),
        ("slower", [change(seconds=0.1)], [change(seconds=2.0)]),
    ],
)
def test_every_kind_stands_in_every_form(kind: str, old: list[Verdict], new: list[Verdict]) -> None:
    found = changes(*(run(PPA, [verdict(BASE, PPA), *those]) for those in (old, new)))
    data = json.loads(dumps(to_json(found)))
    assert faults("changes-1", data) == []
    assert [shown["requirement"] for shown in data["changes"][kind]] == [CHANGE.name]
    assert KINDS[kind] in render(found)
    page = markdown(found)
    assert KINDS[kind].partition(" (")[0].capitalize() in page
    assert CHANGE.name in page


def test_the_site_has_each_change_with_its_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = "no <b>reply</b>\nassert 0 == 1"
    old = write(tmp_path / "old.jsonl", PPA, [verdict(BASE, PPA), change("met")])
    new = write(tmp_path / "new.jsonl", PPA, [verdict(GUARD, PPA), change("unmet", seen=seen)])
    assert main(["report", "--diff", str(old), str(new), "--html", str(tmp_path / "site")]) == 1
    assert "1 newly unmet" in capsys.readouterr().out
    index, evidence = page(tmp_path / "site" / "index.html"), tmp_path / "site" / "requirements"
    assert index.links[1:] == [f"requirements/{CHANGE.name}.html#target-2"]
    for part in ("1 newly unmet, 1 gone, 1 new", BASE.name, GUARD.name, "no <b>reply</b>"):
        assert part in index.text
    assert [path.name for path in evidence.iterdir()] == [f"{CHANGE.name}.html"]
    shown = page(evidence / f"{CHANGE.name}.html").text
    assert "ppa (old)" in shown
    assert "ppa (new)" in shown
