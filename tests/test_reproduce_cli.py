"""`qmail-conformance reproduce` as a person meets it."""

from pathlib import Path

import pytest

from conformance.cli import main

SAMPLE = Path(__file__).resolve().parent.parent / "reports" / "sample"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in ("QMAIL_PPA", "QMAIL_RELEASE", "QMAIL_BASE", "QMAIL_INTERNET_BASE", "QMAIL_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_a_case_is_run_told_and_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "0006.unknown.code", "--target", "reference-stock"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0] == "0006.unknown.code on reference-stock: unmet"
    assert "promise: An unknown verb is answered with 500." in told
    assert "citation: patch:0006" in told
    assert "this is an executable specification, not qmail" in told
    assert "502" in told
    assert (here / "reproduce" / "0006.unknown.code-reference-stock" / "reproduce.sh").is_file()


def test_a_stored_run_is_enough_and_nothing_is_started(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    arguments = ["reproduce", "0006.unknown.code", "--from", str(SAMPLE / "debs-ppa.jsonl"), "--out", "there"]
    assert main(arguments) == 0
    assert "0006.unknown.code on debs:ppa: met" in capsys.readouterr().out
    assert "put the .deb files into image/" in (here / "there" / "reproduce.sh").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["0006.unknown.code"], 2, "it is not said on which target"),
        (["0006.unknown.cod", "--target", "reference-ppa"], 4, "did you mean '0006.unknown.code'"),
        (["0006.unknown.cod", "--from", "RUN"], 4, "did you mean '0006.unknown.code'"),
        (["0006.unknown.code", "--from", "RUN", "--target", "stock"], 2, "a run of debs:ppa, not of stock"),
        (["0006.unknown.code", "--from", "none.jsonl"], 2, "No such file"),
        (["0006.unknown.code", "--target", "nonsense"], 2, "there is no target 'nonsense'"),
        (["0006.unknown.code", "--target", "reference-ppa", "--out", "."], 2, "something else stands there"),
    ],
)
def test_wrong_use_is_said_in_one_message(
    arguments: list[str], status: int, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "letter").write_text("dear")
    run = str(SAMPLE / "debs-ppa.jsonl")
    assert main(["reproduce", *(run if word == "RUN" else word for word in arguments)]) == status
    assert said in capsys.readouterr().err
    assert (here / "letter").read_text() == "dear"
