"""A run in parts: each requirement in one of them, and all of them put together as the run in one piece."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import EXIT_AS_EXPECTED, EXIT_USAGE, UsageError
from conformance.judge.runfile import Run, read_run
from conformance.judge.shards import Shard, merged
from conformance.project.form import NO_PROJECT
from tests.judge_samples import BASE, GUARD, PPA, STOCK, run, verdict

Told = pytest.CaptureFixture[str]
SOME = "0006"
KNOWN = NO_PROJECT.catalogue.requirements


def names(shard: Shard) -> list[str]:
    return [requirement.name for requirement in shard.of(KNOWN.values())]


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("seconds", [{}, {"0006.unknown.code": 3.0, "base.again.once": 2.0}])
def test_each_requirement_is_in_one_part(count: int, seconds: dict[str, float]) -> None:
    often = Counter(name for number in range(count) for name in names(Shard(number + 1, count, seconds)))
    assert set(often) == set(KNOWN)
    assert set(often.values()) == {1}


def test_a_requirement_is_in_the_same_part_whatever_else_is_selected() -> None:
    known = list(KNOWN.values())
    some = [requirement for requirement in known if requirement.patch == "0006"]
    whole = Shard(1, 2).of(known)
    assert Shard(1, 2).of(some) == [requirement for requirement in whole if requirement in some] != some


def test_parts_are_balanced_by_seconds() -> None:
    seconds = dict(zip(KNOWN, (8.0, 4.0, 3.0, 1.0), strict=False))
    first, second = (
        sum(seconds.get(name, 0.0) for name in names(Shard(part, 2, seconds))) for part in (1, 2)
    )
    assert (first, second) == (8.0, 8.0)


@pytest.mark.parametrize("words", ["", "0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_what_is_no_part_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="no part of a run"):
        Shard.read(words)


def test_merged_parts_are_the_run_in_one_piece(tmp_path: Path, capsys: Told) -> None:
    arguments = ["compare", "reference-stock", "reference-ppa", "-k", SOME, "-q", "--out"]
    assert main([*arguments, str(tmp_path / "whole")]) == EXIT_AS_EXPECTED
    for part in ("1", "2"):
        by = ["--shard", f"{part}/2", "--shard-by", str(tmp_path / "whole")]
        assert main([*arguments, str(tmp_path / part), *by]) == EXIT_AS_EXPECTED
    assert main(["merge", str(tmp_path / "1"), str(tmp_path / "2"), "--out", str(tmp_path / "merged")]) == 0
    for name in ("reference-stock.jsonl", "reference-ppa.jsonl"):
        whole, put_together = (read_run(tmp_path / place / name) for place in ("whole", "merged"))
        assert 0 < len(read_run(tmp_path / "1" / name).verdicts) < len(whole.verdicts)
        assert put_together.header.selection == whole.header.selection
        assert put_together.header.total == whole.header.total
        assert said(put_together) == said(whole)
    assert (tmp_path / "merged/summary.md").exists()
    capsys.readouterr()
    assert main(["merge", str(tmp_path / "1"), "--out", str(tmp_path / "half")]) == EXIT_USAGE
    assert "reference-ppa: part 2/2 is missing" in capsys.readouterr().err


def said(run: Run) -> list[tuple[str, str, str]]:
    return [(verdict.requirement, verdict.verdict, verdict.assessment) for verdict in run.verdicts]


def parts(**second: object) -> list[Run]:
    """Two parts of a run; the second is otherwise in what is named."""
    one = run(PPA, [verdict(BASE, PPA)])
    other = run(PPA, [verdict(GUARD, PPA)])
    one = replace(one, header=replace(one.header, selection="-k x --shard 1/2"))
    changed = {"selection": "-k x --shard 2/2", **second}
    return [one, replace(other, header=replace(other.header, **changed))]  # type: ignore[arg-type]


def test_images_of_the_same_build_may_have_other_ids() -> None:
    [(header, verdicts)] = merged(parts(target=replace(PPA, image="sha256:another")))
    assert (header.selection, header.total) == ("-k x", 2)
    assert [verdict.requirement for verdict in verdicts] == [BASE.name, GUARD.name]


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"suite": "0.0.9"}, "another suite"),
        ({"digest": "0123456789ab"}, "another suite"),
        ({"target": replace(PPA, build="sha256:another")}, "another build"),
        ({"target": replace(PPA, packages={"qmail": "2"})}, "another build"),
        ({"selection": "-k y --shard 2/2"}, "another selection"),
        ({"selection": "-k x --shard 2/3"}, "another selection"),
        ({"selection": "-k x --shard 2/2 (by the seconds of 01234567)"}, "another selection"),
        ({"selection": "-k x --shard 1/2"}, "part 1/2 is there 2 times"),
        ({"selection": "-k x"}, "no part of a run, but whole"),
        ({"queue": "disk"}, "another queue"),
    ],
)
def test_what_does_not_belong_together_is_refused(second: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        merged(parts(**second))


def test_parts_of_several_targets_are_one_run_each() -> None:
    others = [replace(part, header=replace(part.header, target=STOCK)) for part in parts()]
    assert [header.target.label for header, _ in merged([*parts(), *others])] == [PPA.label, STOCK.label]


def test_a_requirement_in_two_parts_is_refused() -> None:
    one, other = parts()
    with pytest.raises(UsageError, match=f"both have {GUARD.name}"):
        merged([replace(one, verdicts=(*one.verdicts, verdict(GUARD, PPA))), other])
