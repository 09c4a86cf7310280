"""From names to targets that stand ready: names are understood, images are built, once and in one place."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.targets.names import parse_target
from conformance.targets.plan import Plan
from conformance.targets.target import Target

#: Option -> (the environment variable that stands in for it, what it is).
IMAGE_OPTIONS = {
    "--ppa": ("QMAIL_PPA", "the PPA (ppa:OWNER/NAME) or apt source line of the target ppa"),
    "--release": ("QMAIL_RELEASE", "the Ubuntu release (20.04)"),
    "--base": ("QMAIL_BASE", "the base image of targets, instead of Ubuntu's"),
    "--internet-base": (
        "QMAIL_INTERNET_BASE",
        "the base image of the internet container, with Python 3.11 or newer",
    ),
    "--mirror": ("QMAIL_MIRROR", "an apt mirror"),
}


@dataclass(frozen=True)
class Images:
    """How images are made; "" means the default. The environment stands in for what is not given."""

    ppa: str = ""
    release: str = ""
    base: str = ""
    internet_base: str = ""
    mirror: str = ""

    @classmethod
    def chosen(cls, given: Callable[[str], str | None]) -> Images:
        """`given` maps an option's name as in Python (`internet_base`) to its value, if any."""
        values = {}
        for option, (variable, _) in IMAGE_OPTIONS.items():
            name = option[2:].replace("-", "_")
            values[name] = given(name) or os.environ.get(variable, "")
        return cls(**values)


def make_ready(names: Sequence[str], images: Images, note: Callable[[str], None] = lambda line: None) -> Plan:
    """A plan for these targets. Raises UsageError for a name, WorldError for an engine or an image.

    `note` gets a line when something takes long. Leftovers of earlier runs are removed on the way.
    """
    targets = [parse_target(name, ppa=images.ppa or None) for name in names]
    if all(target.kind == "reference" for target in targets):
        return Plan(tuple(targets))
    from conformance.targets.docker import engine
    from conformance.targets.docker.debs import read_debs
    from conformance.targets.docker.images import BuildOptions, internet_image, target_image
    from conformance.targets.docker.sweep import sweep

    options = BuildOptions(
        images.release or BuildOptions.release, images.base, images.mirror, images.internet_base
    )
    for target in targets:
        if target.kind == "debs":
            read_debs(Path(target.location))  # a wrong directory is told before an engine is looked for
    client = engine.connect()
    try:
        sweep(client)
        ready: list[Target] = [
            target if target.kind == "reference" else target_image(client, target, options, note)
            for target in targets
        ]
        internet = internet_image(client, options, note)
        return Plan(tuple(ready), internet, engine_memory=engine.memory(client))
    finally:
        client.close()
