"""The schema of a scenario file, made of what the reader of such files is made of.

`python -m tests.scenario_schema` writes it anew. It keeps to what drafts 4 to 2020-12 have in common: editors
for TOML know one or the other.
"""

import json
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from conformance.pod.configuration import HostTimeouts, PasswordCheck, Program, QueueProgram, RecipientCheck
from conformance.pod.world import Exchanger, Fault, Padding
from conformance.scenario.expecting import KEYS as EXPECTED
from conformance.scenario.form import Claim
from conformance.scenario.reading import KEYS
from tests.schemas import DIRECTORY

FILE = DIRECTORY / "scenario-1.schema.json"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "number", "minimum": 0, "maximum": 60}
TEXTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}


def by_name(of: Schema) -> Schema:
    return {"type": "object", "additionalProperties": of}


def programs(of: Schema) -> Schema:
    """By the names that such programs may have."""
    return {"type": "object", "additionalProperties": False, "patternProperties": {"^[a-z]{1,20}$": of}}


def tables(of: Schema) -> Schema:
    """`[[name]]`, or one `[name]` alone."""
    return {"anyOf": [of, {"type": "array", "items": of, "maxItems": 1000}]}


def table(properties: Schema, *required: str) -> Schema:
    made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**made, "required": list(required)} if required else made  # draft 4 has no empty list there


#: What a key of [expect] takes, by the words in which the reader says it.
TAKES = {"texts": TEXTS, "number": COUNT, "table": by_name({"anyOf": [COUNT, TEXTS]})}

#: Beside the fields of a class: what else its table may say, and what it says otherwise than its type.
BESIDE: dict[type, Schema] = {PasswordCheck: {"mode": TEXT}}
OPTIONAL = {(Padding, "type")}

PROPERTIES: Schema = {
    **dict.fromkeys(("title", "text", "resolver"), TEXT),
    **dict.fromkeys(("nobody-listens", "refuse-tcp", "delivering"), FLAG),
    "session": TEXTS,
    "deliver": tables(
        table(
            {
                "host": TEXT, "sender": TEXT, "recipients": TEXTS, "message": TEXT, "limit": SECONDS,
                "report": {"type": "string", "pattern": "^[KZD*]"}, "reports": TEXTS,
            },
            "recipients",
        )
    ),
    "expect": table(
        {key: {"anyOf": [TAKES[word] for word in takes.split(" or ")]} for key, takes in EXPECTED.items()}
    ),
    "zones": by_name(TEXT),
    "latency": SECONDS,
    "control": by_name({"anyOf": [*TEXTS["anyOf"], {"type": "integer"}, {"enum": [False]}]}),
    "environment": by_name(TEXT),
    "aliases": TEXTS,
    "verifying": {"enum": [True, False, "mute"]},
    "dot-qmail": by_name(TEXT),
    "mode": by_name({"type": "string", "pattern": "^([0-7]{4}|gone)$"}),
    "signal": tables(
        table(
            {
                "name": {"enum": ["ALRM", "HUP"]}, "after": {"type": "integer", "minimum": 1},
                "control": by_name({"anyOf": [*TEXTS["anyOf"], {"type": "integer"}]}),
            },
            "name",
        )
    ),
}  # fmt: skip

#: What an editor shows beside a key.
ABOUT = {
    "title": "What it shows, in a line.",
    "text": "More about it.",
    "session": "A chat with qmail-smtpd, or a list of them: `> ` the client says, `< ` must come back.",
    "deliver": "A run of qmail-remote, after all sessions.",
    "expect": "What must be seen when all is done.",
    "zones": "The DNS: records by the name of the zone, `@ MX 10 mx`.",
    "padding": "Fills an answer of the DNS up to exactly so many octets.",
    "fault": "Answers a question otherwise than the zone says; the first that fits wins.",
    "exchanger": "A host; with one of these the ordinary one is gone.",
    "nobody-listens": "Every connection to a host is refused.",
    "refuse-tcp": "No DNS over TCP.",
    "latency": "Seconds that every answer of the DNS takes longer.",
    "control": "Control files, beside the ordinary ones: lines, or false for none.",
    "environment": "What qmail-smtpd finds in its environment.",
    "rcptcheck": "The program that RCPTCHECK names.",
    "auth": "qmail-smtpd runs with a checkprogram that knows the fixtures' users; mode is SMTPAUTH.",
    "queue-program": "The program that QMAILQUEUE names.",
    "remote-program": "The program in the place of qmail-remote, for qmail-send's deliveries.",
    "dot-qmail": "Files by USER/.qmail or USER/.qmail-EXTENSION.",
    "resolver": "The option line of resolv.conf.",
    "delivering": "qmail-send runs; otherwise accepted mail stays in the queue.",
    "verifying": "qmail-verify runs; mute: something in its place answers nothing.",
    "aliases": "Keys of fastforward's aliases.cdb, which qmail-verify is told of.",
    "timed-out": "A host that qmail-remote remembers for time-outs.",
    "requirement": "The requirement that this scenario decides; with it the file is a case.",
    "delivery-program": "Programs that dot-qmail files run, as |/var/lib/conformance/NAME.",
    "mode": "Permissions of a home or of what stands there, in octal; gone: there is none.",
    "signal": "What qmail-send gets after a session, when it rests.",
}

#: Tables that are read into a class, and how.
CLASSES: dict[str, tuple[type, Any]] = {
    "padding": (Padding, tables),
    "fault": (Fault, tables),
    "exchanger": (Exchanger, tables),
    "timed-out": (HostTimeouts, tables),
    "rcptcheck": (RecipientCheck, dict),
    "auth": (PasswordCheck, dict),
    "queue-program": (QueueProgram, dict),
    "remote-program": (Program, dict),
    "delivery-program": (Program, programs),
    "requirement": (Claim, dict),
}


def schema() -> Schema:
    """All of it."""
    definitions: Schema = {}
    made = {key: how(of_type(kind, definitions)) for key, (kind, how) in CLASSES.items()}
    found = {**PROPERTIES, **made}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A scenario",
        "description": "A bug report that runs: `qmail-conformance try FILE.toml`; see docs/scenarios.md.",
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": ["session"]}, {"required": ["deliver"]}],
        "properties": {key: {"description": ABOUT[key], **found[key]} for key in KEYS},
        "definitions": dict(sorted(definitions.items())),
    }


def of_type(wanted: Any, definitions: Schema) -> Schema:
    """How a value of a field of this type is written in the file; a class becomes one of `definitions`."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if isinstance(wanted, type) and is_dataclass(wanted):
        hints = get_type_hints(wanted)
        needed = [
            field.name
            for field in fields(wanted)
            if field.default is MISSING and field.default_factory is MISSING
            and (wanted, field.name) not in OPTIONAL
        ]  # fmt: skip
        properties = {name: of_type(kind, definitions) for name, kind in hints.items()}
        definitions[wanted.__name__] = table({**properties, **BESIDE.get(wanted, {})}, *needed)
        return {"$ref": f"#/definitions/{wanted.__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        kinds = [of_type(kind, definitions) for kind in arguments if kind is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if origin is dict:
        return by_name(of_type(arguments[1], definitions))
    if wanted == list[str]:
        return TEXTS
    if origin is list:
        return {"type": "array", "items": of_type(arguments[0], definitions)}
    return {str: TEXT, bool: FLAG, int: COUNT, float: SECONDS}[wanted]


def written() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
