"""A directory of builds declares their patches; what is wrong or contradictory is told with what to write."""

from pathlib import Path

import pytest

from conformance.attribution.builds import ends, read_builds, reference_builds, reference_series
from conformance.attribution.explanation import Patches
from conformance.catalogue.builtin import BUILT_IN, PPA_PATCHES, STOCK_PATCHES
from conformance.catalogue.patches import Patch, series_of
from conformance.errors import UsageError
from conformance.targets.names import parse_target

ALL = frozenset(PPA_PATCHES)
STOCK = frozenset(STOCK_PATCHES)


def build(directory: Path, name: str, patches: str | None = None) -> Path:
    """A build with this declaration; its package."""
    package = directory / name / "qmail_1.06-6_amd64.deb"
    package.parent.mkdir()
    package.touch()
    if patches is not None:
        (directory / name / "patches").write_text(patches, encoding="utf-8")
    return package


@pytest.mark.parametrize(
    ("name", "file", "patches"),
    [
        ("stock", None, STOCK),
        ("base", None, frozenset()),
        ("base+0004", None, frozenset({"0004"})),
        ("0001+0002", None, frozenset({"0001", "0002"})),
        ("without-0003", None, ALL - {"0003"}),
        ("ppa", None, ALL),
        ("all", None, ALL),
        ("only-0004", None, STOCK | {"0004"}),
        ("without-0004", None, ALL - {"0004"}),
        ("without-0004+0005", None, ALL - {"0004", "0005"}),
        ("0004+0005", None, STOCK | {"0004", "0005"}),
        ("only-4", None, STOCK | {"0004"}),
        ("without-4+5", None, ALL - {"0004", "0005"}),
        ("1.06-7", "0004,5", STOCK | {"0004", "0005"}),
        ("1.06-7", "0004 0005\n0006\n", STOCK | {"0004", "0005", "0006"}),
        ("20240501", "0004", STOCK | {"0004"}),
        ("plain", "", STOCK),
        ("plain", "base", frozenset()),
        ("only-0004", "0004\n", STOCK | {"0004"}),
    ],
)
def test_a_build_declares_by_its_file_or_its_name(
    name: str, file: str | None, patches: Patches, tmp_path: Path
) -> None:
    build(tmp_path, name, file)
    build(tmp_path, "other", "0008 0009")
    (tmp_path / "logs").mkdir()
    (tmp_path / "README").write_text("no build", encoding="utf-8")
    found = {made.name: made for made in read_builds(tmp_path)}
    assert set(found) == {name, "other"}
    assert found[name].patches == patches
    target = parse_target(found[name].target)
    assert (target.kind, target.location) == ("debs", str(tmp_path / name))
    assert frozenset(target.patches) == patches


@pytest.mark.parametrize(
    ("builds", "says", "hint"),
    [
        ({"mine": None}, "it is not said which patches", "a file `patches`"),
        ({"mine": "0012"}, "there is no patch '0012'", "0004"),
        ({"mine": "44"}, "there is no patch '44'", "0004"),
        ({"mine": "0004 4"}, "stands there twice", "once"),
        ({"only-0012": None}, "there is no patch '0012'", "0004"),
        (
            {"only-0004": "0004 0005"},
            "carries 0001, 0002, 0003 and 0004, by its file",
            "mend the file",
        ),
        ({"stock": "0004"}, "by its name it carries 0001, 0002 and 0003, by its", "mend the file"),
        ({"base": None, "other": "base"}, "declare the same patches: no patch", "mend the declaration"),
        ({"stock": None}, "only one build, stock", "two builds"),
        ({}, "no directory with .deb files", "two builds"),
    ],
)
def test_wrong_declarations_say_what_to_write(
    builds: dict[str, str | None], says: str, hint: str, tmp_path: Path
) -> None:
    for name, file in builds.items():
        build(tmp_path, name, file)
    with pytest.raises(UsageError) as raised:
        read_builds(tmp_path)
    assert says in raised.value.message
    assert hint in raised.value.hint


def test_a_declaration_without_a_package_and_no_directory_at_all(tmp_path: Path) -> None:
    build(tmp_path, "stock", "").unlink()
    with pytest.raises(UsageError, match=r"holds no \.deb file"):
        read_builds(tmp_path)
    with pytest.raises(UsageError, match="no such directory"):
        read_builds(tmp_path / "nowhere")


def test_the_reference_is_every_subset_or_those_that_tell_single_patches() -> None:
    every = reference_builds(every=True)
    assert len(every) == len({made.patches for made in every}) == 512
    assert [made.target for made in every][:2] == ["reference@base", "reference@base,0001"]
    assert every[-1].target == "reference-ppa"
    assert len(reference_builds(every=False)) == 20
    for made in every:
        assert frozenset(parse_target(made.target).patches) == made.patches


def test_the_ends_are_the_fewest_and_the_most_or_as_named(tmp_path: Path) -> None:
    for name in ("stock", "only-0004", "only-0005", "0004+0005"):
        build(tmp_path, name)
    builds = read_builds(tmp_path)
    for named, names in (
        ((), ["stock", "0004+0005"]),
        (("only-0004", "0004+0005"), ["only-0004", "0004+0005"]),
        (("0004", ""), ["only-0004", "0004+0005"]),  # or by its patches
    ):
        assert [build.name for build in ends(builds, *named)] == names
    for named, says in (
        (("only-0004", "only-0005"), "no part of"),
        (("0004+0005", "stock"), "no part of"),
        (("mine",), "there is no build 'mine'"),
    ):
        with pytest.raises(UsageError, match=says):
            ends(builds, *named)
    with pytest.raises(UsageError, match="no one end") as raised:
        ends([build for build in builds if build.name != "stock"])
    assert "--from" in raised.value.hint


#: A package with three of ours, one of them under a name of its own.
OWN = series_of(
    (
        *BUILT_IN.patches,
        Patch("verbs", "Verbs", "verbs.patch", carries=("0006",)),
        Patch("without-tls", "No TLS", "no-tls.patch"),
    ),
    ["base", "0004", "verbs", "without-tls"],
)


def test_who_carries_a_patch_goes_with_it(tmp_path: Path) -> None:
    for name in ("without-0006", "without-0004", "without-tls", "without-without-tls", "ppa"):
        build(tmp_path, name)
    assert {made.name: made.patches for made in read_builds(tmp_path, OWN)} == {
        "without-0006": {"0004", "without-tls"},
        "without-0004": {"0006", "verbs", "without-tls"},
        "without-without-tls": {"0004", "0006", "verbs"},
        "without-tls": STOCK | {"without-tls"},
        "ppa": {"0004", "0006", "verbs", "without-tls"},
    }
    (tmp_path / "without-0006").rename(tmp_path / "without-verbs")
    [fewest, *_] = read_builds(tmp_path, OWN)
    assert (fewest.name, fewest.patches) == ("without-verbs", {"0004", "without-tls"})


def test_the_reference_is_without_whoever_carries_what_it_is_without() -> None:
    builds = reference_builds(every=False, series=OWN)
    assert frozenset(PPA_PATCHES) - {"0006"} in [made.patches for made in builds]
    assert len(reference_builds(every=True, series=OWN)) == 2**10 - 2**8, "what carries has what it carries"
    for made in builds[1:]:
        assert ends([builds[0], made, builds[-1]], "base", made.name, reference_series(OWN))[1] is made
