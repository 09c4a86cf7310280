"""A project file: what it says, what is told of one that is wrong, and that no other project hears of it."""

import gzip
import io
import json
import os
import tarfile
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.catalogue.builtin import BUILT_IN, PPA_PATCHES, STOCK_PATCHES
from conformance.catalogue.patches import Patch
from conformance.cli import main
from conformance.cli.options import images
from conformance.errors import UsageError
from conformance.judge.deviations import load_deviations
from conformance.judge.expectation import expect
from conformance.project.form import NO_PROJECT, Project
from conformance.project.reading import DEFAULTS, FILE, KEYS, find_project, read_project
from conformance.project.series import read_series, title_of
from conformance.targets.names import parse_target
from conformance.targets.target import Target
from tests.packages import GREET_DELAY, PROJECT, write_package
from tests.processes import PYTEST, python
from tests.schemas import DIRECTORY as SCHEMAS
from tests.schemas import faults

NINE = PPA_PATCHES
OWN = '[[patch]]\nname = "verbs"\ntitle = "Verbs"\nsource = "verbs.patch"\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_package(tmp_path, PROJECT)
    return tmp_path


def read(directory: Path, text: str) -> Project:
    (directory / FILE).write_text(text, encoding="utf-8")
    return read_project(directory / FILE)


# What it says


def test_a_whole_file_says_what_the_package_has(package: Path) -> None:
    project = read_project(package / FILE)
    greet = Patch("0015", "a client that talks too early is refused", "0015-greet-delay.patch")
    assert [each for each in project.series.patches.values() if each.number not in NINE][2:] == [greet]
    assert project.series.package == ("0006", "verbs", "0015"), "with a series, what is in it"
    assert project.titles == {"verbs": "verbs that nobody knows", "0015": greet.title}
    own = {name for name in project.catalogue.requirements if name.startswith("verbs.")}
    assert own == {"verbs.frob.code", "verbs.frob.closes", "verbs.grob.words"}
    assert project.catalogue.files["verbs.frob.code"] == package / "conformance/scenarios/frob-code.toml"
    assert [each.id for each in project.catalogue.promises][-2:] == ["verbs.frob", "verbs.grob"]
    assert project.defaults.against == "released"


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("", NINE),
        ("carries = []", STOCK_PATCHES),
        ('carries = ["0006", "0004"]', (*STOCK_PATCHES, "0004", "0006")),
        ('carries = ["base"]', ()),
        ('carries = "base"\n' + OWN + 'carries = "0005"', ("0005", "verbs")),
        (OWN, (*NINE, "verbs")),
    ],
)
def test_what_a_build_carries_without_a_word(text: str, carried: tuple[str, ...], tmp_path: Path) -> None:
    project = read(tmp_path, text)
    assert parse_target("debs:build", project=project).patches == carried
    assert parse_target("image:x", project=project).patches == carried
    assert parse_target("reference-ppa", project=project).patches == NINE, "the suite's own is what it is"


def test_a_patch_brings_what_it_carries_and_the_reference_has_that(package: Path) -> None:
    project = read_project(package / FILE)
    assert parse_target("reference@verbs", project=project).patches == (*STOCK_PATCHES, "0006", "verbs")
    assert parse_target("debs:x@base,0015", project=project).patches == ("0015",)
    with pytest.raises(UsageError, match="no patch 'verb'") as raised:
        parse_target("debs:x@verb", project=project)
    assert "did you mean 'verbs'?" in raised.value.hint


# Patches of a Debian package


def source(directory: Path, name: str, content: bytes) -> Path:
    (directory / name).write_bytes(content)
    (directory / "q.dsc").write_text(
        f"Checksums-Sha256:\n {'0' * 64} 1 q.orig.tar.gz\n {'0' * 64} 2 {name}\n"
    )
    return directory / "q.dsc"


def packed(files: dict[str, str]) -> bytes:
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:xz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return octets.getvalue()


GREETING = ("0015-greet-delay.patch", "a client that talks too early is refused")


