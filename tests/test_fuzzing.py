"""The fuzzers: a few inputs of each find nothing; a planted defect is found, made small and kept."""

import contextlib
import importlib
import subprocess
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import UsageError

FUZZING = Path(__file__).parents[1] / "fuzzing"
NAMES = (
    "scenario", "transcript", "zone", "reply", "datagram", "run-file", "deviation", "users", "bench",
    "package", "words",
)  # fmt: skip


@pytest.fixture
def fuzzing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The program; as `python fuzzing/run.py` does it is imported from its own directory."""
    monkeypatch.syspath_prepend(str(FUZZING))
    module: Any = importlib.import_module("run")
    monkeypatch.setattr(module, "CPU", 4.0)  # this process has other work as well
    monkeypatch.setattr(module.resource, "setrlimit", lambda *limits: None)
    return module


def options(out: Path, inputs: int) -> Namespace:
    return Namespace(out=str(out), scratch=str(out), inputs=inputs, seconds=60.0, seed=1)


def test_each_has_its_few_inputs_here(fuzzing: Any) -> None:
    assert tuple(fuzzing.FUZZERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_few_inputs_find_nothing(
    fuzzing: Any, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = fuzzing.FUZZERS[name].seeds()
    assert fuzzing.search(name, options(tmp_path, len(seeds) + 40)) == {}
    said = capsys.readouterr().out
    assert f"{name}: {len(seeds) + 40} inputs" in said
    assert int(said.split(" read")[0].rpartition(" ")[2]) >= len(seeds)  # each seed is right, and is read
    assert list(tmp_path.iterdir()) == []


def crashes(path: Path) -> None:
    if b"\xff" in path.read_bytes():
        raise KeyError("planted")


def hangs(path: Path) -> None:
    while b"\xff" in path.read_bytes():
        pass


def hides_it(path: Path) -> None:
    with contextlib.suppress(BaseException):
        hangs(path)


def rambles(path: Path) -> None:
    if b"\xff" in path.read_bytes():
        error = UsageError("")
        error.message = "x" * 5000
        raise error


def refuses(path: Path) -> None:
    raise UsageError("whatever it is")


@pytest.mark.parametrize(
    ("read", "place"),
    [
        (crashes, "KeyError, test_fuzzing.py"),
        (hangs, "TooSlow"),
        (hides_it, "TooSlow"),
        (rambles, "a long message"),
    ],
)
def test_a_planted_defect_is_found_and_made_small(
    fuzzing: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    read: Callable[[Path], None],
    place: str,
) -> None:
    planted = fuzzing.Fuzzer(lambda: [b"some words\nof a file\n"], read)
    monkeypatch.setitem(fuzzing.FUZZERS, "planted", planted)
    if place == "TooSlow":
        monkeypatch.setattr(fuzzing, "CPU", 0.01)
    words = ["planted", "--inputs", "2000", "--seed", "7", "--out", str(tmp_path)]
    assert fuzzing.main(words) == 1
    [kept] = tmp_path.iterdir()
    assert kept.name == "planted-1.input"
    assert kept.read_bytes() == b"\xff"
    said = capsys.readouterr().out
    assert f"planted: {place}" in said
    assert f"python fuzzing/run.py --replay {kept}" in said
    assert "defects: 1" in said
    if read is crashes:
        with pytest.raises(KeyError, match="planted"):
            fuzzing.main(["--replay", str(kept)])


def test_a_refusal_is_no_defect(fuzzing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fuzzing.FUZZERS, "planted", fuzzing.Fuzzer(lambda: [b"x"], refuses))
    assert fuzzing.main(["planted", "--inputs", "50", "--out", str(tmp_path)]) == 0
    (tmp_path / "planted-1.input").write_bytes(b"x")
    assert fuzzing.main(["--replay", str(tmp_path / "planted-1.input")]) == 0


def test_a_fuzzer_that_dies_is_no_success(
    fuzzing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def dies(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        scratch = Path(words[-1].partition("--scratch=")[2])
        (scratch / f"{words[2]}-now.input").write_bytes(b"its last words")
        return subprocess.CompletedProcess(words, -11, "", "")

    monkeypatch.setattr(fuzzing.subprocess, "run", dies)
    assert fuzzing.main(["zone", "words", "--out", str(tmp_path)]) == 1
    kept = tmp_path / "zone-now.input"
    assert f"zone: ended with status -11; what it read last: {kept}" in capsys.readouterr().out
    assert kept.read_bytes() == b"its last words"


def test_a_seed_gives_the_same_inputs_each_time(fuzzing: Any) -> None:
    def some(seed: int) -> list[bytes]:
        given = fuzzing.inputs("zone", fuzzing.FUZZERS["zone"], seed)
        return [next(given) for _ in range(60)]

    assert some(1) == some(1)
    assert some(1) != some(2)
