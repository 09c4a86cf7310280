"""What exploring came to, as numbers."""

from dataclasses import dataclass, field

#: Reasons of a failed world that are kept, and differences that did not come again.
REASONS = 5


@dataclass
class Tally:
    """What a stream has done. `explained`, `known`, `unstable`: differences of that kind.

    `doubtful`: some of those that did not come again.
    """

    sessions: int = 0
    seconds: float = 0.0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    differing: int = 0
    explained: int = 0
    known: int = 0
    unstable: int = 0
    doubtful: list[str] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        for name in ("sessions", "seconds", "failed", "differing", "explained", "known", "unstable"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons = list(dict.fromkeys([*self.reasons, *other.reasons]))[:REASONS]
        self.doubtful = list(dict.fromkeys([*self.doubtful, *other.doubtful]))[:REASONS]
        for sight, times in other.reached.items():
            self.reached[sight] = self.reached.get(sight, 0) + times
