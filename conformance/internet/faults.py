"""Faults of the DNS: which one strikes a question, and the message that it makes of the right answer."""

from collections.abc import Sequence

from dnslib import CLASS, QTYPE
from dnslib.dns import RCODE, RD, RR

from conformance.errors import UsageError
from conformance.internet.answers import encode, label, qtype_of
from conformance.internet.query import Query, with_query_header
from conformance.pod.base import octets
from conformance.pod.world import Fault, Transport

_LONGEST = 65535  #: octets of a message (RFC 1035 4.2.2)


def check(fault: Fault) -> None:
    """Raises UsageError for a fault that no server could apply."""
    if fault.action == "rcode" and fault.rcode not in RCODE.reverse:
        known = ", ".join(RCODE.reverse)
        raise UsageError(f"fault for {fault.name}: unknown rcode {fault.rcode!r}", f"known: {known}")
    if fault.times is not None and fault.times < 0:
        raise UsageError(f"fault for {fault.name}: times is {fault.times}")
    if fault.offset + len(fault.octets) > _LONGEST - 2:
        raise UsageError(f"fault for {fault.name}: its octets do not fit into a message of {_LONGEST}")
    if fault.type != "*":
        qtype_of(fault.type)


def matches(fault: Fault, name: str, type: str, over: Transport) -> bool:
    """Whether a fault is for this question: `name` in lower case without the final dot, `type` as "MX"."""
    if (fault.action in ("close", "stall") and over != "tcp") or (fault.action == "hinfo" and type != "ANY"):
        return False
    named = fault.name == "*" or fault.name.rstrip(".").lower() == name
    typed = fault.type == "*" or qtype_of(fault.type) == qtype_of(type)
    return named and typed and fault.over in ("*", over)


def first_match(
    faults: Sequence[Fault], name: str, type: str, over: Transport, used: Sequence[int]
) -> int | None:
    """Number of the fault that strikes this question; None: it gets the right answer.

    `used`: how often each fault has struck so far, in the order of `faults`.
    """
    for number, fault in enumerate(faults):
        if (fault.times is None or used[number] < fault.times) and matches(fault, name, type, over):
            return number
    return None


def apply_fault(fault: Fault, query: Query, right: bytes) -> bytes | None:
    """The message that is sent in the place of the `right` one; None: nothing is sent."""
    name = query.name.lower()
    match fault.action:
        case "drop":
            return None
        case "rcode":
            return with_query_header(query, encode(name, query.qtype, getattr(RCODE, fault.rcode)))
        case "truncate":
            return with_query_header(query, encode(name, query.qtype, RCODE.NOERROR, truncated=True))
        case "hinfo":
            record = RR(label(name), QTYPE.HINFO, CLASS.IN, 3600, RD(b"\x07RFC8482\x00"))
            return with_query_header(query, encode(name, query.qtype, RCODE.NOERROR, [record]))
        case "cut":
            return right[: fault.length]
        case "patch":
            written = octets(fault.octets)
            return right[: fault.offset] + written + right[fault.offset + len(written) :]
        case "raw":
            return right[:2] + octets(fault.octets)
        case "delay" | "untruncated" | "close" | "stall":
            return right
