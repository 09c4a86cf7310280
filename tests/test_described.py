"""A deviation excuses what it describes: another failure of its requirement is told wherever verdicts are."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from conformance.cli import main

Told = pytest.CaptureFixture[str]

#: Its deviation: nothing more is said to a host that announces no AUTH. The flaw gives credentials away.
NAME = "0008.route.old-host"
SAYS = "not as the deviation describes that is known since 2019-07-16"


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the model that does otherwise than is known of it."""
    out = tmp_path_factory.mktemp("run")
    target = "model-ppa~0008.plain-unasked"
    assert main(["run", target, "-k", NAME, "--out", str(out)]) == 1
    [found] = out.glob("*.jsonl")
    return found


def test_it_is_told_in_every_form_and_judged_the_same_again(
    run_file: Path, tmp_path: Path, capsys: Told
) -> None:
    out = {form: str(tmp_path / form) for form in ("markdown", "junit", "json", "html")}
    assert main(["report", str(run_file), *(w for f, path in out.items() for w in (f"--{f}", path))]) == 0
    assert SAYS in Path(out["markdown"]).read_text(encoding="utf-8")
    assert SAYS in (Path(out["html"]) / "requirements" / f"{NAME}.html").read_text(encoding="utf-8")
    [failure] = ET.parse(out["junit"]).getroot().iter("failure")
    assert (failure.get("type"), SAYS in failure.get("message", "")) == ("regression", True)
    assert '"seen": "after [' in Path(out["json"]).read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["compare", str(run_file)]) == 1
    assert SAYS in " ".join(capsys.readouterr().out.split())
    assert main(["judge", str(run_file), "--out", str(tmp_path / "again")]) == 1
    assert SAYS in " ".join(capsys.readouterr().out.split())
    assert main(["reproduce", "--from", str(run_file), NAME, "--out", str(tmp_path / "alone")]) == 0
    said = (tmp_path / "alone" / "README.md").read_text(encoding="utf-8")
    assert "A known deviation, but this is not what it describes" in said


def test_as_it_is_described_it_is_as_expected(tmp_path: Path, capsys: Told) -> None:
    assert main(["gate", "model-ppa", "-k", NAME, "--out", str(tmp_path)]) == 0
    assert "deviation known" in capsys.readouterr().out
