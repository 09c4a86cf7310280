"""The name server answers as an authority does, to the octet, and misbehaves exactly as a fault says."""

from __future__ import annotations

from typing import Any

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSQuestion, DNSRecord

from conformance.errors import UsageError
from conformance.internet.nameserver import NameServer, Response
from conformance.internet.zones import load_zone
from conformance.pod.observation import Question
from conformance.pod.world import Fault, Padding, Transport, World

BIG = (
    "$ORIGIN big.example.\n@ MX 10 mx\n@ TXT hello\nmx A 127.0.0.2\na.deep A 127.0.0.3\n*.wild A 127.0.0.4\n"
)


def question(name: str, qtype: str, edns: int = 0) -> bytes:
    asked = DNSRecord(q=DNSQuestion(name, getattr(QTYPE, qtype)))
    if edns:
        asked.add_ar(EDNS0(udp_len=edns))
    return bytes(asked.pack())


def server(*zones: str, **world: Any) -> NameServer:
    return NameServer(World(zones=list(zones or [BIG]), **world))


def ask(names: NameServer, name: str, qtype: str, over: Transport = "udp", edns: int = 0) -> Response:
    return names.answer(question(name, qtype, edns), over, 0.0)


def answer(names: NameServer, name: str, qtype: str, over: Transport = "udp", edns: int = 0) -> DNSRecord:
    octets = ask(names, name, qtype, over, edns).octets
    assert octets is not None
    return DNSRecord.parse(octets)


def said(record: DNSRecord) -> list[str]:
    return [f"{r.rname} {QTYPE[r.rtype]} {r.rdata}" for r in record.rr]


def test_the_log_tells_each_question_with_its_own_time() -> None:
    names = server(faults=[Fault("mx.big.example", "drop")])
    asked = question("big.example", "MX")
    names.answer(asked, "udp", 0.25)
    assert names.answer(asked, "udp", 0.5) == names.answer(asked, "udp", 0.75)
    ask(names, "mx.big.example", "A")
    names.answer(asked, "tcp", 1.0)
    seen = [(q.name, q.over, q.size, q.at) for q in names.questions]
    assert seen == [
        ("big.example", "udp", 48, 0.25),
        ("big.example", "udp", 48, 0.5),
        ("big.example", "udp", 48, 0.75),
        ("mx.big.example", "udp", 0, 0.0),
        ("big.example", "tcp", 48, 1.0),
    ]


def test_what_fits_is_another_matter_over_tcp() -> None:
    names = server(paddings=[Padding("big.example", "MX", 600)])
    asked = question("big.example", "MX")
    for _ in range(2):  # once made, and once remembered
        cut, whole = names.answer(asked, "udp", 0.0).octets, names.answer(asked, "tcp", 0.0).octets
        assert cut is not None
        assert whole is not None
        assert cut[2] & 2
        assert len(whole) == 600


# Authority


def test_records_are_answered_with_authority() -> None:
    found = answer(server(), "big.example", "MX")
    assert said(found) == ["big.example. MX 10 mx.big.example."]
    assert (found.header.qr, found.header.aa, found.header.tc, found.header.rd) == (1, 1, 0, 1)


def test_id_and_letters_of_the_question_come_back() -> None:
    names = server()
    for spelling in ("bIg.ExAmPle", "BIG.example", "bIg.ExAmPle"):
        asked = question(spelling, "MX")
        octets = names.answer(asked, "udp", 0.0).octets
        assert octets is not None
        assert octets[:2] == asked[:2]
        assert octets[12 : len(asked)] == asked[12:]
        assert DNSRecord.parse(octets).rr[0].rname.label == tuple(spelling.encode().split(b"."))
    assert [entry.name for entry in names.questions] == ["bIg.ExAmPle", "BIG.example", "bIg.ExAmPle"]


@pytest.mark.parametrize(
    ("name", "qtype", "rcode"),
    [
        ("gone.big.example", "A", "NXDOMAIN"),
        ("big.example", "A", "NOERROR"),
        ("deep.big.example", "A", "NOERROR"),  # it exists, as something stands below it
        ("wild.big.example", "A", "NOERROR"),
        ("x.deep.big.example", "A", "NXDOMAIN"),
    ],
)
def test_no_such_name_and_no_such_type_differ(name: str, qtype: str, rcode: str) -> None:
    found = answer(server(), name, qtype)
    assert (RCODE[found.header.rcode], found.rr) == (rcode, [])


def test_a_wildcard_covers_names_below_it() -> None:
    assert said(answer(server(), "x.y.wild.big.example", "A")) == ["x.y.wild.big.example. A 127.0.0.4"]


def test_any_gives_all_records_of_a_name() -> None:
    assert {QTYPE[r.rtype] for r in answer(server(), "big.example", "ANY").rr} == {"MX", "TXT"}


