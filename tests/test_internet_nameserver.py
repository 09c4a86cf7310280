"""The name server answers as an authority does, to the octet, and misbehaves exactly as a fault says."""

from typing import Any

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSQuestion, DNSRecord

from conformance.errors import UsageError
from conformance.internet.faults import first_match
from conformance.internet.nameserver import NameServer, Response
from conformance.internet.zones import load_zone
from conformance.pod.observation import Question
from conformance.pod.world import Fault, Padding, Transport, World

BIG = "$ORIGIN big.example.\n@ MX 10 mx\n@ TXT hello\nmx A 127.0.0.2\na.deep A 127.0.0.3\n*.wild A 127.0.0.4"


def question(name: str, qtype: str, edns: int = 0) -> bytes:
    asked = DNSRecord(q=DNSQuestion(name, getattr(QTYPE, qtype)))
    if edns:
        asked.add_ar(EDNS0(udp_len=edns))
    return bytes(asked.pack())


def server(*zones: str, **world: Any) -> NameServer:
    return NameServer(World(zones=list(zones or [BIG]), **world))


def ask(names: NameServer, name: str, qtype: str, over: Transport = "udp", edns: int = 0) -> Response:
    return names.answer(question(name, qtype, edns), over, 0.0)


def sent(response: Response) -> bytes:
    assert response.octets is not None
    return response.octets


def answer(names: NameServer, name: str, qtype: str, over: Transport = "udp", edns: int = 0) -> DNSRecord:
    return DNSRecord.parse(sent(ask(names, name, qtype, over, edns)))


def said(record: DNSRecord) -> list[str]:
    return [f"{r.rname} {QTYPE[r.rtype]} {r.rdata}" for r in record.rr]


def test_the_log_tells_each_question_with_its_own_time() -> None:
    names = server(faults=[Fault("mx.big.example", "drop")])
    asked = question("big.example", "MX")
    assert names.answer(asked, "udp", 0.25) == names.answer(asked, "udp", 0.5)
    ask(names, "mx.big.example", "A")
    names.answer(asked, "tcp", 1.0)
    seen = [(q.name.partition(".")[0], q.over, q.size, q.at) for q in names.questions]
    assert seen[:2] == [("big", "udp", 48, 0.25), ("big", "udp", 48, 0.5)]
    assert seen[2:] == [("mx", "udp", 0, 0.0), ("big", "tcp", 48, 1.0)]


# Authority


def test_records_are_answered_with_authority() -> None:
    found = answer(server(), "big.example", "MX")
    assert said(found) == ["big.example. MX 10 mx.big.example."]
    assert (found.header.qr, found.header.aa, found.header.tc, found.header.rd) == (1, 1, 0, 1)


def test_id_and_letters_of_the_question_come_back() -> None:
    names = server()
    for spelling in ("bIg.ExAmPle", "BIG.example", "bIg.ExAmPle"):
        asked = question(spelling, "MX")
        octets = sent(names.answer(asked, "udp", 0.0))
        assert octets[:2] == asked[:2]
        assert octets[12 : len(asked)] == asked[12:]
        assert DNSRecord.parse(octets).rr[0].rname.label == tuple(spelling.encode().split(b"."))
    assert [entry.name for entry in names.questions] == ["bIg.ExAmPle", "BIG.example", "bIg.ExAmPle"]


@pytest.mark.parametrize(
    ("name", "qtype", "rcode", "types"),
    [
        ("gone.big.example", "A", "NXDOMAIN", []),
        ("big.example", "A", "NOERROR", []),
        ("deep.big.example", "A", "NOERROR", []),  # it exists, as something stands below it
        ("wild.big.example", "A", "NOERROR", []),
        ("x.deep.big.example", "A", "NXDOMAIN", []),
        ("x.y.wild.big.example", "A", "NOERROR", ["A"]),
        ("big.example", "ANY", "NOERROR", ["MX", "TXT"]),
    ],
)
def test_names_types_and_wildcards(name: str, qtype: str, rcode: str, types: list[str]) -> None:
    found = answer(server(), name, qtype)
    assert RCODE[found.header.rcode] == rcode
    assert [(str(r.rname), QTYPE[r.rtype]) for r in found.rr] == [(f"{name}.", kind) for kind in types]


