"""A target: one qmail build under test and the patches that it claims to carry."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from conformance.pod.codec import encode

Kind = Literal["stock", "ppa", "debs", "image", "reference"]


@dataclass(frozen=True)
class Target:
    """One qmail build under test.

    `name` is what the person wrote (`debs:build/@0004,0005`), `location` the directory or image in it,
    `packages` maps package names to versions, and `image` is the image's id; both are filled in when
    the image stands. `flaws` are those built into a reference on purpose. Where `name` is one that a person
    gave it, `written` is what that stands for, and `command_name` is what a command calls it where no project
    knows that name (`new=debs:DIRECTORY`, without its place). `specification` is True for the reference,
    which is not qmail.
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

    @property
    def specification(self) -> bool:
        return self.kind == "reference"

    @property
    def is_model(self) -> bool:
        """Whether it is the reference with known deviations as flaws; `packages` are what it stands for."""
        return self.specification and self.name.startswith("model")

    @property
    def file_name(self) -> str:
        """The name as that of a file: `debs:build/@0004` becomes `debs-build-0004`."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.name).strip("-.") or "target"

    def to_json(self) -> dict[str, Any]:
        """What reports tell of it: not its place here; flaws and `command_name` where it has any."""
        left_out = {"location", "written"}
        left_out |= {name for name in ("flaws", "command_name") if not getattr(self, name)}
        return {name: value for name, value in encode(self).items() if name not in left_out}
