"""The shell scripts that a configuration turns into: the one that tcpserver runs, and RCPTCHECK's program."""

from __future__ import annotations

import re

from conformance.errors import UsageError
from conformance.pod.configuration import Configuration, RecipientCheck

#: Where the target agent keeps what belongs to a case: a tmpfs in the target container.
STATE = "/var/lib/conformance"

#: Where the image keeps our programs.
PROGRAMS = "/opt/conformance"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quoted(word: str) -> str:
    """A word as sh reads it back unchanged."""
    return "'" + word.replace("'", "'\\''") + "'"


def session_script(configuration: Configuration) -> bytes:
    """What tcpserver runs for each session: qmail-smtpd with the case's environment, its log kept."""
    environment = dict(configuration.environment)
    check = configuration.recipient_check
    if check is not None:
        program = "missing" if check.fate == "missing" else "rcptcheck"
        environment.setdefault("RCPTCHECK", f"{STATE}/{program}")
    command = ["/var/lib/qmail/bin/qmail-smtpd"]
    password = configuration.password_check
    if password is not None:
        programs = {"check": "checkpassword", "crash": "checkpassword-crash", "missing": "missing"}
        command += [f"{PROGRAMS}/{programs[password.fate]}", f"/bin/{password.subprogram}"]
    lines = ["#!/bin/sh", "ulimit -c 0", "unset PWD OLDPWD"]
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            hint = "a name is letters, digits and underscores, and no value holds NUL"
            raise UsageError(f"environment: {name!r} cannot be set", hint)
        lines.append(f"export {name}={quoted(value)}")
    lines += [f"exec 2>>{STATE}/smtpd.log", f"exec {' '.join(command)}"]
    return ("\n".join(lines) + "\n").encode("latin-1")


def recipient_check_script(check: RecipientCheck, state: str = STATE) -> bytes:
    """RCPTCHECK's program: notes its run, prints, and exits as told.

    Each run has a file of its own, and one short line says in which order they came, so runs at the same
    time do not mix. The environment is the kernel's copy of what qmail-smtpd passed, not sh's.
    """
    lines = [
        "#!/bin/sh",
        f"exec 3>{state}/runs/$$",
        "cd -P . && printf '%s\\0' rcptcheck \"$PWD\" $# ${1+\"$@\"} '' '' 0 >&3",
        "cat /proc/$$/environ >&3",
        f"echo $$ >>{state}/runs/order",
    ]
    if check.says:
        lines.append(f"printf '%s' {quoted(check.says)}")
    if check.fate == "crash":
        lines.append("kill -SEGV $$")
    lines.append('case "$RECIPIENT" in')
    lines += [f"  {quoted(recipient)}) exit {int(status)} ;;" for recipient, status in check.exits.items()]
    lines += ["esac", f"exit {int(check.default)}"]
    return ("\n".join(lines) + "\n").encode("latin-1")
