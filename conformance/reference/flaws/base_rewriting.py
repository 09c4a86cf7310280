"""Flaws of whose an address is, and of what qmail-send does again."""

from typing import Any, Callable, Dict, Iterable, List, Optional

from conformance.reference.control import ControlFiles
from conformance.reference.flaws.flaw import flaw
from conformance.reference.queue import Message, Recipient
from conformance.reference.rewriting import Rewriting
from conformance.reference.send import QmailSend


def _twice(self: QmailSend, messages: Iterable[Message]) -> None:
    for message in messages:
        for recipient in message.recipients:
            recipient.tried = recipient.done = False


def _forgets_failures(self: QmailSend, message: Message, recipient: Recipient, *more: Any) -> None:
    message.bounce = b""
    QmailSend.finish(self, message, recipient, *more)


def _rereads(locals_too: bool, virtual_too: bool) -> Callable[[Rewriting, ControlFiles], None]:
    def reread(self: Rewriting, control: ControlFiles) -> None:
        had, before, virtual = hasattr(self, "read"), self._locals, self._virtual
        Rewriting.reread(self, control)
        if had and not locals_too:
            self._locals = before
        if had and not virtual_too:
            self._virtual = virtual
        vars(self)["read"] = True

    return reread


def _rereads_me(self: Rewriting, control: ControlFiles) -> None:
    self._me = control.me
    Rewriting.reread(self, control)


def _rereads_no_host(self: Rewriting, control: ControlFiles) -> None:
    Rewriting.reread(self, control)
    self._no_host = control.line("envnoathost", control.me, b"envnoathost") or b""


def _locals(change: Callable[[List[bytes], ControlFiles], List[bytes]]) -> Any:
    return lambda self, control: change(Rewriting.local_domains(self, control), control)


def _prefix(change: Callable[[Dict[bytes, bytes]], Dict[bytes, bytes]]) -> Any:
    def virtual_prefix(self: Rewriting, address: bytes, host: bytes) -> Optional[bytes]:
        kept, self._virtual = self._virtual, change(self._virtual)
        try:
            return Rewriting.virtual_prefix(self, address, host)
        finally:
            self._virtual = kept

    return virtual_prefix


def _last_first(self: Rewriting, keys: Iterable[bytes]) -> Optional[bytes]:
    return Rewriting._first_prefix(self, list(keys)[::-1])


def _of_the_file(lines_first: int) -> Any:
    def first_prefix(self: Rewriting, keys: Iterable[bytes]) -> Optional[bytes]:
        known = set(keys)
        return next((self._virtual[key] for key in [*self._virtual][::lines_first] if key in known), None)

    return first_prefix


def _percent_first(self: Rewriting, box: bytes, host: bytes) -> bool:
    kept, self._percent_hack = self._percent_hack, self._percent_hack[:1]
    try:
        return Rewriting.is_percent_hack(self, box, host)
    finally:
        self._percent_hack = kept


def _virtual_first(self: Rewriting, control: ControlFiles) -> List[bytes]:
    return [
        name for name in Rewriting.local_domains(self, control) if name not in control.pairs("virtualdomains")
    ]


FLAWS = (
    flaw("again.failures-forgotten", "forgets earlier failures of a message that is tried again",
        QmailSend, finish=_forgets_failures),
    flaw("again.ignored", "does not obey SIGALRM", QmailSend, try_again=lambda self, messages: None),
    flaw("again.locals-not-reread", "does not read locals again", Rewriting, reread=_rereads(False, True)),
    flaw("again.me-reread", "reads me again at SIGHUP", Rewriting, reread=_rereads_me),
    flaw("again.no-host-reread", "reads envnoathost again at SIGHUP", Rewriting, reread=_rereads_no_host),
    flaw("again.no-lifetime", "never gives a message up", QmailSend, is_dying=lambda self, message: False),
    flaw("again.twice", "delivers again to those who were reached", QmailSend, try_again=_twice),
    flaw("again.virtual-not-reread", "does not read virtualdomains again",
        Rewriting, reread=_rereads(True, False)),
    flaw("bounce.without-host", "names an address in a bounce without its host",
        QmailSend, failure=lambda self, address, report: QmailSend.failure(
        self, address.partition(b"@")[0], report)),
    flaw("envnoathost.ignored", "does not obey envnoathost",
        Rewriting, missing_host=lambda self: b"mx.here.example"),
    flaw("envnoathost.literal", "puts the word envnoathost to an address",
        Rewriting, missing_host=lambda self: b"one.example"),
    flaw("locals.comments", "obeys comments in locals", Rewriting, local_domains=lambda self, control: [
        line.lstrip(b"#").strip() for line in (control.line("locals") or b"").split(b"\n")]
        + Rewriting.local_domains(self, control)),
    flaw("locals.empty-is-me", "takes an empty file locals for none",
        Rewriting, local_domains=_locals(lambda names, control: names or [control.me or b""])),
    flaw("locals.first-line", "reads the first line of locals only",
        Rewriting, local_domains=_locals(lambda names, control: names[:1])),
    flaw("locals.letters", "takes the letters of locals as written",
        Rewriting, local_domains=lambda self, control: control.lines("locals") or []),
    flaw("locals.no-default", "has no local domain without the file locals",
        Rewriting, local_domains=lambda self, control: control.keys("locals") or []),
    flaw("virtual.address", "does not look for addresses in virtualdomains",
        Rewriting, virtual_prefix=_prefix(lambda lines: {k: v for k, v in lines.items() if b"@" not in k})),
    flaw("virtual.address-for-all", "takes a line for an address for its domain",
        Rewriting, virtual_prefix=_prefix(lambda lines: {k.split(b"@")[-1]: v for k, v in lines.items()})),
    flaw("virtual.before-locals", "obeys virtualdomains before locals",
        Rewriting, local_domains=_virtual_first),
    flaw("virtual.exception", "does not obey exceptions in virtualdomains",
        Rewriting, virtual_prefix=_prefix(lambda lines: {k: v for k, v in lines.items() if v})),
    flaw("virtual.farthest", "obeys the line that says least", Rewriting, _first_prefix=_last_first),
    flaw("send.percenthack-first-line", "reads the first line of percenthack only",
        Rewriting, is_percent_hack=_percent_first),
    flaw("virtual.first-that-fits", "follows the first line that fits",
        Rewriting, _first_prefix=_of_the_file(1)),
    flaw("virtual.last-that-fits", "follows the last line that fits",
        Rewriting, _first_prefix=_of_the_file(-1)),
    flaw("virtual.first-line", "reads the first line of virtualdomains only",
        Rewriting, virtual_prefix=_prefix(lambda lines: dict(list(lines.items())[:1]))),
    flaw("virtual.wildcard", "does not look for wildcards in virtualdomains",
        Rewriting, virtual_prefix=_prefix(lambda lines: {k: v for k, v in lines.items() if k[:1] != b"."})),
)  # fmt: skip
