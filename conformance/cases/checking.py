"""Whether a case that somebody wrote can be run at all: told where it stands, before anything is started."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.requirements import Case, requirement_of
from conformance.errors import UsageError
from conformance.nearest import did_you_mean
from conformance.places import data
from conformance.pod.base import Pod
from conformance.smtp.session import Session

HANDLES = ("internet", "qmail")

#: What `async with qmail.session()` gives.
SESSION = "session"

#: What stands around an act that nobody can await any more.
_NEVER_AWAITED = (ast.Expr, ast.Assert, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Attribute, ast.Subscript)


def check_case(case: Case) -> None:
    """Raise UsageError with file and line where a function with `@requirement` is no case that can be run."""
    function: Any = inspect.unwrap(case)
    if hasattr(function, "script"):  # it is made of a scenario, which is looked at where it is read
        return
    line = function.__code__.co_firstlineno
    requirement = requirement_of(case)
    name = requirement.name if requirement else ""
    for at, what, hint in _complaints(function, line):
        raise UsageError(f"{function.__code__.co_filename}, line {at}: {name}: {what}", hint)


def _complaints(function: Any, line: int) -> Iterator[tuple[int, str, str]]:
    """What is wrong with it: the line, what, and what to do."""
    if function.__qualname__ != function.__name__:
        yield line, "a case stands at the top of its file", "Move it out of its class or function."
    if not function.__name__.startswith("test_"):
        what = f"{function.__name__} is no name that pytest collects"
        yield line, what, f"Name it test_{function.__name__}."
    if not inspect.iscoroutinefunction(function):
        yield line, f"{function.__name__} is no coroutine", f"Write `async def {function.__name__}`."
    for parameter in inspect.signature(function).parameters:
        if parameter not in HANDLES:
            what = f"a case is given {' and '.join(HANDLES)}, and no {parameter}"
            yield line, what, "Leave it out, or make it in the case."
    for node, handle, parents in _attributes(function):
        if node.attr not in (known := handle_attributes(handle)):
            hint = did_you_mean(node.attr, known, f"What there is stands in {data('docs', 'cases.md')}.")
            yield line + node.lineno - 1, f"{ast.unparse(node.value)} has no {node.attr}", hint
        elif _is_act(handle, node.attr) and _is_never_awaited(node, parents):
            said = f"{ast.unparse(node)}(…)"
            yield line + node.lineno - 1, f"{said} is not awaited, and does nothing", f"Write await {said}."


def _is_never_awaited(node: ast.Attribute, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether it is called, and nobody can await what that gives."""
    call = parents[node]
    return isinstance(call, ast.Call) and call.func is node and isinstance(parents[call], _NEVER_AWAITED)


def _attributes(function: Any) -> Iterator[tuple[ast.Attribute, str, Mapping[ast.AST, ast.AST]]]:
    """Where a case names what a handle has, with that handle, in the order of the text; and what is where."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # whoever plays it tells
        return
    names = {name: name for name in inspect.signature(function).parameters if name in HANDLES}
    for item in (node for node in ast.walk(tree) if isinstance(node, ast.withitem)):
        opened = re.match(r"qmail\.session\(|await qmail\.connect\(", ast.unparse(item.context_expr))
        if opened and isinstance(item.optional_vars, ast.Name):
            names[item.optional_vars.id] = SESSION
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(node.value, ast.Name) and node.value.id in names:
            yield node, names[node.value.id], parents


@cache
def handle_attributes(handle: str) -> list[str]:
    """The names of all that a handle has: `internet`, `qmail`, or a session of `qmail`."""
    return [name for name in dir(_made(handle)) if not name.startswith("__")]


def _is_act(handle: str, name: str) -> bool:
    return inspect.iscoroutinefunction(getattr(_made(handle), name))


@cache
def _made(handle: str) -> object:
    pod, internet = cast(Pod, None), Internet()
    return {"internet": internet, "qmail": Qmail(pod, internet), SESSION: Session(pod, 0)}[handle]
