"""`report --html` of explorations: each is a page of the site, beside runs or alone, with a link to it."""

import json
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.explore.differences import Difference
from conformance.explore.finding import Finding, Row
from conformance.explore.tally import Tally
from conformance.pod.codec import encode
from conformance.report.explored import Explored, Kept
from conformance.targets.names import parse_target
from tests.judge_samples import PPA, write
from tests.report_samples import Page
from tests.schemas import faults

Told = pytest.CaptureFixture[str]
ROWS = (
    Row("smtpd 0", "qmail", "502 no <b>", "500 no", False),
    Row("smtpd 0", "client", "> FROB", None, False),
)
FINDING = Finding(
    Difference("smtpd", "qmail: 502", "qmail: 500"), ("NOOP",), "smtp", 1, 2, "session = '> FROB'\n",
    {"session": "> FROB"}, ROWS, 3,
)  # fmt: skip


def explored(*, complete: bool = True) -> Explored:
    target = parse_target("reference-ppa~0006.dropped")
    tally = Tally(sessions=40, seconds=2.0, differing=3, reached={"session e NOOP 250": 4, "log x": 1})
    model, kept = parse_target("reference-ppa"), Kept("a.toml", "qmail-conformance try a.toml", FINDING)
    return Explored((target,), (model,), ("smtp", "auth"), 7, complete, tally, (kept,))


def put(directory: Path, made: Explored) -> Path:
    directory.mkdir(parents=True)
    (directory / "findings.json").write_text(json.dumps(made.to_json()), encoding="utf-8")
    return directory


def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_an_exploration_crosses_to_json_and_back() -> None:
    written = json.loads(json.dumps(explored().to_json()))
    assert faults("explore-1", written) == []
    assert Explored.from_json(written) == explored()


def test_one_beside_a_run_is_a_page_linked_from_the_first(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "ppa.jsonl", PPA)
    put(tmp_path / "runs" / "explore", explored())
    site = tmp_path / "site"
    assert main(["report", str(tmp_path / "runs"), "--html", str(site)]) == 0
    first, made = page(site / "index.html"), page(site / "findings.html")
    assert "findings.html" in first.links
    assert (
        "1 finding: reference-ppa~0006.dropped against reference-ppa, 40 sessions in smtp and auth"
        in first.text
    )
    assert "index.html" in made.links
    assert "502 no <b>" in made.text
    assert "qmail-conformance try a.toml" in made.text
    assert not [link for link in made.links if ":" in link], "nothing leads out of the site"


def test_explorations_alone_are_a_site(tmp_path: Path) -> None:
    one = put(tmp_path / "one", explored(complete=False))
    put(tmp_path / "all" / "two", explored())
    put(tmp_path / "all" / "three", explored())
    site = tmp_path / "site"
    names = [str(one / "findings.json"), str(tmp_path / "all")]
    assert main(["report", *names, "--html", str(site)]) == 0
    assert sorted(path.name for path in site.iterdir()) == [
        "findings-2.html", "findings-3.html", "findings.html", "index.html",
    ]  # fmt: skip
    first = page(site / "index.html")
    assert [link for link in first.links if link.startswith("findings")] == [
        "findings.html", "findings-2.html", "findings-3.html",
    ]  # fmt: skip
    assert first.text.count("before it was stopped") == 1
    assert "It was stopped" in page(site / "findings.html").text
    assert "It was stopped" not in page(site / "findings-2.html").text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "an exploration has one form, --html"),
        (["--html", "site", "--json", "-"], "an exploration has no form --json"),
    ],
)
def test_what_an_exploration_has_no_form_of_is_said(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "one", explored())
    assert main(["report", "one", *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    "spoilt",
    [
        [],
        {"form": "another"},
        {"seed": "x"},
        {"targets": []},
        {"findings": [{"file": "a"}]},
        {
            "findings": [
                {**explored().to_json()["findings"][0], "story": [encode(Row("a", "b", None, None, True))]}
            ]
        },
    ],
)
def test_what_is_no_exploration_is_refused(spoilt: object, tmp_path: Path, capsys: Told) -> None:
    written = {**explored().to_json(), **spoilt} if isinstance(spoilt, dict) else spoilt
    (tmp_path / "findings.json").write_text(json.dumps(written), encoding="utf-8")
    assert main(["report", str(tmp_path), "--html", str(tmp_path / "site")]) == 2
    assert f"{tmp_path / 'findings.json'}: no exploration: " in capsys.readouterr().err
