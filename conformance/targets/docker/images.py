"""Images: the target's and the internet's, built when they do not stand yet, and what is in them."""

import dataclasses
import io
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance.errors import WorldError
from conformance.targets.docker.context import Context, archive, digest, internet_context, target_context
from conformance.targets.docker.debs import read_debs
from conformance.targets.docker.engine import complaints, sdk
from conformance.targets.image_options import Images
from conformance.targets.target import Target

TARGET_REPOSITORY = "qmail-conformance/target"
INTERNET_REPOSITORY = "qmail-conformance/internet"

_PYTHON = "python:3.12-slim"
_LOG_LINES = 30
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Note = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What an image is built from; `what` names it in messages, `arguments` are those of its Dockerfile."""

    what: str
    context: Context
    arguments: dict[str, str]
    dockerfile: str = "Dockerfile"


def base_of(images: Images) -> str:
    """The image that targets are built on: a chosen one, or Ubuntu's."""
    return images.base or f"ubuntu:{images.release or '20.04'}"


def target_image(client: Any, target: Target, images: Images, note: Note = lambda line: None) -> Target:
    """The target with its image standing: `image` is its id, `packages` the versions in it.

    `note` gets a line when something takes long. Raises UsageError (the directory) or WorldError (the build).
    """
    arguments = {"BASE": base_of(images), "SOURCE": target.kind, "MIRROR": images.mirror}
    context = target_context()
    if target.kind == "ppa":
        # A PPA changes under its name: a new day looks again.
        arguments |= {"PPA": target.location, "FRESH": f"{datetime.now(UTC):%Y-%m-%d}"}
    elif target.kind == "debs":
        arguments["SOURCE"] = "candidate"
        context = target_context(read_debs(Path(target.location)))
    elif target.kind == "image":
        arguments = {"BASE": target.location, "SOURCE": "image"}
    recipe = Recipe(f"the image of {target.name}", context, arguments)
    image = ensure_image(client, TARGET_REPOSITORY, recipe, note)
    return dataclasses.replace(target, image=image, packages=packages(client, image))


def internet_image(client: Any, images: Images, note: Note = lambda line: None) -> str:
    """The id of the internet container's image, which stands. Raises WorldError.

    It stands on `internet_base`; without that on Python's, or on `base` where that is given and no such image
    is here.
    """
    base = images.internet_base or _PYTHON
    if not images.internet_base and images.base and _image_id(client, _PYTHON) is None:
        base = images.base
    dockerfile = "docker/internet/Dockerfile"
    recipe = Recipe("the image of the internet container", internet_context(), {"BASE": base}, dockerfile)
    return ensure_image(client, INTERNET_REPOSITORY, recipe, note)


def packages(client: Any, image: str) -> dict[str, str]:
    """Versions of the qmail packages and of ucspi-tcp in an image, from dpkg's own file; nothing is run."""
    with complaints("reading the package versions of an image"):
        container = client.containers.create(image)
        try:
            stream, _ = container.get_archive("/var/lib/dpkg/status")
            content = b"".join(stream)
        finally:
            container.remove(force=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return read_packages(file.read().decode("utf-8", "replace") if file is not None else "")


def read_packages(status: str) -> dict[str, str]:
    """Package -> version, of what a dpkg status file says is installed: qmail*, netqmail*, ucspi-tcp."""
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        name = fields.get("Package", "")
        if fields.get("Status", "").endswith(" installed") and (
            name.startswith(("qmail", "netqmail")) or name == "ucspi-tcp"
        ):
            found[name] = fields.get("Version", "")
    return dict(sorted(found.items()))


def ensure_image(client: Any, repository: str, recipe: Recipe, note: Note) -> str:
    """The id of the image that a recipe makes; built only when there is none."""
    base = recipe.arguments["BASE"]
    # The base's id counts and not its name alone: a base that was imported anew is another one.
    identity = recipe.arguments | {"base id": _image_id(client, base) or ""}
    tag = f"{repository}:{digest(recipe.context, identity)}"
    if known := _image_id(client, tag):
        return known
    note(f"building {recipe.what} on {base}")
    build(client, recipe, tag)
    built = _image_id(client, tag)
    if built is None:
        raise WorldError(f"{recipe.what} was built and is not there", "look at `docker images`")
    return built


def build(client: Any, recipe: Recipe, tag: str) -> None:
    """Build an image; WorldError with the end of the build's log when that fails."""
    lines: list[str] = []
    failure = ""
    with complaints(f"building {recipe.what}"):
        steps = client.api.build(
            fileobj=io.BytesIO(archive(recipe.context)),
            custom_context=True,
            dockerfile=recipe.dockerfile,
            tag=tag,
            buildargs=recipe.arguments,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=1800,
        )
        for step in steps:
            lines += _COLOUR.sub("", str(step.get("stream", ""))).splitlines()
            failure = step.get("error", failure)
    if failure:
        tail = "\n".join(f"    {line}" for line in [line for line in lines if line.strip()][-_LOG_LINES:])
        raise WorldError(
            f"{recipe.what} does not build: {failure.strip()}\n{tail}",
            "the lines above end the build's log; --base, --mirror and --release name other sources",
        )


def _image_id(client: Any, name: str) -> str | None:
    """The id of an image that is here; None when it is not."""
    with complaints(f"looking for the image {name}"):
        try:
            return str(client.images.get(name).id)
        except sdk().errors.NotFound:
            return None
