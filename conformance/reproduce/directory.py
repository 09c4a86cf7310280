"""The whole directory: every file as octets, and writing them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from conformance.errors import UsageError
from conformance.pod.mailboxes import User, load_users, passwords
from conformance.reproduce.answers import answers
from conformance.reproduce.essence import normalized_lines
from conformance.reproduce.pcap import pcap
from conformance.reproduce.qmailside import qmail_files
from conformance.reproduce.readme import readme
from conformance.reproduce.recipe import image_files, programs, script
from conformance.reproduce.remoteside import remote_files
from conformance.reproduce.scene import Scene
from conformance.reproduce.traffic import traffic
from conformance.reproduce.zonefiles import zone_files
from conformance.targets.ready import Images

#: What the directory of an earlier reproduction is recognised by, so that nothing else is ever removed.
MARK = "reproduce.sh"

#: The size that glibc offers with EDNS.
_EDNS = 1200


def directory(scene: Scene, images: Images, users: dict[str, User] | None = None) -> dict[str, bytes]:
    """Path -> content. `users` stand in for the fixtures'. Raises UsageError for what cannot be written."""
    users = load_users() if users is None else users
    known = passwords(users)
    built = image_files(scene.target)
    edns = _EDNS if "edns0" in scene.configuration.resolver.split() else None
    files = {
        **qmail_files(scene, users),
        **remote_files(scene, known),
        **programs(),
        **built,
        "answers.txt": answers(scene.world, scene.seen.questions, edns).encode("ascii"),
        "expected.txt": "".join(f"{line}\n" for line in normalized_lines(scene)).encode("ascii"),
        "traffic.pcap": pcap(traffic(scene, edns)),
        MARK: script(scene, images, built),
    }
    for name, text in zone_files(scene.world).items():
        files[f"zones/{name}"] = text.encode("utf-8")
    files["README.md"] = readme(scene, files).encode("utf-8")
    return files


def write(files: dict[str, bytes], out: Path) -> None:
    """Write the directory anew. Raises UsageError when something else stands there or it cannot be."""
    try:
        if out.exists():
            if not out.is_dir() or (any(out.iterdir()) and not (out / MARK).is_file()):
                raise UsageError(f"{out}: something else stands there", "Name another directory with --out.")
            shutil.rmtree(out)
        for name, content in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if name in (MARK, "programs/rcptcheck") or name.startswith("programs/checkpassword"):
                path.chmod(0o755)
        if (out / "secrets.env").exists():
            (out / "secrets.env").chmod(0o600)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", "Name another directory with --out.") from error


def directory_name(scene: Scene) -> str:
    """`0006.unknown.code-debs-ppa`: requirement and target, harmless as a file name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{scene.verdict.requirement}-{scene.target.name}").strip("-.")
