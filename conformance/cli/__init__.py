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
    "report": ("reporting", "report", "write the reports of stored runs, or what changed between two"),
    "bisect": ("attributing", "bisect", "find the patch, or the patches, that flip one requirement"),
    "attribute": ("attributing", "attribute", "write the table of requirements by patches that flip them"),
    "zoo": ("zoo", "run", "run every case under every flaw of the reference: does each decide anything?"),
    "try": ("scenarios", "attempt", "run a scenario file and show what came of it, side by side"),
    "shrink": ("scenarios", "shrink", "remove from a scenario what its difference does not need"),
    "bench": ("benching", "run", "measure the throughput of targets side by side, and judge the difference"),
    "reproduce": ("reproducing", "run", "write a directory that shows one requirement without this project"),
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
    _add_bench(made["bench"])
    for name in ("run", "compare", "gate", "targets", "doctor", "reproduce", "bench"):
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

    _add_scenarios(made["try"], made["shrink"])

    _add_report(made["report"])
    _add_attribution(made["bisect"], made["attribute"])

    made["reproduce"].add_argument("requirement", help="its whole name, as `list` shows it")
    made["reproduce"].add_argument("--target", metavar="TARGET", help="the qmail to run it on")
    made["reproduce"].add_argument(
        "--from",
        dest="stored",
        metavar="RUN.jsonl",
        help="take its record from a stored run; nothing is started",
    )
    made["reproduce"].add_argument(
        "--out", metavar="DIR", help="where the directory is written (reproduce/REQUIREMENT-TARGET)"
    )

    made["reference-deb"].add_argument("directory", help="where the packages are written")
    made["reference-deb"].add_argument(
        "--patches",
        default=",".join(p for p in PATCHES if p != "base"),
        help="the patches it carries; empty for stock",
    )
    return top


def _add_scenarios(attempt: argparse.ArgumentParser, shrink: argparse.ArgumentParser) -> None:
    attempt.add_argument("file", nargs="?", metavar="SCENARIO.toml", help="see docs/scenarios.md")
    attempt.add_argument(
        "--from-transcript", metavar="FILE", help="make a scenario from the transcript of a session instead"
    )
    attempt.add_argument("--out", metavar="DIR", help="write the records there, as JSON")
    shrink.add_argument("scenario", metavar="SCENARIO.toml")
    for parser in (attempt, shrink):
        parser.add_argument(
            "--target",
            action="append",
            default=[],
            metavar="TARGET",
            help="may be given more than once (reference-stock and reference-ppa)",
        )
        parser.add_argument("-o", metavar="SCENARIO.toml", help="where the made scenario is written")
        _add_images(parser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN.jsonl", help="stored runs, or a directory for all that are in it"
    )
    parser.add_argument("--diff", action="store_true", help="what changed between two runs: OLD, then NEW")
    for option, metavar, what in (
        ("--html", "DIR", "a site of plain files, to open from disk"),
        ("--markdown", "FILE", "for a job's page or a comment; '-' is standard output, as for each FILE"),
        ("--junit", "FILE", "JUnit XML"),
        ("--json", "FILE", "JSON, as docs/schema/ describes it"),
        ("--badges", "DIR", "an SVG for each patch and target"),
        ("--bench", "BENCH.json", "throughput that `bench` measured, for the first page of --html"),
    ):
        parser.add_argument(option, default="", metavar=metavar, help=what)


def _add_attribution(bisect: argparse.ArgumentParser, attribute: argparse.ArgumentParser) -> None:
    bisect.add_argument("requirement", metavar="REQUIREMENT", help="its whole name: 0006.unknown.code")
    attribute.add_argument("runs", nargs="*", metavar="RUN.jsonl", help="stored runs, instead of --targets")
    for parser in (bisect, attribute):
        parser.add_argument(
            "--targets",
            default="",
            required=parser is bisect,
            metavar="DIRECTORY",
            help="one directory of .deb files for each build, or 'reference'",
        )
    for option, name, what in (("--from", "lower", "fewest"), ("--to", "upper", "most")):
        bisect.add_argument(
            option, dest=name, default="", metavar="BUILD", help=f"instead of the one with the {what} patches"
        )
    _add_running(attribute)
    for parser in (bisect, attribute):
        parser.add_argument("--out", metavar="DIR", help="where runs and tables are written (reports/TIME)")
        _add_images(parser)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="the others are compared with the first")
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="a name or a pattern ('inbound/*'), 'all' or 'default'; may be given more than once",
    )
    parser.add_argument("--list", action="store_true", help="the scenarios; nothing is measured")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="of every target (7, at least 5)")
    parser.add_argument(
        "--seconds", type=float, default=0.4, metavar="S", help="that one measurement should take (0.4)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the order of measurements (a new one)")
    parser.add_argument(
        "--min-ratio",
        type=float,
        metavar="RATIO",
        help="exit status 1 when the whole interval of a ratio lies below it",
    )
    parser.add_argument("--out", metavar="DIR", help="where figures and plots are written (reports/TIME)")


def _add_patch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patch", action="append", default=[], choices=list(PATCHES), help="only of this patch"
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-k", dest="keyword", default="", metavar="EXPRESSION", help="as pytest's -k: 'mx and not tcp'"
    )
    parser.add_argument(
        "-n",
        dest="pods",
        type=_pods,
        default=None,
        metavar="PODS",
        help="so many cases at a time on each target, each in a pod (auto: as waits, cores and memory say)",
    )
    _add_patch(parser)


def _pods(word: str) -> int | None:
    """A number, or None for `auto`."""
    try:
        return None if word == "auto" else int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is neither a number nor auto") from None


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
