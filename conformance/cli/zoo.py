"""`zoo`: every case under every flaw of the reference; red when one is uncaught, or a case catches none."""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache

from conformance import __version__, stopping
from conformance.cases.collection import all_requirements
from conformance.cli.keeping import Part, refuse_another, refuse_foreign
from conformance.cli.keywords import matcher, near_names
from conformance.cli.options import note, output_directory
from conformance.cli.writing import write_text
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, NothingSelected
from conformance.harmless import printable
from conformance.judge.runfile import suite_digest
from conformance.reference.flaws import FLAWS
from conformance.report.sentences import looks_like_code, sentence_of
from conformance.report.words import numbered, one_line
from conformance.targets.capacity import core_count, cut_down_workers
from conformance.zoo import pages
from conformance.zoo.catches import ZooTable, lay_out
from conformance.zoo.own import OwnCatches, own_catches, own_requirements
from conformance.zoo.trial import Baseline, Outcome, Trial, run_trials

FORM = "qmail-conformance zoo"

_BROKEN = 20  #: bars that are told as broken; the table holds them all
_NAMED = 5  #: requirements that are told with the flaws that they catch


def visit(keyword: str, workers: int, part: Part | None = None, *, quick: bool = False) -> ZooTable:
    """One round: what `keyword` selects of flaws and requirements, each against all of the other side.

    When `quick`, only as much as the bars need: what settles a flaw ends its trial, and a requirement that
    caught none by then meets one flaw after the other until it does. What comes of each trial is written to
    `part`; what it holds already is not tried again.
    """
    requirements = all_requirements()
    chosen = _chosen(keyword)
    without = Baseline(requirements)

    def wanted(flaw: str, name: str) -> bool:
        return flaw in chosen or name in chosen

    found = {Trial.from_json(line["trial"]): line["outcome"] for line in (part.lines if part else ())}
    seen: list[tuple[Trial, Outcome]] = []

    def reached() -> str:
        where = "" if part is None else f"; --resume {one_line(str(part.path.parent))} goes on"
        return f"{numbered(len(found), 'trial')} are kept{where}"

    def run(trials: Iterable[Trial]) -> ZooTable:
        """The table of all that was seen up to these trials."""
        given = list(trials)
        for trial, outcome in run_trials([trial for trial in given if trial not in found], workers):
            found[trial] = outcome
            if part is not None:
                part.add({"trial": asdict(trial), "outcome": outcome})
        seen.extend((trial, found[trial]) for trial in given)
        return lay_out(requirements, without, seen, chosen)

    def idle(table: ZooTable) -> set[str]:
        return {name for name, flaws in table.catches.items() if not flaws}

    with stopping.keeping(reached):
        table = run(without.trials(wanted, quick=quick))
        if quick:
            without_catch = idle(table)
            tried = {(trial.flaw, name) for trial, outcome in seen for name in outcome}
            for trials in without.trials_one_by_one(without_catch, wanted, tried):
                table = run(trials)
                without_catch &= idle(table)
        settled = {flaw for flaw, names in table.caught_by.items() if _by_its_own(flaw, names)}
        table = run(without.trials_on_stock(wanted, settled, idle(table), quick=quick))
        table = run(
            without.trials_on_model({flaw: table.caught_by[flaw] for flaw in FLAWS if flaw in chosen})
        )
    _read(table, seen)
    return table


def _read(table: ZooTable, seen: Iterable[tuple[Trial, Outcome]]) -> None:
    """Note what a report would say of each unmet verdict, and which of it is code and no sentence."""
    say = cache(sentence_of)
    for trial, outcome in seen:
        for name, (verdict, what) in outcome.items():
            if verdict == "unmet":
                table.unmet += 1
                if looks_like_code(said := say(what)):
                    table.in_code.append(f"{name} under {trial.flaw} is told in code: {said}")
    table.broken += table.in_code


