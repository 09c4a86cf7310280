"""What of ours lies around on an engine and is of no use any more: containers, images, what builds left.

An image is ours by its repository's name, and one without a name, or a reproduction's, by its label. What a
container stands on is never taken, whoever owns it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.targets.docker.engine import complaints, sdk
from conformance.targets.docker.images import IMAGE_LABEL, RECIPE_LABEL, REPOSITORIES, made_by_us
from conformance.targets.docker.sweep import OWNER_LABEL, leftovers, remove

#: Repository of the images that reproductions build. The name alone does not make one of them ours.
REPRODUCTION = "qmail-reproduction"


@dataclass(frozen=True)
class Leftover:
    """A container, or an image with one of its names. `size`: octets, those shared with others among them."""

    kind: str
    id: str
    name: str
    why: str
    size: int = 0

    def __str__(self) -> str:
        size = f"{self.size / 1e6:.0f} MB, " if self.kind == "image" else ""
        return f"{self.kind} {self.name}: {size}{self.why}"


def found(client: Any, everything: bool = False) -> list[Leftover]:
    """What can go; with `everything` also the images that this tree would use. WorldError from the engine."""
    with complaints("looking for what is left over"):
        gone = leftovers(client)
        containers = [each for each in client.api.containers(all=True) if each["Id"] not in gone]
        in_use = {each["ImageID"] for each in containers}
        wanted = set() if everything else made_by_us()
        left = [Leftover("container", id, name, "its owner is gone") for id, name in gone.items()]
        # While one is being built no container holds what it has so far, nor the image built before it.
        if not any(map(_builds, containers)):
            for image in client.api.images():
                if image["Id"] not in in_use:
                    left += _of_image(image, wanted)
    return left


def building(client: Any) -> bool:
    """Whether an image of ours is being built at this moment, and images are left alone for that."""
    with complaints("looking for what is left over"):
        return any(map(_builds, client.api.containers()))


def discard(client: Any, left: Leftover) -> bool:
    """Remove it; False when it has gone by itself or has come into use meanwhile."""
    with complaints(f"removing the {left.kind} {left.name}"):
        if left.kind == "container":
            return remove(client, left.id)
        try:
            client.api.remove_image(left.name if ":" in left.name else left.id)
        except sdk().errors.APIError as error:
            if error.status_code not in (404, 409):
                raise
            return False
    return True


def _builds(container: dict[str, Any]) -> bool:
    """A running container on an image of ours that is neither a pod's nor of `docker compose`."""
    labels = container["Labels"] or {}
    known = OWNER_LABEL in labels or "com.docker.compose.project" in labels
    return IMAGE_LABEL in labels and not known and container["State"] == "running"


def _of_image(image: dict[str, Any], wanted: set[str]) -> Iterator[Leftover]:
    id, labels, size = image["Id"], image["Labels"] or {}, image["Size"]
    names = [name for name in image["RepoTags"] or [] if name != "<none>:<none>"]
    for name in names:
        repository = name.removeprefix("docker.io/").rpartition(":")[0]  # Podman says whole names
        if repository in REPOSITORIES and labels.get(RECIPE_LABEL) not in wanted:
            why = "this version of the suite would not use it" if wanted else "the next run builds it again"
            yield Leftover("image", id, name, why, size)
        elif repository == REPRODUCTION and IMAGE_LABEL in labels:
            yield Leftover("image", id, name, "a reproduction's, which builds it again", size)
    if not names and IMAGE_LABEL in labels:
        yield Leftover("image", id, id.removeprefix("sha256:")[:12], "without a name: a build left it", size)
