"""The other side as files: exchangers, steps, sessions as text, and what each delivery was given."""

from collections import Counter
from collections.abc import Iterable

from conformance.pod.base import octets
from conformance.pod.observation import TranscriptEntry
from conformance.pod.record import ConnectionAct, Receive, Send
from conformance.pod.world import Exchanger
from conformance.report.story import client_does
from conformance.reproduce.scene import Scene, steps
from conformance.reproduce.wording import escaped, is_plain


def remote_files(scene: Scene) -> dict[str, bytes]:
    """Path in the directory -> content."""
    files = {
        "exchangers.txt": exchangers(scene.world.exchangers).encode("ascii"),
        "steps.txt": _steps(scene).encode("ascii"),
    }
    for number, acts in scene.connections().items():
        files[f"sessions/smtpd-{number}.txt"] = _chat(acts).encode("ascii")
        sent = "".join(act.data for act in acts if isinstance(act, Send))
        if not is_plain(sent):
            files[f"sessions/smtpd-{number}.octets"] = octets(sent)
    often: Counter[str] = Counter()
    for session in scene.seen.mx_sessions:
        address = f"{session.address}-{session.port}"
        often[address] += 1
        name = f"sessions/exchanger-{address}-{often[address]}.txt"
        files[name] = _mx_session(session.transcript).encode("ascii")
    for number, delivery in enumerate(scene.deliveries()):
        files[f"messages/remote-{number}"] = octets(delivery.message)
    return files


def exchangers(hosts: list[Exchanger]) -> str:
    """The file that `exchanger.pl` plays; its first lines say its form."""
    lines = ["# The remote hosts: see the first lines of exchanger.pl. Fields are divided by tabs."]
    for host in hosts:
        rows: list[tuple[str, ...]] = [("exchanger", host.address, str(host.port), host.host)]
        rows += [("extension", word) for word in host.extensions]
        rows += [("auth", method) for method in host.auth]
        rows += [("user", name, password) for name, password in host.users.items()]
        rows += [] if host.ehlo else [("no-ehlo",)]
        rows += [("silent",)] if host.silent else []
        rows += [] if host.accepts is None else [("accepts", method) for method in host.accepts or [""]]
        rows += [("pace", f"{host.pace:g}")] if host.pace else []
        for step, scripted in host.steps.items():
            replies = [scripted] if isinstance(scripted, str) else scripted
            rows += [("step", step, reply) for reply in replies]
        lines += ["\t".join(escaped(word) for word in row) for row in rows]
    return "\n".join(lines) + "\n"


def _steps(scene: Scene) -> str:
    lines = ["# What play.pl does, in order; see its first lines. Fields are divided by tabs."]
    lines += ["\t".join(escaped(word) for word in step) for step in steps(scene)]
    return "\n".join(lines) + "\n"


def _chat(acts: Iterable[ConnectionAct]) -> str:
    """A session with qmail-smtpd as recorded: `> ` the client said, `< ` qmail said, `! ` what happened."""
    lines: list[str] = []
    sign, unread = "", ""
    for act in acts:
        says = act.data if isinstance(act, (Send, Receive)) else ""
        speaker = {"send": ">", "receive": "<"}.get(act.act, "") if says else ""
        if speaker != sign:
            lines += _said(sign, unread)
            sign, unread = speaker, ""
        if says:
            unread += says
        elif isinstance(act, Receive):
            lines.append("! qmail closes the connection" if says == "" else "! qmail is silent")
        elif not isinstance(act, Send):
            lines.append(f"! the client {client_does(act)}")
    return "\n".join([*lines, *_said(sign, unread)]) + "\n"


_SIGNS = {"client": ">", "exchanger": "<"}


def _mx_session(transcript: Iterable[TranscriptEntry]) -> str:
    """A session at an exchanger: `> ` qmail-remote said, `< ` the exchanger said, `! ` what happened."""
    lines: list[str] = []
    for entry in transcript:
        sign = _SIGNS.get(entry.source)
        lines += _said(sign, entry.text) if sign else [f"! {entry.text}"]
    return "\n".join(lines) + "\n"


def _said(sign: str, words: str) -> list[str]:
    r"""Lines with their sign; what does not end with CRLF says how it ends, `\n` or nothing."""
    lines = []
    for line in words.split("\n")[:-1]:
        lines.append(f"{sign} {escaped(line[:-1])}" if line.endswith("\r") else f"{sign} {escaped(line)}\\n")
    rest = words.rpartition("\n")[2]
    return [*lines, f"{sign} {escaped(rest)} (no line end)"] if rest else lines
