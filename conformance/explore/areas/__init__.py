"""The areas that are explored, each a grammar of its own."""

from conformance.explore.areas import auth, configuration, delivery, dns, rcptcheck, remote, smtp, verify
from conformance.explore.areas.area import Area

#: By name, in the order in which they are explored.
AREAS: dict[str, Area] = {
    module.AREA.name: module.AREA
    for module in (smtp, auth, rcptcheck, verify, remote, dns, delivery, configuration)
}
