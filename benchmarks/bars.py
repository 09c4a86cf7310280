"""Figures beside the bars that the project sets itself, as rows of a table."""


class Table:
    """Rows as they come; counts them, and those whose bar was missed."""

    def __init__(self) -> None:
        self.rows = self.missed = 0

    def row(self, what: str, figure: float, bar: float, *, most: bool) -> None:
        """A figure that should be at most, or else at least, its bar."""
        held = figure <= bar if most else figure >= bar
        self.rows += 1
        self.missed += not held
        sign = "at most" if most else "at least"
        print(
            f"  {what:<66}{figure:7.2f}   {sign} {bar:6.2f}   {'' if held else 'MISSED'}".rstrip(), flush=True
        )

    @staticmethod
    def left_out(what: str, why: Exception) -> None:
        print(f"  {what}: left out: {why}", flush=True)
