"""The command: words and options for people. Each subcommand imports only what it needs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from conformance import __version__
from conformance.catalogue.patches import PATCHES
from conformance.errors import EXIT_MEANINGS, EXIT_WORLD, ConformanceError, UsageError

#: Subcommand -> (module of this package, function, what it does).
COMMANDS = {
    "list": ("listing", "run", "patches and requirements, with citation and level"),
    "targets": ("machine", "targets", "what can be run here and, for what cannot, why and what to do"),
    "doctor": ("machine", "doctor", "check Python, Docker engine, image building, ports and name resolution"),
    "run": ("running", "run", "run the cases on one target"),
    "compare": ("running", "compare", "lay two or more targets, or stored runs, side by side"),
    "gate": ("running", "gate", "may this build be released? Every report, and one line of conclusion"),
    "judge": ("running", "judge", "judge a stored run again from its records"),
    "zoo": ("zoo", "run", "run every case under every flaw of the reference: does each decide anything?"),
    "reference-deb": ("packaging", "run", "build the package qmail-reference, for the debs: path"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """A wrong option is exit status 2 with one message, as every other wrong use."""
        raise UsageError(f"{self.prog}: {message}", f"`{self.prog} --help` shows what it takes.")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    meanings = "; ".join(f"{status}: {meaning}" for status, meaning in EXIT_MEANINGS.items())
    top = _Parser(
        prog="qmail-conformance",
        description="Say, with evidence, what each patch in a patched qmail package really changes.",
        epilog=f"Exit status: {meanings}.",
    )
    top.add_argument("--version", action="version", version=__version__)
    subs = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    made = {
        name: subs.add_parser(name, help=what, description=what) for name, (_, _, what) in COMMANDS.items()
    }

    made["list"].add_argument(
        "-k", dest="keyword", default="", metavar="WORD", help="names and promises that hold it"
    )
    made["list"].add_argument("--json", action="store_true", help="as JSON")
    instead = made["list"].add_mutually_exclusive_group()
    instead.add_argument(
        "--promises", action="store_true", help="the promises, each with the requirements that decide it"
    )
    instead.add_argument(
        "--without-a-case", action="store_true", help="promises that no requirement decides, and the reverse"
    )
    _add_patch(made["list"])

    made["run"].add_argument("target", help="stock, ppa, debs:DIR, image:REF, reference-stock, reference-ppa")
    made["compare"].add_argument(
        "what", nargs="*", metavar="TARGET|RUN.jsonl", help="by default the best there is here"
    )
    made["gate"].add_argument("target", help="the build to be released")
    made["gate"].add_argument(
        "--against", metavar="TARGET", help="compare with this target too, for example stock"
    )
    made["judge"].add_argument("runs", nargs="+", metavar="RUN.jsonl")
    for name in ("run", "compare", "gate"):
        _add_running(made[name])
    for name in ("run", "compare", "gate", "judge"):
        made[name].add_argument(
            "--out", metavar="DIR", help="where runs and reports are written (reports/TIME)"
        )
    for name in ("run", "compare", "gate", "targets", "doctor"):
        _add_images(made[name])

    made["zoo"].add_argument(
        "-k",
        dest="keyword",
        default="",
        metavar="EXPRESSION",
        help="as pytest's -k, over names of flaws and of requirements; each meets all of the other side",
    )
    made["zoo"].add_argument(
        "-n", dest="workers", type=int, default=2, metavar="WORKERS", help="worker processes (2)"
    )
    made["zoo"].add_argument(
        "--out", metavar="DIR", help="where zoo.md and zoo.json are written (reports/TIME)"
    )

    made["reference-deb"].add_argument("directory", help="where the packages are written")
    made["reference-deb"].add_argument(
        "--patches",
        default=",".join(p for p in PATCHES if p != "base"),
        help="the patches it carries; empty for stock",
    )
    return top


def _add_patch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patch", action="append", default=[], choices=list(PATCHES), help="only of this patch"
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k", dest="keyword", default="", metavar="EXPRESSION", help="as pytest's -k: 'mx and not tcp'"
    )
    parser.add_argument(
        "-n", dest="workers", type=int, default=4, metavar="WORKERS", help="worker processes (4)"
    )
    _add_patch(parser)


def _add_images(parser: argparse.ArgumentParser) -> None:
    from conformance.targets.ready import IMAGE_OPTIONS

    group = parser.add_argument_group("images", "each may also be given by its environment variable")
    for option, (variable, what) in IMAGE_OPTIONS.items():
        group.add_argument(option, metavar="VALUE", help=f"{what} [{variable}]")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        options = parser().parse_args(arguments)
        module, function, _ = COMMANDS[options.command]
        return int(getattr(importlib.import_module(f"conformance.cli.{module}"), function)(options))
    except ConformanceError as error:
        print(f"qmail-conformance: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("qmail-conformance: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # What was to be read was not: never a success. Python must not complain of it again while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_WORLD
