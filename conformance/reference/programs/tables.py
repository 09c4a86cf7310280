"""qmail-newu and qmail-newmrh: check what the other programs read. The reference needs no cdb files."""

import os

from conformance.reference.programs.accounts import BadTable, read_assign
from conformance.reference.programs.processes import write_all

_TROUBLE = 111


def newu(home: str) -> int:
    """Check users/assign; 111 when it cannot be used."""
    return _checked("qmail-newu", os.path.join(home, "users", "assign"))


def newmrh(home: str) -> int:
    """Check that control/morercpthosts can be read; 111 when not."""
    return _checked("qmail-newmrh", os.path.join(home, "control", "morercpthosts"))


def _checked(program: str, path: str) -> int:
    try:
        with open(path, encoding="latin-1", newline="") as file:
            text = file.read()
        if program == "qmail-newu":
            read_assign(text)
    except (OSError, BadTable) as error:
        write_all(2, f"{program}: fatal: {path}: {error}\n".encode("utf-8", "surrogateescape"))
        return _TROUBLE
    return 0
