"""How many units a measurement has, and in which order a round goes: pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from conformance.bench.scenarios import Scenario
from conformance.bench.statistics import orders

#: Seconds that one measurement should take.
SECONDS = 0.4

#: Fewer units on a session would measure its beginning and its end.
LEAST_EACH = 4

#: Octets of messages in one measurement: the queue stands in memory, and so does what exchangers keep.
MOST_OCTETS = 64 << 20


def first_units(scenario: Scenario) -> int:
    """For the very first look at how fast a target is."""
    return scenario.units // 10 or 2 * scenario.sessions


def planned_units(scenario: Scenario, rate: float, seconds: float = SECONDS) -> int:
    """Units for about so many seconds at `rate` (units a second): the same number on every session."""
    if scenario.units:
        return scenario.units
    each = max(LEAST_EACH, round(rate * seconds / scenario.sessions))
    most = max(1, MOST_OCTETS // scenario.octets // scenario.sessions)
    return min(each, most) * scenario.sessions


def round_orders(keys: Sequence[str], rounds: int, seed: int, scenario: Scenario) -> list[list[str]]:
    """Who is measured when. Each scenario has its own shuffle, whatever else is measured beside it."""
    return orders(keys, rounds, seed_of(seed, scenario))


def seed_of(seed: int, scenario: Scenario) -> int:
    """The seed of one scenario's shuffles and intervals."""
    return zlib.crc32(f"{seed} {scenario.name}".encode())
