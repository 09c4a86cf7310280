"""The schema of a scenario file says what the reader takes, and editors can use it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator

from conformance.errors import UsageError
from conformance.places import data
from conformance.scenario.expecting import KEYS as EXPECTED
from conformance.scenario.reading import KEYS, scenario_of
from tests.scenario_schema import FILE, written

DRAFTS = (Draft4Validator, Draft7Validator, Draft202012Validator)
OURS = Path(__file__).parent / "scenarios"
TAKEN = ("delivery", "everything", "long", "requirement", "short")
FILES = [*sorted(data("fixtures", "scenarios").glob("*.toml")), *(OURS / f"{name}.toml" for name in TAKEN)]
WHOLE = tomllib.loads((OURS / "everything.toml").read_text(encoding="utf-8"))


def faults(document: Any, draft: Any = Draft7Validator) -> list[str]:
    schema = json.loads(FILE.read_text(encoding="utf-8"))
    draft.check_schema(schema)
    return [error.message for error in draft(schema).iter_errors(document)]


def refused(document: dict[str, Any]) -> bool:
    try:
        scenario_of(document, Path("bug.toml"))
    except UsageError:
        return True
    return False


def test_the_file_is_what_the_reader_makes_of_it() -> None:
    again = "it is no longer: `python -m tests.scenario_schema`"
    assert FILE.read_text(encoding="utf-8") == written(), again


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_the_reader_takes_fits_in_every_draft(path: Path, draft: Any) -> None:
    assert faults(tomllib.loads(path.read_text(encoding="utf-8")), draft) == []


@pytest.mark.parametrize("key", KEYS)
def test_a_key_with_a_value_of_no_type_fits_neither(key: str) -> None:
    wrong = {**WHOLE, key: {"of": {"no": ["type"]}}}
    assert refused(wrong)
    assert faults(wrong) != []


@pytest.mark.parametrize("key", [key for key, value in WHOLE.items() if isinstance(value, list | dict)])
def test_a_key_that_there_is_not_in_a_table_fits_neither(key: str) -> None:
    table = WHOLE[key][0] if isinstance(WHOLE[key], list) else WHOLE[key]
    wrong = {**WHOLE, key: {**table, "no such key": {}}}
    assert refused(wrong)
    assert faults(wrong) != []


VALUES = (2, "r -> *", ["r -> *"], {"alice": 1}, {"rcptcheck": ["x"]})
NO_VALUES = (True, [1], {"alice": {}})


@pytest.mark.parametrize("key", EXPECTED)
def test_expect_takes_in_the_schema_what_it_takes(key: str) -> None:
    for value in (*VALUES, *NO_VALUES):
        document = {"session": "> NOOP", "expect": {key: value}}
        if value in NO_VALUES:
            assert refused(document), value
            assert faults(document) != [], value
        elif not refused(document):
            assert faults(document) == [], value
