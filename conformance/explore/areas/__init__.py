"""The areas that are explored, each a grammar of its own."""

from conformance.explore.areas import auth, rcptcheck, smtp, verify
from conformance.explore.areas.area import Area

#: By name, in the order in which they are explored.
AREAS: dict[str, Area] = {area.name: area for area in (smtp.AREA, auth.AREA, rcptcheck.AREA, verify.AREA)}
