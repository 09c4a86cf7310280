"""A target: one qmail build under test and the patches that it claims to carry."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from conformance.pod.codec import encode

Kind = Literal["stock", "ppa", "debs", "image", "root", "reference"]


@dataclass(frozen=True)
class Target:
    """One qmail build under test.

    `name` is what the person wrote (`debs:build/@0004,0005`), `location` the directory or image in it,
    `packages` maps package names to versions, `image` is the image's id, and `build` a digest of qmail's own
    programs; they are filled in when the target stands ready. `flaws` are those built into a
    reference on purpose. Where `name` is one that a person gave it, `written` is what that stands for, and
    `command_name` is what a command calls it where no project knows that name (`new=debs:DIRECTORY`, without
    its place). `specification` is True for the reference, which is not qmail.

    `release` is the Ubuntu release that was asked for (`18.04`), "" for the default one. What its image was
    built on is `base`; `system` is what that calls itself (`Ubuntu 18.04.6 LTS`), and `architecture` the
    engine's word for it (`amd64`). They are "" where there is no image.
    """

    name: str
    kind: Kind
    patches: tuple[str, ...] = ()
    location: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    image: str = ""
    flaws: tuple[str, ...] = ()
    written: str = ""
    command_name: str = ""
    release: str = ""
    base: str = ""
    system: str = ""
    architecture: str = ""
    build: str = ""

    @property
    def specification(self) -> bool:
        return self.kind == "reference"

    @property
    def needs_engine(self) -> bool:
        """Whether it runs in containers."""
        return self.kind not in ("reference", "root")

    @property
    def is_model(self) -> bool:
        """Whether it is the reference with known deviations as flaws; `packages` are what it stands for."""
        return self.specification and self.name.startswith("model")

    @property
    def file_name(self) -> str:
        """The label as that of a file: `debs:build/@0004` on 18.04 becomes `debs-build-0004-18.04`."""
        name = f"{self.name}-{self.release}" if self.release else self.name
        return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "target"

    @property
    def label(self) -> str:
        """What tells it apart from all others of a run: its name, on the release that was asked for."""
        return f"{self.name} on {self.release}" if self.release else self.name

    def to_json(self) -> dict[str, Any]:
        """What reports tell of it: not its place here; of flaws, `command_name` and the like what it has."""
        left_out = {"location", "written"}
        optional = ("flaws", "command_name", "release", "base", "system", "architecture", "build")
        left_out |= {name for name in optional if not getattr(self, name)}
        return {name: value for name, value in encode(self).items() if name not in left_out}
