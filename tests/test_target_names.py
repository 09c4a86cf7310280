"""Target names: what each form means, and what is said about a wrong one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conformance.catalogue import PPA_PATCHES
from conformance.errors import UsageError
from conformance.targets.names import parse_target


@pytest.fixture(autouse=True)
def _no_ppa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QMAIL_PPA", raising=False)


@pytest.mark.parametrize(
    ("name", "kind", "patches", "location"),
    [
        ("stock", "stock", (), ""),
        ("debs:build", "debs", PPA_PATCHES, "build"),
        ("debs:../out/@0005,0004", "debs", ("0004", "0005"), "../out/"),
        ("debs:build@", "debs", (), "build"),
        ("debs:me@work/out", "debs", PPA_PATCHES, "me@work/out"),
        ("debs:me@work/out@0009,0009", "debs", ("0009",), "me@work/out"),
        ("image:host.example:5000/qmail:1.06", "image", PPA_PATCHES, "host.example:5000/qmail:1.06"),
        ("image:host.example:5000/qmail:1.06@0006", "image", ("0006",), "host.example:5000/qmail:1.06"),
        ("image:qmail@sha256:00ff", "image", PPA_PATCHES, "qmail@sha256:00ff"),
        ("image:qmail@sha256:00ff@0007", "image", ("0007",), "qmail@sha256:00ff"),
        ("image:qmail@", "image", (), "qmail"),
        ("reference-stock", "reference", (), ""),
        ("reference-ppa", "reference", PPA_PATCHES, ""),
        ("reference@0008,0004", "reference", ("0004", "0008"), ""),
        ("reference@", "reference", (), ""),
    ],
)
def test_a_name_says_kind_patches_and_place(
    name: str, kind: str, patches: tuple[str, ...], location: str
) -> None:
    target = parse_target(name)
    assert (target.name, target.kind, target.patches, target.location) == (name, kind, patches, location)


@pytest.mark.parametrize("archive", ["ppa:someone/qmail", "deb [trusted=yes] http://apt.example/ focal main"])
def test_the_ppa_is_named_by_option_or_variable(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_target("ppa", ppa=archive).location == archive
    monkeypatch.setenv("QMAIL_PPA", archive)
    assert parse_target("ppa").location == archive
    assert parse_target("ppa").patches == PPA_PATCHES
    assert parse_target("ppa", ppa="ppa:other/name").location == "ppa:other/name"


def test_a_missing_ppa_is_asked_for() -> None:
    with pytest.raises(UsageError) as raised:
        parse_target("ppa")
    assert "--ppa ppa:OWNER/NAME" in raised.value.hint
    assert "QMAIL_PPA" in raised.value.hint


@pytest.mark.parametrize("archive", ["someone/qmail", "ppa:someone", "ppa:a/b; true", "debian"])
def test_what_is_no_ppa_is_refused(archive: str) -> None:
    with pytest.raises(UsageError, match="is no PPA"):
        parse_target("ppa", ppa=archive)


@pytest.mark.parametrize(
    "name", ["", "Stock", "reference", "debs", "image", "docker:x", "reference-ppa@0004"]
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_target(name)
    assert "reference-stock" in raised.value.hint
    assert "debs:DIRECTORY" in raised.value.hint


@pytest.mark.parametrize("name", ["debs:x@0003", "debs:x@base", "image:x@0004,5", "reference@0010"])
def test_an_unknown_patch_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="there is no patch") as raised:
        parse_target(name)
    assert "0004, 0005, 0006, 0007, 0008, 0009" in raised.value.hint


@pytest.mark.parametrize("name", ["debs:", "image:", "debs:@0004"])
def test_a_place_must_be_named(name: str) -> None:
    with pytest.raises(UsageError, match="after the colon comes"):
        parse_target(name)


def test_names_are_read_without_the_docker_sdk() -> None:
    code = "import sys, conformance.targets.names; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
