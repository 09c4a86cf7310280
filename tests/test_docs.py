"""The pages are true: a command stands where CI runs it, and what is made from the code is all there."""

import re
from pathlib import Path

import pytest

from conformance.catalogue.builtin import PATCHES
from conformance.targets.image_options import IMAGE_OPTIONS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docker" / "README.md"]
PAGES += [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]

_FENCED = re.compile(r"^( *)```(.*)\n(?:.*\n)*?\1```$", re.MULTILINE)
_COMMAND = re.compile(r"(?:[\w.$/]*/)?(?:qmail-conformance|tox|pip|pytest|autopkgtest|debootstrap) \S")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_stands_in_a_block_that_is_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCED.finditer(text))
    assert [fence[0] for fence in fences if not fence[2].strip()] == [], "say what is in the block"
    not_run = [fence[0] for fence in fences if not fence[2].startswith("sh")]
    indented = re.findall(r"^    .*", _FENCED.sub("", text), re.MULTILINE)
    lines = [line.strip() for block in [*not_run, *indented] for line in block.splitlines()]
    assert [line for line in lines if _COMMAND.match(line)] == []


def test_what_the_readme_says_for_a_fresh_machine_is_what_ci_does_first() -> None:
    blocks = re.findall(r"^```sh set-up\n(.*?)^```$", PAGES[0].read_text(encoding="utf-8"), re.M | re.S)
    done = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(" -q", "").replace(" --quiet", "")
    steps = [step for block in blocks for line in block.splitlines() for step in line.split(" && ")]
    assert len(steps) == 4
    assert [step for step in steps if step not in done] == []


def test_the_readme_is_one_screen() -> None:
    lines = PAGES[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 130


def test_every_variable_that_the_code_reads_has_a_row() -> None:
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    sources = [*(ROOT / "conformance").rglob("*.py"), *(ROOT / "conformance").rglob("*.sh")]
    read = {name for path in sources for name in re.findall(r"\bQMAIL_[A-Z_]+\b", path.read_text("utf-8"))}
    made = {variable for variable, _ in IMAGE_OPTIONS.values()}
    assert {name for name in read - made if f"`{name}" not in page} == set()


def test_every_patch_has_its_page_of_the_catalogue() -> None:
    made = (DOCS / "reference" / "catalogue").glob("*.md")
    pages = {page.stem: page.read_text(encoding="utf-8").strip() for page in made}
    del pages["index"]
    assert pages == {number: f"<!-- made: catalogue {number} -->" for number in PATCHES}
