"""What exploring came to, as numbers."""

from dataclasses import dataclass, field

#: Reasons of a failed world that are kept.
REASONS = 5


@dataclass
class Tally:
    """What a stream has done. `explained`, `known`, `unstable`: differences of that kind."""

    sessions: int = 0
    seconds: float = 0.0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    differing: int = 0
    explained: int = 0
    known: int = 0
    unstable: int = 0
    reached: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        for name in ("sessions", "seconds", "failed", "differing", "explained", "known", "unstable"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons = list(dict.fromkeys([*self.reasons, *other.reasons]))[:REASONS]
        for sight, times in other.reached.items():
            self.reached[sight] = self.reached.get(sight, 0) + times
