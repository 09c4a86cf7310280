"""Bills of materials: what dpkg and pip list, in CycloneDX's form."""

import json
import sys
from pathlib import Path

import pytest

from tests.test_release import command

sbom = command("sbom")

LISTED = (
    "libc6:amd64\t2.36-9\tamd64\tinstall ok installed\n"
    "qmail\t1.06-6.2~a+b\tamd64\tinstall ok installed\n"
    "gone\t1\tall\tdeinstall ok config-files\n"
)
SYSTEM = 'ID=ubuntu\nVERSION_CODENAME="focal"\nID_LIKE=debian\n'


def test_what_dpkg_has_installed_is_named_as_package_urls_name_it() -> None:
    assert sbom.of_dpkg(LISTED, SYSTEM) == [
        {
            "name": "libc6",
            "version": "2.36-9",
            "purl": "pkg:deb/ubuntu/libc6@2.36-9?arch=amd64&distro=focal",
        },
        {
            "name": "qmail",
            "version": "1.06-6.2~a+b",
            "purl": "pkg:deb/ubuntu/qmail@1.06-6.2~a%2Bb?arch=amd64&distro=focal",
        },
    ]


def test_a_release_that_does_not_say_its_name_is_left_out() -> None:
    [first, _] = sbom.of_dpkg(LISTED, "")
    assert first["purl"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64"


def test_what_pip_lists_has_the_name_that_the_index_gives_it() -> None:
    [found] = sbom.of_pip('[{"name": "Typing_Extensions", "version": "4.1+x"}]')
    assert found["purl"] == "pkg:pypi/typing-extensions@4.1%2Bx"


def test_a_bill_is_the_same_whatever_the_order_and_another_for_another_content() -> None:
    packages = sbom.of_dpkg(LISTED, SYSTEM)
    bill = sbom.bill("image:1", "container", packages)
    assert bill == sbom.bill("image:1", "container", packages[::-1])
    told, other = json.loads(bill), json.loads(sbom.bill("image:1", "container", packages[:1]))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.5")
    assert [each["name"] for each in told["components"]] == ["libc6", "qmail"]
    assert told["serialNumber"] != other["serialNumber"]


def test_an_image_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho no such image >&2\nexit 125\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", ["sbom", "missing", "--out", str(tmp_path / "out")])
    assert sbom.main() == 3
    assert "ends with 125: no such image" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
