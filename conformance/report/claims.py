"""What a failed assertion says in pytest's words: the case's own words, the claim, where values are from."""

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Any

_READ = 20_000  #: characters of what was seen that are read for it
_MOST_TIMES = 1000  #: that something is repeated
_QUOTED = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
QUOTES = re.compile(_QUOTED)
REPLY = re.compile(rf"<reply (\d+) {_QUOTED}>")
NO_REPLY = re.compile(r"<no reply: (.*?)>(?=[\s,;:.\])]|$)", re.MULTILINE)
DELIVERY = re.compile(rf"<delivery {_QUOTED} {_QUOTED}(, still running at the limit)?(, crashed by [^>]*)?>")
DIFFERS = re.compile(r"^\s*At index \d+ diff: (.*) != (.*)$", re.MULTILINE)
#: What pytest says was promised besides: an item of a list, or items of a set.
LACKED = re.compile(
    r"^\s*(?:Right contains .* items?(?:, first extra item)?:|Extra items in the right set:\n) *(.*)$", re.M
)
_WHERE = re.compile(r"^\s*\+\s+(?:where|and)\s+(.*)$")
_OPERATORS = ("not in", "is not", "==", "!=", ">=", "<=", ">", "<", "in", "is")


def parts(seen: str) -> tuple[str, str, list[str]]:
    """The case's own words, what was claimed (without `assert`), and where its values come from."""
    lines = seen[:_READ].split("\n")
    at = next((i for i, line in enumerate(lines) if line.lstrip().startswith("assert ")), len(lines))
    claim = lines[at].strip().removeprefix("assert ") if at < len(lines) else ""
    wheres = [found[1] for line in lines[at + 1 :] if (found := _WHERE.match(line))]
    return "\n".join(lines[:at]).strip(), claim, wheres


def split(claim: str) -> tuple[str, str, str]:
    """Left, operator and right of a claim; operators inside of quotes and brackets are none."""
    depth, quote, at = 0, "", 0
    while at < len(claim):
        char = claim[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == " " and not depth:
            for operator in _OPERATORS:
                if claim.startswith(f" {operator} ", at):
                    return claim[:at], operator, claim[at + len(operator) + 2 :]
        at += 1
    # pytest cuts long values short, quotes and all.
    left, operator, right = claim.partition(" == ")
    return left, operator.strip(), right


def literal(text: str) -> Any:
    """What a value in Python's form is. Raises ValueError for anything else, whatever it holds.

    Sums and multiples of lists and texts are known too: pytest writes `([250] * 6)` as the case does.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes
            return _evaluated(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, MemoryError, RecursionError, OverflowError) as error:
        raise ValueError(f"no literal: {text[:80]!r}") from error


def _evaluated(node: ast.expr) -> Any:
    """The value of an expression, a number of times something in it at most so long as people read."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Add, ast.Mult)):
        return ast.literal_eval(node)
    left, right = _evaluated(node.left), _evaluated(node.right)
    if not isinstance(left, (str, list)):
        raise ValueError("no sum that a case writes")
    times: Any = left
    return times + right if isinstance(node.op, ast.Add) else times * min(right, _MOST_TIMES)


def unquoted(text: str) -> str:
    try:
        return " ".join(str(literal(text)).split())
    except ValueError:
        return " ".join(text.strip("'\"").split())


def codes_in(text: str) -> list[int]:
    """Reply codes as a claim compares them: `250`, `[250, 553]`; none where it is about something else."""
    try:
        value = literal(text)
    except ValueError:
        return []
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    values = values[:-1] if values[-1:] == [...] else values  # pytest has cut the list short
    fine = all(isinstance(each, int) and (200 <= each < 600 or each == 0) for each in values)
    return list(values) if values and fine and any(values) else []


def is_report(text: str) -> bool:
    """Whether a value is letters of a report of qmail-remote, as `'rK'`."""
    return bool(re.fullmatch(r"'[rhs]*[KZD]'", text))


def deliveries(texts: list[str]) -> Iterator[re.Match[str]]:
    """Deliveries of qmail-remote as cases show them: report, words, what became of the program."""
    for text in texts:
        yield from DELIVERY.finditer(text)