@pytest.mark.parametrize(("alias", "steps"), [("one", 1), ("five", 5), ("ten", 10)])
def test_aliases_are_followed_with_their_whole_chain(alias: str, steps: int) -> None:
    names = server(load_zone("cname-chain.example"))
    found = [QTYPE[r.rtype] for r in answer(names, f"{alias}.cname-chain.example", "MX").rr]
    assert found == ["CNAME"] * steps + ["MX"]
    for qtype in ("ANY", "CNAME"):
        found = [QTYPE[r.rtype] for r in answer(names, f"{alias}.cname-chain.example", qtype).rr]
        assert found == ["CNAME"]


def test_aliases_are_followed_across_zones_to_what_is_not_there() -> None:
    names = server(
        "$ORIGIN one.example.\n@ CNAME Gone.Two.example.\nout CNAME nobody.test.\n", "$ORIGIN two.example.\n"
    )
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
    for broken in (
        bytes(12),
        question("big.example", "MX")[:-1],
        bytes(5) + b"\x01" + bytes(6) + b"\xc0\x0c",
    ):
        octets = names.answer(b"\x01\x02" + broken[2:], "udp", 0.0).octets
        assert octets is not None
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
    zone = BIG + "@ A 127.0.0.2\n"
    own = said(answer(server(zone), "big.example", qtype))
    names = server(zone, paddings=[Padding("Big.example.", qtype, octets, needed)])
    whole = ask(names, "big.example", qtype, "tcp").octets
    assert whole is not None
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
    assert len(ask(names, "big.example", "MX").octets or b"") == octets


@pytest.mark.parametrize("octets", [12, 47, 59, 65536])
def test_sizes_that_cannot_be_are_said_so(octets: int) -> None:
    assert len(ask(server(), "big.example", "MX").octets or b"") == 48
    with pytest.raises(UsageError, match=f"cannot be {octets} octets long"):
        server(paddings=[Padding("big.example", "MX", octets)])


def test_padding_of_what_no_zone_has_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no zone of the world has the name 'gone\.big\.example'"):
        server(paddings=[Padding("gone.big.example", "MX", 4096)])


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
    octets = ask(names, "big.example", "MX", "tcp").octets
    assert octets is not None
    assert octets.count(b"\xc0\x0c\x00\x0f", 512) > 10


def test_names_far_behind_are_not_pointed_at() -> None:
    """A pointer reaches octet 16,383, and dnslib alone would write wrong ones beyond it."""
    zone = "$ORIGIN big.example.\n@ MX 10 a.hosts\n@ MX 10 b.hosts\n"
    names = server(zone, paddings=[Padding("big.example", "MX", 40000, "last")])
    found = said(answer(names, "big.example", "MX", "tcp"))
    assert found[-2:] == [
        "big.example. MX 10 a.hosts.big.example.",
        "big.example. MX 10 b.hosts.big.example.",
    ]


def test_padding_behind_an_alias() -> None:
    names = server(
        BIG, "$ORIGIN alias.example.\n@ CNAME BIG.example.\n", paddings=[Padding("alias.example", "MX", 3000)]
    )
    whole = ask(names, "alias.example", "MX", "tcp").octets
    assert whole is not None
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
    late = ask(names, "big.example", "MX")
    assert late.delay == 1.75
    assert late.octets is not None
    assert DNSRecord.parse(late.octets).rr
    assert ask(names, "mx.big.example", "A").delay == 0.25


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


def test_hinfo_answers_any_alone() -> None:
    names = server(faults=[Fault("big.example", "hinfo")])
    octets = ask(names, "Big.example", "ANY").octets
    assert octets is not None
    assert octets.endswith(b"\x07RFC8482\x00")
    assert [QTYPE[r.rtype] for r in DNSRecord.parse(octets).rr] == ["HINFO"]
    assert [QTYPE[r.rtype] for r in answer(names, "big.example", "MX").rr] == ["MX"]


def test_octets_are_cut_patched_and_replaced() -> None:
    asked = question("big.example", "MX")
    right = server().answer(asked, "udp", 0.0).octets
    assert right is not None

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
    names = server(
        faults=[
            Fault("*", "rcode", type="MX", times=2),
            Fault("big.example", "rcode", rcode="REFUSED", times=1),
        ]
    )
    rcodes = [RCODE[answer(names, "big.example", "MX").header.rcode] for _ in range(4)]
    assert rcodes == ["SERVFAIL", "SERVFAIL", "REFUSED", "NOERROR"]


@pytest.mark.parametrize("fault", [Fault("x", "rcode", rcode="NOPE"), Fault("x", "drop", type="NOPE")])
def test_a_wrong_fault_is_an_error(fault: Fault) -> None:
    with pytest.raises(UsageError, match="NOPE"):
        server(faults=[fault])
