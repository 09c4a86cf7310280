"""How Sphinx builds this site: Furo's pages, Markdown, and what `site/` makes of the code.

Sphinx and not MkDocs: its search index is a script, so that search works from file:// as well; with MyST it
holds every link and every anchor to what is there; and nothing that it writes asks another host for anything.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "site"), str(HERE.parent)]

project = "qmail-conformance"
copyright = "the authors of qmail-conformance"
html_title = "qmail-conformance"
extensions = ["myst_parser", "making"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["ci", "site"]

nitpicky = True
myst_heading_anchors = 3

html_theme = "furo"
html_copy_source = False
html_use_index = False
# A summary of what was found is fetched page by page, which browsers refuse for pages opened from disk.
html_show_search_summary = False
html_show_sourcelink = False
html_theme_options = {"footer_icons": []}
html_static_path = ["site/static"]
html_css_files = ["narrow.css"]
