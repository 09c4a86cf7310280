"""pytest as the suite starts it: without what its caller has set and installed for tests of his own."""

import contextlib
import os
from collections.abc import Iterator

#: Of the environment: more options, and more plugins.
_THEIRS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


@contextlib.contextmanager
def own_pytest() -> Iterator[None]:
    """In here pytest, and each worker that it starts, knows the plugins alone that `-p` names."""
    kept = dict(os.environ)
    for name in _THEIRS:
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name in (*_THEIRS, "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
            os.environ.pop(name, None)
            if name in kept:
                os.environ[name] = kept[name]
