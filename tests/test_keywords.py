"""What `-k` selects, which is what pytest's own selects."""

import pytest

from conformance.cli.keywords import matcher, near_names
from conformance.errors import UsageError

NAMES = ("0005.mx.tcp-4096", "change", "test_0005_answers.py::test_mx_of_4096_octets")


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        (" ", True), ("mx", True), ("MX", True), ("tcp-4096", True), ("0005.mx", True), ("a-record", False),
        ("mx and not tcp", False), ("mx and (udp or tcp)", True), ("not udp and not guard", True),
        ("not (mx or udp)", False), ("udp or mx and change", True), ("answers.py::test", True),
        ("android or nothing", False), ("not not mx", True),
    ],
)  # fmt: skip
def test_words_and_their_ties(expression: str, fits: bool) -> None:
    assert matcher(expression)(NAMES) is fits


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("0005.mx.tpc-4096", "did you mean '0005.mx.tcp-4096'? Look."),
        ("mx and not (chnage or MX)", "did you mean 'change'? Look."),
        ("mx and not mx", "Look."),
        ("tcp-4069", "did you mean 'tcp-4096'? Look."),
        ("wibble", "Look."),
        ("", "Look."),
    ],
)
def test_names_like_a_word_that_none_holds_are_told(expression: str, hint: str) -> None:
    assert near_names(expression, NAMES[:2], "Look.") == hint


WRONG = "and,mx and,mx tcp,(mx,(),mx(tcp),'mx',mx == tcp,~mx,mx·x,mx #c,mx\n,\udcff"


DEEP = ("not " * 5000 + "mx", "(" * 5000 + "mx" + ")" * 5000, "(" * 60 + "mx" + ")" * 60)


@pytest.mark.parametrize("expression", [*WRONG.split(","), "mx, tcp", *DEEP], ids=lambda text: text[:20])
def test_what_is_no_expression_is_wrong_use(expression: str) -> None:
    with pytest.raises(UsageError, match="-k") as caught:
        matcher(expression)
    assert len(caught.value.message) < 200  # and not the whole of what was wrong
