"""Images: contexts, tags, .deb files, package versions, and what a failed build says. No engine needed."""

import gzip
import hashlib
import io
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.errors import UsageError, WorldError
from conformance.targets.docker import images
from conformance.targets.docker.context import Context, archive, digest, internet_context, target_context
from conformance.targets.docker.debs import Deb, read_deb, read_debs

CONTROL = "Package: {package}\nVersion: 1.06-7\nArchitecture: amd64\nDescription: x\n Version: not this\n"


def member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def deb(package: str, compression: str = "gz") -> bytes:
    """A package whose control file is compressed as said; with zst it is one that Python cannot read."""
    control = CONTROL.format(package=package).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz" if compression == "xz" else "w:gz") as tar:
        info = tarfile.TarInfo("./control")
        info.size = len(control)
        tar.addfile(info, io.BytesIO(control))
    content = buffer.getvalue() if compression != "zst" else b"\x28\xb5\x2f\xfd odd"
    return b"!<arch>\n" + member("debian-binary", b"2.0\n") + member(f"control.tar.{compression}", content)


@pytest.mark.parametrize(
    ("name", "package", "compression", "version"),
    [
        ("renamed.deb", "qmail", "gz", "1.06-7"),
        ("renamed.deb", "qmail", "xz", "1.06-7"),
        ("qmail_1.06-7ppa1_amd64.deb", "other", "zst", "1.06-7ppa1"),
    ],
)
def test_a_package_is_known_by_its_control_file_or_else_by_its_name(
    tmp_path: Path, name: str, package: str, compression: str, version: str
) -> None:
    path = tmp_path / name
    path.write_bytes(deb(package, compression))
    assert read_deb(path) == Deb(path, "qmail", version, "amd64")


def written_changes(directory: Path, *names: str, listed: bytes | None = None) -> Path:
    """That of a build with these packages, which stand beside it; `listed`: as it has them."""
    lines = []
    for name in names:
        content = deb(name.partition("_")[0])
        (directory / name).write_bytes(content)
        content = listed or content
        lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n")
    path = directory / "qmail_1.06-7_amd64.changes"
    path.write_text(
        f"Format: 1.8\nChecksums-Sha1:\n 00 1 x.deb\nChecksums-Sha256:\n{''.join(lines)}Files:\n 00 1 x.deb\n"
    )
    return path


def test_of_a_changes_file_the_packages_are_those_that_it_lists(tmp_path: Path) -> None:
    (tmp_path / "qmail_1.06-6_amd64.deb").write_bytes(deb("qmail"))
    names = ("qmail-uids-gids_1.06-7_all.deb", "qmail_1.06-7_amd64.deb")
    changes = written_changes(tmp_path, *names)
    assert [found.path.name for found in read_debs(changes)] == list(names)
    assert [found.path.name for found in read_debs(tmp_path / names[1])] == [names[1]], "and one file is one"
    text = changes.read_text()
    changes.write_text(
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}\n-----BEGIN PGP SIGNATURE-----\n"
    )
    assert len(read_debs(changes)) == 2


def test_a_dsc_file_stands_for_the_build_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "qmail_1.06-7.dsc"
    source.write_text("Format: 3.0 (quilt)\n")
    (tmp_path / "qmail_1.06-7_source.changes").write_text("")
    with pytest.raises(UsageError, match="no build of it stands beside it") as error:
        read_debs(source)
    assert "sbuild qmail_1.06-7.dsc" in error.value.hint
    name = "qmail_1.06-7_amd64.deb"
    changes = written_changes(tmp_path, name)
    assert [found.path.name for found in read_debs(source)] == [name]
    changes.write_text(changes.read_text() + f" {'0' * 64} 7 {source.name}\n")
    with pytest.raises(UsageError, match=r"not the source that .* lists"):
        read_debs(source)
    (tmp_path / "qmail_1.06-7_arm64.changes").write_text("")
    with pytest.raises(UsageError, match="several builds stand beside it"):
        read_debs(source)


def test_a_changes_file_that_is_not_of_these_packages_is_refused(tmp_path: Path) -> None:
    name = "qmail_1.06-7_amd64.deb"
    changes = written_changes(tmp_path, name, listed=deb("qmail") + b"\n")
    with pytest.raises(UsageError, match=f"{name}: this is not the file that .*changes lists"):
        read_debs(changes)
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=f"{name}: No such file") as raised:
        read_debs(changes)
    assert "beside" in raised.value.hint
    with pytest.raises(UsageError, match=r"lists no \.deb file"):
        read_debs(written_changes(tmp_path))
    (tmp_path / "qmail.tar").touch()
    with pytest.raises(UsageError, match=r"no directory, no \.deb and no \.changes file"):
        read_debs(tmp_path / "qmail.tar")


def tar_header(name: str, size: bytes, kind: bytes) -> bytes:
    """The header of a member whose declared size is in the manner of GNU tar, and need not be true."""
    fields = name.encode().ljust(100, b"\0") + b"0000644\0" * 3 + size + b"0" * 12
    whole = fields + b"        " + kind + b"\0" * 100 + b"ustar  \0" + b"\0" * 247
    return whole.replace(b" " * 8, b"%06o\0 " % sum(whole), 1)


def packed(ending: str, content: bytes) -> bytes:
    return b"!<arch>\n" + member(f"control.tar{ending}", content)


