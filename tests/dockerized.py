"""What tests with a Docker engine share: the base image, and candidates that can be had everywhere.

They need QMAIL_BASE, an image to build on; where QMAIL_DOCKER is "required" they fail without it instead of
being skipped. QMAIL_TEST_TARGET names a real qmail instead of the packages of the reference, which are built
here and are installed by the same path.
"""

import os
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.cli.packaging import build
from conformance.targets.docker import engine

BASE = os.environ.get("QMAIL_BASE", "")
_MAY_SKIP = os.environ.get("QMAIL_DOCKER") != "required"

#: On every test with an engine: selectable by `-m docker`, skipped with the reason where it cannot run.
needs_docker = [
    pytest.mark.docker,
    pytest.mark.skipif(_MAY_SKIP and not BASE, reason="QMAIL_BASE names no base image"),
    pytest.mark.skipif(
        _MAY_SKIP and bool(BASE) and bool(engine.available()), reason="no Docker engine answers"
    ),
]


def reference_packages(directory: Path) -> tuple[str, str]:
    """Target names of the packages of the reference, stock and with every patch."""
    build(directory / "stock", STOCK_PATCHES)
    build(directory / "patched", PPA_PATCHES)
    return f"debs:{directory / 'stock'}@", f"debs:{directory / 'patched'}"
