"""The areas that are explored, each a grammar of its own."""

from conformance.explore.areas import configuration, delivery, dns, inbound, remote
from conformance.explore.areas.area import Area

#: By name, in the order in which they are explored.
AREAS: dict[str, Area] = {
    area.name: area
    for area in (
        inbound.SMTP,
        inbound.AUTH,
        inbound.RCPTCHECK,
        inbound.VERIFY,
        remote.AREA,
        dns.AREA,
        delivery.AREA,
        configuration.AREA,
    )
}
