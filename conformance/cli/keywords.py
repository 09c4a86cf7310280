"""What `-k EXPRESSION` selects: words with `and`, `or`, `not` and parentheses, as pytest's own `-k`."""

import ast
import re
from collections.abc import Callable, Iterable

from conformance.errors import UsageError

_WORD = re.compile(r"[\w:+\-.\[\]\\/]+")


def matcher(expression: str) -> Callable[[Iterable[str]], bool]:
    """Whether an expression fits what has these names; a word fits when a name holds it, whatever its case.

    An empty expression fits everything. Raises UsageError for a wrong one.
    """
    if not expression.strip():
        return lambda names: True
    words: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[0] in ("and", "or", "not"):
            return match[0]
        words.append(match[0].lower())
        return f"word{len(words) - 1}"

    try:
        if set(_WORD.sub("", expression)) - set(" \t()"):
            raise SyntaxError("only words, and, or, not and parentheses stand here")
        tree = ast.parse(_WORD.sub(numbered, expression).strip(), mode="eval").body
        for node in ast.walk(tree):
            if not isinstance(node, ast.BoolOp | ast.UnaryOp | ast.Name | ast.boolop | ast.Not | ast.Load):
                raise SyntaxError("words are joined by and, or, not")
    except SyntaxError as error:
        raise UsageError(f"-k {expression!r}: {error.msg}", "Write it as pytest's -k.") from error

    def fits(node: ast.AST, names: list[str]) -> bool:
        match node:
            case ast.BoolOp(op=ast.And()):
                return all(fits(value, names) for value in node.values)
            case ast.BoolOp():
                return any(fits(value, names) for value in node.values)
            case ast.UnaryOp():
                return not fits(node.operand, names)
        assert isinstance(node, ast.Name)
        word = words[int(node.id.removeprefix("word"))]
        return any(word in name for name in names)

    return lambda names: fits(tree, [name.lower() for name in names])
