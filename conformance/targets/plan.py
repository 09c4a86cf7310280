"""What a run needs to know about its targets, in a form that crosses to the worker processes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from conformance.pod.codec import decode, encode
from conformance.targets.target import Target


@dataclass(frozen=True)
class Plan:
    """Targets that stand ready. `stored` maps a target's name to the run file that it is judged from again;
    `internet_image` is the image of the internet container, "" when no target needs one; `engine_memory`
    is what the engine's machine has, in MiB, 0 where it does not say."""

    targets: tuple[Target, ...]
    internet_image: str = ""
    stored: dict[str, str] = field(default_factory=dict)
    engine_memory: int = 0

    def target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)

    def dumps(self) -> str:
        return json.dumps(encode(self))

    @classmethod
    def loads(cls, text: str) -> Plan:
        return decode(cls, json.loads(text))
