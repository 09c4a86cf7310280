"""The whole directory: every file as octets, and writing them."""

import re
import shutil
from pathlib import Path

from conformance.errors import UsageError
from conformance.reproduce.answersfile import answers
from conformance.reproduce.normalize import normalized_lines
from conformance.reproduce.pcap import pcap
from conformance.reproduce.qmailside import qmail_files
from conformance.reproduce.readme import readme
from conformance.reproduce.recipe import image_files, programs, script
from conformance.reproduce.remoteside import remote_files
from conformance.reproduce.scene import Scene
from conformance.reproduce.traffic import traffic
from conformance.reproduce.zonefiles import zone_files
from conformance.targets.image_options import Images

#: What the directory of an earlier reproduction is recognised by, so that nothing else is ever removed.
MARK = "reproduce.sh"

#: The size that glibc offers with EDNS.
_EDNS = 1200


def directory(scene: Scene, images: Images) -> dict[str, bytes]:
    """Path -> content. Raises UsageError for what cannot be written."""
    built = image_files(scene.target)
    edns = _EDNS if "edns0" in scene.configuration.resolver.split() else None
    files = {
        **qmail_files(scene),
        **remote_files(scene),
        **programs(),
        **built,
        "answers.txt": answers(scene.world, scene.seen.questions, edns).encode("ascii"),
        "expected.txt": "".join(f"{line}\n" for line in normalized_lines(scene)).encode("ascii"),
        "traffic.pcap": pcap(traffic(scene, edns)),
        MARK: script(scene, images, built),
        **{f"zones/{name}": text.encode("utf-8") for name, text in zone_files(scene.world).items()},
    }
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
