"""The clock of the embedded pod, which jumps in the place of waiting."""

EPOCH = 1_700_000_000


class Clock:
    """Seconds since `prepare`; moves only when somebody waits."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return EPOCH + self.at

    def reach(self, at: float) -> None:
        self.at = max(self.at, at)
