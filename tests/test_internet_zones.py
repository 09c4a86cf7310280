"""Zone text is read as RFC 1035 says, and what is wrong in it is named with its line."""

from pathlib import Path

import pytest
from dnslib import QTYPE

from conformance.errors import UsageError
from conformance.internet.zones import Zone, load_zone, parse_zone
from conformance.places import data

ZONE_FILES = sorted(path.stem for path in data("fixtures", "dns-zones").glob("*.zone"))


def lines(zone: Zone) -> list[str]:
    return [f"{r.rname} {r.ttl} {QTYPE[r.rtype]} {r.rdata}" for r in zone.records]


def test_the_whole_syntax_is_read() -> None:
    zone = parse_zone((Path(__file__).parent / "data" / "syntax.zone").read_text())
    assert zone.origin == "big.example"
    assert lines(zone) == [
        "Big.example. 3600 SOA ns.Big.example. hostmaster.Big.example. 1 3600 600 86400 60",
        "Big.example. 3600 MX 10 Big.example.",
        "Big.example. 600 MX 20 mx.other.example.",
        "mx.Big.example. 60 A 127.0.0.2",
        "mx.Big.example. 60 A 127.0.0.3",
        'a.sub.Big.example. 3600 TXT "one; not a comment","two","a "quote"","(open"',
        "sub.Big.example. 3600 TYPE65280 \\# 3 010203",
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("; nothing\n", 0, "no $ORIGIN"),
        ("@ A 127.0.0.2", 1, "before $ORIGIN"),
        ("$ORIGIN x.example", 1, "ends with a dot"),
        ("$ORIGIN x.example.\n\n@ A 127.0.0.300", 3, "127.0.0.300"),
        ("$ORIGIN x.example.\n@ A 127.0.0.2 127.0.0.3", 2, "A takes 1 fields, here are 2"),
        ("$ORIGIN x.example.\n@ MX mx", 2, "MX takes 2 fields, here are 1"),
        ("$ORIGIN x.example.\n@ MX ten mx", 2, "ten"),
        ("$ORIGIN x.example.\n; c\n@ MMX 10 mx", 3, "unknown record type 'MMX'"),
        ("$ORIGIN x.example.\n@ SOA a b (\n1 2 3 4 5", 2, "never closed"),
        ("$ORIGIN x.example.\n@ SOA a b (\n1 2\n3 4 five)", 2, "five"),
        ("$ORIGIN x.example.\n@ A 127.0.0.2 )", 2, "closing parenthesis"),
        ('$ORIGIN x.example.\n\n@ TXT "no end\nmx A 127.0.0.2', 3, "string without end"),
        ("$ORIGIN x.example.\n@ A 127.0.0.2\n   \n  A\n", 4, "A takes 1 fields, here are 0"),
        ("$ORIGIN x.example.\n A 127.0.0.2", 2, "no owner name"),
        ("$ORIGIN x.example.\nmx.y.example. A 127.0.0.2", 2, "not below x.example"),
        ("$ORIGIN x.example.\na CNAME b\na A 127.0.0.2", 3, "an alias stands alone"),
        ("$ORIGIN x.example.\na A 127.0.0.2\na CNAME b", 3, "an alias stands alone"),
        ("$ORIGIN x.example.\n$INCLUDE other", 2, "$INCLUDE is not supported"),
        (f"$ORIGIN x.example.\n{'a' * 64} A 127.0.0.2", 2, "too long"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_zone(text, "broken.zone")
    assert str(raised.value).startswith(f"broken.zone, line {line}: " if line else "broken.zone: ")
    assert said in str(raised.value)


def test_an_unknown_zone_file_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UsageError) as raised:
        load_zone("../plain.example")
    assert "plain.example" in raised.value.hint
    assert "txt-heavy.example" in raised.value.hint


@pytest.mark.parametrize("name", ZONE_FILES)
def test_each_zone_file_is_the_zone_that_its_name_says(name: str) -> None:
    text = load_zone(name)
    assert text.startswith(";"), "a person reads first what the zone is for"
    assert parse_zone(text, f"{name}.zone").origin == name