@pytest.mark.parametrize(("alias", "steps"), [("one", 1), ("five", 5), ("ten", 10)])
def test_aliases_are_followed_with_their_whole_chain(alias: str, steps: int) -> None:
    names = server(load_zone("cname-chain.example"))
    for qtype, kinds in (("MX", ["CNAME"] * steps + ["MX"]), ("ANY", ["CNAME"]), ("CNAME", ["CNAME"])):
        found = answer(names, f"{alias}.cname-chain.example", qtype)
        assert [QTYPE[record.rtype] for record in found.rr] == kinds


def test_aliases_are_followed_across_zones_to_what_is_not_there() -> None:
    zone = "$ORIGIN one.example.\n@ CNAME Gone.Two.example.\nout CNAME nobody.test.\n"
    names = server(zone, "$ORIGIN two.example.\n")
    found = answer(names, "one.example", "A")
    assert (said(found), RCODE[found.header.rcode]) == (["one.example. CNAME Gone.Two.example."], "NXDOMAIN")
    found = answer(names, "out.one.example", "A")
    assert (len(found.rr), RCODE[found.header.rcode]) == (1, "NOERROR")
    assert names.stray == []


def test_an_alias_loop_ends() -> None:
    names = server(load_zone("cname-loop.example"))
    assert len(answer(names, "circle.cname-loop.example", "MX").rr) == 3
    assert len(answer(names, "self.cname-loop.example", "MX").rr) == 1


def test_a_question_without_a_zone_is_stray_and_refused() -> None:
    names = server(faults=[Fault("*", "drop")])
    assert RCODE[answer(names, "Other.example", "MX").header.rcode] == "REFUSED"
    assert names.stray == ["Other.example MX"]
    assert names.questions[0].rcode == "REFUSED"


def test_messages_that_are_no_question() -> None:
    names = server()
    assert names.answer(b"short", "udp", 0.0).octets is None
    assert names.answer(b"\x01\x02\x80" + bytes(20), "udp", 0.0).octets is None
    compressed = bytes(5) + b"\x01" + bytes(6) + b"\xc0\x0c"
    for broken in (bytes(12), question("big.example", "MX")[:-1], compressed):
        octets = sent(names.answer(b"\x01\x02" + broken[2:], "udp", 0.0))
        assert octets == b"\x01\x02" + octets[2:3] + bytes([RCODE.FORMERR]) + bytes(8)


# Sizes


def test_what_does_not_fit_into_udp_is_truncated() -> None:
    names = server(load_zone("many-records.example"))
    host = "mx.many-records.example"
    short = answer(names, host, "A")
    assert (short.header.tc, short.rr) == (1, [])
    assert len(answer(names, host, "A", "tcp").rr) == 40
    assert len(answer(names, host, "A", "udp", edns=681).rr) == 40
    assert answer(names, host, "A", "udp", edns=680).header.tc == 1
    seen = [(q.over, q.size, q.truncated) for q in names.questions]
    assert seen == [("udp", 41, True), ("tcp", 681, False), ("udp", 681, False), ("udp", 41, True)]


