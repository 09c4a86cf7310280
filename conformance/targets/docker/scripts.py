"""The shell scripts that a configuration turns into: the one that tcpserver runs, and RCPTCHECK's program."""

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
    lines = ["#!/bin/sh", "ulimit -c 0", "unset PWD OLDPWD"]
    lines += [f"export {setting}" for setting in settings(configuration, STATE)]
    lines += [f"exec 2>>{STATE}/smtpd.log", f"exec {' '.join(smtpd_command(configuration, PROGRAMS))}"]
    return ("\n".join(lines) + "\n").encode("latin-1")


def settings(configuration: Configuration, directory: str) -> list[str]:
    """The environment of qmail-smtpd as sh sets it: NAME='VALUE'. RCPTCHECK's program is in `directory`.

    Raises UsageError for what no environment can hold.
    """
    environment = dict(configuration.environment)
    check = configuration.recipient_check
    if check is not None:
        program = "missing" if check.fate == "missing" else "rcptcheck"
        environment.setdefault("RCPTCHECK", f"{directory}/{program}")
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            hint = "a name is letters, digits and underscores, and no value holds NUL"
            raise UsageError(f"environment: {name!r} cannot be set", hint)
    return [f"{name}={quoted(value)}" for name, value in environment.items()]


def smtpd_command(configuration: Configuration, directory: str) -> list[str]:
    """qmail-smtpd with its checkprogram and subprogram, where there are any; ours are in `directory`."""
    command = ["/var/lib/qmail/bin/qmail-smtpd"]
    password = configuration.password_check
    if password is not None:
        programs = {"check": "checkpassword", "crash": "checkpassword-crash", "missing": "missing"}
        command += [f"{directory}/{programs[password.fate]}", f"/bin/{password.subprogram}"]
    return command


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
    return ("\n".join([*lines, *judging(check)]) + "\n").encode("latin-1")


def judging(check: RecipientCheck) -> list[str]:
    """The lines with which RCPTCHECK's program prints, and exits as told about $RECIPIENT."""
    lines = []
    if check.says:
        lines.append(f"printf '%s' {quoted(check.says)}")
    if check.fate == "crash":
        lines.append("kill -SEGV $$")
    lines.append('case "$RECIPIENT" in')
    lines += [f"  {quoted(recipient)}) exit {int(status)} ;;" for recipient, status in check.exits.items()]
    return [*lines, "esac", f"exit {int(check.default)}"]
