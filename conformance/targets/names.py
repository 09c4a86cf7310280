"""The grammar of target names: `stock`, `ppa`, `debs:DIR@0004,0005`, `image:REF`, `reference-ppa~FLAW`, …"""

import os
import re
from dataclasses import replace
from pathlib import Path

from conformance.catalogue.builtin import PPA_PATCHES
from conformance.catalogue.patches import STOCK_PATCHES
from conformance.errors import UsageError
from conformance.nearest import did_you_mean
from conformance.project.form import NO_PROJECT, Alias, Project
from conformance.project.reading import alias_of
from conformance.targets.paths import with_kind
from conformance.targets.target import Kind, Target

#: Environment variable that names the PPA when no option does.
PPA_VARIABLE = "QMAIL_PPA"

#: The version of the package that a model stands for.
MODELLED = "1.06-6.2"

#: Targets that are a name alone.
NAMES = ("stock", "ppa", "installed", "reference-stock", "reference-ppa", "model-stock", "model-ppa")

_KNOWN = (
    "known: stock, ppa, debs:PATH, debs:PATH@0004,0005, a path of packages, image:REFERENCE, "
    "image:REFERENCE@0004,0005, installed, installed@0004,0005, root:DIRECTORY, root:DIRECTORY@0004,0005, "
    "reference-stock, reference-ppa, reference@0004,0005, "
    "reference-ppa~FLAW,FLAW, model-stock, model-ppa, model@0004,0005; NAME=TARGET gives one a name"
)

_PPA = re.compile(r"ppa:[A-Za-z0-9][A-Za-z0-9.+-]*/[A-Za-z0-9][A-Za-z0-9.+-]*|deb\s+\S.*")


def parse_target(name: str, *, ppa: str | None = None, project: Project = NO_PROJECT) -> Target:
    """The target that a person named; nothing is looked up yet but whether a path is there.

    `ppa` is the option `--ppa`; without it the variable QMAIL_PPA counts. `NAME=TARGET`, or a name that the
    project has for one, is that target under this name. A directory or an image without `@` claims every
    patch of the package, which is the PPA's unless the project says otherwise, with nothing after `@` those
    of stock, with `@base` none. After `~` come flaws of the reference; not after `!`, which an interactive
    shell takes for its history. A model has the flaws of its deviations, but those that one of the named
    flaws stands in the place of. Raises UsageError.
    """
    if (alias := alias_of(name)) is not None:
        return _called(alias, ppa, project)
    name = with_kind(name, (*project.aliases, *NAMES), Path())
    build, tilde, listed = name.rpartition("~")
    if not tilde:
        return _build(name, ppa, project)
    from conformance.reference.flaws import FLAWS, build_with  # loaded for names with flaws alone

    flaws = tuple(dict.fromkeys(listed.split(",")))
    unknown = [flaw for flaw in flaws if flaw not in FLAWS]
    if unknown and re.match(r"(debs|image|root):", name):
        return _build(name, ppa, project)  # the `~` belongs to the place: debs:build-1.06~2
    target = _build(build, ppa, project)
    if target.is_model:
        flaws += _apart_from(flaws, target.flaws)
    if not target.specification:
        raise UsageError(f"target {name!r}: only a reference has flaws", "as reference-ppa~0006.dropped")
    for flaw in unknown:
        hint = did_you_mean(flaw, FLAWS, "they stand in conformance/reference/flaws")
        raise UsageError(f"target {name!r}: there is no flaw {flaw!r}", hint)
    try:
        build_with(target.patches, flaws)
    except ValueError as error:
        raise UsageError(f"target {name!r}: {error}", "Leave one of the flaws out.") from None
    return replace(target, name=name, flaws=flaws)


def _called(alias: Alias, ppa: str | None, project: Project) -> Target:
    """A target under the name that a person gave it. Raises UsageError, with the place of that."""
    try:
        if alias.written in project.aliases:
            what = f"{alias.written!r} is a name of the project itself"
            raise UsageError(what, f"Write what it stands for: {project.aliases[alias.written].written}")
        alias = replace(alias, written=with_kind(alias.written, NAMES, alias.directory))
        target = parse_target(alias.written, ppa=ppa, project=replace(project, aliases={}))
        if target.is_model:  # a run of one is known by its name
            raise UsageError(f"{alias.written} keeps its own name", "Name it as it is.")
    except UsageError as error:
        if not alias.place:
            raise
        raise UsageError(f"{alias.place}: targets.{alias.name}: {error.message}", error.hint) from error
    location, shown = target.location, alias.written
    if target.kind in ("debs", "root") and target.location != "/":
        location = str(alias.directory / target.location)
        shown = alias.written.replace(target.location, "DIRECTORY", 1)  # it stands in no report
    command = "" if alias.place else f"{alias.name}={shown}"
    return replace(target, name=alias.name, location=location, written=alias.written, command_name=command)


