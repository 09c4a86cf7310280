"""Flaws of qmail-local: dot-qmail files, programs, mboxes, homes that are not in order."""

from dataclasses import replace
from typing import Any, Callable, Dict, List

from conformance.reference.flaws.flaw import flaw
from conformance.reference.homes import DotQmail, Failed, ProgramRun
from conformance.reference.local import QmailLocal

_HARD = QmailLocal.hard_errors


def _forwards_all_the_same(self: QmailLocal, instructions: bytes, only_forwards: bool = False) -> str:
    try:
        return QmailLocal.obey(self, instructions, only_forwards)
    except Failed:
        addresses = [line[1:] for line in self.lines(instructions) if line[:1] == b"&"]
        if addresses:
            self.forward(addresses)
        raise


def _nothing_before_99(self: QmailLocal, instructions: bytes, only_forwards: bool = False) -> str:
    _, found, rest = instructions.partition(b"|exit 99")
    return QmailLocal.obey(self, found + rest if found else instructions, only_forwards)


def _default_for_comments(self: QmailLocal, instructions: bytes) -> List[bytes]:
    lines = QmailLocal.lines(self, instructions)
    return lines if any(line and line[:1] != b"#" for line in lines) else [b"./Maildir/"]


def _unable_is_permanent(self: QmailLocal) -> bytes:
    report = QmailLocal.report(self)
    return b"D" + report[1:] if report.startswith(b"ZUnable") else report


def _as_written(self: DotQmail) -> List[str]:
    return [f".qmail{self.dash}" + self.extension.replace(b".", b":").decode("latin-1")]


def _mbox_lost(self: QmailLocal, name: bytes) -> None:
    if name.endswith(b"/"):
        QmailLocal.store(self, name)


def _run(**changed: Any) -> Callable[[QmailLocal, bytes], ProgramRun]:
    return lambda self, command: replace(QmailLocal.program(self, command), **changed)


def _with_lines_above(self: QmailLocal, command: bytes) -> ProgramRun:
    run = QmailLocal.program(self, command)
    return replace(run, octets=self.lines_above() + run.octets)


def _variables(change: Callable[[Dict[str, str]], Dict[str, str]]) -> Callable[[QmailLocal], Dict[str, str]]:
    def environment(self: QmailLocal) -> Dict[str, str]:
        found = QmailLocal.environment(self)
        return {**found, **change(found)}

    return environment


def _only_alias(self: QmailLocal) -> bytes:
    return b"" if self.user == "alias" else QmailLocal.delivered_to(self)


