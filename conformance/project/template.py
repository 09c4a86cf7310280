"""The project file that `init` writes: what is found beside it, and every key with a word on it."""

import os
from pathlib import Path

from conformance.catalogue.builtin import PATCHES, PPA_PATCHES
from conformance.harmless import printable

#: Where a Debian package has its patches.
SERIES = ("debian/patches/series", "debian/diff/")


def project_text(directory: Path) -> str:
    """The text of a new project file for a package in a directory."""
    series = next((each for each in SERIES if os.path.exists(directory / each)), "")
    ours = "\n".join(printable(f"#   {number}  {PATCHES[number].title}") for number in PPA_PATCHES)
    debs = next((each for each in ("build", "..") if any((directory / each).glob("*.deb"))), "")
    targets = f'[targets]\ncandidate = "debs:{debs}/"' if debs else '[targets]\n# candidate = "debs:build/"'
    filled = {
        "@SERIES@": f'series = "{series}"' if series else f'# series = "{SERIES[0]}"',
        "@OURS@": ours,
        "@NUMBERS@": ", ".join(f'"{number}"' for number in PPA_PATCHES),
        "@TARGETS@": targets,
    }
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    for mark, words in filled.items():
        text = text.replace(mark, words)
    return text
