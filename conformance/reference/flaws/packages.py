"""Flaws of a package: what its maintainer scripts do to a qmail in use."""

from dataclasses import replace
from typing import Any, Callable, Dict, List

from conformance.reference.flaws.flaw import flaw
from conformance.reference.installation import Packages
from conformance.reference.queue import Message


def _at(step: str, usual: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """In the place of the method `usual`: another one at a step."""

    def method(self: Packages, at: str, *rest: Any) -> Any:
        return otherwise(*rest) if at == step else getattr(Packages, usual)(self, at, *rest)

    return method


def _edited_overwritten(files: Dict[str, str]) -> Dict[str, str]:
    return {name: "20\n" if name == "concurrencyremote" else text for name, text in files.items()}


def _restored(files: Dict[str, str]) -> Dict[str, str]:
    return {**files, "plusdomain": "here.example\n"}


def _doubled(messages: List[Message]) -> List[Message]:
    last = max((message.number for message in messages), default=0)
    copies = [
        replace(message, number=last + place, recipients=[replace(each) for each in message.recipients])
        for place, message in enumerate(messages, 1)
        if message.sender
    ]
    return messages + copies


FLAWS = (
    flaw("package.asks", "asks a question during the upgrade, and waits for the answer",
         Packages, ends=_at("upgrade", "ends", lambda: False)),
    flaw("package.bounce-lost", "drops bounces that wait in the queue when it is upgraded",
         Packages, queue=_at("upgrade", "queue", lambda found: [each for each in found if each.sender])),
    flaw("package.control-overwritten", "overwrites control files when it is upgraded",
         Packages, control=_at("upgrade", "control", _edited_overwritten)),
    flaw("package.control-restored", "brings back a control file that was removed",
         Packages, control=_at("upgrade", "control", _restored)),
    flaw("package.half-configured", "fails in its postinst when it is upgraded",
         Packages, said_of=_at("upgrade", "said_of", lambda: "install ok half-configured"),
         status=_at("upgrade", "status", lambda: 1)),
    flaw("package.mail-purged", "removes the mail of the alias user when it is purged",
         Packages, keeps_mail=_at("purge", "keeps_mail", lambda user: user != "alias")),
    flaw("package.not-restarted", "leaves the qmail-send of before running",
         Packages, restarts=lambda self, step: False),
    flaw("package.purge-fails", "fails in its postrm when it is purged",
         Packages, said_of=_at("purge", "said_of", lambda: "purge ok config-files"),
         status=_at("purge", "status", lambda: 1)),
    flaw("package.purge-leaves-control", "leaves control files when it is purged",
         Packages, control=lambda self, step, files: files),
    flaw("package.queue-doubled", "puts what waits in the queue into it twice when it is upgraded",
         Packages, queue=_at("upgrade", "queue", _doubled)),
    flaw("package.queue-lost", "empties the queue when it is upgraded",
         Packages, queue=_at("upgrade", "queue", lambda found: [])),
    flaw("package.queue-owner", "gives the queue to root when it is upgraded",
         Packages, queue_owner=_at("upgrade", "queue_owner", lambda: "root")),
    flaw("package.remove-leaves-programs", "leaves programs when it is removed",
         Packages, programs=lambda self, step: Packages.programs(self, "upgrade")),
    flaw("package.remove-purges-control", "removes control files when it is removed",
         Packages, control=_at("remove", "control", lambda files: {})),
    flaw("package.remove-purges-queue", "removes the mail in the queue when it is removed",
         Packages, queue=_at("remove", "queue", lambda found: [])),
    flaw("package.set-user-id-lost", "installs a qmail-queue that is not set-user-id",
         Packages, program=_at("upgrade", "program", lambda name: "0711 root qmail")),
    flaw("package.stopped", "stops qmail-send for the upgrade, and leaves it so",
         Packages, runs=_at("upgrade", "runs", lambda: False)),
    flaw("package.trigger-lost", "replaces queue/lock/trigger under the qmail-send that runs",
         Packages, keeps_trigger=lambda self, step: False),
    flaw("package.users-renumbered", "gives qmail's accounts other numbers when it is upgraded",
         Packages, users=_at("upgrade", "users", lambda: ["qmailq 999 999"])),
)  # fmt: skip