FLAWS = (
    flaw("local.99-drops-forwards", "drops the forward lines above exit 99",
        QmailLocal, obey=_nothing_before_99),
    flaw("local.alias-without-delivered-to", "writes no Delivered-To for alias",
        QmailLocal, delivered_to=_only_alias),
    flaw("local.blank-first", "takes a dot-qmail file whose first line is blank",
        QmailLocal, first_must_say_something=False),
    flaw("local.blanks-kept", "keeps blanks at the end of a line",
        QmailLocal, lines=lambda self, instructions: instructions.rstrip(b"\n").split(b"\n")),
    flaw("local.capitals", "takes an extension's letters as written",
        DotQmail, names=_as_written),
    flaw("local.comment-default", "stores a message where a dot-qmail file has comments alone",
        QmailLocal, lines=_default_for_comments),
    flaw("local.dots-kept", "looks for dot-qmail files with dots in their names",
        DotQmail, names=lambda self: [name.replace(":", ".") for name in DotQmail.names(self)]),
    flaw("local.empty-drops", "drops mail where a dot-qmail file is empty",
        QmailLocal, default_delivery=b"#\n"),
    flaw("local.execute-bit", "obeys any line of a dot-qmail file with the execute bit",
        QmailLocal, obey=lambda self, instructions, only_forwards=False: QmailLocal.obey(self, instructions)),
    flaw("local.execute-bit-refused", "obeys no dot-qmail file with the execute bit", QmailLocal,
        obey=lambda self, instructions, only_forwards=False: QmailLocal.obey(
        self, b"|exit 0\n" if only_forwards else instructions, only_forwards)),
    flaw("local.farthest-default", "looks for .qmail-default before closer files",
        DotQmail, names=lambda self: DotQmail.names(self)[:1] + DotQmail.names(self)[:0:-1]),
    flaw("local.forwards-first", "forwards though another line fails",
        QmailLocal, obey=_forwards_all_the_same),
    flaw("local.home-unchecked", "delivers into any home", QmailLocal, check_home=lambda self, mode: None),
    flaw("local.last-line", "does not obey a last line without an end", QmailLocal,
        lines=lambda self, instructions: QmailLocal.lines(self, instructions.rpartition(b"\n")[0])),
    flaw("local.list-ignored", "takes +list for nothing", QmailLocal, list_line_counts=False),
    flaw("local.list-drops", "obeys no line below +list", QmailLocal, lines=lambda self, instructions: (
        [b"#"] if instructions.startswith(b"+list") else QmailLocal.lines(self, instructions))),
    flaw("local.path-unquoted", "writes a sender into Return-Path without quotes", QmailLocal,
        return_path=lambda self: b"Return-Path: <" + self.message.sender + b">\n"),
    flaw("local.loop-body", "takes Delivered-To in the body for a loop", QmailLocal,
        is_looping=lambda self: b"\nDelivered-To: " + self.address in self.message.octets),
    flaw("local.mbox-lost", "drops what goes into an mbox", QmailLocal, store=_mbox_lost),
    flaw("local.unable-is-permanent", "bounces mail for a home that is not there",
        QmailLocal, report=_unable_is_permanent),
    flaw("local.user-in-capitals", "knows users in small letters alone", DotQmail,
        controller=lambda self, box: (DotQmail.controller(self, box)
        if box.islower() else ("alias", "-", box))),
    flaw("local.writable", "obeys a dot-qmail file that everybody may write to",
        QmailLocal, is_unsafe=lambda self, mode: False),
    flaw("mbox.from-only", "quotes no >From in an mbox", QmailLocal,
        quoted=lambda self, octets: (b"\n" + octets).replace(b"\nFrom ", b"\n>From ")[1:]),
    flaw("mbox.no-blank-line", "ends an entry of an mbox without a blank line",
        QmailLocal, mbox_entry=lambda self: QmailLocal.mbox_entry(self)[:-1]),
    flaw("mbox.null-sender", "writes a From line without a sender for a bounce", QmailLocal,
        from_line=lambda self: QmailLocal.from_line(self).replace(b" MAILER-DAEMON", b"")),
    flaw("program.1-hard", "takes exit 1 for a permanent failure", QmailLocal, hard_errors=(*_HARD, 1)),
    flaw("program.100-soft", "takes exit 100 for a temporary failure", QmailLocal, hard_errors=_HARD[1:]),
    flaw("program.111-hard", "takes exit 111 for a permanent failure", QmailLocal, hard_errors=(*_HARD, 111)),
    flaw("program.127-hard", "takes exit 127 for a permanent failure", QmailLocal, hard_errors=(*_HARD, 127)),
    flaw("program.75-hard", "takes exit 75 for a permanent failure", QmailLocal, hard_errors=(*_HARD, 75)),
    flaw("program.as-qmailq", "runs programs as qmailq", QmailLocal, program=_run(account="qmailq")),
    flaw("program.characters", "takes shell characters out of what programs are told", QmailLocal,
        environment=_variables(lambda found: {"EXT": found["EXT"].replace("$", "_").replace("`", "_")})),
    flaw("program.crash-passes", "takes a crash of a program for success", QmailLocal, crash_fails=False),
    flaw("program.default-always", "sets DEFAULT whatever the file is called",
        QmailLocal, environment=_variables(lambda found: {"DEFAULT": found["EXT"]})),
    flaw("program.descriptor", "lets programs have a descriptor of qmail-lspawn",
        QmailLocal, program=_run(leaks=(5,))),
    flaw("program.ext2", "has EXT in EXT2", QmailLocal,
        environment=_variables(lambda found: {"EXT2": found["EXT"]})),
    flaw("program.hard-100-only", "takes 100 alone for a permanent failure", QmailLocal, hard_errors=(100,)),
    flaw("program.forward", "forwards nothing that it cannot parse",
        QmailLocal, forward_program=lambda self, command: (100, b"") if b"forward" in command else None),
    flaw("program.host3", "has HOST2 in HOST3", QmailLocal,
        environment=_variables(lambda found: {"HOST3": found["HOST2"]})),
    flaw("program.ignores-pipe", "runs programs with SIGPIPE ignored",
        QmailLocal, program=_run(ignores=("PIPE",))),
    flaw("program.in-root", "runs programs in /", QmailLocal, program=_run(directory="/")),
    flaw("program.lines-above", "writes Return-Path and Delivered-To above what programs read",
        QmailLocal, program=_with_lines_above),
    flaw("program.no-input", "lets a program read nothing", QmailLocal, program=_run(octets=b"")),
    flaw("program.no-line-feed", "writes DTLINE without its line feed", QmailLocal,
        environment=_variables(lambda found: {"DTLINE": found["DTLINE"].rstrip("\n")})),
    flaw("program.newsender", "has the sender in NEWSENDER though the list has an owner", QmailLocal,
        environment=_variables(lambda found: {"NEWSENDER": found["SENDER"]})),
    flaw("program.output-lost", "drops what programs print", QmailLocal, printed=lambda self: []),
    flaw("program.recipient", "has the domain in capitals in RECIPIENT", QmailLocal,
        environment=_variables(lambda found: {"RECIPIENT": found["RECIPIENT"].upper()})),
    flaw("program.umask", "runs programs with umask 022", QmailLocal, program=_run(umask=0o022)),
)  # fmt: skip
