"""`bisect` and `attribute` over a directory of packages, in containers: a stack of the reference's."""

from pathlib import Path

import pytest

from conformance.cli import main
from conformance.cli.packaging import build
from tests.dockerized import needs_docker

pytestmark = needs_docker


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three builds, one of which declares its patches by a file."""
    directory = tmp_path / "builds"
    for name, patches in (("stock", ()), ("0006", ("0006",)), ("newest", ("0006", "0008"))):
        build(directory / name, patches)
    (directory / "newest" / "patches").write_text("0006 0008\n", encoding="utf-8")
    return directory


def test_a_stack_of_packages_is_searched(
    stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["bisect", "0006.unknown.code", "--targets", str(stack), "--out", out]) == 0
    said = capsys.readouterr().out
    assert "from unmet to met by 0006." in said
    assert "3 runs out of 3 builds" in said
    assert "executable specifications, not qmail" in said
    assert main(["attribute", out, "--out", str(tmp_path / "table")]) == 0
    assert "1 requirement over 3 builds: 1 as named" in capsys.readouterr().out
