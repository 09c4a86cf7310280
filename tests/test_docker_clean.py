"""`clean` finds what is ours and of no use, and leaves what others use and what is not ours."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.cli import main
from conformance.targets.docker import clean, engine
from conformance.targets.docker.images import IMAGE_LABEL, RECIPE_LABEL, made_by_us
from conformance.targets.docker.sweep import OWNER_LABEL, machine, owner

OLD = {IMAGE_LABEL: "target", RECIPE_LABEL: "of another version"}
NEW = {IMAGE_LABEL: "target", RECIPE_LABEL: min(made_by_us())}
DEAD = f"{machine()}|{os.getpid()}|0"


class Engine:
    """Images and containers in the SDK's words."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self._images: list[dict[str, Any]] = []
        self._containers: list[dict[str, Any]] = []
        self.busy: set[str] = set()
        self.api = self

    def image(self, id: str, *names: str, labels: dict[str, str] | None = None) -> None:
        self._images.append({"Id": f"sha256:{id}", "RepoTags": names, "Labels": labels, "Size": 123_400_000})

    def container(self, id: str, image: str, state: str = "running", **labels: str) -> None:
        named = {"Id": id, "Names": [f"/{id}"], "ImageID": f"sha256:{image}", "State": state, "Created": 0}
        self._containers.append(named | {"Labels": labels})

    def images(self) -> list[dict[str, Any]]:
        return self._images

    def containers(self, all: bool = False, filters: dict[str, str] | None = None) -> list[dict[str, Any]]:
        wanted = (filters or {}).get("label", "")
        found = [each for each in self._containers if not wanted or wanted in each["Labels"]]
        return [each for each in found if all or each["State"] == "running"]

    def remove_image(self, name: str) -> None:
        if name in self.busy:
            response = SimpleNamespace(status_code=409)
            raise engine.sdk().errors.APIError("conflict", response=response)
        self.removed.append(name)

    def remove_container(self, id: str, **_: Any) -> None:
        self.removed.append(id)

    def close(self) -> None:
        pass


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(engine, "connect", lambda: made)
    made.image("1", "qmail-conformance/target:old", labels=OLD)
    made.image("2", "qmail-conformance/internet:before-there-were-labels")
    made.image("3", "qmail-conformance/target:new", labels=NEW)
    made.image("4", "<none>:<none>", labels={IMAGE_LABEL: "internet"})
    made.image("5", "qmail-reproduction:debs-1", labels={IMAGE_LABEL: "reproduction"})
    made.image("6", "qmail-reproduction:mine")
    made.image("7", "<none>:<none>")
    made.image("8", "mine/built-on-yours:1", "qmail-conformance-of-mine:1", labels=OLD)
    made.image("9", "qmail-conformance/target:in-use", labels=OLD)
    made.container("of a live run", "9", **{OWNER_LABEL: owner(), IMAGE_LABEL: "target"})
    made.container("of a dead run", "3", **{OWNER_LABEL: DEAD, IMAGE_LABEL: "target"})
    made.container("not ours", "8", "exited")
    return made


GONE = [
    "of a dead run",
    "qmail-conformance/target:old",
    "qmail-conformance/internet:before-there-were-labels",
    "4",
    "qmail-reproduction:debs-1",
]


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ((), GONE),
        (("--dry-run",), GONE),
        (("--all",), [*GONE[:3], "qmail-conformance/target:new", *GONE[3:]]),
    ],
)
def test_what_is_ours_and_of_no_use_is_listed_and_removed(
    here: Engine, options: tuple[str, ...], gone: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean", *options]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0].split(" ", 1)[1] for line in lines] == gone
    assert "image qmail-conformance/target:old: 123 MB, " in "\n".join(lines)
    if "--dry-run" in options:
        assert (here.removed, last) == ([], "5 things would be removed; nothing was.")
    else:
        ids = [f"sha256:{name}" if name == "4" else name for name in gone]
        assert (here.removed, last) == (ids, f"{len(gone)} things removed.")


def test_what_comes_into_use_meanwhile_is_left_and_told(
    here: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    here.busy.add("qmail-conformance/target:old")
    assert main(["clean"]) == 0
    told = capsys.readouterr().out
    assert "left, for it is in use or has gone by itself: image qmail-conformance/target:old" in told
    assert "4 things removed." in told


def test_images_are_left_alone_while_one_is_being_built(
    here: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    here.container("a step of a build", "4", **{IMAGE_LABEL: "internet"})
    assert main(["clean"]) == 0
    assert here.removed == ["of a dead run"]
    assert "An image is being built: all images are left as they are." in capsys.readouterr().out


def test_a_pod_looked_at_by_hand_is_no_build(here: Engine) -> None:
    here.container("by hand", "5", **{IMAGE_LABEL: "target", "com.docker.compose.project": "docker"})
    names = [left.name for left in clean.found(here)]
    assert names == GONE[:-1]
