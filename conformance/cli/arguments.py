"""What the commands take, one group of arguments after the other."""

import argparse
from typing import Any

from conformance.project.form import Project

#: What `deviations` does.
DEVIATIONS = {
    "list": "what is known, entry by entry",
    "check": "whether every entry is whole, and with RUN.jsonl whether it shows there",
    "draft": "of RUN.jsonl an entry for each verdict that is unexpected, to be filled in, into -o FILE",
    "carry": "of RUN.jsonl, or of requirements with --to: what is known of one version holds for another",
    "drop": "of RUN.jsonl, one or several: take out what none of them shows any longer",
}


def set_defaults(name: str, parser: argparse.ArgumentParser, project: Project) -> None:
    """What the project says of options that are not given."""
    wanted = {"against": project.defaults.against} if name == "gate" else {}
    if name not in ("try", "reproduce"):  # they write something else, or nothing
        wanted["out"] = project.defaults.out
    there = {action.dest for action in parser._actions}
    parser.set_defaults(**{dest: value for dest, value in wanted.items() if value and dest in there})
    if project.defaults.workers:
        workers = {"pods", "workers"} & there
        parser.set_defaults(**dict.fromkeys(workers, project.defaults.workers))


def add_option(parser: argparse._ActionsContainer, name: str, metavar: str, what: str, **more: Any) -> None:
    """What takes a value: a text unless `more`, as argparse knows it, says otherwise."""
    parser.add_argument(name, metavar=metavar, help=what, **more)


