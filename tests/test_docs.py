"""The pages are true: a command stands where CI runs it, and what is made from the code is all there."""

import argparse
import importlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from conformance.cases.collection import all_requirements
from conformance.catalogue.builtin import PATCHES
from conformance.cli import COMMANDS, parser
from conformance.judge.runfile import suite_digest
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


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of docs/site by its name."""
    monkeypatch.syspath_prepend(str(DOCS / "site"))
    return importlib.import_module


def test_the_reference_has_every_command_and_option(made: Callable[[str], ModuleType]) -> None:
    page = made("made_commands").commands()
    subs = next(each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    for name in COMMANDS:
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        options = {option for each in subs.choices[name]._actions for option in each.option_strings}
        common = {"-h", "--help", "--project"}
        assert [option for option in options - common if f"`{option}" not in section] == []


def test_the_catalogue_has_every_requirement_once(made: Callable[[str], ModuleType]) -> None:
    pages = made("made_catalogue").pages()
    told = [name for make in pages.values() for name in re.findall(r"^\((\S+)\)=$", make(), re.MULTILINE)]
    assert sorted(told) == sorted(all_requirements())


def test_every_deviation_of_the_published_package_is_told_in_one_finding(
    made: Callable[[str], ModuleType],
) -> None:
    findings = made("made_findings")
    deviations = findings.published()
    groups = findings.grouped(deviations)
    assert sum(len(of_one) for _, of_one in groups) == len(deviations)
    stranger = replace(
        deviations[0], flaw="0004.dropped", place="own.toml, deviation 1", requirement="new.one"
    )
    assert findings.grouped([*deviations, stranger])[-1] == ({"title": "new.one", "where": []}, [stranger])
    with pytest.raises(ValueError, match=r"0007\.sender-only: in two findings, or of no deviation"):
        findings.grouped([each for each in deviations if each.flaw != "0007.sender-only"])


def test_a_place_in_a_maintainer_script_is_not_called_one_of_netqmail(
    made: Callable[[str], ModuleType],
) -> None:
    places = re.findall(r"^- \*\*Where\*\*: (.*debian/qmail\.\w+)", made("made_findings").findings(), re.M)
    assert set(places) == {"the package's own debian/qmail.postrm"}


def test_what_is_no_markdown_stays_as_it_is_in_a_cell(made: Callable[[str], ModuleType]) -> None:
    assert made("made_commands").cell("a|b *c* `d_e` <f>") == r"a\|b \*c\* `d_e` \<f\>"


def test_a_table_of_the_zoo_of_another_version_tells_nothing(
    made: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = made("made_catalogue")
    table = {
        "digest": "",
        "quick": False,
        "requirements": {"0006.unknown.code": {"catches": ["0006.dropped"]}},
    }
    monkeypatch.setattr(catalogue, "ZOO", tmp_path / "zoo.json")
    told = {}
    for version, digest in (("this", suite_digest()), ("another", "0123456789ab")):
        catalogue.ZOO.write_text(json.dumps(table | {"digest": digest}), encoding="utf-8")
        catalogue.catches.cache_clear()
        told[version] = "0006.dropped" in catalogue.page("0006")
    catalogue.catches.cache_clear()
    assert told == {"this": True, "another": False}
