"""The package qmail-reference: what is in it, and that it can be built again octet for octet."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import __version__
from conformance.catalogue import PPA_PATCHES
from conformance.cli import main
from conformance.reference.package import PROGRAMS, build, contents, package
from conformance.targets.docker.debs import read_debs
from tests.reference_tree import members, tar

LIBRARY = "usr/lib/qmail-reference/"


def test_it_is_a_candidate_for_the_debs_target(tmp_path: Path) -> None:
    build(tmp_path, ("0004", "0005"))
    (deb,) = read_debs(tmp_path)
    assert (deb.package, deb.version, deb.architecture) == (
        "qmail-reference",
        f"{__version__}+0004.0005",
        "all",
    )


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb here to read it with")
def test_dpkg_reads_it(tmp_path: Path) -> None:
    path = build(tmp_path, ())
    fields = subprocess.run(["dpkg-deb", "-f", path], capture_output=True, text=True, check=True).stdout
    assert f"\nVersion: {__version__}+stock\n" in fields
    assert "\nConflicts: qmail\n" in fields
    assert "not qmail" in fields
    subprocess.run(["dpkg-deb", "-x", path, tmp_path / "x"], check=True)
    assert (tmp_path / "x/var/lib/qmail/bin/qmail-smtpd").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "x/var/lib/qmail/control").resolve() == tmp_path / "x/etc/qmail"


def test_the_same_files_give_the_same_octets() -> None:
    assert package(PPA_PATCHES) == package(PPA_PATCHES)
    assert package(PPA_PATCHES) != package(())


def test_every_member_has_root_and_one_time() -> None:
    found = members(package(()))
    assert list(found) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    for name in ("control.tar.gz", "data.tar.gz"):
        assert found[name][4:8] == bytes(4), "the time in gzip's own header"
        with tar(found[name]) as archive:
            listed = archive.getmembers()
        assert {(m.uid, m.gid, m.uname, m.gname) for m in listed} == {(0, 0, "root", "root")}
        assert len({m.mtime for m in listed}) == 1


def test_a_directory_comes_before_what_is_in_it() -> None:
    with tar(members(package(()))["data.tar.gz"]) as archive:
        names = archive.getnames()
    known = {Path()}
    for path in map(Path, names):
        assert path.parent in known, path
        known.add(path)


def test_its_patches_are_written_down() -> None:
    assert contents(("0006", "0009"))[LIBRARY + "patches"].content == b"0006\n0009\n"
    assert contents(())[LIBRARY + "patches"].content == b""


def test_every_program_leads_to_a_function_that_is_shipped() -> None:
    entries = contents(())
    for name, (module, function) in PROGRAMS.items():
        assert entries[f"var/lib/qmail/bin/{name}"].mode == 0o755
        source = entries[f"{LIBRARY}conformance/reference/programs/{module}.py"].content
        assert any(
            isinstance(node, ast.FunctionDef) and node.name == function for node in ast.parse(source).body
        )


def test_the_modules_are_python_3_8_and_import_nothing_from_outside() -> None:
    entries = contents(())
    modules = [name for name in entries if name.startswith(LIBRARY) and name.endswith(".py")]
    assert f"{LIBRARY}conformance/reference/package.py" not in modules
    for name in modules:
        tree = ast.parse(entries[name].content, name, feature_version=(3, 8))
        for node in ast.walk(tree):
            wanted = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wanted += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in wanted:
                inside = LIBRARY + module.replace(".", "/")
                shipped = f"{inside}.py" in entries or f"{inside}/__init__.py" in entries
                assert shipped or module.split(".")[0] in sys.stdlib_module_names, (name, module)


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_maintainer_scripts_are_sh(script: str) -> None:
    with tar(members(package(()))["control.tar.gz"]) as archive:
        member = archive.getmember(f"./{script}")
        file = archive.extractfile(member)
        assert file is not None
        assert member.mode == 0o755
        subprocess.run(["sh", "-n"], input=file.read(), check=True)


def test_the_command_prints_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference-deb", str(tmp_path / "new"), "--patches", "0005, 0004,0005"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "new" / f"qmail-reference_{__version__}+0004.0005_all.deb"
    assert path.read_bytes() == package(("0004", "0005"))


def test_the_command_builds_stock_and_by_default_every_patch(tmp_path: Path) -> None:
    assert main(["reference-deb", str(tmp_path), "--patches", ""]) == 0
    assert main(["reference-deb", str(tmp_path)]) == 0
    versions = {path.name.split("_")[1] for path in tmp_path.iterdir()}
    assert versions == {f"{__version__}+stock", f"{__version__}+{'.'.join(PPA_PATCHES)}"}


@pytest.mark.parametrize("patches", ["0003", "base", "0004,", "four", "0004 0005"])
def test_an_unknown_patch_is_wrong_use(
    patches: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reference-deb", str(tmp_path), "--patches", patches]) == 2
    assert "there is no patch" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["reference-deb", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err
