"""The command: words and options for people. Each subcommand imports only what it needs."""

import argparse
import contextlib
import importlib
import sys

from conformance import __version__, stopping
from conformance.catalogue.builtin import PPA_PATCHES
from conformance.cli.arguments import (
    Once,
    add_attribution,
    add_bench,
    add_detail,
    add_deviations,
    add_explore,
    add_find,
    add_identify,
    add_images,
    add_list,
    add_option,
    add_report,
    add_running,
    add_scenarios,
    add_shard,
    add_stopping,
    number_or_auto,
    set_defaults,
)
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
    "merge": ("merging", "run", "put the parts of a run together that --shard has made on several machines"),
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
    add_option(top, "--project", "FILE", project_file)
    top.add_argument("--version", action="version", version=__version__)
    subs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {
        name: subs.add_parser(name, help=what, description=what) for name, (_, _, what) in COMMANDS.items()
    }
    made["help"].add_argument("topic", metavar="COMMAND", nargs="?", choices=list(COMMANDS))
    add_list(made["list"], project)
    add_find(made["find"])
    what = "where it is written (here)"
    made["init"].add_argument("directory", metavar="DIRECTORY", nargs="?", default=".", help=what)
    a_directory = "stored runs, or a directory for all that are in it"
    forms = "stock, ppa, a path of .deb files, image:REF, reference-stock, reference-ppa~0006.dropped"
    made["run"].add_argument("target", help=forms)
    what = f"by default the best there is; {a_directory}"
    add_option(made["compare"], "what", "TARGET|RUN.jsonl", what, nargs="*")
    made["gate"].add_argument("target", help="the build to be released")
    add_option(made["gate"], "--against", "TARGET", "compare with this target too, for example stock")
    last = "the last release's run: what is newly unmet fails, what was unmet before is told apart"
    add_option(made["gate"], "--baseline", "RUN.jsonl", f"{last}; in a directory that of the target")
    workflow = "workflow commands for GitHub: what is not as expected, and not as it was before"
    add_option(made["gate"], "--annotations", "FILE", workflow)
    add_option(made["judge"], "runs", "RUN.jsonl", a_directory, nargs="+")
    add_option(made["merge"], "runs", "RUN.jsonl", f"every part once; {a_directory}", nargs="+")
    for name in ("run", "compare"):
        add_shard(made[name])
    add_scenarios(made["try"], made["shrink"])
    add_deviations(made["deviations"])
    add_report(made["report"])
    add_attribution(made["bisect"], made["attribute"])
    add_bench(made["bench"])
    add_identify(made["identify"])
    zoo = "as pytest's -k, over names of flaws and of requirements; each meets all of the other side"
    add_option(made["zoo"], "-k", "EXPRESSION", zoo, dest="keyword", default="", action=Once)
    workers = "worker processes (2; auto: one for each core)"
    add_option(made["zoo"], "-n", "WORKERS", workers, dest="workers", type=number_or_auto, default=2)
    quick = "no more than the bars need: what settles a flaw ends its trial"
    made["zoo"].add_argument("--quick", action="store_true", help=quick)
    add_explore(made["explore"])
    made["reproduce"].add_argument("requirement", help="its whole name, as `list` shows it, or a scenario")
    add_option(made["reproduce"], "--target", "TARGET", "the qmail to run it on")
    stored = "take its record from a stored run, in a directory that of --target; nothing is started"
    add_option(made["reproduce"], "--from", "RUN.jsonl", stored, dest="stored")
    made["reference-deb"].add_argument("directory", help="where the packages are written")
    carried = "the patches it carries; empty for stock"
    add_option(made["reference-deb"], "--patches", "PATCHES", carried, default=",".join(PPA_PATCHES))
    how = "`source <(qmail-conformance completion bash)`, or into a file where your shell looks for it"
    made["completion"].add_argument(
        "shell", metavar="SHELL", choices=["bash", "zsh"], help=f"bash or zsh; {how}"
    )
    made["clean"].add_argument("--dry-run", action="store_true", help="list it, and remove nothing")
    everything = "the images that this version would use, too; the next run builds them again"
    made["clean"].add_argument("--all", action="store_true", help=everything)
    for name in ("run", "compare", "gate", "attribute"):
        add_running(made[name], project)
    for name in ("run", "compare", "gate"):
        add_stopping(made[name])
    for name in ("run", "compare", "gate", "judge", "merge"):
        add_detail(made[name], differences=name == "compare")
    for names, written in (
        (("run", "compare", "gate", "judge", "merge"), "runs and reports are written (reports/TIME)"),
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
            add_option(place, "--out", "DIR", f"where {written}")
            if name in RESUMED:
                add_option(place, "--resume", "DIR", "go on with what was cut off there")
    with_images = "run compare gate targets doctor try shrink bisect attribute bench reproduce explore"
    for name in (*with_images.split(), "identify"):
        add_images(made[name])
    for name, each in made.items():
        each.set_defaults(parser=each)
        if name not in ("init", "help"):
            add_option(each, "--project", "FILE", project_file)
        set_defaults(name, each, project)
    return top


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
        whole.refuse_option_before_command(given[0] if given else "")
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
