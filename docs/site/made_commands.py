"""Every command with its options, from the parser that the man page comes from; exit statuses; variables."""

import argparse
from collections.abc import Iterator

from conformance import stopping
from conformance.cli import COMMANDS, parser
from conformance.errors import EXIT_MEANINGS
from conformance.targets.image_options import IMAGE_OPTIONS


def cell(text: str) -> str:
    """A text that is no Markdown in a cell of a table, but for code between backticks."""
    parts = text.replace("|", "\\|").split("`")
    plain = ["".join(f"\\{sign}" if sign in "*_<>[]~" else sign for sign in part) for part in parts[::2]]
    coded = [f"`{part}`" for part in parts[1::2]]
    return "".join(part for pair in zip(plain, [*coded, ""], strict=True) for part in pair)


def commands() -> str:
    """A section for each command, in the order of `help`."""
    subs = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return "\n".join(line for name in COMMANDS for line in _command(name, subs.choices[name]))


def _command(name: str, made: argparse.ArgumentParser) -> Iterator[str]:
    formatter = argparse.HelpFormatter(made.prog, width=90)
    formatter.add_usage(made.usage, made._actions, made._mutually_exclusive_groups)
    usage = formatter.format_help().strip().removeprefix("usage: ")
    what = cell(str(made.description))
    yield from (f"## {name}", "", f"{what[0].upper()}{what[1:]}.", "", "```text", usage, "```", "")
    told = [action for action in made._actions if action.help not in (None, argparse.SUPPRESS)]
    told = [action for action in told if action.dest not in ("help", "project")]
    if told:
        yield from ("| option | what it is |", "| --- | --- |")
        yield from (f"| {_names(action)} | {cell(_help(action))} |" for action in told)
        yield ""
    if made.epilog:
        yield from (cell(made.epilog), "")


def _help(action: argparse.Action) -> str:
    told = str(action.help).replace("%%", "%")
    return f"{told}: {', '.join(map(str, action.choices))}" if action.choices and action.metavar else told


def _names(action: argparse.Action) -> str:
    value = action.metavar or (None if action.nargs == 0 else action.dest)
    if not action.option_strings:
        return f"`{cell(str(value))}`"
    named = f" {value}" if action.nargs != 0 else ""
    return ", ".join(f"`{option}{cell(named)}`" for option in action.option_strings)


def statuses() -> str:
    """The table of exit statuses, those of signals among it."""
    rows = [f"| {status} | {cell(meaning)} |" for status, meaning in EXIT_MEANINGS.items()]
    rows += [f"| {128 + number} | it was ended by {number.name} |" for number in stopping.ENDING]
    return "\n".join(["| status | meaning |", "| --- | --- |", *rows])


def images() -> str:
    """The table of variables that stand in for options."""
    rows = [f"| `{name}` | `{option}` | {cell(what)} |" for option, (name, what) in IMAGE_OPTIONS.items()]
    return "\n".join(["| variable | option | what it is |", "| --- | --- | --- |", *rows])
