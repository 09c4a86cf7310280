"""`init`: a project file with comments, filled with what the package's own directory says."""

import argparse
from pathlib import Path

from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, UsageError
from conformance.harmless import printable
from conformance.project.reading import FILE, read_project
from conformance.project.template import project_text


def init(options: argparse.Namespace) -> int:
    """Write it, read it again, and say what it was found to say. Raises UsageError where one stands."""
    directory = Path(options.directory)
    path = directory / FILE
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such directory", "Name the package's own directory.")
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path}: it is there already", "Edit it, or remove it first.")
    write_text(path, project_text(directory))
    project = read_project(path)
    print(printable(f"{path} is written"))
    for number in project.series.package:
        print(printable(f"  {number}  {project.series.patches[number].title}"))
    print("`qmail-conformance list` shows what is promised; docs/project.md explains each key.")
    return EXIT_AS_EXPECTED
