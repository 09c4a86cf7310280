"""How an image with this qmail is made from outside: a Dockerfile, its install script, and reproduce.sh."""

import hashlib
from dataclasses import replace
from pathlib import Path

from conformance.errors import UsageError
from conformance.places import data
from conformance.pod.ordinary import HOST
from conformance.project.form import NO_PROJECT, Project
from conformance.reproduce.scene import Scene
from conformance.targets.docker.confinement import command_options
from conformance.targets.docker.debs import deb_files
from conformance.targets.docker.scripts import quoted
from conformance.targets.image_options import Images
from conformance.targets.names import parse_target
from conformance.targets.target import Target

_PROGRAMS = Path(__file__).with_name("programs")

#: Copied as they are. `inside.sh` and `play.pl` run in the container.
PROGRAMS = ("common.pl", "dns.pl", "exchanger.pl", "play.pl", "inside.sh")


def programs() -> dict[str, bytes]:
    """The scripts, the same in every reproduction."""
    return {name: (_PROGRAMS / name).read_bytes() for name in PROGRAMS}


def image_files(target: Target) -> dict[str, bytes]:
    """What the image is built from; nothing for a reference, which is no qmail, and for a directory tree.

    Raises UsageError for a place that holds no .deb files.
    """
    if not target.needs_engine:
        return {}
    files = {
        "image/Dockerfile": (_PROGRAMS / "Dockerfile").read_bytes(),
        "image/install": data("docker", "target", "install").read_bytes(),
    }
    if target.kind == "debs":
        place = Path(target.location)
        for path in deb_files(place) if target.location and place.exists() else []:
            files[f"image/{path.name}"] = path.read_bytes()
    return files


def located(target: Target, images: Images, project: Project = NO_PROJECT) -> Target:
    """A target of a run file with its place again: the header holds its name and not its place."""
    try:
        found = parse_target(target.name, ppa=images.ppa or None, project=project)
        return replace(target, location=found.location)
    except UsageError:
        return target  # a PPA that is not named now: reproduce.sh asks for it


def script(scene: Scene, images: Images, files: dict[str, bytes]) -> bytes:
    """reproduce.sh. `files` are those of the image, whose digest names it."""
    text = (_PROGRAMS / "reproduce.sh").read_text(encoding="utf-8")
    image = _image_lines(scene.target, images, files)
    text = text.replace("@HOST@", HOST).replace("@IMAGE@\n", image)
    return text.replace("@CONFINED@", " \\\n      ".join(command_options())).encode("utf-8")


def _image_lines(target: Target, images: Images, files: dict[str, bytes]) -> str:
    if not target.needs_engine:
        why = (
            '"the record is from an executable specification, which is not qmail:" \\\n'
            '    "name an image that holds a real qmail, QMAIL_IMAGE=…"'
            if target.specification
            else '"the record is of a directory tree. Make an image of it, and name it in QMAIL_IMAGE:" \\\n'
            '    "tar -C DIRECTORY -c . | docker import - NAME"'
        )
        return f'if [ -z "${{QMAIL_IMAGE:-}}" ]; then\n  trouble {why}\nfi\n'
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + files[name] for name in sorted(files)))
    base = target.base or images.target_base
    arguments = {"BASE": "$base", "SOURCE": {"debs": "candidate"}.get(target.kind, target.kind)}
    lines = [f"base=${{QMAIL_BASE:-{_default(base)}}}"]
    if target.kind == "image":
        lines = [f"base={quoted(target.location)}"]
    if target.kind == "debs" and not any(name.endswith(".deb") for name in files):
        lines.append('ls image/*.deb > /dev/null 2>&1 || trouble "put the .deb files into image/"')
    if target.kind == "ppa":
        lines.append(f"ppa=${{QMAIL_PPA:-{_default(target.location)}}}")
        lines.append('[ -n "$ppa" ] || trouble "name the PPA: QMAIL_PPA=ppa:OWNER/NAME"')
        arguments["PPA"] = "$ppa"
    if target.kind != "image":
        arguments["MIRROR"] = f"${{QMAIL_MIRROR:-{_default(images.mirror)}}}"
    lines.append(f"image=qmail-reproduction:{target.kind}-{digest.hexdigest()[:12]}")
    given = "".join(f' \\\n    --build-arg "{name}={value}"' for name, value in arguments.items())
    lines.append('echo "building $image on $base (once) …"')
    lines.append(
        f'docker build -t "$image"{given} \\\n    image > "$log" 2>&1 || '
        '{ tail -n 20 "$log" >&2; trouble "the image does not build: QMAIL_BASE names another base"; }'
    )
    body = "".join(f"  {line}\n" for line in lines)
    return f'if [ -z "${{QMAIL_IMAGE:-}}" ]; then\n{body}  QMAIL_IMAGE=$image\nfi\n'


def _default(value: str) -> str:
    """A value as the default in `${NAME:-…}` between double quotes or none."""
    if any(sign in value for sign in "\"\\$`}'\n"):
        raise UsageError(f"{value!r} cannot be written into a script", "Name the image or archive otherwise.")
    return value
