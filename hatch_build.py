"""Makes the man page of the command from its parser while a wheel is built."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "qmail-conformance.1"


class ManPage(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Have it installed below share/man."""
        self.made = tempfile.TemporaryDirectory()
        path = Path(self.made.name) / PAGE
        path.write_text(man_page(self.root), encoding="utf-8")
        build_data["shared_data"][str(path)] = f"share/man/man1/{PAGE}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Nothing of it is left beside the wheel."""
        self.made.cleanup()


def man_page(root: str) -> str:
    """The page in troff; the parser needs nothing but Python's own library."""
    from argparse_manpage.manpage import Manpage

    sys.path.insert(0, root)
    try:
        from conformance import __version__
        from conformance.cli import parser
    finally:
        sys.path.remove(root)
    whole = parser()
    whole.man_short_description = whole.description.rstrip(".").lower()
    page = Manpage(whole)
    page.source, page.manual = f"qmail-conformance {__version__}", "User commands"
    return str(page)
