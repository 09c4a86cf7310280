"""Images: the target's and the internet's, built when they do not stand yet, and what is in them."""

import contextlib
import dataclasses
import io
import re
import tarfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance.errors import WorldError
from conformance.targets.docker.context import Context, archive, digest, internet_context, target_context
from conformance.targets.docker.debs import read_debs
from conformance.targets.docker.engine import complaints, sdk
from conformance.targets.docker.programs import programs
from conformance.targets.docker.sweep import OWNER_LABEL, ROLE_LABEL, owner, remove
from conformance.targets.image_options import Images
from conformance.targets.packages import build_of, read_packages, read_system
from conformance.targets.target import Target

TARGET_REPOSITORY = "qmail-conformance/target"
INTERNET_REPOSITORY = "qmail-conformance/internet"
PROBE_REPOSITORY = "qmail-conformance/probe"

#: Whatever is in these is ours.
REPOSITORIES = (TARGET_REPOSITORY, INTERNET_REPOSITORY, PROBE_REPOSITORY)

#: Label of every image of ours and of every step towards one, as the Dockerfiles write it.
IMAGE_LABEL = "qmail-conformance.image"

#: Label of a whole image: what made it, apart from the build that is in it.
RECIPE_LABEL = "qmail-conformance.recipe"

#: Seconds that a build may take.
_LONGEST_BUILD = 1800

#: Tags that are being built in this process -> the last step towards each.
_under_way: dict[str, str] = {}

