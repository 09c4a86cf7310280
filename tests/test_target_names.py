"""Target names: what each form means, and what is said about a wrong one."""

import re
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.errors import UsageError
from conformance.pod.codec import decode
from conformance.project.reading import FILE, find_project
from conformance.report.words import repeat_command
from conformance.targets.names import parse_target
from conformance.targets.target import Target

BESIDES = (*STOCK_PATCHES, "0006")


@pytest.fixture(autouse=True)
def _no_ppa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QMAIL_PPA", raising=False)


@pytest.mark.parametrize(
    ("name", "kind", "patches", "location"),
    [
        ("stock", "stock", STOCK_PATCHES, ""),
        ("debs:build", "debs", PPA_PATCHES, "build"),
        ("debs:../out/@0005,0004", "debs", (*STOCK_PATCHES, "0004", "0005"), "../out/"),
        ("debs:build@5,4", "debs", (*STOCK_PATCHES, "0004", "0005"), "build"),
        ("debs:build@", "debs", STOCK_PATCHES, "build"),
        ("debs:build@base", "debs", (), "build"),
        ("debs:build@0005,base", "debs", ("0005",), "build"),
        ("debs:build@0003,0004,0002", "debs", ("0002", "0003", "0004"), "build"),
        ("debs:me@work/out", "debs", PPA_PATCHES, "me@work/out"),
        ("debs:me@work/out@0009,0009", "debs", (*STOCK_PATCHES, "0009"), "me@work/out"),
        ("image:host.example:5000/qmail:1.06", "image", PPA_PATCHES, "host.example:5000/qmail:1.06"),
        (
            "image:host.example:5000/qmail:1.06@0006",
            "image",
            (*STOCK_PATCHES, "0006"),
            "host.example:5000/qmail:1.06",
        ),
        ("image:qmail@sha256:00ff", "image", PPA_PATCHES, "qmail@sha256:00ff"),
        ("image:qmail@sha256:00ff@0007", "image", (*STOCK_PATCHES, "0007"), "qmail@sha256:00ff"),
        ("image:qmail@", "image", STOCK_PATCHES, "qmail"),
        ("reference-stock", "reference", STOCK_PATCHES, ""),
        ("reference-ppa", "reference", PPA_PATCHES, ""),
        ("reference@0008,0004", "reference", (*STOCK_PATCHES, "0004", "0008"), ""),
        ("reference@", "reference", STOCK_PATCHES, ""),
    ],
)
def test_a_name_tells_its_parts(name: str, kind: str, patches: tuple[str, ...], location: str) -> None:
    target = parse_target(name)
    assert (target.name, target.kind, target.patches, target.location) == (name, kind, patches, location)


