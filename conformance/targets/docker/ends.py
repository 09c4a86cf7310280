"""How containers ended that were killed: the engine removes them at once, and tells of it for a while."""

import json
import time
from collections.abc import Mapping
from typing import Any

from conformance.targets.docker.confinement import MEMORY

#: Seconds that an end may be told late, and that the engine may take to tell.
_LATENESS, PATIENCE = 0.3, 5

#: The exit status, as the engine tells it, of what SIGKILL ended: the kernel's without memory, or somebody's.
_KILLED = "137"


def how_killed(client: Any, containers: Mapping[str, str], began: float) -> list[str]:
    """A sentence for each of the containers (role -> id) that was killed since `began`, seconds of the epoch.

    Raises whatever the SDK does when the engine does not answer.
    """
    asked = {
        "since": f"{began - PATIENCE:.3f}",
        "until": f"{time.time() + _LATENESS:.3f}",
        "filters": json.dumps({"container": list(containers.values()), "event": ["die", "oom"]}),
    }
    api = client.api
    told = api.get(f"{api.base_url}/v{api.api_version}/events", params=asked, timeout=PATIENCE).text
    events = [json.loads(line) for line in told.splitlines()]
    short = {event["id"] for event in events if event["Action"] == "oom"}
    killed = {event["id"] for event in events if event["Actor"]["Attributes"].get("exitCode") == _KILLED}
    why = {
        role: f"it had used up its {MEMORY[role]} MiB of memory" if container in short else "it was killed"
        for role, container in containers.items()
        if container in killed
    }
    return [f"the {role} container ended: {reason}" for role, reason in why.items()]
