"""What targets stand on: which release is meant, one run on several, and how reports tell them apart.

The engine is a fake that builds nothing, and its pods are the reference's.
"""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.cli import main
from conformance.cli.keeping import begin
from conformance.cli.packaging import build
from conformance.cli.stored import run_file
from conformance.errors import EXIT_AS_EXPECTED, EXIT_USAGE, UsageError
from conformance.judge.comparison import compare
from conformance.judge.runfile import read_run
from conformance.project.reading import read_project
from conformance.report.words import repeat_command, run_conclusion
from conformance.targets import pool
from conformance.targets.docker import engine, sweep
from conformance.targets.embedded import ReferencePod
from conformance.targets.image_options import Images
from conformance.targets.plan import Plan
from conformance.targets.ready import make_ready
from conformance.targets.target import Target
from tests.judge_samples import CHANGE, PPA, REFERENCE, STOCK, run, verdict, write
from tests.schemas import faults

VARIABLES = ("QMAIL_RELEASE", "QMAIL_BASE", "QMAIL_INTERNET_BASE", "QMAIL_MIRROR", "QMAIL_PPA")
STATUS = "Package: qmail\nStatus: install ok installed\nVersion: 1.06-6.2\n"


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def chosen(defaults: object = None, **given: str) -> Images:
    return Images.chosen(given.get, defaults)


class FakeEngine:
    """Builds at once; `built` has the base of each image. An image is an Ubuntu on arm64.

    `upgraded` has by image which one it is upgraded from.
    """

    def __init__(self) -> None:
        self.built: dict[str, str] = {}
        self.upgraded: dict[str, str] = {}
        self.api = SimpleNamespace(build=self._build)
        self.images = SimpleNamespace(get=self._image)
        self.containers = SimpleNamespace(create=self._container)

    def info(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        """There is nothing to close."""

    def _build(self, *, tag: str, buildargs: dict[str, str], **_: Any) -> Any:
        self.built[tag] = buildargs["BASE"]
        if "PREVIOUS" in buildargs:
            self.upgraded[buildargs["BASE"]] = buildargs["PREVIOUS"]
        return (step for step in ())

    def _image(self, name: str) -> Any:
        if name in self.built:
            return SimpleNamespace(id=name, tags=[name], attrs={"Architecture": "arm64"})
        raise engine.sdk().errors.NotFound(name)

    def _container(self, image: str, **_: Any) -> Any:
        release = self.built[image].removeprefix("ubuntu:")
        files = {
            "/var/lib/dpkg/status": STATUS,
            "/usr/lib/os-release": f'ID=ubuntu\nPRETTY_NAME="Ubuntu {release} LTS"\n',
        }

        def archive(place: str) -> tuple[list[bytes], None]:
            if place not in files:
                raise engine.sdk().errors.NotFound(place)
            buffer, content = io.BytesIO(), files[place].encode()
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                member = tarfile.TarInfo(place.rpartition("/")[2])
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            return [buffer.getvalue()], None

        return SimpleNamespace(get_archive=archive, remove=lambda force: None)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine()
    monkeypatch.setattr(engine, "connect", lambda: made)
    monkeypatch.setattr(sweep, "sweep", lambda client: None)

    async def start(target: Target, plan: Plan) -> ReferencePod:
        return ReferencePod(target.patches)

    monkeypatch.setattr(pool, "start", start)
    return made


# Which release, which base


@pytest.mark.parametrize(
    ("given", "environment", "told"),
    [
        ({"release": "18.04", "base": "x"}, {}, r"--release \(18\.04\) and --base \(x\) both"),
        ({"release": "18.04"}, {"QMAIL_BASE": "x"}, r"--release \(18\.04\) and QMAIL_BASE \(x\) both"),
        ({"base": "x"}, {"QMAIL_RELEASE": "18.04"}, r"QMAIL_RELEASE \(18\.04\) and --base \(x\) both"),
        ({"release": "focal"}, {}, "no Ubuntu release 'focal'"),
        ({"release": "18.04,"}, {}, "no Ubuntu release ''"),
        ({"release": "99.99"}, {}, "no Ubuntu release '99.99'"),
    ],
)
def test_what_targets_stand_on_is_said_once_and_rightly(
    given: dict[str, str], environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=told):
        chosen(**given)


def test_release_and_base_of_a_project_count_where_nobody_names_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert chosen(SimpleNamespace(release="18.04")).target_base == "ubuntu:18.04"
    assert chosen(SimpleNamespace(release="18.04"), base="x").target_base == "x"
    monkeypatch.setenv("QMAIL_RELEASE", "16.04")
    assert chosen(SimpleNamespace(base="x")).target_base == "ubuntu:16.04"
    assert Images().target_base == "ubuntu:20.04"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "run stock --release 22.04",
            "Ubuntu 22.04 has no qmail in its archive\n  14.04, 16.04, 18.04 and 20.04",
        ),
        ("compare reference-stock stock --release 20.04,22.04", "Ubuntu 22.04 has no qmail"),
        ("run reference-ppa --release 18.04", "--release 18.04 says nothing of reference-ppa"),
        ("gate image:own --against reference-stock --release 18.04", "says nothing of image:own"),
        ("doctor --release 18.04,20.04", "`doctor` takes one release"),
        ("gate stock --baseline x.jsonl --release 18.04,20.04", "--baseline is the run of one release"),
    ],
)
def test_a_release_that_cannot_be_is_told_before_anything_is_built(
    command: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "connect", lambda: pytest.fail("an engine was looked for"))
    assert main(command.split()) == EXIT_USAGE
    assert told in capsys.readouterr().err


