"""What every session keeps, whatever the build: no model is needed to see that it is broken."""

from conformance.pod.record import Record
from conformance.scenario.form import Scenario


def broken(record: Record, scenario: Scenario) -> list[str]:
    """A sentence for each promise that the record breaks."""
    return []
