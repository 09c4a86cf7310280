"""A real browser on the site of the sample: Debian's Chromium, driven by Playwright, without a network.

Needs `playwright`, `axe-playwright-python`, `pypdf` and a Chromium in PATH. Without them the tests are
skipped with a reason, and fail with it where QMAIL_BROWSER=required is set.
"""

import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from conformance.cli.reporting import throughput_of, write_site
from conformance.judge.comparison import compare
from conformance.judge.runfile import read_run

SAMPLE = Path(__file__).resolve().parents[2] / "reports" / "sample"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def chromium() -> str | None:
    """The path of the browser, None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def needed(module: str) -> Any:
    """A module that only these tests need."""
    try:
        return importlib.import_module(module)
    except ImportError:
        _missing(f"{module.partition('.')[0]} is not installed")


def _missing(reason: str) -> NoReturn:
    """Skip; where a browser was asked for, as in CI, fail instead: a green run that tested nothing lies."""
    if os.environ.get("QMAIL_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def launched(playwright: Any) -> Any:
    """A headless browser that can resolve no name."""
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # its own sandbox needs an ordinary user
    return playwright.chromium.launch(executable_path=chromium(), args=arguments)


def sample_site(directory: Path, runs: Path = SAMPLE, bench: str = "") -> Path:
    """The index of the site of stock and patched packages, perhaps with a bench, below `directory`."""
    both = compare([read_run(runs / f"debs-{name}.jsonl") for name in ("stock", "ppa")])
    return write_site(both, directory, throughput_of(bench, both))


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the index page."""
    return sample_site(tmp_path_factory.mktemp("site"), bench=str(SAMPLE / "bench")).as_uri()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = needed("playwright.sync_api")
    if chromium() is None:
        _missing(f"no Chromium in PATH ({', '.join(_NAMES)})")
    with api.sync_playwright() as playwright:
        started = launched(playwright)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page. Whatever the test does: no console error, and no request but for files."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = context.new_page()
    trouble: list[str] = []
    made.on("console", lambda message: trouble.append(message.text) if message.type != "log" else None)
    made.on("pageerror", lambda error: trouble.append(str(error)))
    made.on("request", lambda request: None if _local(request.url) else trouble.append(request.url))
    yield made
    context.close()
    assert trouble == []


def _local(address: str) -> bool:
    return address.startswith(("file:", "data:"))
