"""Whose an address is: locals, virtualdomains and percenthack in every manner."""

from typing import Any

from conformance.explore.areas.choosing import Choices
from conformance.explore.areas.homes import program_lines
from conformance.explore.areas.hosts import put, some, table
from conformance.explore.document import Document

_PREFIXES = ("alice", "vd", "bob-boxes", "", "", "nobody", "Alice-A", "alias-list", "alice-list")
_VIRTUAL = (
    "virtual.example", ".virtual.example", "user@virtual.example", "", "sub.virtual.example",
    "Virtual.EXAMPLE", "here.example", "b@big.example", "big.example", "x@virtual.example", ".example",
    "hack.example", ".sub.virtual.example", "alice@here.example", "# virtual.example",
)  # fmt: skip
#: A line without a prefix, and one that holds for more than that.
_EXCEPTIONS = (
    ("sub.virtual.example", ".virtual.example"), ("x@virtual.example", "virtual.example"),
    ("big.example", ""),
    ("deep.sub.virtual.example", ".sub.virtual.example"), ("virtual.example", ""),
    (".virtual.example", ".example"),
)  # fmt: skip
_VIRTUAL_RECIPIENTS = (
    "x@virtual.example", "user@virtual.example", "USER@virtual.example", "x@sub.virtual.example",
    "X@Virtual.example", "alice-a@virtual.example", "x@deep.sub.virtual.example", "b@big.example",
    "c@big.example", "alice@here.example", "x@other.virtual.example", "c@there.example",
    "boxes-x@virtual.example",
)  # fmt: skip


def virtual_domains(choices: Choices, made: Document) -> list[str]:
    """virtualdomains: lines for domains, wildcards, addresses, everything, and exceptions."""
    lines = [f"{choices.of(_VIRTUAL)}:{choices.of(_PREFIXES)}" for _ in range(choices.of((1, 2, 2, 3, 4)))]
    if choices.chance(3):
        exception, wider = choices.of(_EXCEPTIONS)
        lines += [f"{exception}:", f"{wider}:{choices.of(_PREFIXES)}"][:: choices.of((1, -1))]
    table(made, "control")["virtualdomains"] = lines + [f"{lines[0]} "] * choices.chance(20)
    if choices.chance(2):
        table(made, "dot-qmail")["alias/.qmail-vd-default"] = choices.of(
            ("./Maildir/", "&alice", "|exit 100")
        )
    put(choices, table(made, "dot-qmail"), "alice/.qmail-default", ("./Maildir/", "&b@big.example"), 2)
    if choices.chance(4):
        table(made, "dot-qmail")["alice/.qmail-default"] = "\n".join(program_lines(choices, made))
    return some(choices, _VIRTUAL_RECIPIENTS, 4, 2)


_LOCALS: tuple[Any, ...] = (
    ["here.example", "one.example"], ["one.example", "here.example"], ["HERE.EXAMPLE"], [],
    ["# here.example"], ["#one.example", "here.example"], False, ["here.example \t"],
    ["here.example", "virtual.example"], ["here.example", "big.example"], [".example"], ["mx.here.example"],
    [""], ["One.Example"],
)  # fmt: skip


def local_domains(choices: Choices, made: Document) -> list[str]:
    """locals in every manner, beside virtualdomains mostly."""
    table(made, "control")["locals"] = choices.of(_LOCALS)
    boxes = (
        "alice@here.example",
        "alice@one.example",
        "alice@ONE.example",
        "alice@mx.here.example",
        "alice@HERE.example",
    )
    return some(choices, boxes, 3) + (virtual_domains(choices, made) if choices.chance(2) else [])


def percent_hack(choices: Choices, made: Document) -> list[str]:
    """percenthack, and addresses with a percent sign."""
    lines: tuple[list[str], ...] = (
        ["hack.example"],
        ["here.example"],
        ["HACK.example", "here.example"],
        [],
        ["# hack.example"],
        ["hack.example "],
    )
    table(made, "control")["percenthack"] = choices.of(lines)
    boxes = (
        "alice%here.example@hack.example", "b%big.example@hack.example", "x%virtual.example@here.example",
        "b%big.example%there.example@here.example", "a%@here.example", "%here.example@here.example",
        "b@hack.example",
        "alice%HERE.example@Hack.Example", "alice%hack.example@there.example", "alice@here.example",
    )  # fmt: skip
    return some(choices, boxes, 3)