def _build(name: str, ppa: str | None, project: Project) -> Target:
    if (alias := project.aliases.get(name)) is not None:
        return _called(alias, ppa, project)
    series = project.series
    if name == "stock":
        return Target(name, "stock", STOCK_PATCHES)
    if name == "ppa":
        return Target(name, "ppa", series.package, _archive(ppa))
    if name in ("reference-stock", "reference-ppa"):
        return Target(name, "reference", PPA_PATCHES if name == "reference-ppa" else STOCK_PATCHES)
    if name in ("model-stock", "model-ppa"):
        return _model(name, PPA_PATCHES if name == "model-ppa" else STOCK_PATCHES, project)
    if name.startswith("model@"):
        return _model(name, series.read(name.removeprefix("model@"), f"target {name!r}"), project)
    if name.startswith("reference@"):
        return Target(name, "reference", series.read(name.removeprefix("reference@"), f"target {name!r}"))
    if name.startswith("debs:"):
        return _located(name, "debs", name.removeprefix("debs:"), "the place of .deb files", project)
    if name.startswith("root:"):
        return _located(name, "root", name.removeprefix("root:"), "a directory tree with qmail", project)
    if name == "installed" or name.startswith("installed@"):
        return _located(name, "root", f"/{name.removeprefix('installed')}", "", project)
    if name.startswith("image:"):
        return _located(name, "image", name.removeprefix("image:"), "a Docker image", project)
    own = f"{', '.join(project.aliases)} in {project.file}; " if project.aliases else ""
    hint = did_you_mean(name, [*project.aliases, *NAMES], own + _KNOWN)
    raise UsageError(f"there is no target {name!r}", hint)


def model_of(target: Target, project: Project = NO_PROJECT) -> Target:
    """What a build is believed to do: the reference with its patches, and its known deviations as flaws.

    That of a reference is the one without the flaws that its name has besides. Raises UsageError.
    """
    if target.specification:
        return parse_target((target.written or target.name).partition("~")[0], project=project)
    return _with_deviations(Target(f"model of {target.name}", "reference", target.patches), target, project)


def name_of_model(model: Target, project: Project = NO_PROJECT) -> str:
    """A name under which any command takes the model of a build, as `model_of` makes it."""
    if not model.name.startswith("model of "):
        return model.name
    known = {STOCK_PATCHES: "stock", PPA_PATCHES: "ppa"}
    words = project.series.words(model.patches)
    suffix = f"-{known[model.patches]}" if model.patches in known else f"@{words}"
    if set(model.flaws) == set(parse_target(f"model{suffix}", project=project).flaws):
        return f"model{suffix}"
    return "~".join(filter(None, (f"reference{suffix}", ",".join(model.flaws))))


def _model(name: str, patches: tuple[str, ...], project: Project) -> Target:
    """The reference that does what is known of the published package: its deviations are flaws here."""
    model = Target(name, "reference", patches, packages={"qmail": MODELLED})
    return _with_deviations(model, model, project)


def _with_deviations(model: Target, build: Target, project: Project) -> Target:
    """A model with the deviations that concern a build as flaws. Raises UsageError."""
    from conformance.judge.deviations import load_deviations
    from conformance.reference.flaws import FLAWS

    known = [each for each in load_deviations(project=project) if each.flaw and each.concerns(build)]
    for deviation in known:
        if deviation.flaw not in FLAWS:
            what = f"{deviation.place}: there is no flaw {deviation.flaw!r}"
            hint = did_you_mean(deviation.flaw, FLAWS, "`qmail-conformance zoo` lists them.")
            raise UsageError(what, hint)
    return replace(model, flaws=tuple(dict.fromkeys(each.flaw for each in known)))


def _apart_from(flaws: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The other flaws, without those about a decision that one of `flaws` is about."""
    from conformance.reference.flaws import FLAWS

    taken = {decision for flaw in flaws if flaw in FLAWS for decision in FLAWS[flaw].decisions}
    return tuple(flaw for flaw in others if flaw not in flaws and taken.isdisjoint(FLAWS[flaw].decisions))


def _archive(ppa: str | None) -> str:
    archive = (ppa or os.environ.get(PPA_VARIABLE, "")).strip()
    if not archive:
        raise UsageError(
            "target 'ppa': no PPA given",
            f"give --ppa ppa:OWNER/NAME or an apt source line, or set {PPA_VARIABLE}",
        )
    if not _PPA.fullmatch(archive):
        raise UsageError(
            f"target 'ppa': {archive!r} is no PPA",
            "write ppa:OWNER/NAME or an apt source line: deb URL SUITE PART",
        )
    return archive


def _located(name: str, kind: Kind, rest: str, what: str, project: Project) -> Target:
    """`rest` is a place, perhaps with `@` and patches: `@sha256:…` and `a@b/c` belong to the place."""
    location, at, tail = rest.rpartition("@")
    if not at or ":" in tail or "/" in tail:
        location, patches = rest, project.series.package
    else:
        patches = project.series.read(tail, f"target {name!r}")
    if not location:
        raise UsageError(f"target {name!r}: after the colon comes {what}")
    return Target(name, kind, patches, location)
