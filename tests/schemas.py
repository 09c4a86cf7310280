"""The published JSON Schemas, for the tests of what is written and of what must be refused."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DIRECTORY = Path(__file__).parent.parent / "docs" / "schema"


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of `docs/schema/NAME.schema.json`, itself checked."""
    schema = json.loads((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def faults(name: str, document: Any) -> list[str]:
    """What the schema has against a document; nothing when it accepts it."""
    return [error.message for error in validator(name).iter_errors(document)]
