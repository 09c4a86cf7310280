"""From names to targets that stand ready: names are understood, images are built, once and in one place."""

from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.project.form import NO_PROJECT, Project
from conformance.targets.image_options import Images
from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.target import Target


def make_ready(
    names: Sequence[str],
    images: Images,
    note: Callable[[str], None] = lambda line: None,
    project: Project = NO_PROJECT,
) -> Plan:
    """A plan for these targets, as a project names them.

    Raises UsageError for a name, WorldError for an engine or an image.

    `note` gets a line when something takes long. Leftovers of earlier runs are removed on the way.
    """
    targets = [parse_target(name, ppa=images.ppa or None, project=project) for name in names]
    place = str(project.file or "")
    if all(target.kind == "reference" for target in targets):
        return Plan(tuple(targets), project=place)
    from conformance.targets.docker import engine
    from conformance.targets.docker.debs import read_debs
    from conformance.targets.docker.images import internet_image, target_image
    from conformance.targets.docker.sweep import sweep

    for target in targets:
        if target.kind == "debs":
            read_debs(Path(target.location))  # a wrong directory is told before an engine is looked for
    client = engine.connect()
    try:
        sweep(client)
        ready: list[Target] = [
            target if target.kind == "reference" else target_image(client, target, images, note)
            for target in targets
        ]
        internet = internet_image(client, images, note)
        return Plan(tuple(ready), internet, engine_memory=engine.memory(client), project=place)
    finally:
        client.close()
