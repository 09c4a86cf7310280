"""What qmail-remote asks the DNS, and what it makes of the answers: chains, sizes, orders, faults."""

from functools import partial
from itertools import product
from typing import Any

from conformance.explore.areas.area import Area
from conformance.explore.areas.choosing import Choices, documents
from conformance.explore.areas.hosts import ADDRESSES, ROOT, Table, deliveries, put, some
from conformance.explore.document import Document

#: Hosts of the zones: with one address, several, none, as aliases, as this host itself, in another zone.
_HOSTS = """\
one A 127.0.0.2
two A 127.0.0.3
many A 127.0.0.9
many A 127.0.0.4
many A 127.0.0.2
dead A 127.0.0.9
here A 127.0.0.1
zero A 0.0.0.0
both A 127.0.0.1
both A 127.0.0.5
text TXT "no address"
alias CNAME one
chain CNAME alias
out CNAME two.other.example.
loop CNAME loop
circle CNAME circle2
circle2 CNAME circle
lost CNAME gone.other.example.
"""
_TARGETS = (
    *["one", "two", "here", "many"] * 2, "dead", "zero", "both", "text", "alias", "chain", "out", "loop",
    "lost", "gone", ".", "two.other.example.", "ONE", "One.Big.Example.", "127.0.0.4.", "one.big.example.",
    "\\127.x", "zero",
)  # fmt: skip
_PREFERENCES = (0, 1, 10, 20, 30, 32768, 65535)
#: Domains of the zone, beside its origin.
_DOMAINS = """\
plain MX 10 one
bare A 127.0.0.2
several A 127.0.0.9
several A 127.0.0.5
null MX 0 .
nothing TXT "nothing"
step1 CNAME plain
step2 CNAME step1
step3 CNAME step2
step4 CNAME step3
step5 CNAME step4
step6 CNAME step5
step7 CNAME step6
step8 CNAME step7
step9 CNAME step8
step10 CNAME step9
step11 CNAME step10
*.wild MX 10 two
"""
_OTHER = "@ MX 10 two\ntwo A 127.0.0.3\none A 127.0.0.4\n"
#: Of the sort that fills answers to ANY.
_TEXTS = "".join(f'@ TXT "{"x" * 60}{number}"\n' for number in range(8))

_RECIPIENTS = tuple(
    f"b@{name}"
    for name in (
        *["big.example"] * 20, *(f"{name}.big.example" for name in (
            "plain", "bare", "several", "null", "nothing", "gone", "step1", "step5", "step9", "step10",
            "step11", "loop",
            "circle", "out", "lost", "alias", "x.wild", "many", "Plain", "PLAIN")),
        "other.example", "OTHER.example", "plain.big.example.", "Big.EXAMPLE", "gone.other.example",
        "[127.0.0.2]", "127.0.0.3", "nowhere.test", "x" * 63 + ".big.example", "x" * 64 + ".big.example",
        "a..big.example",
        "\u00fc.big.example", "x y.big.example",
    )
)  # fmt: skip

_NAMES = (
    *["big.example"] * 4,
    "*",
    "one.big.example",
    "two.big.example",
    "many.big.example",
    "plain.big.example",
)
_TYPES = ("MX", "A", "*", "ANY", "CNAME")
_RCODES = ("SERVFAIL", "REFUSED", "NOTIMP", "NXDOMAIN", "FORMERR")
#: Around the header, the question and the answer that follow each other in a message, and the limits of DNS.
_LENGTHS = (0, 1, 2, 3, 11, 12, 13, 20, 29, 31, 33, 40, 45, 50, 60, 80, 511, 512, 513, 514)
#: In the header: id, flags, counts; in what follows: labels, pointers, types.
_OFFSETS = (*range(13), *range(24, 32), *range(33, 56, 2), 60, 70)
_PATCHES = (
    r"\x00", r"\x01", r"\x02", r"\xff", r"\xc0\x0c", r"\x86\x00", r"\x84\x02", r"\x80", r"\x3f",
    r"\x00\x00", r"\x00\x05", r"\xc0\xff", r"\x40", r"\x00\x01",
)  # fmt: skip
#: Of the two octets of flags: cut, not authoritative, no recursion, codes of every sort (RFC 1035 4.1.1).
_FLAGS = (
    r"\x87\x80", r"\x87\x80", r"\x86\x00", r"\x81\x80", r"\x81\x00", r"\x80\x00", r"\x84\x00", r"\x01\x00",
    r"\x87\x82", r"\x84\x05", r"\x84\x06", r"\x84\x0f", r"\x94\x00",
)  # fmt: skip
_RAWS = (
    r"\c", r"\x81\x80", r"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00",
    r"\x84\x00\x00\x00\x00\x00\x00\x00\x00\x00", r"\{600*\x00}", r"\{12*\xff}",
    r"\x81\x82\x00\x00\x00\x01\x00\x00\x00\x00\xc0\x0c", r"\x86\x00\x00\x01\x00\x01\x00\x00\x00\x00",
)  # fmt: skip

#: Seconds that answers are late by. Alone and together they are well beside the resolver's limits, whole
#: seconds: on a busy machine what comes at a limit comes before it or after.
_DELAYS, _LATENCIES = (0.3, 1.4, 2.4), (0.1, 0.3, 1.4)

