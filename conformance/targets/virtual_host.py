"""The host of the embedded reference, in memory: its hooks and its log."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.pod.base import octets, text
from conformance.pod.configuration import Configuration, Program
from conformance.pod.observation import HookCall
from conformance.reference import acts
from conformance.reference.filing import group_of
from conformance.reference.homes import ProgramRun
from conformance.reference.queue import CANNOT_READ, CANNOT_RUN, envelope, trouble
from conformance.reference.verify import ADDRESS, PORT, server_of
from conformance.targets.docker.scripts import NOTED, PROGRAMS, STATE
from conformance.targets.virtual import Clock

_QUEUE = "/var/lib/qmail/queue"
#: How a program that crashes ends.
_SEGV = -11

#: Programs that read nothing, by what they exit with.
_ANSWERS = {"/bin/true": 0, "/bin/false": 1}

#: Octets of qmail-smtpd's buffer for qmail-queue.
_BUFFER = 1024

Outcome = int | str


class VirtualHost:
    """Ports for what qmail-smtpd asks of its host rather than of its client.

    `passwords` maps the users that checkprogram knows, `queue` and `discard` are qmail-queue,
    `exists` qmail-verify.
    `hook_calls` and `lines` (of the log) grow as they come.
    """

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        passwords: Mapping[str, str],
        queue: Callable[[acts.Enqueue], acts.Queued],
        exists: Callable[[bytes], bool],
        discard: Callable[[str], None],
        uids: Mapping[str, int],
    ) -> None:
        self._uids = uids
        self._configuration = configuration
        self._passwords = passwords
        self._queue = queue
        self._exists = exists
        self._runs: Counter[str] = Counter()
        self.hook_calls: list[HookCall] = []
        self.lines: list[str] = []
        self._begun = ""  #: a line of qmail-smtpd's log that has no end yet
        self.now = clock.now
        self._discard = discard

    def check_recipient(self, act: acts.CheckRecipient) -> Outcome:
        program = self._configuration.recipient_check
        if program is None or act.program != f"{STATE}/rcptcheck":
            return acts.MISSING
        note = self._noted("rcptcheck", act, act.arguments)
        return self.run(program, note)

    def _noted(self, name: str, act: Any, arguments: tuple[str, ...], **more: Any) -> HookCall:
        around: acts.Surroundings = act.surroundings
        return HookCall(
            name,
            list(arguments),
            around.directory,
            dict(act.environment or {}),
            account=around.account,
            group=around.group,
            groups=[around.group],
            umask=around.umask,
            ignores=list(around.ignores),
            siblings=around.siblings,
            descriptors={str(number): kind for number, kind in around.descriptors.items()},
            **more,
        )

    def run(self, program: Program, note: HookCall) -> Outcome:
        """Note a run of a program with behaviour; what becomes of it, but for what it reads and says."""
        self.hook_calls.append(note)
        if program.fate in ("crash", "hang"):
            return {"crash": acts.CRASHED, "hang": acts.HUNG}[program.fate]
        self._runs[note.program] += 1
        return program.status(self._runs[note.program], note.environment.get("RECIPIENT", ""))

    def deliver(self, wanted: ProgramRun) -> tuple[Outcome, bytes]:
        """A program that a dot-qmail file names: exit status or CRASHED, and what it printed."""
        path, *arguments = text(wanted.command).split(" ")
        name = path.removeprefix(f"{STATE}/")
        program = self._configuration.delivery_programs.get(name)
        if program is None or program.fate == "missing":
            return 127, f"/bin/sh: 1: {path}: not found\n".encode()
        uid = str(self._uids.get(wanted.account or wanted.user, wanted.account or wanted.user))
        note = HookCall(
            name,
            arguments,
            wanted.directory or f"{STATE}/homes/{wanted.user}",
            wanted.environment,
            account=uid,
            group=group_of(wanted.user),
            groups=[group_of(wanted.user)],
            umask=f"{wanted.umask:04o}",
            ignores=list(wanted.ignores),
            descriptors={"0": "message", "1": "pipe", "2": "pipe"}
            | {str(leak): "pipe" for leak in wanted.leaks},
            input=text(wanted.octets) if program.reads else "",
        )
        return self.run(program, note), octets(program.says + program.complains)

    def program(self, name: str) -> Program | None:
        """The program with behaviour whose runs are noted by this name."""
        programs = self._configuration.programs()
        return next((programs[file] for file in programs if NOTED.get(file, file) == name), None)

    def complain(self, program: Program | None) -> None:
        """What a program writes to its standard error is in the log."""
        if program is not None:
            *whole, self._begun = (self._begun + program.complains).split("\n")
            self.lines += whole

    def log(self, line: str) -> None:
        """A line of qmail-smtpd goes on where a program has left one without its end."""
        self.lines.append(self._begun + line)
        self._begun = ""

    def verify_recipient(self, server: str, recipient: bytes) -> str:
        address, port = server_of(server)
        if not address.startswith("127.") and address != "0.0.0.0":
            return "network unreachable"
        if not self._configuration.verifying or (address, port) not in ((ADDRESS, PORT), ("0.0.0.0", PORT)):
            return "connection refused"
        if self._configuration.verifying == "mute":
            return "timeout"
        return "valid" if self._exists(recipient) else "invalid"

    def check_password(self, act: acts.CheckPassword) -> Outcome:
        program = self.program("checkpassword")
        path, arguments = act.arguments[0], act.arguments[1:]
        if program is not None and path == f"{STATE}/checkprogram":
            return self.run(program, self._noted("checkpassword", act, arguments))
        if path in _ANSWERS or (path == f"{STATE}/subprogram" and self.program("subprogram") is not None):
            return self._follow(act, act.arguments)
        crashes = path == f"{PROGRAMS}/checkpassword-crash"
        if path != f"{PROGRAMS}/checkpassword" and not crashes:
            return acts.MISSING
        if not arguments:
            return 2
        act, ends = _read_from_descriptor_3(act)
        accepted = not crashes and self._is_right(act)
        who = {"user": text(act.user), "challenge": text(act.challenge), "accepted": accepted, "ends": ends}
        self.hook_calls.append(self._noted("checkpassword", act, arguments, **who))
        if crashes:
            return acts.CRASHED
        return self._follow(act, arguments) if accepted else 1

    def _is_right(self, act: acts.CheckPassword) -> bool:
        password = self._passwords.get(text(act.user))
        if password is None:
            return False
        expected = octets(password)
        if act.challenge:
            expected = hmac.new(expected, act.challenge, hashlib.md5).hexdigest().encode("ascii")
        return hmac.compare_digest(expected, act.password)

    def _follow(self, act: acts.CheckPassword, arguments: tuple[str, ...]) -> Outcome:
        """What the checkprogram runs after a good password, in its own place."""
        program = self.program("subprogram")
        path, arguments = arguments[0], arguments[1:]
        if program is not None and path == f"{STATE}/subprogram":
            around = act.surroundings.descriptors
            note = self._noted("subprogram", act, arguments)
            note.descriptors.clear()
            note.descriptors.update({str(number): kind for number, kind in around.items() if number != 3})
            return self.run(program, note)
        return _ANSWERS.get(path, 111)

    def enqueue(self, act: acts.Enqueue) -> acts.Queued:
        """qmail-queue, or what QMAILQUEUE names."""
        path = (act.environment or {}).get("QMAILQUEUE")
        if path is None:
            return self._queue(act)
        if path in _ANSWERS:
            unread = _ANSWERS[path] or CANNOT_READ
            return acts.Queued(0, trouble(unread), unread)
        program = self._configuration.queue_program
        if program is None or path != f"{STATE}/qmail-queue":
            return acts.Queued(0, trouble(CANNOT_RUN), CANNOT_RUN)
        read = (text(act.message), text(envelope(act.sender, act.recipients)))
        message, addresses = read if program.reads else ("", "")
        status = self.run(program, self._noted("qmail-queue", act, (), input=message, envelope=addresses))
        if status == 0 and not program.reads:
            status = CANNOT_READ  # qmail-smtpd could not write it all
        if status == 0 and program.queues:
            return self._queue(replace(act, written=octets(program.gives)) if program.gives else act)
        return acts.Queued(0, trouble(status), status)

    def discard(self, act: acts.Discard) -> None:
        """A message comes to nothing, though what QMAILQUEUE names runs since DATA; it hands nothing on."""
        self._discard(act.why)
        program = self._configuration.queue_program
        path = (act.environment or {}).get("QMAILQUEUE")
        if program is None or program.fate == "missing" or path != f"{STATE}/qmail-queue":
            return
        # qmail-smtpd writes whole buffers: what was in the last one is lost with it.
        written = act.message[: (len(act.message) - 1) // _BUFFER * _BUFFER]
        self.run(program, self._noted("qmail-queue", act, (), input=text(written) if program.reads else ""))
        self.complain(program)

    def run_remote(
        self, arguments: tuple[str, ...], message: str, account: str, cannot_run: int
    ) -> tuple[int, bytes] | None:
        """What stands in the place of qmail-remote: its status and output; None where nothing does."""
        program = self._configuration.remote_program
        if program is None:
            return None
        if program.fate == "missing":
            return cannot_run, b""
        read = message if program.reads else ""
        place = f"{_QUEUE}/mess"
        note = HookCall(
            "qmail-remote",
            list(arguments),
            place,
            {},
            account=account,
            group="qmail",
            groups=["qmail"],
            umask="0077",
            ignores=["PIPE"],
            descriptors={"0": "message", "1": "pipe", "2": "pipe"},
            input=read,
        )
        outcome = self.run(program, note)
        return outcome if isinstance(outcome, int) else _SEGV, octets(program.says + program.complains)


def _read_from_descriptor_3(act: acts.CheckPassword) -> tuple[acts.CheckPassword, int]:
    """What a checkprogram reads: three words, each up to a 0 byte; and how many of those there are."""
    octets = b"\0".join((act.user, act.password, act.challenge)) + b"\0" * act.final
    user, password, challenge, *_ = [*octets.split(b"\0"), b"", b""]
    return replace(act, user=user, password=password, challenge=challenge), octets.count(b"\0")