@pytest.mark.parametrize("archive", ["ppa:someone/qmail", "deb [trusted=yes] http://apt.example/ focal main"])
def test_the_ppa_is_named_by_option_or_variable(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_target("ppa", ppa=archive).location == archive
    monkeypatch.setenv("QMAIL_PPA", archive)
    assert parse_target("ppa").location == archive
    assert parse_target("ppa").patches == PPA_PATCHES
    assert parse_target("ppa", ppa="ppa:other/name").location == "ppa:other/name"


@pytest.mark.parametrize("archive", ["someone/qmail", "ppa:someone", "ppa:a/b; true", "debian"])
def test_what_is_no_ppa_is_refused(archive: str) -> None:
    with pytest.raises(UsageError, match="is no PPA"):
        parse_target("ppa", ppa=archive)


@pytest.mark.parametrize(
    ("name", "kind", "patches", "flaws"),
    [
        ("reference-ppa~0006.dropped", "reference", PPA_PATCHES, ("0006.dropped",)),
        ("reference-stock~smtpd.noop-resets", "reference", STOCK_PATCHES, ("smtpd.noop-resets",)),
        ("reference@0006~0006.dropped,0006.closes", "reference", BESIDES, ("0006.dropped", "0006.closes")),
        ("reference-ppa~0006.closes,0006.closes", "reference", PPA_PATCHES, ("0006.closes",)),
        ("debs:out/qmail_1.06~2", "debs", PPA_PATCHES, ()),
        ("debs:out~2@0004", "debs", (*STOCK_PATCHES, "0004"), ()),
    ],
)
def test_flaws_of_a_reference_stand_in_its_name(
    name: str, kind: str, patches: tuple[str, ...], flaws: tuple[str, ...]
) -> None:
    target = parse_target(name)
    assert (target.name, target.kind, target.patches, target.flaws) == (name, kind, patches, flaws)


def test_a_model_does_what_is_known_of_the_package_and_a_named_flaw_goes_before_it() -> None:
    known = parse_target("model-ppa")
    assert (known.kind, known.patches, known.packages) == ("reference", PPA_PATCHES, {"qmail": "1.06-6.2"})
    assert {"0007.sender-only", "remote.message-1xx-accepted"} <= set(known.flaws)
    assert parse_target("model-stock").flaws == parse_target("model@0006").flaws
    assert "0007.sender-only" not in parse_target("model-stock").flaws
    # About the same decision as 0007.sender-only is.
    flaws = parse_target("model-ppa~0007.recipients-only").flaws
    assert flaws == ("0007.recipients-only", *(flaw for flaw in known.flaws if flaw != "0007.sender-only"))


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("reference-ppa~0006.droped", "there is no flaw '0006.droped'", "did you mean '0006.dropped'"),
        ("reference-ppa~", "there is no flaw ''", "conformance/reference/flaws"),
        ("reference-ppa~0006.dropped,,", "there is no flaw ''", "conformance/reference/flaws"),
        ("reference@base~smtpd.log-twice", "a flaw of a patch that is not in this build", "out"),
        ("reference-stock~0006.dropped", "a flaw of a patch that is not in this build", "out"),
        ("reference-ppa~0006.closes,0006.resets", "about the same decision", "out"),
        ("stock~0006.dropped", "only a reference has flaws", "reference-ppa~0006.dropped"),
        ("debs:out~0006.dropped", "only a reference has flaws", "reference-ppa~0006.dropped"),
        ("exim~0006.dropped", "there is no target 'exim'", "reference-ppa~FLAW"),
        *((name, "there is no target", "reference-stock") for name in ("", "Stock", "reference", "docker:x")),
        *((name, "there is no target", "debs:PATH") for name in ("debs", "image", "reference-ppa@0004")),
        *(
            (f"debs:x@{patch}", "there is no patch", "0004, 0005, 0006")
            for patch in ("0012", "stock", "0004,")
        ),
        ("debs:x@12", "there is no patch '12'", "known: base, 0001"),
        ("ppa", "no PPA given", "give --ppa ppa:OWNER/NAME or an apt source line, or set QMAIL_PPA"),
        ("reference@0010", "there is no patch", "0004, 0005, 0006, 0007, 0008, 0009"),
        *((name, "after the colon comes", "") for name in ("debs:", "image:", "debs:@0004")),
    ],
)
def test_a_name_that_cannot_be_is_wrong_use(name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        parse_target(name)
    assert hint in raised.value.hint
    assert not re.search(r"mean '\d+'", raised.value.hint), "one number is as near as another"


def test_a_name_on_the_command_line_is_that_of_a_build_with_flaws_too() -> None:
    target = parse_target("flawed=reference-ppa~0006.dropped")
    assert (target.name, target.flaws) == ("flawed", ("0006.dropped",))
    assert parse_target("new=debs:build-1.06~2").location == "build-1.06~2"


def test_what_repeats_a_run_says_what_a_name_of_the_command_line_stands_for() -> None:
    """And in no report the directory, which is what the name is for."""
    target = parse_target("new=debs:/home/me/build@0004")
    stored = decode(Target, target.to_json())
    assert "/home/me" not in str(target.to_json())
    command = "qmail-conformance run new=debs:DIRECTORY@0004 -k 0004.x"
    assert repeat_command(stored, "0004.x") == command
    assert repeat_command(parse_target("stock"), "0004.x") == "qmail-conformance run stock -k 0004.x"
    assert "command_name" not in parse_target("stock").to_json()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for directory in ("build", "stock", "a~b", "below/new"):
        (tmp_path / directory).mkdir(parents=True)
    for file in ("old.deb", "qmail~rc1.changes", "build.tar"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(
    ("written", "name", "location", "patches"),
    [
        ("build", "debs:build", "build", PPA_PATCHES),
        ("./build/", "debs:build", "build", PPA_PATCHES),
        (".", "debs:.", ".", PPA_PATCHES),
        ("below/new@4,5", "debs:below/new@4,5", "below/new", (*STOCK_PATCHES, "0004", "0005")),
        ("build@", "debs:build@", "build", STOCK_PATCHES),
        ("old.deb", "debs:old.deb", "old.deb", PPA_PATCHES),
        ("gone.deb", "debs:gone.deb", "gone.deb", PPA_PATCHES),
        ("q_1.dsc@", "debs:q_1.dsc@", "q_1.dsc", STOCK_PATCHES),
        (
            "./qmail~rc1.changes",
            "debs:qmail~rc1.changes",
            "qmail~rc1.changes",
            PPA_PATCHES,
        ),
        ("a~b", "debs:a~b", "a~b", PPA_PATCHES),
        ("./stock", "debs:stock", "stock", PPA_PATCHES),
        ("new=./build/", "new", "build", PPA_PATCHES),
    ],
)
def test_a_path_is_packages(written: str, name: str, location: str, patches: tuple[str, ...]) -> None:
    target = parse_target(written)
    assert (target.kind, target.name, target.location, target.patches) == ("debs", name, location, patches)


@pytest.mark.usefixtures("places")
def test_what_is_a_target_is_none_and_what_could_be_two_things_is_asked_for(tmp_path: Path) -> None:
    assert parse_target("stock").kind == "stock", "whatever is called so here"
    assert parse_target("reference@4").kind == "reference"
    (tmp_path / "installed").mkdir()
    assert parse_target("installed@4").kind == "root"
    for written in ("host.example/qmail:1.06", "./nowhere", "below/gone", "./" + "x" * 300):
        with pytest.raises(UsageError, match="no such file or directory") as raised:
            parse_target(written)
        assert raised.value.hint.startswith("Write debs:PATH for packages, image:REFERENCE for an image")
    for written in ("build.tar", "x" * 300):
        with pytest.raises(UsageError, match=f"there is no target '{re.escape(written)}'"):
            parse_target(written)


@pytest.mark.usefixtures("places")
def test_a_path_in_a_project_file_is_seen_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).write_text("[targets]\ncandidate = 'build'\n")
    monkeypatch.chdir(tmp_path / "below")
    target = parse_target("candidate", project=find_project(None))
    assert (target.kind, target.location) == ("debs", str(tmp_path / "build"))
