"""Errors that a person can act on: what happened, what to do, and the exit status it leads to."""

EXIT_AS_EXPECTED = 0
EXIT_REGRESSION = 1
EXIT_USAGE = 2
EXIT_WORLD = 3
EXIT_NOTHING = 4

EXIT_MEANINGS = {
    EXIT_AS_EXPECTED: "every verdict is as expected",
    EXIT_REGRESSION: "a verdict is not as expected: a regression, or a deviation that no longer shows",
    EXIT_USAGE: "the command was used wrongly",
    EXIT_WORLD: "nothing was found wrong with qmail, and something could not be decided: the world failed "
    "(Docker, network, image), or the case itself",
    EXIT_NOTHING: "nothing was selected",
}


_LONGEST = 1000


class ConformanceError(Exception):
    """Trouble that ends a command: one clear message, a hint, and an exit status."""

    exit_status = EXIT_WORLD

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # A message may quote others, whose lines must not look like ours.
        told = self.message.replace("\n", "\n    ")
        return f"{told}\n  {self.hint.replace(chr(10), chr(10) + '    ')}" if self.hint else told


class UsageError(ConformanceError):
    """The command or a file that a person wrote is wrong: exit status 2.

    What is wrong may be as long as a file; the message tells the beginning of it.
    """

    exit_status = EXIT_USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message if len(message) <= _LONGEST else f"{message[:_LONGEST]} …", hint)


class WorldError(ConformanceError):
    """Docker, an image, a container or the network failed: exit status 3, never a verdict."""

    exit_status = EXIT_WORLD


class EngineGone(WorldError):
    """No container engine answers. It may come back: one that is started anew is gone for seconds."""


class NothingSelected(ConformanceError):
    """A filter that selects no requirement: exit status 4, never a success."""

    exit_status = EXIT_NOTHING
