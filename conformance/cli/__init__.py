"""The command: words and options for people. Each subcommand imports only what it needs."""

import argparse
import contextlib
import importlib
import sys
from typing import Any

from conformance import __version__, stopping
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.cli.parsing import CommandParser
from conformance.errors import EXIT_MEANINGS, EXIT_WORLD, ConformanceError
from conformance.harmless import harmless_output
from conformance.places import located
from conformance.project.form import NO_PROJECT, Project
from conformance.project.reading import FILE, find_project
from conformance.unforeseen import told

#: Subcommand -> (module of this package, function, what it does).
COMMANDS = {
    "help": ("", "", "tell what a command does and takes, or which commands there are"),
    "init": ("starting", "init", "write a project file for a package of one's own, with comments"),
    "list": ("listing", "run", "patches and requirements, with citation and level"),
    "find": ("searching", "run", "what speaks of a symptom, a reply, an RFC's section, a file"),
    "targets": ("machine", "targets", "what can be run here and, for what cannot, why and what to do"),
    "doctor": ("machine", "doctor", "check Python, Docker engine, image building, ports and name resolution"),
    "clean": ("cleaning", "run", "remove what is left of us on the Docker engine: containers, images"),
    "run": ("running", "run", "run the cases on one target"),
    "compare": ("running", "compare", "lay two or more targets, or stored runs, side by side"),
    "gate": ("running", "gate", "may this build be released? Every report, and one line of conclusion"),
    "judge": ("running", "judge", "judge a stored run again from its records"),
    "deviations": ("deviations", "run", "the known deviations: list, check, draft, carry over, drop"),
    "report": ("reporting", "report", "write the reports of stored runs, or what changed between two"),
    "bisect": ("attributing", "bisect", "find the patch, or the patches, that flip one requirement"),
    "identify": ("identifying", "run", "tell which patches a build carries, and what it has beyond them"),
    "attribute": ("attributing", "attribute", "write the table of requirements by patches that flip them"),
    "zoo": ("zoo", "run", "run every case under every flaw of the reference: does each decide anything?"),
    "try": ("scenarios", "attempt", "run a scenario file and show what came of it, side by side"),
    "shrink": ("scenarios", "shrink", "remove from a scenario what its difference does not need"),
    "explore": ("exploring", "run", "play what nobody wrote on a build and its model; tell what differs"),
    "bench": ("benching", "run", "measure the throughput of targets side by side, and judge the difference"),
    "reproduce": ("reproducing", "run", "write a directory that shows one requirement without this project"),
    "completion": ("completion", "run", "print what completes commands, options and names in a shell"),
    "reference-deb": ("packaging", "run", "build the package qmail-reference, for the debs: path"),
}

#: What `deviations` does.
DEVIATIONS = {
    "list": "what is known, entry by entry",
    "check": "whether every entry is whole, and with RUN.jsonl whether it shows there",
    "draft": "of RUN.jsonl an entry for each verdict that is unexpected, to be filled in, into -o FILE",
    "carry": "of RUN.jsonl, or of requirements with --to: what is known of one version holds for another",
    "drop": "of RUN.jsonl, one or several: take out what none of them shows any longer",
}

#: What can be gone on with where it was cut off.
RESUMED = ("run", "compare", "gate", "zoo", "bench")


