"""Where a program stands: its control files, the patches that it carries, its environment."""

import os
from typing import Dict, FrozenSet, List, Tuple

#: Names a nameserver, `ADDRESS:PORT`, in place of resolv.conf's: for tests, which cannot have port 53.
NAMESERVER_VARIABLE = "QMAIL_REFERENCE_NAMESERVER"

#: Beside the copy of this package in `/usr/lib/qmail-reference`: the patches' numbers, one a line.
PATCHES_FILE = "patches"


def carried_patches() -> FrozenSet[str]:
    """The patches that were chosen when the package was built."""
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..", PATCHES_FILE)
    with open(beside, encoding="ascii") as file:
        return frozenset(file.read().split())


def control_files(home: str) -> Dict[str, str]:
    """The control files by name, one character an octet; empty when they cannot be read.

    Without `me` every program says by itself that it cannot read its control files.
    """
    try:
        return texts(os.path.join(home, "control"))
    except OSError:
        return {}


def texts(directory: str, beginning: str = "") -> Dict[str, str]:
    """The files whose names begin so: name -> text, one character an octet. Raises OSError."""
    found = {}
    for entry in os.scandir(directory):
        if entry.name.startswith(beginning) and entry.is_file():
            with open(entry.path, encoding="latin-1", newline="") as file:
                found[entry.name] = file.read()
    return found


def environment() -> Dict[str, str]:
    """The environment that this process was started with, one character an octet.

    The kernel's copy: Python adds LC_CTYPE to its own when the locale is C (PEP 538), and programs that are
    run from here must not find it.
    """
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().decode("latin-1").split("\0")
    return {name: value for name, equals, value in (entry.partition("=") for entry in entries) if equals}


def arguments(argv: List[str]) -> List[str]:
    """The arguments after the program's name, one character an octet."""
    return [os.fsencode(word).decode("latin-1") for word in argv[1:]]


def resolver(path: str = "/etc/resolv.conf") -> Tuple[str, str]:
    """(address of the first nameserver, options in one line) as resolv.conf(5) says them."""
    try:
        with open(path, encoding="latin-1") as file:
            lines = [line.split() for line in file]
    except OSError:
        lines = []
    servers = [word for words in lines if words[:1] == ["nameserver"] for word in words[1:2]]
    options = [word for words in lines if words[:1] == ["options"] for word in words[1:]]
    return servers[0] if servers else "127.0.0.1", " ".join(options)
