"""Plays every case on the references and writes down what is heard: `python -m conformance.search.listening`.

A test says when the file is no longer what the code says, and that this command mends it.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from conformance.cases.attempt import record
from conformance.cases.collection import all_requirements, case_of
from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.pod import record as acts
from conformance.pod.delivery import read_reports
from conformance.pod.record import Record
from conformance.pod.secrets import fixture_secrets
from conformance.report.story import events_of
from conformance.search.heard import FILE, Heard
from conformance.targets.embedded import ReferencePod

#: What is heard where more requirements look does not tell one from another.
_MOST = 60

_REPLY = re.compile(r"[45]\d\d[ -]\S")
_LOGGED = re.compile(
    r"delivery \d+: (?:deferral|failure): (.*)"
    r"|qmail-smtpd: pid \d+ from \S+: (?!Message|Received|Recipient <|Sender <)(.*)"
)
#: What is another's, or differs from run to run: addresses, what a host said, sizes, that all went well.
_FOREIGN = re.compile(r"<[^>]*>|[/\s]*Remote host said:.*|\(\d+ bytes\)|\S+ accepted message\.", re.DOTALL)


def listen() -> dict[str, Heard]:
    """Play every case of this suite on both references, in some seconds."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: {"unmet": set(), "met": set()})
    for patches in (STOCK_PATCHES, PPA_PATCHES):
        pod = ReferencePod(patches)
        for name, requirement in all_requirements().items():
            played = asyncio.run(record(case_of(requirement), pod, fixture_secrets()))
            for text in set(texts(played.record)):
                found[text][played.outcome].add(name)
    return {text: heard for text, of in sorted(found.items()) if (heard := _telling(of)) is not None}


def _telling(of: Mapping[str, set[str]]) -> Heard | None:
    """None where the text is heard nearly everywhere."""
    kept = {key: tuple(sorted(names)) if len(names) <= _MOST else () for key, names in of.items()}
    return Heard(**kept) if any(kept.values()) else None


def texts(told: Record) -> Iterator[str]:
    """What qmail-smtpd answered, what qmail-remote reported, and what either log says came of it."""
    for act in told.acts:
        if isinstance(act, acts.Remote):
            delivery = read_reports(act.result)
            for report in (*delivery.recipients, delivery.message):
                yield from _own(report.text)
    for event in events_of(told):
        if event.speaker != "qmail":
            continue
        if event.channel.startswith("smtpd") and _REPLY.match(event.text):
            yield from _own(event.text)
        elif event.channel == "log" and (logged := _LOGGED.fullmatch(event.text)):
            yield from _own((logged[1] or logged[2] or "").replace("_", " "))


def _own(text: str) -> Iterator[str]:
    """The text without what is not its own, where two words at least are left."""
    words = " ".join(_FOREIGN.sub("", text).split()).strip("/ ")
    if re.search(r"[a-z]{2}.* .*[a-z]{2}", words, re.IGNORECASE):
        yield words


def written() -> str:
    """The file as it should be: a line for each text, so that a change shows where it is."""
    lines = [f"{json.dumps(text)}: {json.dumps(vars(heard))}" for text, heard in listen().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