@pytest.mark.parametrize("octets", [100, 512, 513, 2048, 2049, 16383, 16384, 30000, 65535])
@pytest.mark.parametrize("qtype", ["MX", "A", "TXT", "ANY"])
@pytest.mark.parametrize("needed", ["first", "middle", "last"])
def test_padding_comes_out_to_the_octet(octets: int, qtype: str, needed: Any) -> None:
    zone = BIG + "\n@ A 127.0.0.2\n"
    own = said(answer(server(zone), "big.example", qtype))
    names = server(zone, paddings=[Padding("Big.example.", qtype, octets, needed)])
    whole = sent(ask(names, "big.example", qtype, "tcp"))
    assert len(whole) == octets
    found = said(DNSRecord.parse(whole))
    place = found.index(own[0])
    assert found[place : place + len(own)] == own
    fillers = len(found) - len(own)
    assert place == {"first": 0, "middle": fillers // 2, "last": fillers}[needed]
    assert len(set(found)) == len(found) or qtype in ("TXT", "ANY")


@pytest.mark.parametrize("octets", range(60, 100))
def test_small_gaps_are_closed(octets: int) -> None:
    names = server(paddings=[Padding("big.example", "MX", octets)])
    assert len(sent(ask(names, "big.example", "MX"))) == octets


@pytest.mark.parametrize(
    ("name", "octets", "said"),
    [
        *(("big.example", octets, f"cannot be {octets} octets long") for octets in (12, 47, 59, 65536)),
        ("gone.big.example", 4096, r"no zone of the world has the name 'gone\.big\.example'"),
    ],
)
def test_paddings_that_cannot_be_are_said_so(name: str, octets: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        server(paddings=[Padding(name, "MX", octets)])


@pytest.mark.parametrize("octets", [600, 2048, 65535])
def test_filler_exchanges_are_worse_and_are_addresses_that_qmail_need_not_ask_for(octets: int) -> None:
    names = server(paddings=[Padding("big.example", "MX", octets, "last")])
    *fillers, own = answer(names, "big.example", "MX", "tcp").rr
    assert min(filler.rdata.preference for filler in fillers) > own.rdata.preference
    exchanges = [str(filler.rdata.label).rstrip(".").split(".") for filler in fillers]
    addresses = [tuple(map(int, labels)) for labels in exchanges]
    assert len(set(addresses)) == len(addresses)
    for address in addresses:
        assert address[:2] == (127, 127)
        assert all(0 < octet < 256 for octet in address)


def test_many_records_of_a_moderate_answer_start_beyond_octet_512() -> None:
    names = server(paddings=[Padding("big.example", "MX", 1024)])
    octets = sent(ask(names, "big.example", "MX", "tcp"))
    assert octets.count(b"\xc0\x0c\x00\x0f", 512) > 10


def test_names_far_behind_are_not_pointed_at() -> None:
    """A pointer reaches octet 16,383, and dnslib alone would write wrong ones beyond it."""
    zone = "$ORIGIN big.example.\n@ MX 10 a.hosts\n@ MX 10 b.hosts\n"
    names = server(zone, paddings=[Padding("big.example", "MX", 40000, "last")])
    found = said(answer(names, "big.example", "MX", "tcp"))
    assert found[-2:] == [f"big.example. MX 10 {host}.hosts.big.example." for host in "ab"]


def test_padding_behind_an_alias() -> None:
    alias = "$ORIGIN alias.example.\n@ CNAME BIG.example.\n"
    names = server(BIG, alias, paddings=[Padding("alias.example", "MX", 3000)])
    whole = sent(ask(names, "alias.example", "MX", "tcp"))
    assert len(whole) == 3000
    kinds = [(str(r.rname), QTYPE[r.rtype]) for r in DNSRecord.parse(whole).rr]
    assert kinds[:2] == [("alias.example.", "CNAME"), ("BIG.example.", "MX")]
    assert set(kinds[2:]) == {("BIG.example.", "MX")}


# Faults


def test_drop_sends_nothing_and_is_logged() -> None:
    names = server(faults=[Fault("big.example", "drop", type="MX", over="udp")])
    assert ask(names, "BIG.example", "MX").octets is None
    assert names.questions == [Question("BIG.example", "MX", "udp", "", 0, False, 0.0)]
    assert ask(names, "big.example", "MX", "tcp").octets is not None
    assert ask(names, "big.example", "TXT").octets is not None


def test_delay_adds_to_latency() -> None:
    names = server(faults=[Fault("big.example", "delay", seconds=1.5)], latency=0.25)
    late, other = ask(names, "big.example", "MX"), ask(names, "mx.big.example", "A")
    assert (late.delay, other.delay) == (1.75, 0.25)
    assert DNSRecord.parse(sent(late)).rr


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "NXDOMAIN", "FORMERR"])
def test_rcode_is_answered_without_records(rcode: str) -> None:
    names = server(faults=[Fault("*", "rcode", type="ANY", rcode=rcode)])
    found = answer(names, "bIg.example", "ANY")
    assert (RCODE[found.header.rcode], found.rr, str(found.q.qname)) == (rcode, [], "bIg.example.")
    assert (names.questions[0].rcode, names.stray) == (rcode, [])
    assert answer(names, "big.example", "MX").rr