#: 64 MiB of zeros, and sizes beyond all memory: what is declared, and what comes out of a little.
ZEROS = bytes(64 << 20)
HUGE = b"\x80" + bytes(3) + (1 << 50).to_bytes(8, "big")
BOMBS = [
    packed(".gz", gzip.compress(ZEROS)),
    packed(".xz", lzma.compress(ZEROS)),
    packed(".gz", gzip.compress(ZEROS)[:-9]),
    packed(".gz", b"\x1f\x8b odd"),
    packed(".xz", b"\xfd7zXZ\0 odd"),
    packed("", tar_header("./control", HUGE, b"0")),
    packed("", tar_header("././@LongLink", HUGE, b"L")),
    deb("qmail").replace(b"100644", b"100644", 1)[:56] + b"-60".ljust(10) + deb("qmail")[66:],
]


@pytest.mark.parametrize("content", [b"", b"not a package", deb("qmail")[:100], *BOMBS], ids=range(11))
def test_a_damaged_package_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "qmail_1_amd64.deb"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"no readable \.deb"):
        read_deb(path)


@pytest.mark.parametrize("package", ["qmail", "netqmail", "notqmail", "qmail-reference"])
def test_a_directory_with_a_qmail_is_a_candidate(tmp_path: Path, package: str) -> None:
    (tmp_path / "a.deb").write_bytes(deb(package))
    (tmp_path / "b.deb").write_bytes(deb("qmail-uids-gids"))
    (tmp_path / "notes.txt").write_text("x")
    assert [found.package for found in read_debs(tmp_path)] == [package, "qmail-uids-gids"]


@pytest.mark.parametrize(
    ("debs", "place", "told"),
    [
        ({}, "", r"no \.deb file at all"),
        ({"a.deb": "qmail-uids-gids"}, "", r"but a\.deb"),
        ({}, "missing", "no such file or directory"),
        ({"a.deb": "qmail", "b.deb": "qmail"}, "", r"a\.deb and b\.deb are the same package"),
    ],
)
def test_a_directory_that_is_no_candidate_is_a_usage_error(
    tmp_path: Path, debs: dict[str, str], place: str, told: str
) -> None:
    for name, package in debs.items():
        (tmp_path / name).write_bytes(deb(package))
    with pytest.raises(UsageError, match=told):
        read_debs(tmp_path / place)


def test_a_context_holds_what_its_dockerfile_copies(tmp_path: Path) -> None:
    (tmp_path / "q.deb").write_bytes(deb("qmail"))
    target = target_context(read_debs(tmp_path))
    assert {"Dockerfile", "install", "agent.pl", "checkpassword", "note", "q.deb"} == set(target)
    internet = internet_context()
    for name in (
        "docker/internet/Dockerfile",
        "docker/internet/install",
        "conformance/targets/agent.py",
        "conformance/cases/test_0005_answers.py",
        "vendor/aiosmtplib/__init__.py",
        "conformance/targets/docker/byhand.py",
        "vendor/dnslib/__init__.py",
        "fixtures/mailboxes/users.toml",
    ):
        assert name in internet
    assert not [name for name in internet if "__pycache__" in name]


def test_the_internet_has_all_that_its_agent_imports(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(internet_context()))) as tar:
        tar.extractall(tmp_path, filter="data")
    # -S: what is installed here is not there; every case is read too, as a script brings but its own.
    code = "import conformance.targets.agent, conformance.cases.test_0005_answers, conformance.explore.acting"
    environment = {"PYTHONPATH": f"{tmp_path}:{tmp_path}/vendor"}
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_an_archive_is_the_same_whatever_the_order() -> None:
    context: Context = {"b/x": (b"1", 0o644), "a": (b"2", 0o755)}
    octets = archive(context)
    assert octets == archive(dict(reversed(context.items())))
    with tarfile.open(fileobj=io.BytesIO(octets)) as tar:
        assert [(entry.name, entry.mode) for entry in tar] == [("a", 0o755), ("b/x", 0o644)]


def test_a_tag_follows_every_file_mode_and_argument() -> None:
    context: Context = {"a": (b"1", 0o644)}
    others: list[Context] = [{"a": (b"2", 0o644)}, {"a": (b"1", 0o755)}, {"b": (b"1", 0o644)}]
    sums = {digest(context, {"BASE": "y"})} | {digest(each, {"BASE": "x"}) for each in (context, *others)}
    assert len(sums) == 5
    assert digest(dict(context), {"BASE": "x"}) in sums


def test_installed_packages_are_read_from_dpkgs_file() -> None:
    status = (
        "Package: qmail\nStatus: install ok installed\nVersion: 1.06-6.2\nDescription: x\n y\n\n"
        "Package: netqmail-doc\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: perl\nStatus: install ok installed\nVersion: 5\n\n"
        "Package: ucspi-tcp\nStatus: install ok installed\nVersion: 1:0.88-6\n"
    )
    assert images.read_packages(status) == {"qmail": "1.06-6.2", "ucspi-tcp": "1:0.88-6"}


def test_a_failed_build_shows_the_end_of_its_log() -> None:
    steps = [{"stream": f"\x1b[91mline {number}\x1b[0m\n"} for number in range(100)]
    said = "the image of stock does not build: The command returned a non-zero code: 1"
    steps.append({"error": said.partition(": ")[2]})
    engine = SimpleNamespace(api=SimpleNamespace(build=lambda **_: (step for step in steps)))
    with pytest.raises(WorldError) as raised:
        images.build(engine, images.Recipe("the image of stock", {}, {}), "tag")
    assert raised.value.message == "\n    ".join([said, *(f"line {number}" for number in range(70, 100))])


def test_an_engine_that_fails_in_a_build_is_a_world_error() -> None:
    with pytest.raises(WorldError, match=r"building the image of stock: .* no attribute 'api'"):
        images.build(object(), images.Recipe("the image of stock", {}, {}), "tag")