_PYTHON = "python:3.12-slim"
_LOG_LINES = 30
_LONGEST_LINE = 500
#: What a build says of each step, Docker's and Podman's.
_STEP = re.compile(r"^(?: -|)--> ([0-9a-f]{11,12})$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Note = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What an image is built from; `what` names it in messages, `arguments` are those of its Dockerfile.

    `made_by` is the same for all images that the same files of ours make on the same day.
    """

    what: str
    context: Context
    arguments: dict[str, str]
    dockerfile: str = "Dockerfile"
    made_by: str = ""


def target_image(client: Any, target: Target, images: Images, note: Note = lambda line: None) -> Target:
    """The target with its image standing: `image` is its id, `packages` the versions in it, and what it is
    built on is told.

    `note` gets a line when something takes long. Raises UsageError (the directory) or WorldError (the build).
    """
    base = images.target_base
    arguments = {"BASE": base, "SOURCE": target.kind, "MIRROR": images.mirror}
    context = target_context()
    if target.kind == "ppa":
        # A PPA changes under its name: a new day looks again.
        arguments |= {"PPA": target.location, "FRESH": _today()}
    elif target.kind == "debs":
        arguments["SOURCE"] = "candidate"
        context = target_context(read_debs(Path(target.location)))
    elif target.kind == "image":
        arguments = {"BASE": target.location, "SOURCE": "image"}
        base = ""
    made_by = digest(target_context(), {"FRESH": arguments.get("FRESH", "")})
    recipe = Recipe(f"the image of {target.label}", context, arguments, made_by=made_by)
    image = ensure_image(client, TARGET_REPOSITORY, recipe, note)
    return dataclasses.replace(target, image=image, base=base, **_facts(client, image))


#: A target's image with the packages of another one beside its own.
_WITH_PREVIOUS = b"""ARG BASE
ARG PREVIOUS
FROM ${PREVIOUS} AS previous
FROM ${BASE}
LABEL qmail-conformance.image=target
COPY --from=previous /opt/conformance/packages/ /opt/conformance/packages/previous/
"""


def upgradable(client: Any, target: Target, previous: Target, note: Note = lambda line: None) -> Target:
    """The target whose upgrade begins with the packages of `previous`; both have their images.

    Raises WorldError.
    """
    base, other = (_tag(client, each.image) for each in (target, previous))
    what = f"the image of {target.label}, to be upgraded from {previous.label},"
    context: Context = {"Dockerfile": (_WITH_PREVIOUS, 0o644)}
    made_by = digest(target_context(), {"FRESH": _today() if target.kind == "ppa" else ""})
    arguments = {"BASE": base, "PREVIOUS": other}
    recipe = Recipe(what, context, arguments, made_by=made_by)
    return dataclasses.replace(target, image=ensure_image(client, TARGET_REPOSITORY, recipe, note))


def _tag(client: Any, image: str) -> str:
    """The name that an image has among ours; a Dockerfile takes no id on every engine."""
    names = client.images.get(image).tags
    return str(next((name for name in names if name.startswith(TARGET_REPOSITORY)), image))


def internet_image(client: Any, images: Images, note: Note = lambda line: None) -> str:
    """The id of the internet container's image, which stands. Raises WorldError.

    It stands on `internet_base`; without that on Python's, or on `base` where that is given and no such image
    is here.
    """
    base = images.internet_base or _PYTHON
    if not images.internet_base and images.base and _image_id(client, _PYTHON) is None:
        base = images.base
    dockerfile = "docker/internet/Dockerfile"
    what, context = "the image of the internet container", internet_context()
    recipe = Recipe(what, context, {"BASE": base}, dockerfile, digest(context, {}))
    return ensure_image(client, INTERNET_REPOSITORY, recipe, note)


def made_by_us() -> set[str]:
    """The `made_by` of all images that this tree would use today, whatever build is in them."""
    targets = {digest(target_context(), {"FRESH": day}) for day in ("", _today())}
    return targets | {digest(internet_context(), {})}


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _facts(client: Any, image: str) -> dict[str, Any]:
    """What is told of an image, as its own files and the engine say; nothing is run."""
    with complaints("reading the package versions of an image"):
        architecture = str(client.images.get(image).attrs.get("Architecture") or "")
        container = client.containers.create(image, labels={OWNER_LABEL: owner(), ROLE_LABEL: "packages"})
        try:
            status = _file(container, "/var/lib/dpkg/status")
            system = _system(container)
        finally:
            container.remove(force=True)
    return {
        "packages": read_packages(status),
        "system": system,
        "architecture": architecture,
        "build": build_of(programs(client, image)),
    }


def _system(container: Any) -> str:
    """`Ubuntu 18.04.6 LTS`; "" where the image does not say."""
    # What stands in /etc is a link, and old releases have the file itself there.
    for place in ("/usr/lib/os-release", "/etc/os-release"):
        with contextlib.suppress(sdk().errors.NotFound):
            if found := read_system(_file(container, place)):
                return found
    return ""


def _file(container: Any, place: str) -> str:
    """A file's content; "" for what is none."""
    stream, _ = container.get_archive(place)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        member = tar.getmembers()[0]
        file = tar.extractfile(member) if member.isfile() else None
        return file.read().decode("utf-8", "replace") if file is not None else ""


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
    """Build an image; WorldError with the end of the build's log when that fails, and nothing is left."""
    lines: deque[str] = deque(maxlen=_LOG_LINES)
    failure = ""
    end = time.monotonic() + _LONGEST_BUILD
    with complaints(f"building {recipe.what}"), contextlib.ExitStack() as undone:
        undone.callback(lambda: _discard(client, _under_way.pop(tag, "")))
        steps = client.api.build(
            fileobj=io.BytesIO(archive(recipe.context)),
            custom_context=True,
            dockerfile=recipe.dockerfile,
            tag=tag,
            buildargs=recipe.arguments,
            labels={RECIPE_LABEL: recipe.made_by},
            rm=True,
            forcerm=True,
            decode=True,
            timeout=_LONGEST_BUILD,
        )
        undone.callback(steps.close)  # the engine stops building when nobody listens
        for step in steps:
            said = _COLOUR.sub("", str(step.get("stream", "")))
            lines.extend(line[:_LONGEST_LINE] for line in said.splitlines() if line.strip())
            _under_way[tag] = (_STEP.findall(said) or [_under_way.get(tag, "")])[-1]
            failure = step.get("error", failure)
            if time.monotonic() > end:
                late = f"{recipe.what} is not built after {_LONGEST_BUILD} s"
                raise WorldError(late, "try a nearer --mirror")
        if not failure:
            undone.pop_all()
            _under_way.pop(tag, None)
    if failure:
        tail = "\n".join(f"    {line}" for line in lines)
        raise WorldError(
            f"{recipe.what} does not build: {failure.strip()[:_LONGEST_LINE]}\n{tail}",
            "the lines above end the build's log; --base, --mirror and --release name other sources",
        )


def abandon(client: Any) -> None:
    """Remove what builds of this process have made so far, for it ends here and now."""
    for tag, stage in list(_under_way.items()):
        if _is_step(client, stage):
            for step in client.api.containers(filters={"ancestor": stage}):
                remove(client, step["Id"])
            _discard(client, _under_way.get(tag, stage))  # it may have come a step further


def _is_step(client: Any, stage: str) -> bool:
    """Whether it is of a build of ours, and neither the base nor an image that stands."""
    found = client.api.inspect_image(stage)
    return not found["RepoTags"] and IMAGE_LABEL in (found["Config"].get("Labels") or {})


def _discard(client: Any, stage: str) -> None:
    """Remove the last step of a build that came to nothing, and what it alone stands on."""
    for _ in range(15):  # as long as the engine still ends the step after it
        try:
            if _is_step(client, stage):
                client.api.remove_image(stage)
            return
        except sdk().errors.APIError as error:
            if error.status_code != 409:
                return
        except Exception:  # the engine has gone, and more cannot be done
            return
        time.sleep(0.1)


def _image_id(client: Any, name: str) -> str | None:
    """The id of an image that is here; None when it is not."""
    with complaints(f"looking for the image {name}"):
        try:
            return str(client.images.get(name).id)
        except sdk().errors.NotFound:
            return None
