"""User namespaces: there somebody who is not root may make what a pod needs, where the kernel lets him."""

import os
import shutil
import subprocess

#: What runs a command as the root of a user namespace in which his own numbers of users are (subuid(5)).
AS_ROOT = ("unshare", "--user", "--map-root-user", "--map-auto")

#: What a pod has of its own besides users.
_OTHERS = ("--mount", "--net", "--ipc", "--uts", "--pid", "--fork")

HINT = (
    "Run it as root (sudo); or have a kernel that lets you make user namespaces, the program newuidmap, and "
    "a range of numbers in /etc/subuid and /etc/subgid. A Docker engine needs neither."
)


def as_root() -> tuple[str, ...]:
    """What comes before a command that makes namespaces: nothing for root."""
    return () if os.geteuid() == 0 else AS_ROOT


def why_none() -> str:
    """Which of two things somebody who is not root lacks: user namespaces, or numbers; "" for neither."""
    if shutil.which(AS_ROOT[0]) is None:
        return "there is no program unshare (package util-linux)"
    if refusal := _refusal(*AS_ROOT[:2]):
        return f"you are not root, and the kernel lets you make no user namespace: {refusal}"
    if refusal := _refusal(*AS_ROOT, *_OTHERS):
        return f"you are not root, and have no range of users' numbers: {refusal}"
    return ""


def _refusal(*command: str) -> str:
    ran = subprocess.run([*command, "true"], capture_output=True, text=True, errors="replace", check=False)
    return "" if ran.returncode == 0 else ran.stderr.strip() or f"{command[0]} ended with {ran.returncode}"
