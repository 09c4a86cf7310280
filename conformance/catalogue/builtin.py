"""What this suite itself brings to a catalogue: read as the file of a package's own would be."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from conformance.catalogue.part import Part, open_table, read_part
from conformance.catalogue.patches import STOCK_PATCHES, Patch, series_of
from conformance.places import data

__all__ = ["BUILT_IN", "PATCHES", "PPA_PATCHES", "SERIES", "STOCK_PATCHES", "claim_words"]

FILE = Path(__file__).with_name("builtin.toml")

#: In a wheel the fixtures stand elsewhere than in a checkout, so that no one relative path leads there.
BUILT_IN: Part = replace(read_part(open_table(FILE)), scenarios=(data("fixtures", "scenarios"),))

#: The patches that every catalogue begins with, and what a build has of them without a word.
SERIES = series_of(BUILT_IN.patches)
PATCHES: Mapping[str, Patch] = SERIES.patches

#: All that the PPA's package carries: stock's patches and six of its own.
PPA_PATCHES: tuple[str, ...] = SERIES.package


def claim_words(patches: Collection[str]) -> str:
    """The shortest list that is read as these: `0004,0005`; "" for stock, `base` for none."""
    own = [number for number in patches if number not in PATCHES]
    return ",".join(filter(None, (SERIES.words(patches), *own)))
