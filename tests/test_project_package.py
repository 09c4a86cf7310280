"""A package outside the checkout, judged by an installed wheel: from `init` to what flips a verdict."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.catalogue.builtin import STOCK_PATCHES
from conformance.cli.packaging import build
from tests.dockerized import needs_docker
from tests.packages import PROJECT, write_package
from tests.processes import Finished, python
from tests.schemas import faults

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = list((ROOT / "fixtures" / "scenarios").glob("*.toml"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment of its own that has the wheel; what that needs is taken from here."""
    directory = tmp_path_factory.mktemp("installed")
    wheels = directory / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)], check=True, timeout=300
    )
    (wheel,) = wheels.glob("*.whl")
    venv.create(directory / "venv")
    (site,) = (directory / "venv" / "lib").glob("python*/site-packages")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, timeout=300)
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return directory / "venv" / "bin" / "python"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("a package")
    write_package(directory)
    yield directory
    assert not (directory / "reports").exists(), "nothing is written but where it was said"


def _run(installed: Path, package: Path, *arguments: str, status: int = 0) -> str:
    """What the command says in the package's directory."""
    done: Finished = python(
        "-P", "-m", "conformance", *arguments, directory=package, executable=str(installed), COLUMNS="200"
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_the_examples_have_names_and_pages_have_paths_in_an_empty_directory(
    installed: Path, tmp_path: Path
) -> None:
    names = _run(installed, tmp_path, "try", "--list").splitlines()
    assert [name.partition(":")[0] for name in names[:-1]] == sorted(path.stem for path in EXAMPLES)
    page, schema = (word for word in names[-1].split() if word.endswith((".md", ".json")))
    assert (tmp_path / page).is_file()
    assert (tmp_path / schema).is_file()
    told = _run(installed, tmp_path, "try", "unknown-command", "--target", "reference-ppa")
    assert told.endswith("9 of 9 expectations met\n")
    wrong = python("-P", "-m", "conformance", "try", "x.toml", directory=tmp_path, executable=str(installed))
    assert (tmp_path / wrong.stderr.rpartition("see ")[2].strip().removesuffix(".")).is_file()


def test_a_package_of_ones_own_goes_the_whole_way(installed: Path, package: Path) -> None:
    where = python("-P", "-c", "import conformance; print(conformance.__file__)", executable=str(installed))
    assert where.stdout.startswith(str(installed.parent.parent)), "it is the wheel that is tried"

    page = "from conformance.places import data; print(data('docs', 'cases.md').read_text()[:20])"
    assert python("-P", "-c", page, executable=str(installed)).stdout.startswith("# Cases of your own")

    told = _run(installed, package, "init")
    assert "0015  a client that talks too early is refused\n" in told
    file = package / "qmail-conformance.toml"
    assert 'series = "debian/patches/series"' in file.read_text()
    _run(installed, package, "init", status=2)
    file.write_text(PROJECT)

    listed = json.loads(_run(installed, package, "list", "--json", "--patch", "verbs"))
    names = ["verbs.frob.closes", "verbs.frob.code", "verbs.grob.words"]
    assert [each["name"] for each in listed["requirements"]] == names
    assert "every promise has a case" in _run(
        installed, package, "list", "--without-a-case", "--patch", "verbs"
    )

    told = _run(installed, package, "run", "candidate", "-k", "verbs or 0006", "--all", "--out", "out")
    header, *verdicts, footer = map(json.loads, (package / "out/candidate.jsonl").read_text().splitlines())
    assert [faults("run-2", line) for line in (header, *verdicts, footer)] == [[]] * (len(verdicts) + 2)
    assert (header["target"]["name"], header["titles"]["verbs"]) == ("candidate", "verbs that nobody knows")
    own = {each["requirement"]: each for each in verdicts if each["patch"] == "verbs"}
    assert [own[name]["verdict"] for name in names] == ["unmet", "met", "unmet"]
    assert own["verbs.grob.words"]["deviation"]["reason"] == "the patch has one text for all verbs"
    assert "verbs: verbs that nobody knows" in told

    told = _run(installed, package, "gate", "candidate", "--patch", "verbs", "--out", "gate")
    assert "verbs falls short of its promises, as is known: 1 of 3; 2 deviations known" in told
    _run(installed, package, "judge", "gate/candidate.jsonl", "--out", "judged")

    reports = ("--html", "site", "--json", "report.json", "--markdown", "page.md", "--badges", "badges")
    _run(installed, package, "report", "gate", *reports)
    report = json.loads((package / "report.json").read_text())
    assert faults("report-1", report) == []
    assert [each["label"] for each in report["targets"]] == ["candidate", "released"]
    assert [each["title"] for each in report["patches"]] == ["verbs that nobody knows"]
    page = (package / "site/requirements/verbs.grob.words.html").read_text()
    assert "async def test_grob" in page
    assert "&gt; FROB" in (package / "site/requirements/verbs.frob.code.html").read_text()

    told = _run(
        installed, package, "bisect", "verbs.frob.code", "--targets", "reference", "--out", "bisected"
    )
    assert "verbs.frob.code is flipped from unmet to met by 0006" in told

    for path in package.rglob("*"):
        if path.is_file() and "conformance" not in path.parts and path.suffix != ".pyc":
            assert str(package).encode() not in path.read_bytes(), f"{path} names the machine's directory"


def marked(test: Callable[..., None]) -> Callable[..., None]:
    for mark in needs_docker:
        test = mark(test)
    return test


@marked
def test_its_own_cases_go_into_a_pod_and_its_build_is_found_beside_its_file(
    tmp_path: Path,
) -> None:
    write_package(tmp_path, PROJECT.replace('"reference@verbs"', '"debs:build/"'))
    build(tmp_path / "build", (*STOCK_PATCHES, "0006"))
    (tmp_path / "elsewhere").mkdir()
    named = ("--project", str(tmp_path / "qmail-conformance.toml"), "--out", "out")
    images = {name: value for name, value in os.environ.items() if name.startswith("QMAIL_")}
    done = python(
        *("-P", "-m", "conformance", "run", "candidate", "-k", "frob or grob or exit-100.pipelined", *named),
        directory=tmp_path / "elsewhere",
        **images,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "elsewhere/out/candidate.jsonl").read_text()
    header, *verdicts, _ = map(json.loads, text.splitlines())
    assert header["target"]["patches"] == ["0006", "verbs", "0015"]
    found = {each["requirement"]: each["verdict"] for each in verdicts}
    assert found == {
        "0009.exit-100.pipelined": "unmet",
        "verbs.frob.closes": "unmet",
        "verbs.frob.code": "met",
        "verbs.grob.words": "unmet",
    }
    assert str(tmp_path) not in text
