"""From names to targets that stand ready: names are understood, images are built, once and in one place."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.project.form import NO_PROJECT, Project
from conformance.targets.image_options import RELEASES, Images
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.target import Target


def make_ready(
    names: Sequence[str],
    images: Images,
    note: Callable[[str], None] = lambda line: None,
    project: Project = NO_PROJECT,
    before: int | None = None,
) -> Plan:
    """A plan for these targets, as a project names them, on each release that is named.

    With `before` all others can be upgraded from the packages of the target at that place; without, and what
    is in no container, from their own.
    Raises UsageError for a name or a release, WorldError for an engine or an image.

    `note` gets a line when something takes long. Leftovers of earlier runs are removed on the way.
    """
    targets = [parse_target(name, ppa=images.ppa or None, project=project) for name in names]
    place = str(project.file or "")
    if images.release_asked and not any(_stands_on_a_release(target) for target in targets):
        raise UsageError(
            f"--release {images.release} says nothing of {targets[0].name}: that is built on no release",
            "Leave --release out; it is for stock, ppa and debs:.",
        )
    targets = [_in_namespaces(target) if target.kind == "root" else target for target in targets]
    if not any(target.needs_engine for target in targets):
        return Plan(tuple(targets), project=place)
    from conformance.targets.docker import engine
    from conformance.targets.docker.debs import read_debs
    from conformance.targets.docker.images import internet_image, target_image
    from conformance.targets.docker.sweep import sweep

    wanted = _on_each_release(targets, images)
    for target in targets:
        if target.kind == "debs":
            read_debs(Path(target.location))  # a wrong directory is told before an engine is looked for
    client = engine.connect()
    try:
        sweep(client)
        ready: list[Target] = [
            target_image(client, target, its, note) if target.needs_engine else target
            for target, its in wanted
        ]
        if before is not None:
            ready = _upgradable(client, ready, before, note)
        internet = internet_image(client, images, note)
        return Plan(tuple(ready), internet, engine_memory=engine.memory(client), project=place)
    finally:
        client.close()


def _upgradable(
    client: Any, targets: Sequence[Target], before: int, note: Callable[[str], None]
) -> list[Target]:
    """The targets, each to be upgraded from the one before, as it is on the same release."""
    from conformance.targets.docker.images import upgradable

    name = targets[before].name
    olds = {target.release: target for target in targets if target.name == name and target.image}
    return [
        upgradable(client, target, old, note)
        if target.image and (old := olds.get(target.release)) and old.image != target.image
        else target
        for target in targets
    ]


def _in_namespaces(target: Target) -> Target:
    from conformance.targets.namespaces.ready import ready  # loaded for these targets alone

    return ready(target)


def _on_each_release(targets: Sequence[Target], images: Images) -> list[tuple[Target, Images]]:
    """Each target on each release, with how its image is made there; those of one release stand together.

    What is built on no base of ours is there once. Raises UsageError where a release has no qmail.
    """
    found = []
    for at, each in enumerate(images.each_release()):
        for target in targets:
            if not _stands_on_a_release(target):
                found += [(target, each)] if at == 0 else []
                continue
            if target.kind == "stock":
                refuse_without_qmail(each)
            found.append((replace(target, release=each.release), each))
    return found


def _stands_on_a_release(target: Target) -> bool:
    return target.needs_engine and target.kind != "image"


def refuse_without_qmail(images: Images) -> None:
    """UsageError where Ubuntu's release has no qmail in its archive."""
    if images.release and images.release not in RELEASES:
        *others, last = RELEASES
        raise UsageError(
            f"Ubuntu {images.release} has no qmail in its archive",
            f"{', '.join(others)} and {last} have it; on others there are targets debs:DIRECTORY and ppa.",
        )