def parser(project: Project = NO_PROJECT) -> CommandParser:
    """The whole command line, with the patches and the defaults of a project."""
    meanings = "; ".join(f"{status}: {meaning}" for status, meaning in EXIT_MEANINGS.items())
    ended = ", ".join(f"{128 + number} ({number.name})" for number in stopping.ENDING)
    top = CommandParser(
        prog="qmail-conformance",
        description="Say, with evidence, what each patch in a patched qmail package really changes.",
        epilog=f"Exit status: {meanings}; {ended}: it was ended by a signal.",
    )
    project_file = f"the project file (the nearest {FILE} upwards)"
    _option(top, "--project", "FILE", project_file)
    top.add_argument("--version", action="version", version=__version__)
    subs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {
        name: subs.add_parser(name, help=what, description=what) for name, (_, _, what) in COMMANDS.items()
    }
    made["help"].add_argument("topic", metavar="COMMAND", nargs="?", choices=list(COMMANDS))
    _add_list(made["list"], project)
    _add_find(made["find"])
    what = "where it is written (here)"
    made["init"].add_argument("directory", metavar="DIRECTORY", nargs="?", default=".", help=what)
    a_directory = "stored runs, or a directory for all that are in it"
    forms = "stock, ppa, a path of .deb files, image:REF, reference-stock, reference-ppa~0006.dropped"
    made["run"].add_argument("target", help=forms)
    what = f"by default the best there is; {a_directory}"
    _option(made["compare"], "what", "TARGET|RUN.jsonl", what, nargs="*")
    made["gate"].add_argument("target", help="the build to be released")
    _option(made["gate"], "--against", "TARGET", "compare with this target too, for example stock")
    last = "the last release's run: what is newly unmet fails, what was unmet before is told apart"
    _option(made["gate"], "--baseline", "RUN.jsonl", f"{last}; in a directory that of the target")
    workflow = "workflow commands for GitHub: what is not as expected, and not as it was before"
    _option(made["gate"], "--annotations", "FILE", workflow)
    _option(made["judge"], "runs", "RUN.jsonl", a_directory, nargs="+")
    _add_scenarios(made["try"], made["shrink"])
    _add_deviations(made["deviations"])
    _add_report(made["report"])
    _add_attribution(made["bisect"], made["attribute"])
    _add_bench(made["bench"])
    _add_identify(made["identify"])
    zoo = "as pytest's -k, over names of flaws and of requirements; each meets all of the other side"
    _option(made["zoo"], "-k", "EXPRESSION", zoo, dest="keyword", default="")
    workers = "worker processes (2; auto: one for each core)"
    _option(made["zoo"], "-n", "WORKERS", workers, dest="workers", type=_pods, default=2)
    quick = "no more than the bars need: what settles a flaw ends its trial"
    made["zoo"].add_argument("--quick", action="store_true", help=quick)
    _add_explore(made["explore"])
    made["reproduce"].add_argument("requirement", help="its whole name, as `list` shows it, or a scenario")
    _option(made["reproduce"], "--target", "TARGET", "the qmail to run it on")
    stored = "take its record from a stored run, in a directory that of --target; nothing is started"
    _option(made["reproduce"], "--from", "RUN.jsonl", stored, dest="stored")
    made["reference-deb"].add_argument("directory", help="where the packages are written")
    carried = "the patches it carries; empty for stock"
    _option(made["reference-deb"], "--patches", "PATCHES", carried, default=",".join(PPA_PATCHES))
    how = "`source <(qmail-conformance completion bash)`, or into a file where your shell looks for it"
    made["completion"].add_argument(
        "shell", metavar="SHELL", choices=["bash", "zsh"], help=f"bash or zsh; {how}"
    )
    made["clean"].add_argument("--dry-run", action="store_true", help="list it, and remove nothing")
    everything = "the images that this version would use, too; the next run builds them again"
    made["clean"].add_argument("--all", action="store_true", help=everything)
    for name in ("run", "compare", "gate", "attribute"):
        _add_running(made[name], project)
    for name in ("run", "compare", "gate"):
        _add_stopping(made[name])
    for name in ("run", "compare", "gate", "judge"):
        _add_detail(made[name], differences=name == "compare")
    for names, written in (
        (("run", "compare", "gate", "judge"), "runs and reports are written (reports/TIME)"),
        (("bisect", "attribute"), "runs and tables are written (reports/TIME)"),
        (("bench",), "figures and plots are written (reports/TIME)"),
        (("identify",), "the run is written (reports/TIME)"),
        (("zoo",), "zoo.md and zoo.json are written (reports/TIME)"),
        (("explore",), "findings.json and a scenario for each finding are written (reports/TIME)"),
        (("try",), "run files, and a directory to send for each target, are written"),
        (("reproduce",), "the directory is written (reproduce/REQUIREMENT-TARGET)"),
    ):
        for name in names:
            place = made[name].add_mutually_exclusive_group() if name in RESUMED else made[name]
            _option(place, "--out", "DIR", f"where {written}")
            if name in RESUMED:
                _option(place, "--resume", "DIR", "go on with what was cut off there")
    with_images = "run compare gate targets doctor try shrink bisect attribute bench reproduce explore"
    for name in (*with_images.split(), "identify"):
        _add_images(made[name])
    for name, each in made.items():
        each.set_defaults(parser=each)
        if name not in ("init", "help"):
            _option(each, "--project", "FILE", project_file)
        _set_defaults(name, each, project)
    return top


def _set_defaults(name: str, parser: argparse.ArgumentParser, project: Project) -> None:
    """What the project says of options that are not given."""
    wanted = {"against": project.defaults.against} if name == "gate" else {}
    if name not in ("try", "reproduce"):  # they write something else, or nothing
        wanted["out"] = project.defaults.out
    there = {action.dest for action in parser._actions}
    parser.set_defaults(**{dest: value for dest, value in wanted.items() if value and dest in there})
    if project.defaults.workers:
        workers = {"pods", "workers"} & there
        parser.set_defaults(**dict.fromkeys(workers, project.defaults.workers))


def _option(parser: argparse._ActionsContainer, name: str, metavar: str, what: str, **more: Any) -> None:
    """What takes a value: a text unless `more`, as argparse knows it, says otherwise."""
    parser.add_argument(name, metavar=metavar, help=what, **more)


