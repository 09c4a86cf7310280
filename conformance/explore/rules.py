"""What the promises leave open: differences that are left out, few and narrow, each with its reason.

A rule speaks of one channel and of what each side shows there, whichever side that is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.explore.differences import Difference


@dataclass(frozen=True)
class Rule:
    """`one` and `other` are patterns for the whole of what the two sides show, as `Difference` has it."""

    name: str
    channel: str
    one: str
    other: str
    reason: str
    source: str

    def leaves_out(self, difference: Difference) -> bool:
        """Whether it speaks of this difference."""
        sides = difference.left, difference.right
        return self.channel == difference.channel and any(
            re.fullmatch(self.one, left) and re.fullmatch(self.other, right)
            for left, right in (sides, sides[::-1])
        )


RULES: tuple[Rule, ...] = ()


def kept(differences: Iterable[Difference]) -> list[Difference]:
    """Those that no rule leaves out."""
    return [each for each in differences if not any(rule.leaves_out(each) for rule in RULES)]
