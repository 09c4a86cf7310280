"""qmail's side of a reproduction as files: control files, environment, users, programs, passwords."""

import re
import shlex
from collections.abc import Mapping

from conformance.errors import UsageError
from conformance.places import data
from conformance.pod.base import octets, text
from conformance.pod.cdb import aliases
from conformance.pod.mailboxes import MailboxUser, load_users, password_forms
from conformance.reproduce.scene import CONTROL_FILE, Scene
from conformance.targets.docker.scripts import HOME, STATE, program_scripts, settings, smtpd_command

HERE = "/reproduction"

_OWNER = re.compile(r"([a-z0-9]+)/(\.qmail[^/\0]*)")
_FIRST_UID = 2001
_GROUP = 2000


def qmail_files(scene: Scene) -> dict[str, bytes]:
    """Path in the directory -> content. Raises UsageError for a name that would leave the directory."""
    configuration, users = scene.configuration, load_users()
    files: dict[str, bytes] = {}
    for name, content in configuration.control.items():
        if not CONTROL_FILE.fullmatch(name) or name.startswith("."):
            raise UsageError(f"control file {name!r}: this is no name of a control file")
        files[f"control/{name}"] = octets(content)
    if configuration.aliases:
        files["aliases.cdb"] = aliases(configuration.aliases)
    lines = settings(configuration, f"{HERE}/programs")
    files["env"] = octets("".join(f"{line}\n" for line in lines))
    files["smtpd.sh"] = _session(scene)
    files["resolv.conf"] = octets(f"nameserver 127.0.0.1\noptions {configuration.resolver}\n")
    place = f"{HERE}/programs"
    files |= {
        f"programs/{name}": script for name, script in program_scripts(configuration, STATE, place).items()
    }
    files["programs/note"] = data("docker", "target", "note").read_bytes()
    if scene.logs_in():
        # Our own checkprogram; the player and the exchangers take CRAM-MD5 from it too.
        program = data("docker", "target", "checkpassword").read_bytes()
        files["programs/checkpassword"] = program
        if configuration.password_check is not None and configuration.password_check.fate == "crash":
            files["programs/checkpassword-crash"] = program
        files["secrets.env"] = secrets(users)
    if configuration.modes:
        modes = (f"{mode} {path}\n" for path, mode in configuration.modes.items())
        files["modes"] = "".join(modes).encode("latin-1")
    if configuration.timeouts:
        rows = (f"{host.address} {host.timeouts} {host.age}\n" for host in configuration.timeouts)
        files["timeouts"] = "".join(rows).encode("ascii")
    if configuration.remote_program is not None:
        files["remote-program"] = b"programs/qmail-remote\n"
    services = ["qmail-send"] if configuration.delivering else []
    services += {False: [], True: ["qmail-verify"], "mute": ["mute"]}[configuration.verifying]
    files["services"] = ("\n".join(services) + "\n").encode("ascii")
    if services:
        files |= _users(scene, users)
    return files


def _session(scene: Scene) -> bytes:
    """What tcpserver runs for each session."""
    command = smtpd_command(scene.configuration, f"{HERE}/programs", f"{HERE}/programs")
    return (
        "#!/bin/sh\n"
        "# One session: tcpserver runs this with the connection on standard input and output.\n"
        "unset PWD OLDPWD\nset -a\n# shellcheck source=/dev/null\n"
        f". {HERE}/env\nset +a\n"
        f"exec 2>>{STATE}/smtpd.log\nexec {shlex.join(command)}\n"
    ).encode("latin-1")


def secrets(users: Mapping[str, MailboxUser]) -> bytes:
    """What stands for each secret in the other files, and the secret; the passwords are made up.

    A password that is sent for AUTH PLAIN goes without an authorization identity: the record does not say.
    """
    lines = [
        "# Made-up passwords. Elsewhere in this directory <password of alice> and the like stand for them;",
        "# they are filled in when reproduce.sh runs, and never shown. One NAME=SECRET a line, no quoting.",
    ]
    for user in users.values():
        if user.password is None:
            continue
        forms = password_forms(user.name, octets(user.password))
        lines += [f"{form} of {user.name}={text(secret)}" for form, secret in forms]
    return octets("\n".join(lines) + "\n")


def _users(scene: Scene, users: Mapping[str, MailboxUser]) -> dict[str, bytes]:
    """qmail's table of users, the list that makes their homes, and their dot-qmail files."""
    files: dict[str, bytes] = {}
    dots = {
        f"{user.name}/{file}": content for user in users.values() for file, content in user.dot_qmail.items()
    }
    for path, content in (dots | scene.configuration.dot_qmail).items():
        if not _OWNER.fullmatch(path) or ".." in path:
            raise UsageError(f"dot-qmail file {path!r}: it reads OWNER/.qmail-NAME")
        files[f"users/{path}"] = octets(content)
    assign, accounts = "", f"alias 0 {HOME}/alias\n"
    for number, name in enumerate((name for name in users if name != "alias"), _FIRST_UID):
        home = f"/home/{name}"
        assign += f"={name}:{name}:{number}:{_GROUP}:{home}:::\n"
        assign += f"+{name}-:{name}:{number}:{_GROUP}:{home}:-::\n"
        accounts += f"{name} {number} {home}\n"
    files["users/assign"] = f"{assign}.\n".encode("ascii")
    files["users/accounts"] = accounts.encode("ascii")
    return files