def _add_list(parser: argparse.ArgumentParser, project: Project) -> None:
    _option(parser, "-k", "WORD", "names and promises that hold it", default="", dest="keyword")
    parser.add_argument("--json", action="store_true", help="as JSON")
    instead = parser.add_mutually_exclusive_group()
    for option, what in (
        ("--promises", "the promises, each with the requirements that decide it"),
        ("--without-a-case", "promises that no requirement decides, and the reverse"),
    ):
        instead.add_argument(option, action="store_true", help=what)
    _add_patch(parser, project)


def _add_find(parser: argparse.ArgumentParser) -> None:
    words = "as it was seen: 'CNAME lookup failed temporarily', 'RFC 5321 4.5.3.1', 5.7.1, control/rcpthosts"
    _option(parser, "words", "WORD", words, nargs="+")
    parser.add_argument("--all", action="store_true", help="print all that was found, whole")
    parser.add_argument("--json", action="store_true", help="as JSON, all of it")


def _add_scenarios(attempt: argparse.ArgumentParser, shrink: argparse.ArgumentParser) -> None:
    named = "a file, or a name of `try --list`: see docs/scenarios.md"
    _option(attempt, "file", "SCENARIO", named, nargs="?")
    attempt.add_argument("--list", action="store_true", help="the scenarios that have names; nothing is run")
    made = "make a scenario from the transcript of a session instead"
    _option(attempt, "--from-transcript", "FILE", made)
    _option(shrink, "scenario", "SCENARIO", named)
    often = "may be given more than once (reference-stock and reference-ppa)"
    for parser in (attempt, shrink):
        _option(parser, "--target", "TARGET", often, action="append", default=[])
        _option(parser, "-o", "SCENARIO.toml", "where the made scenario is written")


def _add_report(parser: argparse.ArgumentParser) -> None:
    _option(
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
    ):
        _option(parser, option, metavar, what, default="")


def _add_deviations(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "; ".join(f"{action}: {what}" for action, what in DEVIATIONS.items())
    parser.add_argument("action", choices=list(DEVIATIONS))
    _option(parser, "what", "RUN.jsonl|REQUIREMENT", "a stored run; for carry also requirements", nargs="*")
    _option(parser, "--to", "PACKAGE=VERSION", "of carry: the version that it is to hold for (the run's)")
    _option(parser, "-o", "FILE.toml", "where entries are written (of carry: the files that have them)")
    _option(parser, "-k", "WORD", "of list: entries that hold it", default="", dest="keyword")
    parser.add_argument("--json", action="store_true", help="of list: as JSON")


def _add_attribution(bisect: argparse.ArgumentParser, attribute: argparse.ArgumentParser) -> None:
    _option(bisect, "requirement", "REQUIREMENT", "its whole name, 0006.unknown.code, or a scenario")
    _option(attribute, "runs", "RUN.jsonl", "stored runs, instead of --targets", nargs="*")
    builds = "one directory of .deb files for each build, or 'reference'"
    for parser in (bisect, attribute):
        _option(parser, "--targets", "DIRECTORY", builds, default="", required=parser is bisect)
    for option, name, which in (("--from", "lower", "fewest"), ("--to", "upper", "most")):
        what = f"instead of the one with the {which} patches"
        _option(bisect, option, "BUILD", what, default="", dest=name)


def _add_identify(parser: argparse.ArgumentParser) -> None:
    _option(parser, "target", "TARGET|RUN.jsonl", "a build, or the shares alone of a stored run")
    parser.add_argument("--json", action="store_true", help="as JSON")
    many = "so many cases at a time, each in a pod (auto: as waits, cores and memory say)"
    _option(parser, "-n", "PODS", many, dest="pods", type=_pods)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    _option(parser, "targets", "TARGET", "the others are compared with the first", nargs="*")
    which = "a name or a pattern ('inbound/*'), 'all' or 'default'; may be given more than once"
    _option(parser, "--scenario", "NAME", which, action="append", default=[])
    parser.add_argument("--list", action="store_true", help="the scenarios; nothing is measured")
    _option(parser, "--rounds", "N", "of every target (7, at least 5)", type=int, default=7)
    _option(parser, "--seconds", "S", "that one measurement should take (0.4)", type=float, default=0.4)
    _option(parser, "--seed", "N", "of the order of measurements (a new one)", type=int)
    least = "exit status 1 when the whole interval of a ratio lies below it"
    _option(parser, "--min-ratio", "RATIO", least, type=float)


def _add_explore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="the build that is explored")
    _option(parser, "--against", "TARGET", "another build in the place of its model")
    parser.epilog = (
        "Exit status: 0 nothing differs; 1 something does; 2 wrong use; 3 the world failed. "
        "The head of a finding's file has the `qmail-conformance try …` that shows it."
    )
    areas = (
        "only this one; may be given more than once (all: smtp, auth, rcptcheck, verify, remote, dns, "
        "delivery, configuration)"
    )
    _option(parser, "--area", "AREA", areas, action="append", default=[])
    much = parser.add_mutually_exclusive_group()
    long = "for how long (60); to see again what was found last comes on top"
    _option(much, "--seconds", "S", long, type=float)
    _option(much, "--sessions", "N", "or how many", type=int)
    again = "with --sessions the same seed finds the same on the same build (a new one)"
    _option(parser, "--seed", "N", again, type=int)
    many = "worker processes (auto: one for each core)"
    _option(parser, "-n", "WORKERS", many, dest="workers", type=_pods)
    known = "the --out of an earlier exploration: what its scenarios show first is no finding"
    _option(parser, "--known", "DIR", known)