def test_patches_are_read_from_each_form_of_a_package(tmp_path: Path) -> None:
    write_package(tmp_path)
    patches = tmp_path / "debian/patches"
    both = [("verbs.patch", "never read"), GREETING]
    assert read_series(patches / "series") == both
    (patches / "notes").write_text("no patch")
    assert read_series(patches) == [GREETING, both[0]], "a directory in order of names"

    quilt = {
        "debian/patches/series": "0015-greet-delay.patch\n",
        "debian/patches/0015-greet-delay.patch": GREET_DELAY,
    }
    assert read_series(source(tmp_path, "q.debian.tar.xz", packed(quilt))) == [GREETING]
    diffs = {"./debian/diff/0015-greet-delay.patch": GREET_DELAY, "debian/changelog": "x"}
    assert read_series(source(tmp_path, "q.debian.tar.xz", packed(diffs))) == [GREETING]
    added = "".join(f"+{line}\n" for line in GREET_DELAY.splitlines())
    file = "debian/diff/0015-greet-delay.patch"
    diff = f"--- q.orig/x\n+++ q/x\n+x\n--- q.orig/{file}\n+++ q/{file}\n@@ -0,0 +1 @@\n{added}"
    assert read_series(source(tmp_path, "q.diff.gz", gzip.compress(diff.encode()))) == [GREETING]


@pytest.mark.parametrize(
    ("head", "title"),
    [
        (
            "Description: early talkers are refused\n Of what they say nothing is kept.\nAuthor: A\n",
            "early talkers are refused",
        ),
        ("Author: A\nDescription:\n early talkers are refused\n .\n More.\n", "early talkers are refused"),
        ("Subject: [PATCH 2/2] early talkers\n are refused\nDescription: x\n", "early talkers are refused"),
        ("Author: A\nBug-Description: x\n", ""),
    ],
)
def test_a_title_is_a_folded_subject_or_the_first_line_of_a_description(head: str, title: str) -> None:
    assert title_of(head) == title


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("q.debian.tar.xz", b"no archive", "it cannot be unpacked"),
        ("q.debian.tar.xz", packed({"debian/rules": ""}), "no patch is named there"),
        ("q.diff.gz", gzip.compress(b"x" * 99, mtime=0)[:-9], "it is cut off"),
        ("q.zip", b"", "it names no packaging"),
    ],
)
def test_a_source_package_that_cannot_be_read_is_told(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        read_series(source(tmp_path, name, content))


def test_a_file_of_the_series_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "diff").mkdir()
    for name in ("0001-qmail-errmsg-logging", "0004-other", "0012-smtpd-502-to-500", "1-2"):
        (tmp_path / "diff" / f"{name}.diff").write_text("--- a/x\n+++ b/x\n")
    project = read(tmp_path, 'series = "diff"')
    assert project.series.package == ("0001", "0006", "other", "patch-1-2")
    assert project.series.patches["other"].title == "other"


# What is wrong


