"""`gate --baseline`: what is newly unmet fails, what was unmet before in the same words is told apart."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.cli import main
from conformance.errors import EXIT_AS_EXPECTED, EXIT_NOTHING, EXIT_REGRESSION, EXIT_USAGE, UsageError
from conformance.judge.baseline import against_baseline
from conformance.judge.comparison import compare
from conformance.judge.verdict import Verdict
from conformance.report import baseline as report
from conformance.report.annotations import annotations
from conformance.report.junit import junit
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, STOCK, deviation, run, verdict, write
from tests.report_samples import Page

Told = pytest.CaptureFixture[str]


def unmet(seen: str = "Z, 17", known: bool = False) -> Verdict:
    described = [deviation(seen=("Z, *",))] if known else []
    return verdict(CHANGE, PPA, "unmet", "unmet", seen=seen, deviations=described)


MET = verdict(CHANGE, PPA)


@pytest.mark.parametrize(
    ("before", "now", "newly", "known", "same", "status"),
    [
        (MET, MET, 0, 0, 0, EXIT_AS_EXPECTED),
        (MET, unmet(), 1, 0, 0, EXIT_REGRESSION),
        (unmet(), unmet(), 0, 0, 1, EXIT_AS_EXPECTED),
        (unmet("Z, 4711 qp 5"), unmet("Z, 1147 qp 16"), 0, 0, 1, EXIT_AS_EXPECTED),
        # A refusal that has become an acceptance is no failure of before, though both are unmet.
        (unmet("Z\n<reply 550 'no'>"), unmet("Z\n<reply 250 'ok'>"), 1, 0, 0, EXIT_REGRESSION),
        (replace(unmet(), unstable=True), unmet(), 1, 0, 0, EXIT_REGRESSION),
        # A patch that was not claimed before, and does nothing now that it is.
        (verdict(CHANGE, STOCK, "unmet", seen="Z, 17"), unmet(), 1, 0, 0, EXIT_REGRESSION),
        (unmet("Z, 4"), unmet("D, 4"), 1, 0, 0, EXIT_REGRESSION),
        (unmet(known=True), unmet(), 0, 0, 1, EXIT_AS_EXPECTED),
        (MET, unmet(known=True), 0, 1, 0, EXIT_AS_EXPECTED),
        (unmet(known=True), unmet(known=True), 0, 0, 0, EXIT_AS_EXPECTED),
        (verdict(CHANGE, PPA, "unmet", "met"), unmet(), 1, 0, 0, EXIT_REGRESSION),
        (verdict(GUARD, PPA), unmet(), 1, 0, 0, EXIT_REGRESSION),
        # The build no longer claims the patch, and the promise of the last release is broken all the same.
        (MET, verdict(CHANGE, STOCK, "unmet"), 1, 0, 0, EXIT_REGRESSION),
        (verdict(CHANGE, STOCK, "unmet"), verdict(CHANGE, STOCK, "met", "met"), 0, 0, 0, EXIT_REGRESSION),
        (MET, verdict(CHANGE, PPA, "invalid"), 0, 0, 0, 3),
    ],
)
def test_what_became_of_a_verdict(
    before: Verdict, now: Verdict, newly: int, known: int, same: int, status: int
) -> None:
    both = verdict(BASE, PPA)
    this = run(PPA, [both, now])
    found = against_baseline(this, run(PPA, [both, before], suite="0.0.9"))
    assert (len(found.newly), len(found.known), len(found.before)) == (newly, known, same)
    assert found.exit_status(this, []) == status
    assert ("nothing is newly unmet" in "\n".join(report.lines(found))) is (newly == 0)


def test_what_it_is_compared_with_counts_as_ever() -> None:
    this = run(PPA, [unmet()])
    found = against_baseline(this, run(PPA, [unmet()]))
    assert found.exit_status(this, []) == EXIT_AS_EXPECTED
    assert found.exit_status(this, [run(STOCK, [verdict(CHANGE, STOCK, "met", "met")])]) == EXIT_REGRESSION
    assert found.exit_status(this, [run(STOCK, [verdict(CHANGE, STOCK, "unsupported")])]) == EXIT_NOTHING


def test_a_baseline_of_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="no requirement in common"):
        against_baseline(run(PPA, [MET]), run(PPA, [verdict(BASE, PPA)]))


def test_what_the_same_selection_no_longer_has_is_told() -> None:
    before = run(PPA, [MET, verdict(GUARD, PPA)])
    found = against_baseline(run(PPA, [MET]), before)
    told = f"in the baseline and no longer in this run: {GUARD.name}"
    assert report.lines(found)[-1] == f"  {told}"
    assert told in report.page(found)
    for now in (run(PPA, [MET], selection="-k x"), replace(run(PPA, [MET]), cut_off="1 of 2")):
        assert "no longer" not in "\n".join(report.lines(against_baseline(now, before)))


def test_the_page_names_what_is_new_with_what_it_costs() -> None:
    now = replace(unmet(), severity="loses mail")
    found = against_baseline(run(PPA, [now]), run(PPA, [MET]))
    assert report.sentence(found) == "1 newly unmet (1 loses mail)"
    assert f"| {CHANGE.name} | newly unmet | loses mail | Z, 17 |" in report.page(found)


def test_ci_fails_for_what_is_newly_unmet_and_for_that_alone() -> None:
    no_longer_claimed = verdict(CHANGE, STOCK, "unmet")
    for now, before, tag, message in (
        (unmet(), unmet(), "skipped", "not as expected, and unmet before in the same words: regression"),
        (unmet(), MET, "failure", "newly unmet: regression"),
        (no_longer_claimed, MET, "failure", "newly unmet"),
    ):
        this = run(PPA, [verdict(BASE, PPA), now])
        since = against_baseline(this, run(PPA, [verdict(BASE, PPA), before]))
        root = ElementTree.fromstring(junit(compare([this]), since))
        [element] = root.iter(tag)
        assert element.get("message", "").startswith(message)
        command = "notice" if tag == "skipped" else "error"
        assert annotations(compare([this]), since).startswith(f"::{command} title={CHANGE.name} ")
        assert (root.get("failures"), root.get("skipped")) == (("1", "0") if tag == "failure" else ("0", "1"))


def test_nothing_in_common_is_told_before_anything_runs(tmp_path: Path, capsys: Told) -> None:
    assert main(["run", "reference-ppa", "-k", "0006.unknown.code", "--out", str(tmp_path / "last")]) == 0
    baseline = str(tmp_path / "last" / "reference-ppa.jsonl")
    gate = ["gate", "reference-ppa", "-k", "0007.mail.bang", "--baseline", baseline]
    assert main([*gate, "--annotations", "-"]) == EXIT_USAGE
    assert main([*gate, "--annotations", baseline]) == EXIT_USAGE
    assert "it is what is read" in capsys.readouterr().err
    assert main([*gate, "--out", str(tmp_path / "new")]) == EXIT_USAGE
    assert "no requirement in common" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_gate_fails_for_what_the_last_release_did_right_alone(tmp_path: Path, capsys: Told) -> None:
    flawed, worse = "reference-ppa~0006.dropped", "reference-ppa~0006.dropped,0007.dropped"
    chosen = ["-k", "0006.unknown.code or 0007.mail.bang"]
    last = tmp_path / "last"
    assert main(["gate", flawed, *chosen, "--out", str(last)]) == EXIT_REGRESSION
    [baseline] = last.glob("*.jsonl")
    against = [*chosen, "--baseline", str(baseline)]
    capsys.readouterr()
    assert main(["gate", flawed, *against, "--out", str(tmp_path / "same")]) == EXIT_AS_EXPECTED
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith(f"gate: {flawed} passes. 2 verdicts: 1 not as expected, and unmet before")
    assert main(["gate", worse, *against, "--out", str(tmp_path / "worse")]) == EXIT_REGRESSION
    assert "1 newly unmet (1 lets somebody in)" in capsys.readouterr().out.splitlines()[-1]
    assert "## Against the baseline" in (tmp_path / "worse" / "summary.md").read_text()
    assert main(["gate", flawed, *against, "--out", str(last)]) == EXIT_USAGE
    assert "it is what is read" in capsys.readouterr().err


@pytest.fixture
def stored(tmp_path: Path) -> tuple[str, str]:
    """A run file in which something is newly unmet, and that of the last release."""
    now = write(tmp_path / "now" / "ppa.jsonl", PPA, [verdict(BASE, PPA), unmet("Z, <b>")])
    before = write(tmp_path / "before" / "ppa.jsonl", PPA, [verdict(BASE, PPA), MET, verdict(GUARD, PPA)])
    return str(now), str(before)


def test_a_stored_run_is_reported_beside_its_baseline_with_the_evidence_of_each(
    stored: tuple[str, str], tmp_path: Path
) -> None:
    now, before = stored
    site, page, xml = tmp_path / "site", tmp_path / "page.md", tmp_path / "junit.xml"
    forms = ["--html", str(site), "--markdown", str(page), "--junit", str(xml)]
    assert main(["report", now, "--baseline", before, *forms]) == EXIT_AS_EXPECTED
    first = Page((site / "index.html").read_text(encoding="utf-8"))
    assert first.text.index("Against the baseline") < first.text.index("What was compared")
    assert "Newly unmet: 1" in first.text
    assert f"requirements/{CHANGE.name}.html" in first.links
    assert f"no longer in this run: {GUARD.name}" in first.text
    assert "## Against the baseline" in page.read_text(encoding="utf-8")
    assert "newly unmet" in xml.read_text(encoding="utf-8")
    assert main(["report", now, "--html", str(site)]) == EXIT_AS_EXPECTED
    assert "Against the baseline" not in (site / "index.html").read_text(encoding="utf-8")


def test_a_wrong_baseline_of_a_report_is_told(stored: tuple[str, str], capsys: Told) -> None:
    now, before = stored
    assert main(["report", now, "--baseline", now]) == EXIT_USAGE
    assert "it is the run itself" in capsys.readouterr().err
    assert main(["report", "--diff", before, now, "--baseline", before]) == EXIT_USAGE
    assert "--diff has no form --baseline" in capsys.readouterr().err
    assert main(["report", now, "--baseline", before, "--json", before]) == EXIT_USAGE