class Once(argparse.Action):
    """An option that is wrong use when it is given twice: the second would silently undo the first."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: Any = None
    ) -> None:
        if (first := getattr(namespace, self.dest)) != self.default:
            parser.error(f"{option} is given twice; join them: {option} '{first} or {value}'")
        setattr(namespace, self.dest, value)


def add_list(parser: argparse.ArgumentParser, project: Project) -> None:
    add_option(parser, "-k", "WORD", "names and promises that hold it", default="", dest="keyword")
    parser.add_argument("--json", action="store_true", help="as JSON")
    instead = parser.add_mutually_exclusive_group()
    for option, what in (
        ("--promises", "the promises, each with the requirements that decide it"),
        ("--without-a-case", "promises that no requirement decides, and the reverse"),
    ):
        instead.add_argument(option, action="store_true", help=what)
    _add_patch(parser, project)


def add_find(parser: argparse.ArgumentParser) -> None:
    words = "as it was seen: 'CNAME lookup failed temporarily', 'RFC 5321 4.5.3.1', 5.7.1, control/rcpthosts"
    add_option(parser, "words", "WORD", words, nargs="+")
    parser.add_argument("--all", action="store_true", help="print all that was found, whole")
    parser.add_argument("--json", action="store_true", help="as JSON, all of it")


def add_scenarios(attempt: argparse.ArgumentParser, shrink: argparse.ArgumentParser) -> None:
    named = "a file, or a name of `try --list`: see docs/scenarios.md"
    add_option(attempt, "file", "SCENARIO", named, nargs="?")
    attempt.add_argument("--list", action="store_true", help="the scenarios that have names; nothing is run")
    made = "make a scenario from the transcript of a session instead"
    add_option(attempt, "--from-transcript", "FILE", made)
    add_option(shrink, "scenario", "SCENARIO", named)
    often = "may be given more than once (reference-stock and reference-ppa)"
    for parser in (attempt, shrink):
        add_option(parser, "--target", "TARGET", often, action="append", default=[])
        add_option(parser, "-o", "SCENARIO.toml", "where the made scenario is written")


def add_report(parser: argparse.ArgumentParser) -> None:
    add_option(
        parser,
        "runs",
        "RUN.jsonl",
        "stored runs, findings.json, or a directory for all that are in it",
        nargs="+",
    )
    parser.add_argument("--diff", action="store_true", help="what changed between two runs: OLD, then NEW")
    for option, metavar, what in (
        ("--html", "DIR", "a site of plain files, to open from disk"),
        ("--markdown", "FILE", "for a job's page or a comment; '-': standard output, as for JUnit and JSON"),
        ("--junit", "FILE", "JUnit XML"),
        ("--annotations", "FILE", "workflow commands for GitHub: what is not as expected"),
        ("--json", "FILE", "JSON, as docs/schema/ describes it"),
        ("--badges", "DIR", "an SVG for each patch and target"),
        ("--bench", "BENCH.json", "what `bench` measured of these targets, for the first page of --html"),
        ("--baseline", "RUN.jsonl", "the last release's run, or where it is: what is newly unmet since"),
    ):
        add_option(parser, option, metavar, what, default="")


def add_deviations(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "; ".join(f"{action}: {what}" for action, what in DEVIATIONS.items())
    parser.add_argument("action", choices=list(DEVIATIONS))
    add_option(
        parser, "what", "RUN.jsonl|REQUIREMENT", "a stored run; for carry also requirements", nargs="*"
    )
    add_option(parser, "--to", "PACKAGE=VERSION", "of carry: the version that it is to hold for (the run's)")
    add_option(parser, "-o", "FILE.toml", "where entries are written (of carry: the files that have them)")
    add_option(parser, "-k", "WORD", "of list: entries that hold it", default="", dest="keyword")
    parser.add_argument("--json", action="store_true", help="of list: as JSON")


def add_attribution(bisect: argparse.ArgumentParser, attribute: argparse.ArgumentParser) -> None:
    add_option(bisect, "requirement", "REQUIREMENT", "its whole name, 0006.unknown.code, or a scenario")
    add_option(attribute, "runs", "RUN.jsonl", "stored runs, instead of --targets", nargs="*")
    builds = "one directory of .deb files for each build, or 'reference'"
    for parser in (bisect, attribute):
        add_option(parser, "--targets", "DIRECTORY", builds, default="", required=parser is bisect)
    for option, name, which in (("--from", "lower", "fewest"), ("--to", "upper", "most")):
        what = f"instead of the one with the {which} patches"
        add_option(bisect, option, "BUILD", what, default="", dest=name)


def add_identify(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "target", "TARGET|RUN.jsonl", "a build, or the shares alone of a stored run")
    parser.add_argument("--json", action="store_true", help="as JSON")
    many = "so many cases at a time, each in a pod (auto: as waits, cores and memory say)"
    add_option(parser, "-n", "PODS", many, dest="pods", type=number_or_auto)


def add_bench(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "targets", "TARGET", "the others are compared with the first", nargs="*")
    which = "a name or a pattern ('inbound/*'), 'all' or 'default'; may be given more than once"
    add_option(parser, "--scenario", "NAME", which, action="append", default=[])
    parser.add_argument("--list", action="store_true", help="the scenarios; nothing is measured")
    add_option(parser, "--rounds", "N", "of every target (7, at least 5)", type=int, default=7)
    add_option(parser, "--seconds", "S", "that one measurement should take (0.4)", type=float, default=0.4)
    add_option(parser, "--seed", "N", "of the order of measurements (a new one)", type=int)
    least = "exit status 1 when the whole interval of a ratio lies below it"
    add_option(parser, "--min-ratio", "RATIO", least, type=float)


def add_explore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="the build that is explored")
    add_option(parser, "--against", "TARGET", "another build in the place of its model")
    parser.epilog = (
        "Exit status: 0 nothing was found; 1 something was; 2 wrong use; 3 nothing was, and the world failed "
        "in a session at least; 130 stopped by Ctrl-C. "
        "The head of a finding's file has the `qmail-conformance try …` that shows it, in that directory."
    )
    areas = (
        "only this one; may be given more than once (all: smtp, auth, rcptcheck, verify, remote, dns, "
        "delivery, configuration)"
    )
    add_option(parser, "--area", "AREA", areas, action="append", default=[])
    much = parser.add_mutually_exclusive_group()
    long = "for how long (60); to see again what was found last comes on top"
    add_option(much, "--seconds", "S", long, type=float)
    add_option(much, "--sessions", "N", "or how many", type=int)
    again = "with --sessions the same seed finds the same on the same build (a new one)"
    add_option(parser, "--seed", "N", again, type=int)
    many = "worker processes (auto: one for each core)"
    add_option(parser, "-n", "WORKERS", many, dest="workers", type=number_or_auto)
    known = "an earlier --out, or scenario files: what these show first is no finding; more than once"
    add_option(parser, "--known", "DIR", known, action="append", default=[])


def _add_patch(parser: argparse.ArgumentParser, project: Project) -> None:
    def patches(listed: str) -> list[str]:
        return [project.series.number(word, "--patch") for word in listed.split(",")]

    which = "only of this patch (4), or of these (0004,0005); may be given more than once"
    add_option(parser, "--patch", "PATCH", which, action="extend", default=[], type=patches)


def add_running(parser: argparse.ArgumentParser, project: Project) -> None:
    select = "as pytest's -k: 'mx and not tcp'"
    add_option(parser, "-k", "EXPRESSION", select, default="", dest="keyword", action=Once)
    many = "so many cases at a time on each target, each in a pod (auto: as waits, cores and memory say)"
    add_option(parser, "-n", "PODS", many, dest="pods", type=number_or_auto)
    _add_patch(parser, project)


def add_shard(parser: argparse.ArgumentParser) -> None:
    """A part of a run for each of several machines."""
    part = "only part K of N, by the names of the requirements; `merge` puts the parts together"
    add_option(parser, "--shard", "K/N", part)
    balance = "balance the parts by how long each requirement took in this run; the same for each part"
    add_option(parser, "--shard-by", "RUN.jsonl", balance, dest="seconds_of", action="append", default=[])


def add_stopping(parser: argparse.ArgumentParser) -> None:
    after = parser.add_mutually_exclusive_group()
    most = "stop after so many verdicts that are not as expected; --resume goes on"
    add_option(after, "--maxfail", "N", most, type=_positive, default=0)
    after.add_argument("-x", dest="maxfail", action="store_const", const=1, help="as --maxfail 1")


def add_detail(parser: argparse.ArgumentParser, *, differences: bool) -> None:
    """How much of a report goes to the terminal; the files hold it whole."""
    group = parser.add_mutually_exclusive_group()
    parser.set_defaults(detail="normal")
    shown = [
        (("-q", "--quiet"), "quiet", "print the conclusions alone"),
        (("-v", "--verbose"), "verbose", "print lists whole, each line with its cause"),
        (("--all",), "all", "print every requirement on every target, too"),
    ]
    if differences:
        shown.append((("--differences",), "differences", "print only what changes for users, whole"))
    for names, detail, what in shown:
        group.add_argument(*names, dest="detail", action="store_const", const=detail, help=what)
    wishes = ["auto", "always", "never"]
    colour = "colours: auto (a terminal, NO_COLOR and FORCE_COLOR decide), always, never"
    add_option(parser, "--color", "WHEN", colour, choices=wishes, default="auto")


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no number of at least 1")
    return int(word)


def number_or_auto(word: str) -> int | None:
    """A number, or None for `auto`."""
    if word == "auto":
        return None
    if not word.lstrip("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is neither a number nor auto")
    if int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word}: at least one case at a time is needed")
    return int(word)


def add_images(parser: argparse.ArgumentParser) -> None:
    from conformance.targets.image_options import IMAGE_OPTIONS

    group = parser.add_argument_group("images", "each may also be given by its environment variable")
    for option, (variable, what) in IMAGE_OPTIONS.items():
        group.add_argument(option, metavar="VALUE", help=f"{what} [{variable}]")