def test_a_release_of_the_environment_says_nothing_of_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QMAIL_RELEASE", "18.04")
    assert make_ready(["reference-ppa"], chosen()).targets[0].release == ""


def test_packages_may_stand_on_a_release_that_has_no_qmail(fake: FakeEngine, tmp_path: Path) -> None:
    build(tmp_path, PPA_PATCHES)
    plan = make_ready([f"debs:{tmp_path}"], Images(release="22.04"))
    assert [target.base for target in plan.targets] == ["ubuntu:22.04"]


# One run on several


def test_each_target_stands_once_on_each_release(fake: FakeEngine) -> None:
    names = ["stock", "reference-ppa", "image:own"]
    plan = make_ready(names, Images(release="18.04, 20.04,18.04"))
    assert [(target.label, target.file_name) for target in plan.targets] == [
        ("stock on 18.04", "stock-18.04"),
        ("reference-ppa", "reference-ppa"),
        ("image:own", "image-own"),
        ("stock on 20.04", "stock-20.04"),
    ]
    first, reference, own, last = plan.targets
    assert (first.base, first.system, first.architecture) == ("ubuntu:18.04", "Ubuntu 18.04 LTS", "arm64")
    assert (last.base, own.base, own.architecture) == ("ubuntu:20.04", "", "arm64")
    assert (reference.base, reference.system) == ("", "")
    assert first.image != last.image
    assert Plan.loads(plan.dumps()) == plan


def test_the_default_release_makes_no_noise(fake: FakeEngine) -> None:
    (target,) = make_ready(["stock"], Images()).targets
    assert (target.label, target.file_name, target.base) == ("stock", "stock", "ubuntu:20.04")


def test_each_is_upgraded_from_the_one_before_on_its_release(fake: FakeEngine, tmp_path: Path) -> None:
    for name, patches in (("old", ()), ("new", PPA_PATCHES)):
        build(tmp_path / name, patches)
    names, images = [f"debs:{tmp_path}/new", f"debs:{tmp_path}/old@"], Images(release="18.04,20.04")
    alone = [target.image for target in make_ready(names, images).targets]
    assert fake.upgraded == {}
    targets = make_ready(names, images, before=1).targets
    new, old, newer, older = alone
    assert fake.upgraded == {new: old, newer: older}
    assert [target.image for target in targets][1::2] == [old, older]
    assert fake.built[targets[0].image] == new


@pytest.mark.parametrize("command", ["compare {new} {old}", "gate {new} --against {old}"])
def test_a_run_on_several_releases_has_a_column_and_a_file_for_each(
    command: str,
    fake: FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "b", PPA_PATCHES)
    words = command.format(new="new=debs:b/", old="old=debs:b/@").split()
    more = ["--release", "18.04,20.04", "-k", "0006.unknown.code", "-n", "1", "--out", "out"]
    assert main([*words, *more]) == EXIT_AS_EXPECTED
    labels = [f"{name} on {release}" for release in ("18.04", "20.04") for name in ("new", "old")]
    said = " ".join(capsys.readouterr().out.split())
    assert "on Ubuntu 18.04 LTS (ubuntu:18.04), arm64" in said
    assert "From old on 18.04 to new on 18.04: 0 worse, 1 better" in said
    assert "From old on 20.04 to new on 20.04: 0 worse, 1 better" in said
    files = [f"out/{name}-{release}.jsonl" for release in ("18.04", "20.04") for name in ("new", "old")]
    assert [compare([read_run(Path(file))]).labels[0] for file in files] == labels
    header = json.loads(Path(files[0]).read_text().splitlines()[0])
    assert faults("run-2", header) == []
    assert header["target"]["release"] == "18.04"
    assert main(["report", *files, "--json", "r.json", "--junit", "j.xml", "--html", "site"]) == 0
    report = json.loads(Path("r.json").read_text())
    assert faults("report-1", report) == []
    assert [(each["label"], each["base"]) for each in report["targets"]] == [
        (label, f"ubuntu:{label[-5:]}") for label in labels
    ]
    junit, page = Path("j.xml").read_text(), Path("site/index.html").read_text()
    assert all(f'<testsuite name="{label}"' in junit and f">{label}</th>" in page for label in labels)
    assert '<property name="architecture" value="arm64"' in junit
    assert "Ubuntu 18.04 LTS (ubuntu:18.04), arm64" in page
    assert "new=debs:DIRECTORY --release 18.04 -k 0006.unknown.code" in (
        Path("site/requirements/0006.unknown.code.html").read_text()
    )


