"""The whole directory: every file as octets, and its permissions."""

import re
from collections.abc import Mapping
from pathlib import Path

from conformance.errors import UsageError
from conformance.reproduce.answersfile import answers
from conformance.reproduce.normalize import normalized_lines
from conformance.reproduce.pcap import pcap
from conformance.reproduce.qmailside import qmail_files
from conformance.reproduce.readme import CONTENTS, SCENARIO, readme
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


def directory(scene: Scene, images: Images, scenario: str = "") -> dict[str, bytes]:
    """Path -> content; `scenario` is the text of what was played. Raises UsageError for what cannot be."""
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
    if scenario:
        files[SCENARIO] = scenario.encode("utf-8")
    files["README.md"] = readme(scene, files).encode("utf-8")
    return files


def mode(name: str) -> int | None:
    """The permissions of a file of the directory; None for those that any new file has."""
    if name == MARK or name.startswith("programs/"):
        return 0o755
    return 0o600 if name == "secrets.env" else None


def refuse_other_things(out: Path, files: Mapping[str, bytes]) -> None:
    """UsageError when `out` holds more than a reproduction, which would be lost with an earlier one."""
    known = {name.rstrip("/") for name in CONTENTS} | {"README.md", MARK}
    other = [path for path in out.glob("*") if path.name not in known] if out.is_dir() else []
    # Packages may have been put there by hand, as reproduce.sh asks for.
    other += [path for path in out.glob("image/*.deb") if f"image/{path.name}" not in files]
    if other:
        what = f"{out}: something else stands there: {other[0].name}"
        raise UsageError(what, "Name another directory with --out.")


def directory_name(scene: Scene) -> str:
    """`0006.unknown.code-debs-ppa`: requirement and target, harmless as a file name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{scene.verdict.requirement}-{scene.target.label}").strip("-.")
