"""The published JSON Schemas, for the tests of what is written and of what must be refused.

`python -m tests.schemas` writes anew what `run-2` says of records, after a change in `conformance/pod`.
"""

import json
import types
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jsonschema import Draft202012Validator

from conformance.pod.record import Record

#: Fields that map names of any kind.
ANY_NAMES = {"packages", "control", "environment", "dot_qmail", "steps", "users", "reached", "document"}
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


def spoilt(document: Any) -> Iterator[Any]:
    """Copies of a document that no schema may accept: a field is missing, unknown, or of another type."""
    if isinstance(document, dict):
        yield {**document, "more": "than there should be"}
        for name, value in document.items():
            yield {key: kept for key, kept in document.items() if key != name}
            yield {**document, name: {"of": {"no": "type"}}}
            if name not in ANY_NAMES:
                yield from ({**document, name: wrong} for wrong in spoilt(value))
    elif isinstance(document, list) and document:
        yield from ([wrong, *document[1:]] for wrong in spoilt(document[0]))


def schema_of(wanted: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of what `codec.encode` writes of a type; each dataclass is added to `definitions`.

    Numbers that need not be whole are times, in seconds.
    """
    origin, arguments = get_origin(wanted), get_args(wanted)
    if isinstance(wanted, type) and is_dataclass(wanted):
        hints = get_type_hints(wanted)
        properties = {field.name: schema_of(hints[field.name], definitions) for field in fields(wanted)}
        definitions[wanted.__name__] = {
            "type": "object",
            "additionalProperties": False,
            # What came later has a default, and older records lack it.
            "required": [
                field.name
                for field in fields(wanted)
                if field.name == "act" or (field.default is MISSING and field.default_factory is MISSING)
            ],
            "properties": properties,
        }
        return {"$ref": f"#/$defs/{wanted.__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"oneOf": [schema_of(kind, definitions) for kind in arguments]}
    if origin in (list, tuple):
        return {"type": "array", "items": schema_of(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1], definitions)}
    names = {str: "string", int: "integer", bool: "boolean", types.NoneType: "null"}
    return {"type": "number", "minimum": 0} if wanted is float else {"type": names[wanted]}


def describe_records() -> None:
    """Write the definitions of records anew, one a line."""
    path = DIRECTORY / "run-2.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: made for name, made in schema["$defs"].items() if not name[0].isupper()}
    definitions: dict[str, Any] = {}
    schema_of(Record, definitions)
    head = json.dumps({**schema, "$defs": kept}, indent=2, ensure_ascii=False).removesuffix("\n  }\n}")
    rows = [f",\n    {json.dumps(name)}: {json.dumps(made)}" for name, made in sorted(definitions.items())]
    path.write_text(f"{head}{''.join(rows)}\n  }}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    describe_records()
