"""Images: contexts, tags, .deb files, package versions, and what a failed build says. No engine needed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import UsageError, WorldError
from conformance.targets.docker import images
from conformance.targets.docker.context import Context, archive, digest, internet_context, target_context
from conformance.targets.docker.debs import read_deb, read_debs

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


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_a_package_is_known_by_its_control_file(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "renamed.deb"
    path.write_bytes(deb("qmail", compression))
    found = read_deb(path)
    assert (found.package, found.version, found.architecture) == ("qmail", "1.06-7", "amd64")


def test_a_package_with_unknown_compression_is_known_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "qmail_1.06-7ppa1_amd64.deb"
    path.write_bytes(deb("other", "zst"))
    found = read_deb(path)
    assert (found.package, found.version, found.architecture) == ("qmail", "1.06-7ppa1", "amd64")


@pytest.mark.parametrize("content", [b"", b"not a package", deb("qmail")[:100]])
def test_a_damaged_package_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "qmail_1_amd64.deb"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"no readable \.deb"):
        read_deb(path)


@pytest.mark.parametrize("package", ["qmail", "netqmail", "qmail-reference"])
def test_a_directory_with_a_qmail_is_a_candidate(tmp_path: Path, package: str) -> None:
    (tmp_path / "a.deb").write_bytes(deb(package))
    (tmp_path / "b.deb").write_bytes(deb("qmail-uids-gids"))
    (tmp_path / "notes.txt").write_text("x")
    assert [found.package for found in read_debs(tmp_path)] == [package, "qmail-uids-gids"]


def test_a_directory_without_a_qmail_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.deb file at all"):
        read_debs(tmp_path)
    (tmp_path / "a.deb").write_bytes(deb("qmail-uids-gids"))
    with pytest.raises(UsageError, match=r"but a\.deb"):
        read_debs(tmp_path)
    with pytest.raises(UsageError, match="no such directory"):
        read_debs(tmp_path / "missing")


def test_the_same_package_twice_is_a_usage_error(tmp_path: Path) -> None:
    for name in ("a.deb", "b.deb"):
        (tmp_path / name).write_bytes(deb("qmail"))
    with pytest.raises(UsageError, match=r"a\.deb and b\.deb are the same package"):
        read_debs(tmp_path)


def test_a_context_holds_what_its_dockerfile_copies(tmp_path: Path) -> None:
    (tmp_path / "q.deb").write_bytes(deb("qmail"))
    target = target_context(read_debs(tmp_path))
    assert {"Dockerfile", "install", "agent.pl", "checkpassword", "q.deb"} == set(target)
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


def test_an_archive_is_the_same_whatever_the_order() -> None:
    context: Context = {"b/x": (b"1", 0o644), "a": (b"2", 0o755)}
    octets = archive(context)
    assert octets == archive(dict(reversed(context.items())))
    with tarfile.open(fileobj=io.BytesIO(octets)) as tar:
        assert [(entry.name, entry.mode) for entry in tar] == [("a", 0o755), ("b/x", 0o644)]


def test_a_tag_follows_every_file_mode_and_argument() -> None:
    context: Context = {"a": (b"1", 0o644)}
    sums = {
        digest(context, {"BASE": "x"}),
        digest(context, {"BASE": "y"}),
        digest({"a": (b"2", 0o644)}, {"BASE": "x"}),
        digest({"a": (b"1", 0o755)}, {"BASE": "x"}),
        digest({"b": (b"1", 0o644)}, {"BASE": "x"}),
    }
    assert len(sums) == 5
    assert digest(context, {"BASE": "x"}) == digest(dict(context), {"BASE": "x"})


def test_installed_packages_are_read_from_dpkgs_file() -> None:
    status = (
        "Package: qmail\nStatus: install ok installed\nVersion: 1.06-6.2\nDescription: x\n y\n\n"
        "Package: netqmail-doc\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: perl\nStatus: install ok installed\nVersion: 5\n\n"
        "Package: ucspi-tcp\nStatus: install ok installed\nVersion: 1:0.88-6\n"
    )
    assert images.read_packages(status) == {"qmail": "1.06-6.2", "ucspi-tcp": "1:0.88-6"}


class Engine:
    """Stands in for the SDK's client where only `api.build` is asked."""

    def __init__(self, steps: list[dict[str, str]]) -> None:
        self.api = self
        self._steps = steps

    def build(self, **options: Any) -> Iterator[dict[str, str]]:
        return iter(self._steps)


def test_a_failed_build_shows_the_end_of_its_log() -> None:
    steps = [{"stream": f"\x1b[91mline {number}\x1b[0m\n"} for number in range(100)]
    engine = Engine([*steps, {"error": "The command returned a non-zero code: 1"}])
    with pytest.raises(WorldError) as raised:
        images.build(engine, {}, {}, "tag", "the image of stock")
    message = raised.value.message
    assert "the image of stock does not build: The command returned a non-zero code: 1" in message
    assert "line 99" in message
    assert "line 70" in message
    assert "line 69" not in message
    assert "\x1b" not in message


def test_an_engine_that_fails_in_a_build_is_a_world_error() -> None:
    class Broken(Engine):
        def build(self, **options: Any) -> Iterator[dict[str, str]]:
            raise ConnectionResetError("gone")

    with pytest.raises(WorldError, match="building the image of stock: gone"):
        images.build(Broken([]), {}, {}, "tag", "the image of stock")