def test_a_gate_tells_what_is_known_on_each_release(
    fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def start(target: Target, plan: Plan) -> ReferencePod:
        bad = target.release == "20.04"
        return ReferencePod(target.patches, frozenset(["0006.dropped"]) if bad else frozenset())

    monkeypatch.setattr(pool, "start", start)
    build(tmp_path, PPA_PATCHES)
    more = ["--release", "18.04,20.04", "-k", "0006.unknown.code", "-n", "1", "--out", str(tmp_path / "out")]
    assert main(["gate", f"new=debs:{tmp_path}", *more]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "gate: new does not pass; new on 18.04: as expected; new on 20.04: 1 unexpected (" in last


# Stored runs


def on(target: Target, **changes: str) -> Target:
    return replace(target, **changes)


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        ({"base": "ubuntu:20.04"}, {"base": "own"}, ("stock (ubuntu:20.04)", "stock (own)")),
        ({"architecture": "amd64"}, {"architecture": "arm64"}, ("stock (amd64)", "stock (arm64)")),
        ({}, {"release": "18.04"}, ("stock", "stock on 18.04")),
        ({}, {"base": "own"}, ("stock", "stock (own)")),
        ({"base": "own"}, {"base": "own"}, ("stock #1", "stock #2")),
        (
            {"base": "a", "architecture": "amd64"},
            {"base": "b", "architecture": "arm64"},
            ("stock (a, amd64)", "stock (b, arm64)"),
        ),
    ],
)
def test_columns_of_one_target_bear_what_tells_them_apart(
    first: dict[str, str], second: dict[str, str], labels: tuple[str, str]
) -> None:
    assert compare([run(on(STOCK, **first)), run(on(STOCK, **second))]).labels == labels


def test_columns_that_differ_in_the_place_of_the_queue_alone_say_so() -> None:
    made = compare([run(STOCK), run(STOCK, queue="disk"), run(PPA)])
    assert made.labels == ("stock (queue: tmpfs)", "stock (queue: disk)", "ppa")
    assert made.before == 0


def test_each_release_is_compared_with_that_of_before_on_it() -> None:
    old = [on(STOCK, release=release) for release in ("18.04", "20.04")]
    new = [on(PPA, release=release) for release in ("18.04", "20.04")]
    bad = run(new[1], [verdict(CHANGE, new[1], "unmet")])
    runs = [run(each, [verdict(CHANGE, each)]) for each in (new[0], old[0])]
    runs += [bad, run(old[1], [verdict(CHANGE, old[1], "met")])]
    made = compare(runs)
    assert made.before == 1
    assert [made.before_of(index) for index in range(4)] == [1, None, 3, 1]
    assert run_conclusion(made, 2).endswith("1 is worse than stock on 20.04")
    alone = compare([run(REFERENCE), run(new[0]), run(new[1])])
    assert [alone.before_of(index) for index in range(3)] == [None, 0, 0]


def test_what_a_command_says_of_a_release_is_made_harmless() -> None:
    assert "\x1b" not in repeat_command(on(STOCK, release="18\x1b.04"), CHANGE.name)


def test_a_run_on_one_base_does_not_take_the_place_of_one_on_another(tmp_path: Path) -> None:
    path = write(tmp_path / "stock.jsonl", on(STOCK, base="ubuntu:20.04"))
    header = read_run(path).header
    with pytest.raises(UsageError, match="stock on another base stands there, ubuntu"):
        begin(tmp_path, [replace(header, target=on(STOCK, base="own"))], lambda line: None)
    begin(tmp_path, [header], lambda line: None)


def test_in_a_directory_of_runs_the_one_of_the_release_is_meant(tmp_path: Path) -> None:
    for release in ("", "18.04", "20.04"):
        write(tmp_path / f"stock-{release}.jsonl", on(STOCK, release=release))
    assert run_file(str(tmp_path), "stock", "18.04").name == "stock-18.04.jsonl"
    assert run_file(str(tmp_path), "stock").name == "stock-.jsonl"
    with pytest.raises(UsageError, match="3 runs are in it"):
        run_file(str(tmp_path), "stock", "16.04")


def test_a_project_names_a_release_or_a_base(tmp_path: Path) -> None:
    file = tmp_path / "qmail-conformance.toml"
    file.write_text("[defaults]\nrelease = '18.04'\nbase = 'x'\n")
    with pytest.raises(UsageError, match=r"line 3: .*both say what targets are built on"):
        read_project(file)
