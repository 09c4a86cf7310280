"""What a run needs to know about its targets, in a form that crosses to the worker processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from conformance.targets.target import Target


@dataclass(frozen=True)
class Plan:
    """Targets that stand ready. `stored` maps a target's name to the run file that it is judged from again;
    `internet_image` is the image of the internet container, "" when no target needs one."""

    targets: tuple[Target, ...]
    internet_image: str = ""
    stored: dict[str, str] = field(default_factory=dict)

    def target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Plan:
        data = json.loads(text)
        targets = [Target(**{**item, "patches": tuple(item["patches"])}) for item in data["targets"]]
        return cls(tuple(targets), data["internet_image"], data["stored"])
