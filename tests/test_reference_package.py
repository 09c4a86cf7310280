"""The package qmail-reference: what is in it, and that it can be built again octet for octet."""

import ast
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from conformance import __version__
from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES, claim_words
from conformance.cli import main
from conformance.cli.packaging import build
from conformance.reference.package import PROGRAMS, contents, package
from conformance.targets.docker.debs import read_debs
from tests.reference_tree import members, tar

LIBRARY = "usr/lib/qmail-reference/"


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb here to read it with")
def test_dpkg_reads_it(tmp_path: Path) -> None:
    path = build(tmp_path, STOCK_PATCHES)
    fields = subprocess.run(["dpkg-deb", "-f", path], capture_output=True, text=True, check=True).stdout
    assert f"\nVersion: {__version__}+stock\n" in fields
    assert "\nConflicts: qmail\n" in fields
    assert "not qmail" in fields
    subprocess.run(["dpkg-deb", "-x", path, tmp_path / "x"], check=True)
    assert (tmp_path / "x/var/lib/qmail/bin/qmail-smtpd").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "x/var/lib/qmail/control").resolve() == tmp_path / "x/etc/qmail"


def test_every_member_has_root_one_time_and_its_directory_before_it() -> None:
    found = members(package(STOCK_PATCHES))
    assert list(found) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    for name in ("control.tar.gz", "data.tar.gz"):
        assert found[name][4:8] == bytes(4), "the time in gzip's own header"
        with tar(found[name]) as archive:
            listed = archive.getmembers()
        assert {(m.uid, m.gid, m.uname, m.gname) for m in listed} == {(0, 0, "root", "root")}
        assert len({m.mtime for m in listed}) == 1
        known = {Path()}
        for path in (Path(m.name) for m in listed):
            assert path.parent in known, path
            known.add(path)


def test_every_program_leads_to_a_function_that_is_shipped() -> None:
    entries = contents(())
    for name, (module, function) in PROGRAMS.items():
        assert entries[f"var/lib/qmail/bin/{name}"].mode == 0o755
        assert f"{LIBRARY}conformance/reference/programs/{module}.py" in entries
        assert callable(getattr(import_module(f"conformance.reference.programs.{module}"), function))


def test_the_modules_are_python_3_8_and_import_nothing_from_outside() -> None:
    entries = contents(())
    modules = [name for name in entries if name.startswith(LIBRARY) and name.endswith(".py")]
    assert not any(name.endswith("/package.py") or "/flaws/" in name for name in modules)
    for name in modules:
        tree = ast.parse(entries[name].content, name, feature_version=(3, 8))
        for node in ast.walk(tree):
            wanted = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wanted += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in wanted:
                inside = LIBRARY + module.replace(".", "/")
                shipped = f"{inside}.py" in entries or f"{inside}/__init__.py" in entries
                assert shipped or module.split(".")[0] in sys.stdlib_module_names, (name, module)


def test_the_maintainer_scripts_are_sh() -> None:
    with tar(members(package(STOCK_PATCHES))["control.tar.gz"]) as archive:
        for script in ("postinst", "prerm", "postrm"):
            file = archive.extractfile(f"./{script}")
            assert file is not None
            assert archive.getmember(f"./{script}").mode == 0o755
            subprocess.run(["sh", "-n"], input=file.read(), check=True)


@pytest.mark.parametrize(
    ("options", "patches"),
    [
        (["--patches", "0005, 0004,0005"], (*STOCK_PATCHES, "0004", "0005")),
        (["--patches", ""], STOCK_PATCHES),
        (["--patches", "base,0001"], ("0001",)),
        ([], PPA_PATCHES),
    ],
)
def test_the_command_builds_the_same_candidate_each_time(
    options: list[str], patches: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reference-deb", str(tmp_path / "new"), *options]) == 0
    path = Path(capsys.readouterr().out.strip())
    version = f"{__version__}+{claim_words(patches).replace(',', '.') or 'stock'}"
    assert path == tmp_path / "new" / f"qmail-reference_{version}_all.deb"
    (deb,) = read_debs(path.parent)
    assert (deb.package, deb.version, deb.architecture) == ("qmail-reference", version, "all")
    assert path.read_bytes() == package(patches)


@pytest.mark.parametrize("patches", ["0012", "stock", "0004,", "four", "0004 0005", None])
def test_wrong_use_is_told(patches: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    directory, told = ("file", "/file") if patches is None else ("new", "there is no patch")
    assert main(["reference-deb", str(tmp_path / directory), "--patches", patches or ""]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