#: What a server does instead of answering; of some of it the details.
_ACTIONS: dict[str, list[Table]] = {
    "drop": [{}],
    "delay": [{"seconds": seconds} for seconds in _DELAYS],
    "rcode": [{"rcode": rcode} for rcode in _RCODES],
    "truncate": [{}],
    "untruncated": [{}],
    "hinfo": [{"type": "ANY"}],
    "cut": [{"length": length} for length in _LENGTHS],
    "patch": [{"offset": offset, "octets": octets} for offset, octets in product(_OFFSETS, _PATCHES)],
    "patch flags": [{"action": "patch", "offset": 2, "octets": octets} for octets in _FLAGS],
    "raw": [{"octets": octets} for octets in _RAWS],
    "close": [{"length": length} for length in _LENGTHS],
    "stall": [{"length": length} for length in _LENGTHS],
}


def _fault(choices: Choices) -> Table:
    details = {
        action: partial(lambda action, details: {"action": action} | choices.of(details), action, of_action)
        for action, of_action in _ACTIONS.items()
    }
    made: Table = {"name": choices.of(_NAMES)} | choices.steered("dns fault", details)
    if "type" not in made and not choices.chance(3):
        made["type"] = choices.of(_TYPES)
    if made["action"] in ("close", "stall"):
        made["over"] = "tcp"
    else:
        put(choices, made, "over", ("udp", "tcp"), 2)
    put(choices, made, "times", (1, 2), 4)
    return made


#: Sizes that mean something to UDP, to EDNS, to qmail's buffers and to TCP, and what is beside them.
_SIZES = (
    511, 512, 512, 513, 513, 514, 515, 600, 1199, 1200, 1201, 1232, 2048, 4095, 4096, 4097, 8192, 16384,
    65534, 65535,
)  # fmt: skip
_PADDED = (
    *[("big.example", "MX")] * 4, ("one.big.example", "A"), ("two.big.example", "A"),
    ("plain.big.example", "MX"), ("plain.big.example", "ANY"), ("bare.big.example", "A"),
)  # fmt: skip


def _paddings(choices: Choices, apex: str) -> list[Table]:
    """Answers of all sizes; none where an alias leads elsewhere."""
    found: dict[tuple[str, str], Table] = {}
    for _ in range(choices.of((1, 1, 2))):
        name, kind = choices.of(_PADDED)
        if name != "big.example" or "CNAME" not in apex:
            needed = choices.of(("first", "middle", "last"))
            found[name, kind] = {"name": name, "type": kind, "octets": choices.of(_SIZES), "needed": needed}
    return list(found.values())


_RESOLVERS = (
    "timeout:1 attempts:1", "timeout:1 attempts:3", "timeout:1 attempts:2 edns0",
    "edns0 timeout:1 attempts:1", "timeout:2 attempts:1", "timeout:1 attempts:2 rotate ndots:3",
    "timeout:x attempts:1 timeout:1",
)  # fmt: skip


def _exchangers(choices: Choices) -> str:
    """Some, each with a preference of its own: which of two equal ones is tried first is chance."""
    found = {choices.of(_PREFERENCES): target for target in some(choices, _TARGETS, 4)}
    return "".join(f"@ MX {preference} {target}\n" for preference, target in found.items())


#: What stands at the origin of the zone.
_APEXES = {
    "exchangers": _exchangers,
    "one": lambda choices: "@ MX 10 one\n",
    "texts before": lambda choices: _TEXTS + _exchangers(choices),
    "texts behind": lambda choices: _exchangers(choices) + _TEXTS,
    "address": lambda choices: "@ A 127.0.0.2\n",
    "address beside": lambda choices: "@ A 127.0.0.5\n" + _exchangers(choices),
    "alias": lambda choices: f"@ CNAME {choices.of(('plain', 'step9', 'other.example.', 'loop'))}\n",
}


def _hosts(choices: Choices) -> list[Table]:
    """Mostly all of them take mail."""
    made: list[Table] = []
    for address in ADDRESSES:
        at: dict[str, Any] = {"address": address}
        made += (
            [at] if not choices.chance(8) else choices.of(([], [at | {"steps": {"connect": "421 later"}}]))
        )
    return made or [{"address": "127.0.0.9"}]


def _may_be_formerr(fault: Table) -> bool:
    """Whether an answer may come out as FORMERR (RFC 1035 4.1.1).

    One to a question with EDNS is a matter of the C library's version: 2.31 asks once more without, 2.36 not.
    """
    changes_rcode = fault["action"] == "patch" and fault["offset"] in (2, 3)
    return fault.get("rcode") == "FORMERR" or changes_rcode


def _document(choices: Choices) -> Document:
    apex = choices.steered("dns apex", {name: partial(make, choices) for name, make in _APEXES.items()})
    made: Document = {"control": {"timeoutremote": 1, "timeoutconnect": 1}}
    put(choices, made, "refuse-tcp", (True,), 10)
    put(choices, made, "latency", _LATENCIES, 15)
    put(choices, made, "resolver", _RESOLVERS, 4)
    made["zones"] = {".": ROOT, "big.example": apex + _HOSTS + _DOMAINS, "other.example": _OTHER}
    if choices.chance(2) and (paddings := _paddings(choices, apex)):
        made["padding"] = paddings
    if choices.chance(2):
        made["fault"] = [_fault(choices) for _ in range(choices.of((1, 1, 2)))]
        if "padding" in made and choices.chance(2):  # then there is much to be asked for over TCP
            large = made["padding"][0]
            made["fault"][0] |= {"name": large["name"], "type": large["type"], "over": "tcp"}
        if any(map(_may_be_formerr, made["fault"])):
            made["resolver"] = made.get("resolver", _RESOLVERS[0]).replace("edns0", "").strip()
    return made | {"exchanger": _hosts(choices), "deliver": deliveries(choices, 4, _RECIPIENTS)}


AREA = Area("dns", "what the DNS answers, and what qmail-remote makes of it", documents(_document))
