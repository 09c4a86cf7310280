"""Did you mean: what is told of a name that nobody has."""

import pytest

from conformance.nearest import did_you_mean, nearest

KNOWN = ("run", "compare", "0006.unknown.code", "0006.unknown.text", "inbound/auth")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("comapre", ["compare"]),
        ("Compare", ["compare"]),
        ("0006.unknown.cod", ["0006.unknown.code", "0006.unknown.text"]),
        ("auth", ["inbound/auth"]),  # it stands in a longer name
        ("sendmail", []),
        ("", []),
    ],
)
def test_the_nearest_are_those_alike_or_those_that_hold_the_word(word: str, near: list[str]) -> None:
    assert nearest(word, KNOWN) == near


def test_a_hint_names_them_and_then_says_what_there_is_otherwise() -> None:
    assert did_you_mean("comapre", KNOWN) == "did you mean 'compare'?"
    assert did_you_mean("unknown", KNOWN, "known: all") == (
        "did you mean '0006.unknown.code' or '0006.unknown.text'? known: all"
    )
    assert did_you_mean("sendmail", KNOWN, "known: all") == "known: all"
    assert did_you_mean("sendmail", KNOWN) == ""
