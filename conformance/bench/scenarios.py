"""What can be measured, as data: each scenario with its name, its words, and what it needs of a target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from conformance.errors import NothingSelected
from conformance.nearest import did_you_mean

KIBI = 1024

#: Octets of a message that qmail-remote sends. With more than its buffer holds it writes twice, and the
#: second write waits for an acknowledgement that the other side delays by 40 ms (Nagle's algorithm): a pause
#: of the kernel's, the same for every build, in which nothing of the build would be seen.
SHORT = 512

Direction = Literal["inbound", "outbound", "mixed"]

#: What an inbound session does in each unit.
#:   messages    one message that is accepted
#:   recipients  a transaction with FIVE recipients in a domain that is not ours, all refused: in one write,
#:               and so few that qmail-smtpd's replies fit in one too; a second would wait, see SHORT
#:   unknown     TEN commands that no SMTP server knows, each after the reply to the one before: qmail-smtpd
#:               writes each reply by itself
Doing = Literal["messages", "recipients", "unknown"]
FIVE, TEN = 5, 10


@dataclass(frozen=True)
class LoadScenario:
    """One kind of load. `sessions` is how many connections, or runs of qmail-remote, there are at once.

    `needs`: the patch without which a target cannot do it. `unit`: what is counted, in the plural.
    """

    name: str
    what: str
    direction: Direction
    unit: str
    sessions: int = 10
    octets: int = KIBI  #: of a message
    per_connection: int = 0  #: inbound: units on one connection; 0: all that a session has
    doing: Doing = "messages"
    needs: str = ""
    aliases: int = 0  #: outbound: CNAME records between the recipient's domain and the one with the MX
    answer: int = 0  #: outbound: octets of the MX answer; 0: as small as it comes
    latency: float = 0.0  #: outbound: seconds added to every DNS answer
    units: int = 0  #: fixed; 0: as many as the speed allows
    default: bool = False  #: measured when nothing is selected


def _inbound() -> Iterator[LoadScenario]:
    usual = {(10, 0, 1), (10, 1, 1), (10, 0, 100)}
    for sessions in (1, 10, 50):
        for per_connection, word, phrase in ((0, "kept", "many on each"), (1, "new", "one on each")):
            for size in (1, 100):
                yield LoadScenario(
                    f"inbound/{sessions}-{word}-{size}k",
                    f"{sessions} session{'s' * (sessions > 1)}, messages of {size} KiB, {phrase} connection",
                    "inbound",
                    "messages",
                    sessions,
                    size * KIBI,
                    per_connection,
                    default=(sessions, per_connection, size) in usual,
                )
    after_auth = "messages of 1 KiB, one on each connection after AUTH PLAIN"
    checked = "messages of 1 KiB, many on each connection, RCPTCHECK runs for each"
    refused = f"transactions with {FIVE} recipients that are refused"
    unknown = f"each unit {TEN} commands that are unknown"
    others: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("auth", after_auth, "messages", {"per_connection": 1, "needs": "0008"}),
        ("rcptcheck", checked, "messages", {"needs": "0009"}),
        ("refused", refused, "transactions", {"doing": "recipients"}),
        ("unknown", unknown, "tens of commands", {"doing": "unknown"}),
    )
    for name, what, unit, more in others:
        yield LoadScenario(f"inbound/{name}", f"10 sessions, {what}", "inbound", unit, default=True, **more)


def _outbound() -> Iterator[LoadScenario]:
    worlds = [("plain", "a plain MX", 0, 0)]
    worlds += [(f"alias-{n}", f"a chain of {n} alias{'es' * (n > 1)}", n, 0) for n in (1, 5, 10)]
    worlds += [(f"answer-{n}", f"an MX answer of {n:,} octets", 0, n) for n in (513, 4096, 60000)]
    usual = {("plain", 0), ("plain", 20), ("alias-5", 0), ("answer-4096", 0)}
    for name, what, aliases, answer in worlds:
        for milliseconds in (0, 20):
            yield LoadScenario(
                f"outbound/{name}-{milliseconds}ms",
                f"10 runs of qmail-remote at once, {what}, {milliseconds} ms of DNS latency",
                "outbound",
                "deliveries",
                octets=SHORT,
                aliases=aliases,
                answer=answer,
                latency=milliseconds / 1000,
                default=(name, milliseconds) in usual,
            )


_MIXED = LoadScenario(
    "mixed/queue",
    f"1,000 messages of {SHORT} octets in by 10 sessions and out through qmail-send to ten exchangers",
    "mixed",
    "messages",
    octets=SHORT,
    units=1000,
    default=True,
)

SCENARIOS: tuple[LoadScenario, ...] = (*_inbound(), *_outbound(), _MIXED)


def select(patterns: Sequence[str]) -> tuple[LoadScenario, ...]:
    """The scenarios that any pattern names, in their own order: a name, `inbound/*`, `all`, `default`.

    Without a pattern, the default ones. Raises NothingSelected for a pattern that names none.
    """
    chosen: set[str] = set()
    for pattern in patterns or ("default",):
        found = {
            scenario.name
            for scenario in SCENARIOS
            if pattern == "all"
            or (scenario.default if pattern == "default" else fnmatchcase(scenario.name, pattern))
        }
        if not found:
            names = ["all", "default", *(scenario.name for scenario in SCENARIOS)]
            hint = did_you_mean(pattern, names, f"there are: {', '.join(names)}")
            raise NothingSelected(f"no scenario is named {pattern!r}", hint)
        chosen |= found
    return tuple(scenario for scenario in SCENARIOS if scenario.name in chosen)