def _by_its_own(flaw: str, names: Iterable[str]) -> bool:
    """Whether a requirement of a flaw's own patch is among those that catch it."""
    return any(all_requirements()[name].patch == FLAWS[flaw].patch for name in names)


def _chosen(keyword: str, own: Iterable[str] = ()) -> set[str]:
    """The flaws and requirements that are selected, `own` among them. Raises NothingSelected."""
    fits = matcher(keyword)
    known = (*FLAWS, *all_requirements(), *own)
    chosen = {name for name in known if fits([name])}
    if not chosen:
        there = "`qmail-conformance list` shows the requirements, conformance/reference/flaws the flaws."
        what = f"no flaw and no requirement is selected by -k {keyword!r}"
        raise NothingSelected(what, near_names(keyword, known, there))
    return chosen


def run(options: argparse.Namespace) -> int:
    every_own = own_requirements(options.project)
    chosen = _chosen(options.keyword, every_own)
    options.workers = cut_down_workers(options.workers or core_count(), print)
    began = time.monotonic()
    of = {"selection": options.keyword, "quick": options.quick}
    what = {"form": FORM, "suite": __version__, "digest": options.project.digest(suite_digest()), **of}
    with output_directory(options) as out:
        refuse_foreign(out, ("zoo.md",), "zoo.json*")
        refuse_another(out / "zoo.json", of)
        part = Part(out / "zoo.json", what, note, resume=bool(options.resume))
        table = ZooTable([], {})
        if not chosen <= {*every_own}:
            table = visit(options.keyword, options.workers, part, quick=options.quick)
        own = own_catches(options.project, chosen)
        table.broken += [f"{each.requirement} catches no flaw" for each in own if not each.told]
        data = {**what, **pages.to_json(table, own)}
        write_text(out / "zoo.md", pages.markdown(table, own, quick=options.quick))
        write_text(out / "zoo.json", json.dumps(data, indent=1) + "\n")
        part.remove()
    for line in summary(table, own):
        print(line)
    print(f"{table.runs} cases under a flaw, in {time.monotonic() - began:.1f} s with -n {options.workers}")
    print(printable(f"the table: {out / 'zoo.md'}, {out / 'zoo.json'}"))
    return EXIT_REGRESSION if table.broken else EXIT_AS_EXPECTED


def summary(table: ZooTable, own: Sequence[OwnCatches] = ()) -> list[str]:
    """The conclusion, in a few lines; what is broken comes first."""
    caught = sum(bool(table.caught_by[flaw]) for flaw in table.flaws)
    catching = sum(bool(table.catches[name]) for name in table.requirements)
    lines = [f"broken: {line}" for line in table.broken[:_BROKEN]]
    if len(table.broken) > _BROKEN:
        lines.append(f"… and {len(table.broken) - _BROKEN} more; the table holds them all")
    lines += [one_line(f"{each.requirement}: {each.told}") for each in own if each.told]
    if not table.flaws and not table.requirements:  # of the project's own alone
        return lines
    if table.flaws:
        lines.append(f"{caught} of {len(table.flaws)} flaws are caught by a requirement")
    else:  # requirements were selected
        named = {name: sorted(table.catches[name]) for name in list(table.requirements)[:_NAMED]}
        lines += [f"{name} catches {', '.join(flaws)}" for name, flaws in named.items() if flaws]
    lines.append(f"{catching} of {len(table.requirements)} requirements catch a flaw")
    if table.on_model:
        seen, all_of_them = sum(map(bool, table.on_model.values())), len(table.on_model)
        hidden = f"; {all_of_them - seen} nobody can see there" if seen < all_of_them else ""
        lines.append(
            f"{seen} of {all_of_them} flaws behind a known deviation are caught on the model{hidden}"
        )
    told = table.unmet - len(table.in_code)
    lines.append(f"{told} of {table.unmet} unmet verdicts are told in words")
    if not table.broken:
        own_patch = "every flaw by one of its own patch; " if table.flaws else ""
        lines.append(f"{own_patch}without flaws the reference is as promised")
    return lines