@pytest.mark.parametrize(
    ("text", "line", "says", "hint"),
    [
        ("\ncase = 'x'", 2, "case: there is no such key", "did you mean 'cases'?"),
        ("cases = 'gone'", 1, "cases: there is no directory 'gone'", "relative to"),
        ("promises = [\n 'gone']", 2, "promises: there is no file 'gone'", "relative to"),
        ("series = 'gone'", 1, "No such file", "debian/patches/series"),
        ("built-in-deviations = 1", 1, "neither true nor false", "built-in-deviations = false"),
        ("carries = ['0006', 'o006']", 1, "there is no patch 'o006'", "did you mean '0006'?"),
        (OWN.replace("name", "nmae"), 2, "nmae: there is no such key", "did you mean 'name'"),
        (OWN.replace("verbs", "Verbs", 1), 2, "'Verbs' is no name of a patch", "lower-case"),
        (OWN.replace("verbs", "stock", 1), 2, "'stock' is no name of a patch", "lower-case"),
        (OWN.replace('name = "verbs"', 'number = "15"'), 2, "'15' is no number", "0010"),
        (
            OWN.replace('name = "verbs"', 'number = "0005"'),
            2,
            "is a patch of this suite",
            'carries = ["0005"]',
        ),
        (OWN + "number = '0015'", 2, "a number or a name", "leave one out"),
        (OWN.replace('title = "Verbs"\n', ""), 1, "title is missing", "title ="),
        (OWN + OWN, 5, "verbs stands there twice", "its own"),
        (OWN + "file = 'x*'", 5, "no file of the series", "no series is named"),
        (OWN + "carries = ['0004', 'verb']", 5, "there is no patch 'verb'", "did you mean 'verbs'?"),
        (OWN + "carries = 'verbs'", 5, "not itself", "leave it out"),
        ("[targets]\nstock = 'debs:x'", 2, "'stock' is no name for a target", "no other target's name"),
        ("[targets]\n'a/b' = 'debs:x'", 2, "'a/b' is no name for a target", "letters"),
        ("[defaults]\nagainst = 'debs:x'", 2, "a directory needs a name", "[targets]"),
        ("[defaults]\nworkers = 0", 2, "neither a number nor 'auto'", "workers = 4"),
        ("[defaults]\nworker = 4", 2, "there is no such key", "did you mean 'workers'?"),
        ("cases = = 1", 1, "Invalid value", "TOML"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_what_to_write(
    text: str, line: int, says: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    assert raised.value.message.startswith(str(tmp_path / FILE))
    assert f"line {line}" in raised.value.message
    assert says in raised.value.message
    assert hint in raised.value.hint


def test_every_command_ends_with_2_where_the_file_is_wrong_but_help_and_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_text("case = 1")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for command in (["list"], ["run", "reference-ppa"], ["targets"], ["zoo", "-k", "x"]):
        assert main(command) == 2
        assert "did you mean 'cases'?" in capsys.readouterr().err
    assert main(["run", "--help"]) == 0
    assert main(["init"]) == 0
    assert main(["list", "--project", "gone.toml"]) == 2


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("conformance/cases/test_verbs.py", "verbs.grob.words", "verb.grob.words", "there is no patch verb"),
        ("conformance/cases/test_verbs.py", "verbs.grob.words", "0006.unknown.code", "decided by two cases"),
        ("conformance/cases/test_verbs.py", "from conformance", "from gone", "it cannot be imported"),
        ("conformance/scenarios/frob-code.toml", "promise = ", "promise = 1 #", "is no text"),
        ("conformance/promises.toml", '"verbs"', '"verb"', "there is no section 'verb'"),
    ],
)
def test_what_is_wrong_in_a_packages_own_files_is_told(
    file: str, before: str, after: str, says: str, package: Path
) -> None:
    path = package / file
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UsageError, match=says) as raised:
        _ = read_project(package / FILE).catalogue
    assert str(path) in raised.value.message


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ("async def test_grob", "async def grob", 6, "grob is no name that pytest collects"),
        ("async def test_grob", "def test_grob", 6, "test_grob is no coroutine"),
        ("(qmail: Qmail)", "(qmail: Qmail, tmp_path: object)", 6, "internet and qmail, and no tmp_path"),
        ("qmail.reply_to", "qmail.replyto", 9, "qmail has no replyto"),
        (
            "reply = await",
            "async with qmail.session() as smtp:\n        await smtp.comand('NOOP')\n    reply = await",
            10,
            "smtp has no comand",
        ),
        ("reply = await", "qmail.enviroment = {}; reply = await", 9, "qmail has no enviroment"),
        ("reply = await", "qmail.deliver(); reply = await", 9, "qmail.deliver(…) is not awaited"),
        (
            "reply = await",
            "async with qmail.session() as smtp:\n        assert smtp.command('NOOP')\n    reply = await",
            10,
            "smtp.command(…) is not awaited",
        ),
        (None, None, 8, "a case stands at the top of its file"),
    ],
)
def test_a_case_that_cannot_be_run_is_told_with_its_line_before_anything_runs(
    before: str | None, after: str, line: int, says: str, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = package / "conformance/cases/test_verbs.py"
    text = path.read_text()
    if before is None:  # all of it in a class
        head, case = text.split("@requirement(")
        nested = "class TestGrob:\n    class TestWords:\n"
        text = head + nested + textwrap.indent("@requirement(" + case, "        ")
    else:
        text = text.replace(before, after, 1)
    path.write_text(text.replace("await ", "") if says.endswith("coroutine") else text)
    project = ("--project", str(package / FILE))
    assert main(["run", "candidate", *project, "--out", str(package / "out")]) == 2
    told = capsys.readouterr().err
    assert f"{path}, line {line}: verbs.grob.words: " in told
    assert says in told
    if not says.endswith("pytest collects"):
        for workers, status in (((), 2), (("-n", "2"), 1)):  # with workers pytest itself has no other
            done = python(*PYTEST, str(path), "--target", "candidate", *project, *workers)
            assert (done.returncode, says in done.stdout) == (status, True), done.stdout


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        (', severity="wrong words"', ', role="gard"', 6, "role is 'gard'"),
        (', severity="wrong words"', ', level="may"', 6, "level is 'may'"),
        (', severity="wrong words"', ', needs="0005"', 6, "needs is '0005'"),
        (', severity="wrong words"', ', waits="5"', 6, "waits is '5'"),
        (', severity="wrong words"', ", role=[]", 6, "role is []"),
        (
            "@req",
            '@requirement("verbs.a", source="x")\n@req',
            6,
            "its case decides 'verbs.grob.words' already",
        ),
        ('    """GROB is answered with words of its own."""\n', "", 6, "it needs a docstring"),
        ("verbs.grob.words", "verb.grob.words", 6, "there is no patch verb"),
        ("verbs.grob.words", "0006.unknown.code", 6, "is decided by two cases"),
        ("\n\n@req", "\nX = y\n@req", 5, "it cannot be imported: NameError: name 'y' is not defined"),
        ("assert ", "assert (", 10, "it cannot be imported: SyntaxError: '(' was never closed"),
        ("from conformance", "from gone", 2, "it cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_case_file_that_cannot_be_read_is_told_with_its_line(
    before: str, after: str, line: int, says: str, package: Path
) -> None:
    path = package / "conformance/cases/test_verbs.py"
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UsageError) as raised:
        _ = read_project(package / FILE).catalogue
    assert f"{path}, line {line}: " in raised.value.message
    assert says in raised.value.message
    assert ("standard library" in raised.value.hint) == ("ModuleNotFoundError" in says)


