"""`deviations`: what is known of a version is carried over to the next, drafted, dropped, listed, checked."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.cli import main
from conformance.errors import EXIT_NOTHING, EXIT_REGRESSION, EXIT_USAGE, UsageError
from conformance.judge import deviations
from conformance.judge.deviation_files import DeviationFile
from conformance.judge.deviations import load_deviations

Told = pytest.CaptureFixture[str]

#: Three entries: one of several requirements that all fail here, one of which some do, and a pattern.
SOME = "0007.rcpt or 0009.output.hidden or next-after"


@pytest.fixture(scope="module")
def of_the_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of what is known of 1.06-6.2."""
    out = tmp_path_factory.mktemp("model")
    assert main(["run", "model-ppa", "-k", SOME, "--out", str(out)]) == 0
    return out / "model-ppa.jsonl"


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with what is known of 1.06-6.2, as a copy that a test may change: a project's, not ours."""
    copy = tmp_path / "deviations"
    copy.mkdir()
    shutil.copy(deviations.DIRECTORY / "netqmail-1.06-6.2.toml", copy)
    project = 'deviations = "deviations"\nbuilt-in-deviations = false\n'
    (tmp_path / "qmail-conformance.toml").write_text(project)
    monkeypatch.chdir(tmp_path)
    return copy


def bumped(of_the_model: Path, tmp_path: Path, version: str = "1.06-6.3") -> Path:
    """The same run, of the identical package with its version raised."""
    header, *lines = of_the_model.read_text().splitlines()
    told = json.loads(header)
    told["target"] = {**told["target"], "name": "debs:new", "kind": "debs", "packages": {"qmail": version}}
    told["target"].pop("flaws", None)
    path = tmp_path / f"bumped-{of_the_model.stem}-{version}.jsonl"
    path.write_text("\n".join([json.dumps(told), *lines]) + "\n")
    return path


def judged(run: Path, out: Path) -> int:
    return main(["judge", str(run), "--out", str(out)])


def text(directory: Path) -> str:
    return "".join(path.read_text() for path in sorted(directory.glob("*.toml")))