def _add_patch(parser: argparse.ArgumentParser, project: Project) -> None:
    def patches(listed: str) -> list[str]:
        return [project.series.number(word, "--patch") for word in listed.split(",")]

    which = "only of this patch (4), or of these (0004,0005); may be given more than once"
    _option(parser, "--patch", "PATCH", which, action="extend", default=[], type=patches)


def _add_running(parser: argparse.ArgumentParser, project: Project) -> None:
    _option(parser, "-k", "EXPRESSION", "as pytest's -k: 'mx and not tcp'", default="", dest="keyword")
    many = "so many cases at a time on each target, each in a pod (auto: as waits, cores and memory say)"
    _option(parser, "-n", "PODS", many, dest="pods", type=_pods)
    _add_patch(parser, project)


def _add_stopping(parser: argparse.ArgumentParser) -> None:
    after = parser.add_mutually_exclusive_group()
    most = "stop after so many verdicts that are not as expected; --resume goes on"
    _option(after, "--maxfail", "N", most, type=_positive, default=0)
    after.add_argument("-x", dest="maxfail", action="store_const", const=1, help="as --maxfail 1")


def _add_detail(parser: argparse.ArgumentParser, *, differences: bool) -> None:
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
    _option(parser, "--color", "WHEN", colour, choices=wishes, default="auto")


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no number of at least 1")
    return int(word)


def _pods(word: str) -> int | None:
    """A number, or None for `auto`."""
    if word == "auto":
        return None
    if not word.lstrip("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is neither a number nor auto")
    if int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word}: at least one case at a time is needed")
    return int(word)


def _add_images(parser: argparse.ArgumentParser) -> None:
    from conformance.targets.image_options import IMAGE_OPTIONS

    group = parser.add_argument_group("images", "each may also be given by its environment variable")
    for option, (variable, what) in IMAGE_OPTIONS.items():
        group.add_argument(option, metavar="VALUE", help=f"{what} [{variable}]")


def _project(given: list[str]) -> Project:
    """The project that the arguments name, or the nearest one: the parser's choices are those of its patches.

    Whoever asks for help, or for a new file, is not kept from it by one that is wrong.
    """
    if given[:1] in (["init"], ["help"]) or not given or {"-h", "--help", "--version"} & set(given):
        return NO_PROJECT
    named = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    named.add_argument("--project")
    try:
        return find_project(named.parse_known_args(given)[0].project)
    except argparse.ArgumentError:  # the parser of the whole line tells it
        return NO_PROJECT


def _status(arguments: list[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        project = _project(given)
        whole = parser(project)
        options, unknown = whole.parse_known_args(given)
        if unknown:
            options.parser.refuse_unknown(unknown)
        if options.command == "help":
            whole.parse_args([*filter(None, [options.topic]), "--help"])
    except SystemExit as ended:  # of --help and --version
        return int(ended.code or 0)
    options.project = project
    if options.command == "bench" and not options.scenario:
        options.scenario = list(project.defaults.scenarios)
    module, function, _ = COMMANDS[options.command]
    return int(getattr(importlib.import_module(f"conformance.cli.{module}"), function)(options))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status. All that it says goes through streams that make it harmless.

    Signals end the process where it is the command's own.
    """
    if arguments is None:
        stopping.watch()
    with harmless_output():
        try:
            status = _status(arguments)
            sys.stdout.flush()
        except ConformanceError as error:
            print(f"qmail-conformance: {located(str(error))}", file=sys.stderr)
            status = error.exit_status
        except KeyboardInterrupt:
            print("qmail-conformance: interrupted", file=sys.stderr)
            status = 130
        except Exception as error:
            # Nothing but a verdict may end with the status of one.
            print(f"qmail-conformance: {told(error)}", file=sys.stderr)
            status = EXIT_WORLD
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ConformanceError):  # of which was told above
                stream.flush()
    return status