@pytest.mark.parametrize("made", [lambda path: path.symlink_to("/gone"), lambda path: path.mkdir()])
def test_what_is_called_a_case_file_and_is_none_is_told(
    made: Callable[[Path], None], package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = package / "conformance/cases/test_gone.py"
    made(path)
    assert main(["list", "--project", str(package / FILE)]) == 2
    assert f"{path}: this is no file" in capsys.readouterr().err


# Where it is found


def test_it_is_found_upwards_and_not_where_another_user_put_it(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    below = package / "debian/patches"
    assert find_project(None, below).file == package / FILE
    assert find_project(str(package / FILE), Path("/")).file == package / FILE
    assert find_project(None, package.parent).file is None
    real = os.stat

    def of_another(path: object, **options: object) -> os.stat_result:
        found = real(path, **options)  # type: ignore[call-overload]
        if str(path).endswith(FILE):
            found = os.stat_result((*found[:4], found.st_uid + 4321, *found[5:]))
        return found

    monkeypatch.setattr(os, "stat", of_another)
    assert find_project(None, below).file is None
    assert "is another user's, and is not read without --project" in capsys.readouterr().err


def test_two_projects_in_one_process_know_nothing_of_each_other(tmp_path: Path) -> None:
    for name, verdict in (("one", "250"), ("two", "500")):
        write_package(tmp_path / name, PROJECT)
        case = tmp_path / name / "conformance/cases/test_verbs.py"
        case.write_text(case.read_text().replace("of its own.", f"of its own, {verdict}."))
    one, two = (read_project(tmp_path / name / FILE) for name in ("one", "two"))
    said = [each.catalogue.requirements["verbs.grob.words"].promise for each in (one, two)]
    assert said == [
        "GROB is answered with words of its own, 250.",
        "GROB is answered with words of its own, 500.",
    ]
    assert not [name for name in NO_PROJECT.catalogue.requirements if name.startswith("verbs.")]
    assert one.digest("0" * 12) != two.digest("0" * 12)
    assert NO_PROJECT.digest("0" * 12) == "0" * 12


@pytest.mark.parametrize("package_file", ["", "conformance/cases/__init__.py"])
def test_two_projects_are_run_in_one_process(
    package_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their files of cases have one name, and say each its own."""
    for name, words in (("one", "unrecognized"), ("two", "unknown")):
        write_package(tmp_path / name, PROJECT)
        case = tmp_path / name / "conformance/cases/test_verbs.py"
        case.write_text(case.read_text().replace("GROB is answered {", f"GROB: {words}, {{"))
        if package_file:
            (tmp_path / name / package_file).touch()
        project = str(tmp_path / name / FILE)
        out = tmp_path / f"out-{name}"
        status = main(["run", "candidate", "-k", "grob", "--project", project, "--out", str(out)])
        assert status == 1, capsys.readouterr().err
        assert f"GROB: {words}, 500" in (out / "candidate.jsonl").read_text()


# Targets by name


def test_an_alias_is_all_that_is_told_of_a_target(tmp_path: Path) -> None:
    targets = 'candidate = "debs:build/@0004"\nodd = "debs:"\nspec = "reference-ppa"\ntwice = "candidate"'
    project = read(tmp_path, f"[targets]\n{targets}")
    target = parse_target("candidate", project=project)
    assert (target.name, target.file_name, target.kind) == ("candidate", "candidate", "debs")
    assert target.location == str(tmp_path / "build/")
    assert str(tmp_path) not in json.dumps(target.to_json())
    assert parse_target("next=debs:../x").location == "../x"
    assert parse_target("next=debs:../x").name == "next"
    assert parse_target("spec~0006.dropped", project=project).name == "spec~0006.dropped"
    for name, says in (
        ("odd", rf"{FILE}, line 3: targets.odd: "),
        ("twice", r"line 5: targets.twice: 'candidate' is a name of the project itself"),
        ("x=candidate", "'candidate' is a name of the project itself"),
        ("candidat", "there is no target"),
        ("stock=debs:x", "'stock' is no name for a target"),
        ("m=model-ppa", "model-ppa keeps its own name"),
    ):
        with pytest.raises(UsageError, match=says):
            parse_target(name, project=project)
    with pytest.raises(UsageError) as raised:
        parse_target("candidat", project=project)
    assert "did you mean 'candidate'?" in raised.value.hint


# Deviations


def test_a_directory_that_is_not_there_is_no_target_that_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_text('[targets]\ncandidate = "debs:build/"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("conformance.targets.docker.engine.available", lambda: "")
    assert main(["targets"]) == 0
    told = capsys.readouterr().out
    assert f"no   candidate\n       debs:{tmp_path}/build: there is no such file or directory" in told


def test_a_projects_own_deviations_go_before_ours_or_instead(package: Path) -> None:
    known = load_deviations()
    built_in = next(each for each in known if each.verdict == "unmet" and "*" not in each.requirement)
    own = package / "conformance/deviations/own.toml"
    entry = own.read_text().split("[[deviation]]")[1].replace("verbs.frob.closes", built_in.requirement)
    own.write_text("[[deviation]]" + entry.replace('"candidate"', '"qmail=*"'))
    project = read_project(package / FILE)
    requirement = project.catalogue.requirements[built_in.requirement]
    version = next(each for each in built_in.target if each.startswith("qmail=")).removeprefix("qmail=")
    target = Target("ppa", "ppa", NINE, packages={"qmail": version.replace("*", "")})
    before = expect(requirement, target, known)
    after = expect(requirement, target, load_deviations(project=project))
    assert before.deviation is not None
    assert after.deviation is not None
    assert (before.deviation.place, after.deviation.reason) == (
        built_in.place,
        "the patch does not end the session",
    )
    alone = read(package, "deviations = 'conformance/deviations'\nbuilt-in-deviations = false")
    assert {each.place.partition(",")[0] for each in load_deviations(project=alone)} == {str(own)}


# Defaults


def test_defaults_count_where_neither_the_line_nor_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conformance.cli import parser

    text = "release = '18.04'\nmirror = 'http://mirror.example'\nout = 'o'\nworkers = 3\nagainst = 'stock'"
    project = read(tmp_path, f"[defaults]\n{text}\nscenarios = 'inbound/*'")
    for variable in ("QMAIL_RELEASE", "QMAIL_BASE"):  # of these two only one counts
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("QMAIL_MIRROR", "http://other.example")
    options = parser(project).parse_args(["gate", "reference-ppa"])
    options.project = project
    assert (options.pods, options.against, options.out) == (3, "stock", str(tmp_path / "o"))
    assert (images(options).release, images(options).mirror) == ("18.04", "http://other.example")
    given = ["gate", "stock", "-n", "1", "--against", "x", "--out", "y", "--release", "20.04"]
    options = parser(project).parse_args(given)
    options.project = project
    assert (options.pods, options.against, options.out, images(options).release) == (1, "x", "y", "20.04")
    assert parser(project).parse_args(["zoo"]).workers == 3
    assert parser(project).parse_args(["try", "x"]).out is None
    assert parser().parse_args(["gate", "stock"]).against is None


# The published form


def test_the_schema_has_the_keys_that_the_reader_has(package: Path) -> None:
    schema = json.loads((SCHEMAS / "project-1.schema.json").read_text())
    assert set(schema["properties"]) == set(KEYS)
    assert set(schema["properties"]["defaults"]["properties"]) == set(DEFAULTS)
    assert faults("project-1", tomllib.loads(PROJECT)) == []
    for text in (
        "case = 'x'",
        OWN.replace("verbs", "Verbs", 1),
        "[targets]\nstock = 'x'",
        OWN + "number = '0015'",
    ):
        assert faults("project-1", tomllib.loads(text)), text


def test_what_init_writes_is_right_as_it_is_and_with_every_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/x.deb").touch()
    assert main(["init", str(tmp_path)]) == 0
    text = (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).stat().st_mode & 0o111 == 0
    assert read_project(tmp_path / FILE).aliases["candidate"].written == "debs:build/"
    assert faults("project-1", tomllib.loads(text)) == []
    example = "".join(
        line.removeprefix("# ") if " = " in line or "# [[" in line else line for line in text.splitlines(True)
    )
    assert faults("project-1", tomllib.loads(example)) == []
    assert set(tomllib.loads(example)) == set(KEYS), "every key is there"
    assert set(tomllib.loads(example)["defaults"]) == set(DEFAULTS)
    assert main(["init", str(tmp_path)]) == 2, "what is there stays"
    assert BUILT_IN.patches[0].number == "base"


def test_a_project_that_names_what_cannot_be_read_is_told_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).write_text(f"cases = '{'x' * 300}'\n", encoding="utf-8")
    with pytest.raises(UsageError, match="too long"):
        find_project(None)
    (tmp_path / FILE).write_text("series = 'series'\ncarries = ['0006']\n", encoding="utf-8")
    (tmp_path / "series").write_text(f"{'x' * 300}.patch\n", encoding="utf-8")
    assert find_project(None) is not NO_PROJECT
