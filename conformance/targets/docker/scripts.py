"""The shell scripts that a configuration turns into: what tcpserver runs, and programs with behaviour."""

import re
import shlex

from conformance.errors import UsageError
from conformance.pod.configuration import CHECKPROGRAM, SUBPROGRAM, Configuration, Program, QueueProgram

#: Where the target agent keeps what belongs to a case: a tmpfs in the target container.
STATE = "/var/lib/conformance"

#: Where the image keeps our programs.
PROGRAMS = "/opt/conformance"

#: A link to the directory that qmail was built for.
HOME = f"{PROGRAMS}/qmail"

#: What the runs of a program are noted as, where that is not the name of its file.
NOTED = {"checkprogram": "checkpassword"}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quoted(word: str) -> str:
    """A word as sh reads it back unchanged."""
    return "'" + word.replace("'", "'\\''") + "'"


def session_script(configuration: Configuration) -> bytes:
    """What tcpserver runs for each session: qmail-smtpd with the case's environment, its log kept."""
    lines = ["#!/bin/sh", "ulimit -c 0", "unset PWD OLDPWD"]
    lines += [f"export {setting}" for setting in settings(configuration, STATE)]
    command = shlex.join(smtpd_command(configuration, PROGRAMS, STATE))
    lines += [f"exec 2>>{STATE}/smtpd.log", f"exec {command}"]
    return ("\n".join(lines) + "\n").encode("latin-1")


def settings(configuration: Configuration, directory: str) -> list[str]:
    """The environment of qmail-smtpd as sh sets it, NAME='VALUE'; the programs it names are in `directory`.

    Raises UsageError for what no environment can hold.
    """
    environment = variables(configuration, directory)
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            hint = "a name is letters, digits and underscores, and no value holds NUL"
            raise UsageError(f"environment: {name!r} cannot be set", hint)
    return [f"{name}={quoted(value)}" for name, value in environment.items()]


def variables(configuration: Configuration, directory: str) -> dict[str, str]:
    """What the case sets in the environment of qmail-smtpd; the programs that it names are in `directory`."""
    programs = configuration.programs()
    named = {
        variable: program_path(programs[name], directory, name)
        for variable, name in (("RCPTCHECK", "rcptcheck"), ("QMAILQUEUE", "qmail-queue"))
        if name in programs
    }
    return named | configuration.environment


def program_path(program: Program, directory: str, name: str) -> str:
    """Where a program stands; of a missing one, where nothing does."""
    return f"{directory}/{'missing' if program.fate == 'missing' else name}"


def smtpd_command(configuration: Configuration, directory: str, programs: str) -> list[str]:
    """qmail-smtpd with its arguments. Our checkprogram is in `directory`, those of the case in `programs`."""
    command = [f"{HOME}/bin/qmail-smtpd"]
    password = configuration.password_check
    if password is not None:
        fates = {"check": "checkpassword", "crash": "checkpassword-crash", "missing": "missing"}
        checkprogram, subprogram = f"{directory}/{fates[password.fate]}", f"/bin/{password.subprogram}"
        if password.checkprogram is not None:
            checkprogram = program_path(password.checkprogram, programs, "checkprogram")
        if isinstance(password.subprogram, Program):
            subprogram = program_path(password.subprogram, programs, "subprogram")
        paths = {CHECKPROGRAM: checkprogram, SUBPROGRAM: subprogram}
        command += [paths.get(word, word) for word in password.arguments]
    return command


def program_scripts(
    configuration: Configuration, state: str = STATE, programs: str = PROGRAMS
) -> dict[str, bytes]:
    """The programs with behaviour that a configuration names: file name -> script."""
    return {
        name: program_script(program, NOTED.get(name, name), state, programs)
        for name, program in configuration.programs().items()
        if program.fate != "missing"
    }


def program_script(program: Program, name: str, state: str = STATE, programs: str = PROGRAMS) -> bytes:
    """A program with behaviour: notes its run as that of `name`, and does as told."""
    lines = ["#!/bin/sh", f'/usr/bin/perl {programs}/note {state} {name} $$ ${{1+"$@"}} || exit 111']
    return ("\n".join([*lines, *behaviour(program, name, state)]) + "\n").encode("latin-1")


def printing(said: str) -> str:
    """The command that prints octets; a NUL can stand in no word of a shell."""
    if "\0" not in said:
        return f"printf '%s' {quoted(said)}"
    form = said.replace("\\", "\\\\").replace("%", "%%").replace("\0", "\\000")
    return f"printf {quoted(form)}"


def behaviour(program: Program, name: str, state: str = STATE) -> list[str]:
    """The lines with which a program reads, prints, and comes to its end as told."""
    runs = f"{state}/runs"
    lines = ["status="]
    if isinstance(program, QueueProgram):
        message, envelope = ("cat", "cat <&1") if program.reads else (":", ":")
        lines += [f"{message} >{runs}/$$.input", f"{envelope} >{runs}/$$.envelope"]
    elif program.reads:
        lines.append(f"timeout 1 cat >{runs}/$$.input")
    if name == "checkpassword":
        lines.append("cat <&3 >/dev/null")
    if program.says:
        lines.append(f"{printing(program.says)} 2>/dev/null")  # there may be nobody who listens
    if program.complains:
        lines.append(f"{printing(program.complains)} >&2")
    if program.fate == "crash":
        lines.append("kill -SEGV $$")
    if program.fate == "hang":
        lines.append("exec sleep 1000")
    if program.statuses:
        lines += [f"echo >>{runs}/{name}.count", f"case $(grep -c '' {runs}/{name}.count) in"]
        lines += [f"  {run}) status={int(status)} ;;" for run, status in enumerate(program.statuses, 1)]
        lines.append("esac")
    lines.append('[ -n "$status" ] || case "$RECIPIENT" in')
    lines += [
        f"  {quoted(recipient)}) status={int(status)} ;;" for recipient, status in program.exits.items()
    ]
    lines += ["esac", f"status=${{status:-{int(program.default)}}}"]
    if isinstance(program, QueueProgram):
        lines += _hand_on(program, runs)
    return [*lines, 'exit "$status"']


def _hand_on(program: QueueProgram, runs: str) -> list[str]:
    """Give qmail-queue what was read, or another envelope in the place of one."""
    lines, envelope = [], f"{runs}/$$.envelope"
    if program.gives:
        octets = "".join(f"\\{ord(octet):03o}" for octet in program.gives)
        # None comes with a message that is given up.
        read = f"[ ! -s {envelope} ] || " if program.reads else ""
        envelope = f"{runs}/$$.given"
        lines += [f": >{envelope}", f"{read}printf '{octets}' >{envelope}"]
    if program.queues:
        given = f"<{runs}/$$.input 1<{envelope}"
        lines.append(f'[ "$status" -ne 0 ] || exec {HOME}/bin/qmail-queue {given}')
    return lines
