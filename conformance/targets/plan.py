"""What a run needs to know about its targets, in a form that crosses to the worker processes."""

import json
from dataclasses import dataclass, field
from typing import Self

from conformance.pod.codec import decode, encode
from conformance.targets.target import Target


@dataclass(frozen=True)
class Plan:
    """Targets that stand ready, and what is decided on them.

    `internet_image` is the image of the internet container, "" when no target needs one; `engine_memory` is
    what the engine's machine has, in MiB, 0 where it does not say. `selected` names the requirements that are
    decided on each, none of them for all; `decided` maps a target's label to those that need it no more.
    `stored` maps one to the run file from whose records that is done again. `project` is the path of the
    project file, "" where there is none.
    """

    targets: tuple[Target, ...]
    internet_image: str = ""
    engine_memory: int = 0
    selected: tuple[str, ...] = ()
    decided: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    project: str = ""

    def target(self, label: str) -> Target:
        return next(target for target in self.targets if target.label == label)

    def dumps(self) -> str:
        return json.dumps(encode(self))

    @classmethod
    def loads(cls, text: str) -> Self:
        return decode(cls, json.loads(text))
