"""The first page of the site with what `bench` measured: pictures, and the same in words."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.bench.results import CONTROL, ScenarioResult
from conformance.cli import main
from conformance.targets.target import Target
from tests.bench_samples import bench, measured, participant
from tests.judge_samples import PPA, STOCK, write


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path / "runs" / "a.jsonl", STOCK)
    write(tmp_path / "runs" / "b.jsonl", PPA)
    return tmp_path / "runs"


def stored(path: Path) -> Path:
    """A bench in which the second target is twice as fast as the first."""
    both = participant("0", "old<b>"), participant("1", "new")
    targets = (STOCK.to_json(), PPA.to_json())
    made = bench(*(replace(each, target=target) for each, target in zip(both, targets, strict=True)))
    result = ScenarioResult("inbound/plain", "some messages", "messages", "0", seed=3)
    result.rounds = {key: [measured(rate)] * 7 for key, rate in (("0", 100), ("1", 200), (CONTROL, 100))}
    made.scenarios.append(result)
    made.complete = True
    path.write_text(json.dumps(made.to_json()), encoding="utf-8")
    return path


@pytest.mark.parametrize("directory", [True, False])
def test_the_ratios_stand_on_the_first_page(directory: bool, runs: Path, tmp_path: Path) -> None:
    named = stored(tmp_path / "bench.json")
    site = tmp_path / "site"
    given = str(tmp_path if directory else named)
    assert main(["report", str(runs), "--html", str(site), "--bench", given]) == 0
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "inbound/plain, new: 2.00 [2.00, 2.00], faster" in page
    images = re.findall(r'svg\+xml;base64,([^"]+)"', page)
    narrow_ratios, ratios, narrow_latency, latency = (base64.b64decode(svg).decode() for svg in images)
    assert "2.00 [2.00, 2.00]" in ratios
    assert "Latency" in latency
    assert 'width="360"' in narrow_ratios
    assert 'width="360"' in narrow_latency
    assert "old<b>" not in ratios + latency + page
    assert main(["report", str(runs), "--html", str(site)]) == 0
    assert "Throughput" not in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scenarios": []}', None])
def test_what_is_no_bench_is_wrong_use(
    text: str | None, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert main(["report", str(runs), "--html", str(tmp_path / "site"), "--bench", str(path)]) == 2
    assert "Name the bench.json" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("ran", "status"),
    [
        ((STOCK, PPA), 0),
        ((STOCK, replace(PPA, image="sha256:33")), 0),  # built anew, of the same packages
        ((STOCK, replace(PPA, name="candidate", packages={})), 0),  # under another name, but the same image
        ((STOCK,), 2),
        ((STOCK, replace(PPA, image="sha256:33", packages={"qmail": "1.06-7"})), 2),
        ((STOCK, replace(PPA, image="sha256:33", release="18.04")), 2),
    ],
)
def test_a_bench_of_other_targets_than_the_runs_is_refused(
    ran: tuple[Target, ...], status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, target in enumerate(ran):
        write(tmp_path / "runs" / f"{number}.jsonl", target)
    named = stored(tmp_path / "bench.json")
    site, page = tmp_path / "site", tmp_path / "page.md"
    given = ["report", str(tmp_path / "runs"), "--html", str(site), "--markdown", str(page)]
    assert main([*given, "--bench", str(named)]) == status
    told = capsys.readouterr().err
    assert site.exists() == page.exists() == (status == 0)
    assert (f"{named} is of new, and the runs are of stock" in told) == (status == 2)
