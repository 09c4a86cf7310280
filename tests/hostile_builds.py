"""Builds whose programs attack the suite, and what is played on them.

This file goes into the pod: a case names its attack in a control file, which the programs read.
"""

from collections.abc import Awaitable, Callable

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import script_of
from conformance.pod.base import PodFailure
from conformance.targets.pool import Player

#: Of these programs one runs as qmail does for a session, one as qmail-remote does, and one as root.
PROGRAMS = ("qmail-smtpd", "qmail-remote", "qmail-verify")

ATTEMPTS = 3

#: An attack with the program that makes it -> outcome and words of the case under attack, then of the next.
#: No outcome says that what was promised is met.
ATTACKS = {
    "takes-dns qmail-verify": ("invalid", r"cannot listen on 127\.0\.0\.1:53 over udp", "met"),
    "takes-exchanger qmail-verify": ("invalid", r"cannot listen on 127\.0\.0\.2:25", "met"),
    "kills-tcpserver qmail-smtpd": ("invalid", "tcpserver has ended", "invalid"),
    "ends-the-agent qmail-verify": ("failed", "ended", "failed"),
    "kills-everything qmail-verify": ("invalid", "tcpserver has ended", "invalid"),
    "asks-another-server qmail-verify": ("invalid", r"somebody has changed /etc/resolv\.conf", "met"),
    "fills-the-disk qmail-smtpd": ("unmet", "451|no reply", "met"),
    "eats-memory qmail-smtpd": ("unmet", "no reply", "met"),
    # Whether its processes or their memory come to the limit first is the machine's affair, and so is whether
    # the agent, which they leave little of the machine, answers in time.
    "forks-without-end qmail-smtpd": (
        "invalid|unmet",
        "reached its limit of processes|has not answered|stood still|no reply",
        "met|failed|invalid",
    ),
}


async def attacked(internet: Internet, qmail: Qmail, attack: str) -> None:
    """Mail comes in and goes out, while the build attacks."""
    qmail.control["attack"] = f"{attack}\n"
    await mail_passes(internet, qmail, "127.0.0.2")


async def ordinary(internet: Internet, qmail: Qmail) -> None:
    """The same without an attack; the host out there is another, whose address nobody has taken yet."""
    await mail_passes(internet, qmail, "127.0.0.3")


async def mail_passes(internet: Internet, qmail: Qmail, host: str) -> None:
    """It is taken, and is delivered to a host at an address."""
    internet.zone("far.example", f"@ MX 10 mx\nmx A {host}\n")
    internet.exchanger(host)
    qmail.verifying = True
    await qmail.submit("a@far.example", ["x@here.example"])
    delivery = await qmail.remote("far.example", "a@here.example", ["b@far.example"])
    assert delivery.accepted
    assert internet.messages()
    await qmail.observe()


async def outcomes(start: Callable[[], Awaitable[Player]], attack: str) -> list[tuple[str, str]]:
    """What comes of a case under attack and of an ordinary one behind it: outcome, and what was seen.

    A machine that is so busy that a pod stands still is asked again, as the suite asks again.
    """
    found: list[tuple[str, str]] = []
    for _ in range(ATTEMPTS):
        pod, found = await start(), []
        for script in (script_of(attacked, attack=attack), script_of(ordinary)):
            try:
                played = await pod.play(script)
                found.append((played.outcome, played.seen))
            except PodFailure as error:
                found.append(("failed", str(error)))
        await pod.dispose()
        if not any("stood still" in seen for _, seen in found):
            break
    return found
