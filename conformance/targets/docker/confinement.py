"""What the containers of a pod may do and use: what qmail needs, what its internet needs, and no more.

`docker/compose.yml` says the same for the pod that it starts, and a reproduction has it from here.
"""

from typing import Any

from conformance.targets.docker.scripts import STATE

#: MiB of a container by its role, with what lies in its tmpfs; no swap besides.
MEMORY = {"target": 768, "internet": 768}

#: MiB of what a container can write to: in the target queue, homes and logs. When that is full qmail is told
#: so, as on any full disk.
TMPFS = {"target": {STATE: 512, "/tmp": 64}, "internet": {"/tmp": 64}}

#: Processes and threads: in the target 200 sessions of three programs each.
PROCESSES = {"target": 1024, "internet": 256}

#: Open files of a process.
FILES = 4096

#: Capabilities of root. In the target to make and read files of qmail's users (CHOWN, DAC_OVERRIDE, FOWNER),
#: to run programs as these (SETGID, SETUID) and to end them (KILL); the remaining one for ports below 1024,
#: on engines that do not open them to everybody. Raw sockets are in neither.
CAPABILITIES = {
    "target": ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"),
    "internet": ("NET_BIND_SERVICE",),
}


def host_config(role: str) -> dict[str, Any]:
    """What `create_host_config` is given for the container in that role: target or internet."""
    memory = MEMORY[role] << 20
    # No limit on the data of one process: qmail without memory does otherwise than qmail, as was seen.
    ulimits = [{"Name": name, "Soft": most, "Hard": most} for name, most in (("core", 0), ("nofile", FILES))]
    confined: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "cap_add": list(CAPABILITIES[role]),
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": PROCESSES[role],
        "ulimits": ulimits,
        "tmpfs": {place: f"exec,mode={_mode(place)},size={most}m" for place, most in TMPFS[role].items()},
        # What a container writes we read as it comes; the engine would keep it on its disk, without end.
        "log_config": {"Type": "none"},
    }
    if role == "internet":
        # Not in the target: qmail-queue is set-user-id, and the agent writes control files.
        confined |= {"security_opt": ["no-new-privileges"], "read_only": True}
    return confined


def command_options() -> list[str]:
    """The same of a target as options of `docker run`, for a container in which all is played."""
    return [
        "--cap-drop ALL",
        *(f"--cap-add {capability}" for capability in CAPABILITIES["target"]),
        f"--memory {MEMORY['target']}m --memory-swap {MEMORY['target']}m",
        f"--pids-limit {PROCESSES['target']} --ulimit core=0 --ulimit nofile={FILES} --log-driver none",
    ]


def _mode(place: str) -> str:
    return "0755" if place == STATE else "1777"