def test_a_raised_version_is_one_command(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    run = bumped(of_the_model, tmp_path)
    assert judged(run, tmp_path / "before") == EXIT_REGRESSION
    told = capsys.readouterr().out
    assert "known for 1.06-6.2: The hunk that calls the check was applied" in told
    said = re.search(r"(\d+) of (\d+) unexpected verdicts are known for 1\.06-6\.2; `(.*)` carries", told)
    assert said is not None
    assert said[1] == said[2]
    assert main(shlex.split(said[3])[1:]) == 0
    assert f"{said[1]} deviations carried over to qmail=1.06-6.3" in capsys.readouterr().out
    assert judged(run, tmp_path / "after") == 0
    assert judged(of_the_model, tmp_path / "model") == 0  # what was known stays so
    assert main(["deviations", "check"]) == 0


def test_what_is_ours_is_carried_into_the_directory_of_a_project(
    of_the_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    """As with an installed suite, whose own files are nobody's to change; the next version is one more."""
    ours, own = text(deviations.DIRECTORY), tmp_path / "mine"
    own.mkdir()
    (tmp_path / "qmail-conformance.toml").write_text('deviations = "mine"\n')
    monkeypatch.chdir(tmp_path)
    for version in ("1.06-6.3", "1.06-6.4"):
        run = bumped(of_the_model, tmp_path, version)
        assert judged(run, tmp_path / f"before-{version}") == EXIT_REGRESSION
        told = capsys.readouterr().out
        command = re.search(
            r"unexpected verdicts are known for [^`]*; `qmail-conformance (.*)` carries", told
        )
        assert command is not None
        assert main(shlex.split(command[1])) == 0
        assert judged(run, tmp_path / f"after-{version}") == 0
    assert [path.name for path in own.iterdir()] == ["qmail-1.06-6.3.toml"]
    assert {each.target for each in load_deviations(directory=own)} == {("qmail=1.06-6.3", "qmail=1.06-6.4")}
    assert text(deviations.DIRECTORY) == ours


def test_an_entry_that_shows_whole_is_changed_in_its_place_and_a_part_is_written_anew(
    of_the_model: Path, known: Path, tmp_path: Path
) -> None:
    before = text(known)
    judged(bumped(of_the_model, tmp_path), tmp_path / "out")
    assert main(["deviations", "carry", str(tmp_path / "out" / "debs-new.jsonl")]) == 0
    after = text(known)
    both = 'target = ["qmail=1.06-6.2*", "qmail=1.06-6.3"]'
    assert after.replace(both, 'target = "qmail=1.06-6.2*"').startswith(before.rstrip("\n"))
    assert after.count(both) == 2
    [anew] = [each for each in load_deviations(directory=known) if each.target == ("qmail=1.06-6.3",)]
    assert (anew.requirement, anew.patches) == ("0009.output.hidden", ("0009",))


def test_a_file_of_ones_own_leaves_the_others_as_they_are(
    of_the_model: Path, known: Path, tmp_path: Path
) -> None:
    before, own = text(known), tmp_path / "own" / "mine.toml"
    judged(bumped(of_the_model, tmp_path), tmp_path / "out")
    assert main(["deviations", "carry", str(tmp_path / "out" / "debs-new.jsonl"), "-o", str(own)]) == 0
    assert text(known) == before
    carried = load_deviations(all_requirements(), own.parent)
    assert {each.target for each in carried} == {("qmail=1.06-6.3",)}
    shutil.copy(own, known)
    assert judged(bumped(of_the_model, tmp_path), tmp_path / "after") == 0


def test_requirements_are_carried_by_name(known: Path, tmp_path: Path, capsys: Told) -> None:
    arguments = ["deviations", "carry", "0009.output.hidden", "--to", "qmail=1.06-6.3"]
    assert main(arguments) == 0
    assert main(arguments) == EXIT_USAGE
    assert "is known for qmail=1.06-6.3 already" in capsys.readouterr().err
    before = text(known)
    twice = ["0007.rcpt.bang", "0007.rcpt.bang", "--to", "qmail=1.06-6.3"]
    assert main(["deviations", "carry", *twice]) == EXIT_USAGE
    assert "carry: 0007.rcpt.bang stands there twice" in capsys.readouterr().err
    assert text(known) == before
    assert main(["deviations", "carry", "0007.rcpt.bag", "--to", "qmail=1.06-6.3"]) == EXIT_USAGE
    told = capsys.readouterr().err
    assert "carry: there is no requirement '0007.rcpt.bag'\n  did you mean '0007.rcpt.bang'" in told
    for wrong in (["carry"], ["carry", "0006.unknown.code", "--to", "qmail=2"], ["carry", "x", "--to", "y"]):
        assert main(["deviations", *wrong]) == EXIT_USAGE


def test_what_nobody_knows_is_drafted_and_refused_until_it_has_a_reason(
    known: Path, tmp_path: Path, capsys: Told
) -> None:
    flawed = ["run", "reference-ppa~0006.dropped", "-k", "0006.unknown", "--out", str(tmp_path / "out")]
    assert main(flawed) == EXIT_REGRESSION
    [run] = (tmp_path / "out").glob("*.jsonl")
    draft = tmp_path / "draft" / "new.toml"
    assert main(["deviations", "draft", str(run), "-o", str(draft)]) == 0
    count = draft.read_text().count("[[deviation]]")
    assert f"{count} entries in {draft}: fill in reason and source" in capsys.readouterr().out
    shutil.copy(draft, known)
    assert main(["deviations", "check"]) == EXIT_USAGE
    told = capsys.readouterr().out
    what = 'reason and source are empty: Write reason = "…" and source = "…".\n'
    assert told.count(what) == count, "it does not end at the first one, nor at the first key"
    assert told.endswith(f" entries: {count} wanting\n")
    filled = draft.read_text().replace('reason = ""', 'reason = "r"').replace('source = ""', 'source = "s"')
    (known / "new.toml").write_text(filled)
    assert main([*flawed[:-1], str(tmp_path / "again")]) == 0
    assert main(["deviations", "draft", str(run), "-o", str(draft)]) == EXIT_NOTHING


def test_what_no_longer_shows_is_dropped_and_the_rest_stays(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    """A build of 1.06-6.3 for which all of it was carried over, and which does the half of it right."""
    judged(bumped(of_the_model, tmp_path), tmp_path / "out")
    assert main(["deviations", "carry", str(tmp_path / "out" / "debs-new.jsonl")]) == 0
    assert main(["run", "reference-ppa", "-k", "0007.rcpt", "--out", str(tmp_path / "right")]) == 0
    right = bumped(tmp_path / "right" / "reference-ppa.jsonl", tmp_path)
    assert main(["deviations", "check", str(right)]) == EXIT_REGRESSION
    assert main(["deviations", "drop", str(right)]) == 0
    assert "0007.rcpt.percent: no longer shows" in capsys.readouterr().out
    left = {each.requirement for each in load_deviations(directory=known) if "qmail=1.06-6.3" in each.target}
    assert left == {"0009.output.hidden", "base.mx.next-after-*"}
    assert judged(right, tmp_path / "after") == 0
    assert judged(of_the_model, tmp_path / "model") == 0
    assert main(["deviations", "drop", str(right)]) == 0
    assert "still shows" in capsys.readouterr().out


def test_the_list_tells_the_worst_first_and_is_json_too(known: Path, capsys: Told) -> None:
    assert main(["deviations", "list", "-k", "0007.rcpt"]) == 0
    told = capsys.readouterr().out
    assert "[lets somebody in] qmail=1.06-6.2* with 0007, since 2019-07-16" in told
    assert told.endswith("13 deviations in 1 entry\n")
    assert main(["deviations", "list", "--json", "-k", "message-3xx"]) == 0
    [found] = json.loads(capsys.readouterr().out)["deviations"]
    assert (found["requirement"], found["severity"]) == ("base.report.message-3xx", "loses mail")
    assert main(["deviations", "list", "-k", "no such word"]) == EXIT_NOTHING


def test_check_tells_what_a_run_shows_otherwise(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    assert main(["deviations", "check", str(of_the_model)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"model-ppa\.jsonl: 15 of \d\d deviations that speak of model-ppa were run", told)
    assert main(["deviations", "check", str(bumped(of_the_model, tmp_path))]) == EXIT_REGRESSION
    assert "0007.rcpt.bang: known for 1.06-6.2, and not for qmail=1.06-6.3" in capsys.readouterr().out
    entry = (known / "netqmail-1.06-6.2.toml").read_text()
    (known / "netqmail-1.06-6.2.toml").write_text(entry.replace("<reply 250 'ok'>", "<reply 251 'ok'>"))
    assert main(["deviations", "check", str(of_the_model)]) == EXIT_REGRESSION
    told = capsys.readouterr().out
    assert "0007.rcpt.bang: fails otherwise than" in told
    assert "next-after" not in told
    (known / "netqmail-1.06-6.2.toml").write_text("")
    assert main(["deviations", "check", str(of_the_model)]) == EXIT_REGRESSION
    assert "0007.rcpt.bang: unmet, which nothing known explains: <reply 250" in capsys.readouterr().out


def test_a_pattern_of_targets_stays_for_the_other_builds_that_it_names(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    """One run does not say what the others do that are called so."""
    before = text(known)
    assert main(["run", "reference-ppa", "-k", "0007.rcpt", "--out", str(tmp_path / "right")]) == 0
    right = bumped(tmp_path / "right" / "reference-ppa.jsonl", tmp_path, "1.06-6.2~fixed")
    capsys.readouterr()
    assert main(["deviations", "drop", str(right)]) == 0
    told = capsys.readouterr().out
    assert "0007.rcpt.bang: no longer shows, and other builds that qmail=1.06-6.2* names may" in told
    assert told.endswith("nothing is changed\n")
    assert text(known) == before


def test_what_another_build_of_the_same_version_shows_is_not_dropped(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    judged(bumped(of_the_model, tmp_path), tmp_path / "out")
    assert main(["deviations", "carry", str(tmp_path / "out" / "debs-new.jsonl")]) == 0
    assert main(["run", "reference-ppa", "-k", "0007.rcpt", "--out", str(tmp_path / "right")]) == 0
    right = bumped(tmp_path / "right" / "reference-ppa.jsonl", tmp_path)
    wrong, before = bumped(of_the_model, tmp_path), text(known)
    capsys.readouterr()
    assert main(["deviations", "drop", str(right), str(wrong)]) == 0
    told = capsys.readouterr().out
    assert "0007.rcpt.bang: no longer shows, and another of these builds shows it: narrow the entry" in told
    assert text(known) == before
    assert main(["deviations", "drop"]) == EXIT_USAGE


def test_check_goes_on_where_two_entries_speak_of_one_requirement(
    of_the_model: Path, known: Path, capsys: Told
) -> None:
    entry = (known / "netqmail-1.06-6.2.toml").read_text()
    (known / "again.toml").write_text(entry.replace('"qmail=1.06-6.2*"', '"qmail=1.06*"'))
    assert main(["deviations", "check", str(of_the_model)]) == EXIT_REGRESSION
    told = capsys.readouterr().out
    assert "both speak of" in told
    assert told.endswith(" wanting\n")


def test_what_fails_otherwise_than_described_is_told_by_drop_and_draft(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    entry = (known / "netqmail-1.06-6.2.toml").read_text()
    (known / "netqmail-1.06-6.2.toml").write_text(entry.replace("<reply 250 'ok'>", "<reply 251 'ok'>"))
    capsys.readouterr()
    assert main(["deviations", "drop", str(of_the_model)]) == 0
    told = capsys.readouterr().out
    assert "0007.rcpt.bang: fails otherwise than" in told
    assert "still shows" not in told
    assert main(["deviations", "draft", str(of_the_model), "-o", str(tmp_path / "n.toml")]) == EXIT_NOTHING
    assert "0007.rcpt.bang: fails otherwise than" in capsys.readouterr().out


COMMENTED = """\
# what this build does

[[deviation]]
target = [
    "qmail=1.06-6.2*",  # Debian's
    # and the one of ours
    "mine=1"  # until May
]
requirement = "0006.unknown.code"  # of RFC 5321
seen = "<reply 502*"
reason = "r"
source = "s"
since = 2024-05-01
shows = "502"
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_comments_and_line_ends_stay(tmp_path: Path, line_end: str) -> None:
    path = tmp_path / "commented.toml"
    path.write_bytes(COMMENTED.replace("\n", line_end).encode())
    file = DeviationFile(path)
    file.set(1, "target", ["qmail=1.06-6.2*", "mine=1", "mine=2"])
    longer = COMMENTED.replace('"mine=1"  # until May\n', '"mine=1",  # until May\n    "mine=2",\n')
    assert file.written == longer.replace("\n", line_end)
    file.set(1, "target", ["mine=1", "mine=2"])
    shorter = longer.replace('    "qmail=1.06-6.2*",  # Debian\'s\n', "")
    assert file.written == shorter.replace("\n", line_end)
    file.set(1, "requirement", ["0006.unknown.code", "0006.unknown.text"])
    assert '["0006.unknown.code", "0006.unknown.text"]  # of RFC 5321' in file.written
    file.add({"target": ["x"], "requirement": ["y"]})
    assert file.written.count("\n") == file.written.count(line_end)


def test_what_cannot_be_changed_without_loss_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(COMMENTED.replace('[\n    "qmail', '["qmail'))
    with pytest.raises(UsageError, match="written in a way that is not changed here"):
        DeviationFile(path).set(1, "target", ["mine=1"])


def test_what_is_known_by_another_packages_name_is_carried_over_by_that(known: Path, tmp_path: Path) -> None:
    """And not by the name that a person gave the build, which the next one has, too."""
    entry = COMMENTED.replace('"mine=1"  # until May', '"ucspi-tcp=1"')
    (known / "netqmail-1.06-6.2.toml").write_text(entry.replace("<reply 502*", "*502 == 500*"))
    flawed = ["run", "reference-ppa~0006.dropped", "-k", "0006.unknown.code", "--out", str(tmp_path / "in")]
    assert main(flawed) == EXIT_REGRESSION
    [made] = (tmp_path / "in").glob("*.jsonl")
    raised = bumped(made, tmp_path, "")
    told = json.loads(raised.read_text().partition("\n")[0])
    told["target"]["packages"] = {"ucspi-tcp": "2"}
    raised.write_text(json.dumps(told) + "\n" + raised.read_text().partition("\n")[2])
    assert main(["deviations", "carry", str(raised)]) == 0
    [entry_now] = load_deviations(directory=known)
    assert entry_now.target == ("qmail=1.06-6.2*", "ucspi-tcp=1", "ucspi-tcp=2")


def test_check_warns_of_a_target_that_nobody_has_and_goes_on(known: Path, capsys: Told) -> None:
    project = (known.parent / "qmail-conformance.toml").read_text()
    (known.parent / "qmail-conformance.toml").write_text(project + '[targets]\ncandidate = "debs:x"\n')
    entry = COMMENTED.replace('"mine=1"', '"candidat"')
    (known / "own.toml").write_text(entry.replace('"r"', '"r"\nseverity = "wrong words"'))
    assert main(["deviations", "check"]) == 0
    told = capsys.readouterr().out
    assert "own.toml, deviation 1: no target is called 'candidat'; did you mean 'candidate'?" in told


def test_a_run_is_carried_over_to_the_version_that_is_named(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    """Of a build that was run before its version was raised."""
    run, before = bumped(of_the_model, tmp_path), text(known)
    assert main(["deviations", "carry", str(run), "--to", "the next one"]) == EXIT_USAGE
    assert "--to the next one: this names no version" in capsys.readouterr().err
    assert text(known) == before
    assert main(["deviations", "carry", str(run), "--to", "qmail=1.06-7"]) == 0
    assert "19 deviations carried over to qmail=1.06-7, in " in capsys.readouterr().out
    assert judged(bumped(of_the_model, tmp_path, "1.06-7"), tmp_path / "seven") == 0
    assert judged(run, tmp_path / "three") == EXIT_REGRESSION


def test_a_draft_needs_a_file_and_is_not_written_twice(
    of_the_model: Path, known: Path, tmp_path: Path, capsys: Told
) -> None:
    run, draft = bumped(of_the_model, tmp_path), tmp_path / "new" / "draft.toml"
    (known / "netqmail-1.06-6.2.toml").write_text("")
    assert main(["deviations", "draft", str(run)]) == EXIT_USAGE
    assert "Name a file with -o FILE.toml." in capsys.readouterr().err
    assert main(["deviations", "draft", str(run), "-o", str(draft)]) == 0
    assert f"19 entries in {draft}: fill in reason and source" in capsys.readouterr().out
    assert main(["deviations", "draft", str(run), "-o", str(draft)]) == EXIT_NOTHING
    assert draft.read_text().count("[[deviation]]") == 19, "none stands there twice"
