"""What a list of patches claims: stock's own come besides, unless it names `base` or one of them."""

from itertools import combinations

import pytest

from conformance.catalogue.builtin import PPA_PATCHES, SERIES, STOCK_PATCHES


@pytest.mark.parametrize(
    ("listed", "patches"),
    [
        ("", STOCK_PATCHES),
        ("0004", (*STOCK_PATCHES, "0004")),
        ("base", ()),
        ("base,0009,0004", ("0004", "0009")),
        ("0002", ("0002",)),
        ("0004,0001", ("0001", "0004")),
    ],
)
def test_a_list_of_patches(listed: str, patches: tuple[str, ...]) -> None:
    assert SERIES.claimed([word for word in listed.split(",") if word]) == patches


def test_every_set_of_patches_has_words_that_are_read_as_that_set() -> None:
    for size in range(len(PPA_PATCHES) + 1):
        for patches in combinations(PPA_PATCHES, size):
            assert SERIES.claimed([word for word in SERIES.words(patches).split(",") if word]) == patches