def test_truncate_bears_the_bit_whatever_the_size() -> None:
    names = server(faults=[Fault("big.example", "truncate", over="udp")])
    found = answer(names, "big.example", "MX")
    assert (found.header.tc, found.rr) == (1, [])
    assert names.questions[0].truncated
    assert answer(names, "big.example", "MX", "tcp").rr


@pytest.mark.parametrize(("octets", "is_sent"), [(65507, True), (65508, False)])
def test_what_no_datagram_can_hold_is_not_sent(octets: int, is_sent: bool) -> None:
    padding = Padding("big.example", "MX", octets)
    names = server(paddings=[padding], faults=[Fault("big.example", "untruncated")])
    assert (ask(names, "big.example", "MX").octets is not None) == is_sent
    assert len(sent(ask(names, "big.example", "MX", "tcp"))) == octets


def test_hinfo_answers_any_alone() -> None:
    names = server(faults=[Fault("big.example", "hinfo")])
    octets = sent(ask(names, "Big.example", "ANY"))
    assert octets.endswith(b"\x07RFC8482\x00")
    assert [QTYPE[r.rtype] for r in DNSRecord.parse(octets).rr] == ["HINFO"]
    assert [QTYPE[r.rtype] for r in answer(names, "big.example", "MX").rr] == ["MX"]


def test_octets_are_cut_patched_and_replaced() -> None:
    asked = question("big.example", "MX")
    right = sent(server().answer(asked, "udp", 0.0))

    def spoilt(**fault: Any) -> bytes | None:
        names = server(faults=[Fault("big.example", **fault)])
        octets = names.answer(asked, "udp", 0.0).octets
        assert names.questions[0].size == len(octets or b"")
        return octets

    assert spoilt(action="cut", length=20) == right[:20]
    assert spoilt(action="cut", length=0) == b""
    assert spoilt(action="patch", offset=6, octets="\x00\xff") == right[:6] + b"\x00\xff" + right[8:]
    assert spoilt(action="raw", octets="\x81\x82") == asked[:2] + b"\x81\x82"


def test_close_and_stall_limit_the_framed_answer_over_tcp_alone() -> None:
    for action in ("close", "stall"):
        names = server(faults=[Fault("big.example", action, length=30)])
        broken = ask(names, "big.example", "MX", "tcp")
        assert (broken.limit, broken.end, len(broken.octets or b"")) == (30, action, 48)
        assert names.questions[0].size == 28
        whole = ask(names, "big.example", "MX")
        assert (whole.limit, whole.end) == (None, "open")


def test_the_first_fault_that_matches_wins_until_it_is_used_up() -> None:
    limited = Fault("*", "rcode", type="MX", times=2)
    names = server(faults=[limited, Fault("big.example", "rcode", rcode="REFUSED", times=1)])
    rcodes = [RCODE[answer(names, "big.example", "MX").header.rcode] for _ in range(4)]
    assert rcodes == ["SERVFAIL", "SERVFAIL", "REFUSED", "NOERROR"]


@pytest.mark.parametrize(
    ("fault", "over", "struck"),
    [
        (Fault("*", "drop"), "udp", True),
        (Fault("Big.example.", "drop", type="type15", over="udp"), "udp", True),
        (Fault("big.example", "drop", over="udp"), "tcp", False),
        (Fault("big.example", "drop", type="A"), "udp", False),
        (Fault("", "drop"), "udp", False),  # the root's name, and not every name
        (Fault("big.example", "hinfo"), "udp", False),
        (Fault("big.example", "close"), "udp", False),
        (Fault("big.example", "drop", times=0), "udp", False),
    ],
)
def test_a_fault_is_for_the_questions_that_it_names(fault: Fault, over: Transport, struck: bool) -> None:
    assert first_match([fault], "big.example", "MX", over, [0]) == (0 if struck else None)


@pytest.mark.parametrize("fault", [Fault("x", "rcode", rcode="NOPE"), Fault("x", "drop", type="NOPE")])
def test_a_wrong_fault_is_an_error(fault: Fault) -> None:
    with pytest.raises(UsageError, match="NOPE"):
        server(faults=[fault])
