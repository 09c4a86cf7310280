"""`identify`: which patches a build carries, whatever it claims, and what it has beyond them."""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conformance.attribution.carried import Share, shares
from conformance.attribution.identity import TITLES, Identity, beyond, known
from conformance.attribution.named import Named, named_by
from conformance.cases.asking import VERBS, Answers, answers, ask
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import script_of
from conformance.cli.case_run import Selection, run_cases
from conformance.cli.options import images, note, output_directory
from conformance.cli.stored import is_stored, run_file
from conformance.errors import EXIT_AS_EXPECTED, WorldError
from conformance.judge.deviations import load_deviations
from conformance.judge.runfile import Run, read_run
from conformance.pod.recording import Replay
from conformance.pod.secrets import fixture_secrets
from conformance.project.form import Project
from conformance.report.words import is_specification, listed, one_line, patch_title, specification_sentence
from conformance.targets.namespaces.root import look_into
from conformance.targets.plan import Plan
from conformance.targets.pool import PodPool
from conformance.targets.ready import make_ready

_UNMET = 5  #: changes that are named as lacking; the run file holds them all


def run(options: argparse.Namespace) -> int:
    """A stored run is looked at as it is; of a target the changes are run, its session and programs seen."""
    if is_stored(options.target):
        found = _of_run(read_run(run_file(options.target)), options.project)
    else:
        found = _of_target(options)
    if options.json:
        print(json.dumps(_as_json(found), indent=1))
    else:
        print("\n".join(lines(found)))
    return EXIT_AS_EXPECTED


def _of_run(stored: Run, project: Project) -> Identity:
    requirements = project.catalogue.requirements
    known_deviations = load_deviations(requirements, project=project)
    return Identity(stored, tuple(shares(stored, known_deviations, requirements)))


def _of_target(options: argparse.Namespace) -> Identity:
    plan = make_ready([options.target], images(options), note, options.project)
    with output_directory(options) as out:
        # What a target claims is not the question here, so what is unexpected is no news.
        (stored,) = run_cases(
            plan,
            Selection(changes=True),
            out=out,
            pods=options.pods,
            repeat=False,
            project=options.project,
        )
    found = _of_run(stored, options.project)
    named = _named(plan)
    said = asyncio.run(_said(plan, named))
    return Identity(stored, found.shares, beyond(found.shares, said, named), True, named is not None)


def _named(plan: Plan) -> Named | None:
    """What the programs of a target name; None for one that has none that can be read."""
    target = plan.targets[0]
    if target.kind == "reference":
        return None
    if target.kind == "root":
        named = named_by(look_into(Path(target.location)).programs())
        return named if named != Named() else None
    from conformance.targets.docker import engine
    from conformance.targets.docker.programs import programs

    client = engine.connect()
    try:
        named = named_by(programs(client, target.image))
    finally:
        client.close()
    return named if named != Named() else None


async def _said(plan: Plan, named: Named | None) -> Answers:
    """What a target says in sessions. Raises WorldError where it cannot be asked."""
    base = known("verbs", ["base"])
    words = {word.upper() for word in (named.words if named else ())} - known_words()
    verbs = sorted({*VERBS, *words} - base)
    pool = PodPool(plan)
    try:
        played = await pool.played(pool.submit(plan.targets[0], script_of(ask, verbs=" ".join(verbs))))
    finally:
        await pool.dispose()
    if played.outcome != "met":
        raise WorldError(f"{plan.targets[0].name}: it cannot be asked what it knows: {played.seen}")
    return await answers(Qmail(Replay(played.record, fixture_secrets()), Internet()), verbs)


def known_words() -> set[str]:
    """Words in programs that are no verbs."""
    return {word.upper() for word in known("words", ["base"])} - {"MAIL", "RCPT"}


def lines(found: Identity) -> list[str]:
    """For people."""
    target = found.run.target
    packages = ", ".join(f"{name} {version}" for name, version in sorted(target.packages.items()))
    told = [specification_sentence(target)] if is_specification(target) else []
    told.append(one_line(f"{target.name}{f' ({packages})' if packages else ''} carries"))
    titles = found.run.header.titles
    told += [f"  {_mark(share)} {patch_title(share.patch, titles)}: {share.words}" for share in found.shares]
    for share in found.shares:
        if share.unmet and (share.met or share.claimed):
            more = len(share.unmet) - _UNMET
            names = ", ".join(share.unmet[:_UNMET]) + (f" and {more} more" if more > 0 else "")
            told.append(one_line(f"of {share.patch} it lacks {names}"))
    beside = {title: getattr(found.beyond, kind) for kind, title in TITLES.items()}
    told += [one_line(f"beyond these: {title} {listed(names)}") for title, names in beside.items() if names]
    if found.session and not any(beside.values()):
        told.append("nothing beyond these" if found.programs else "nothing beyond these that a session shows")
    if found.session and not found.programs:
        told.append(
            "its programs are none that can be read, so variables and control files were not looked for"
        )
    decided = all(share.whole for share in found.shares if share.claimed)
    agrees = "claims and findings agree" if decided else "too little was run to compare claims and findings"
    return [*told, one_line(f"{target.name}: {found.difference or agrees}")]


def _mark(share: Share) -> str:
    return "+" if share.carried else "~" if share.in_part else "-"


def _as_json(found: Identity) -> dict[str, Any]:
    target = found.run.target
    return {
        "form": "qmail-conformance identity",
        "schema": 1,
        "target": target.to_json(),
        "specification": is_specification(target),
        "patches": [
            {**asdict(share), "unmet": list(share.unmet), "carried": share.carried, "in_part": share.in_part}
            for share in found.shares
        ],
        "beyond": {kind: list(names) for kind, names in asdict(found.beyond).items()},
        "session": found.session,
        "programs": found.programs,
        "difference": found.difference,
    }
