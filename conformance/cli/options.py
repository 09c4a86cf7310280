"""What several commands take from their options, and how they say what takes long."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from conformance.harmless import printable
from conformance.targets.image_options import Images


def images(options: argparse.Namespace) -> Images:
    """How images are made, by the options and by the environment."""
    return Images.chosen(lambda name: getattr(options, name))


def output_directory(options: argparse.Namespace) -> Path:
    """Where --out says, or else a directory of its own below reports/."""
    if options.out:
        return Path(options.out)
    return Path("reports") / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")


def note(line: str) -> None:
    """Say on standard error what takes long."""
    print(printable(f"{line} ..."), file=sys.stderr, flush=True)
