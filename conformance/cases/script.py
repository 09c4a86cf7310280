"""What is played on a pod, as data: a function of the handles by its name, and what it is given besides.

So it can be played where the pod's sockets are. A case of this package is there by name; one from elsewhere
brings the text of its file along.
"""

import hashlib
import importlib
import inspect
import sys
import types
from dataclasses import dataclass, field
from importlib.util import decode_source
from pathlib import Path
from typing import Any, cast

from conformance.catalogue.requirements import Case

#: Seconds after which what is played is ended. Each act has a limit of its own; this stops what loops.
LIMIT = 180.0

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class Script:
    """`function` of `module` is called with the handles that it names, and with `arguments`.

    `source`: the text of the module where it does not belong to this package. `limit` in seconds.
    """

    module: str
    function: str
    arguments: dict[str, str] = field(default_factory=dict)
    source: str = ""
    limit: float = LIMIT


def script_of(case: Case, **arguments: str) -> Script:
    """The script of a function at the top of a module, or the one that it brings along."""
    function: Any = inspect.unwrap(case)
    if isinstance(brought := getattr(function, "script", None), Script):
        return brought
    module = function.__module__
    source = ""
    if module.partition(".")[0] != _PACKAGE:
        try:
            source = decode_source(Path(inspect.getfile(function)).read_bytes())
            if function.__qualname__ != function.__name__:
                raise ValueError("a case stands at the top of its file, under its own name")
        except (OSError, SyntaxError, TypeError, ValueError) as error:  # told by whoever plays it
            source = f"raise ImportError({str(error)!r})"
    return Script(module, function.__name__, arguments, source)


def function_of(script: Script) -> Case:
    """The function that a script names. Raises whatever its module raises when it is imported."""
    module = _made(script) if script.source else importlib.import_module(script.module)
    return cast(Case, getattr(module, script.function))


def _made(script: Script) -> types.ModuleType:
    """The module of a text, made once."""
    name = f"{script.module}_{hashlib.sha256(script.source.encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        code = compile(script.source, f"{script.module}.py", "exec")
        sys.modules[name] = module
        try:
            exec(code, vars(module))
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
