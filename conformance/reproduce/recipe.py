"""How an image with this qmail is made from outside: a Dockerfile, its install script, and reproduce.sh."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from conformance.errors import UsageError
from conformance.places import data
from conformance.reproduce.scene import Scene
from conformance.targets.docker.scripts import quoted
from conformance.targets.names import parse_target
from conformance.targets.ready import Images
from conformance.targets.target import Target

_PROGRAMS = Path(__file__).with_name("programs")

#: Copied as they are. `inside.sh` and `play.pl` run in the container.
PROGRAMS = ("common.pl", "dns.pl", "exchanger.pl", "play.pl", "inside.sh")

_DOCKERFILE = """\
# A base with one qmail on it, as a person with apt-get installs it.
ARG BASE=ubuntu:20.04
FROM ${BASE}
ARG SOURCE=stock
ARG MIRROR=
ARG RELEASE=
ARG PPA=
COPY . /opt/conformance/build/
RUN SOURCE="${SOURCE}" MIRROR="${MIRROR}" RELEASE="${RELEASE}" PPA="${PPA}" sh /opt/conformance/build/install
"""


def programs() -> dict[str, bytes]:
    """The scripts, the same in every reproduction."""
    return {name: (_PROGRAMS / name).read_bytes() for name in PROGRAMS}


def image_files(target: Target) -> dict[str, bytes]:
    """What the image is built from; nothing for a reference, which is no qmail.

    Raises UsageError when .deb files are named that are not there.
    """
    if target.specification:
        return {}
    files = {
        "image/Dockerfile": _DOCKERFILE.encode("ascii"),
        "image/install": data("docker", "target", "install").read_bytes(),
    }
    if target.kind == "debs":
        directory = Path(target.location)
        for path in sorted(directory.glob("*.deb")) if directory.is_dir() else []:
            files[f"image/{path.name}"] = path.read_bytes()
    return files


def located(target: Target, images: Images) -> Target:
    """A target of a run file with its place again: the header holds its name and not its place."""
    try:
        return replace(target, location=parse_target(target.name, ppa=images.ppa or None).location)
    except UsageError:
        return target  # a PPA that is not named now: reproduce.sh asks for it


def script(scene: Scene, images: Images, files: dict[str, bytes]) -> bytes:
    """reproduce.sh. `files` are those of the image, whose digest names it."""
    return (_HEAD + _image_lines(scene.target, images, files) + _TAIL).encode("utf-8")


def _image_lines(target: Target, images: Images, files: dict[str, bytes]) -> str:
    if target.kind == "reference":
        return (
            'if [ -z "${QMAIL_IMAGE:-}" ]; then\n'
            '  trouble "the record is from an executable specification, which is not qmail:" \\\n'
            '    "name an image that holds a real qmail, QMAIL_IMAGE=…"\n'
            "fi\n"
        )
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + files[name] for name in sorted(files)))
    base = images.base or f"ubuntu:{images.release or '20.04'}"
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


_HEAD = """\
#!/bin/sh
# Shows the behaviour that README.md tells of, in one container without a network. Needs docker alone.
#   QMAIL_IMAGE   an image that holds a qmail and tcpserver, in the place of the one that is built here
#   QMAIL_BASE    the base that it is built on
# Exit status: 0 shown, 1 not shown, 3 the world failed (Docker, image), so nothing is said about qmail.
set -eu

trouble() {
  echo "reproduce.sh: $*" >&2
  exit 3
}

cd "$(dirname "$0")" || trouble "its own directory cannot be entered"
command -v docker > /dev/null || trouble "docker is needed, and there is none"
docker version > /dev/null 2>&1 || trouble "no Docker engine answers"
log=$(mktemp) || trouble "no temporary file can be made"
trap 'rm -f "$log"' EXIT

"""

_TAIL = """\

# Some of what qmail does is chance (which of two equals, which of two processes is first): what is not shown
# is tried again, twice at most.
for _ in 1 2 3; do
  echo "running $QMAIL_IMAGE without a network …"
  status=0
  tar -cf - --exclude ./image --exclude ./traffic.pcap . |
    docker run --rm -i --network none --hostname mx.here.example --entrypoint /bin/sh "$QMAIL_IMAGE" -c \\
      '{ mkdir /reproduction && tar -xf - -C /reproduction; } || exit 3; exec sh /reproduction/inside.sh' \\
      > "$log" 2>&1 || status=$?
  if [ "$status" -ne 1 ]; then break; fi
done
cat "$log"
case $status in
  0 | 1 | 3) exit "$status" ;;
  *) trouble "the container ended with status $status" ;;
esac
"""
