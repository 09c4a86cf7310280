"""The parser of the command and of each subcommand: what is wrong is told once, with its own usage."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from conformance.errors import UsageError
from conformance.nearest import did_you_mean
from conformance.places import located


class CommandParser(argparse.ArgumentParser):
    """Wrong use is a UsageError in the place of argparse's own exit."""

    def format_help(self) -> str:
        return located(super().format_help())

    def error(self, message: str) -> NoReturn:
        self.refuse(message)

    def refuse(self, message: str, hint: str = "") -> NoReturn:
        """Raise UsageError with the usage of this command, whose name stands before the message."""
        command = self.prog.partition(" ")[2]
        told = f"{command}: {message}" if command else message
        more = f"`{self.prog} --help` tells more.\n{self.format_usage().strip()}"
        raise UsageError(told, f"{hint}\n{more}" if hint else more)

    def refuse_unknown(self, words: Sequence[str]) -> NoReturn:
        """Raise UsageError for arguments that this command does not know."""
        for word in words:
            if word.startswith("-") and word != "-":
                option = word.partition("=")[0]
                self.refuse(f"there is no option {option}", did_you_mean(option, self._option_string_actions))
        self.refuse(f"{words[0]!r} is one argument too many")

    def refuse_option_before_command(self, word: str) -> None:
        """Raise UsageError where the first word is an option of commands: what follows it is no command."""
        option = word.partition("=")[0]
        if word.startswith("-") and not any(own.startswith(option) for own in self._option_string_actions):
            self.refuse(f"{option} stands before the command", "Options stand behind the command.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = (action.metavar if isinstance(action.metavar, str) else action.dest).lower()
            hint = did_you_mean(str(value), action.choices, f"known: {', '.join(action.choices)}")
            self.refuse(f"there is no {what} {value!r}", hint)
