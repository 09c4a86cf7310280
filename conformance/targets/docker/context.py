"""Build contexts as data: which files an image is built from, and the name that follows from them."""

import hashlib
import importlib.util
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.errors import WorldError
from conformance.inputs import read_octets
from conformance.places import data
from conformance.targets.docker.debs import LARGEST_PACKAGE, PACKAGE_HINT, Deb

#: A context: path in it -> content and mode.
Context = dict[str, tuple[bytes, int]]

#: What the internet container needs of this package.
_ROOMS = (
    *("__init__.py", "errors.py", "inputs.py", "nearest.py", "places.py", "stopping.py"),
    *("tomllines.py", "tomltable.py"),
    *("catalogue", "cases", "pod", "smtp", "internet"),
    *("scenario", "targets", "bench/__init__.py", "bench/inside"),
    *(f"explore/{name}.py" for name in ("__init__", "acting", "driving")),
)

#: The Python packages that it needs besides: both are nothing but Python.
_PACKAGES = ("dnslib", "aiosmtplib")


def target_context(debs: Sequence[Deb] = ()) -> Context:
    """The files of `docker/target/`, with those of a candidate."""
    context: Context = {}
    for path in sorted(data("docker", "target").iterdir()):
        if path.is_file() and path.suffix != ".deb":
            context[path.name] = (path.read_bytes(), 0o755)
    for deb in debs:
        context[deb.path.name] = (read_octets(deb.path, PACKAGE_HINT, LARGEST_PACKAGE), 0o644)
    return context


def internet_context() -> Context:
    """This package, its fixtures and what it needs, as installed here: no Python package is fetched."""
    context: Context = {}
    package = Path(__file__).resolve().parents[2]
    for room in _ROOMS:
        _add(context, package / room, f"conformance/{room}")
    _add(context, data("fixtures"), "fixtures")
    _add(context, data("docker", "internet"), "docker/internet")
    for name in _PACKAGES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise WorldError(f"{name} is not installed", f"pip install {name}")
        _add(context, Path(found.origin).parent, f"vendor/{name}")
    return context


def archive(context: Context) -> bytes:
    """The context as a tar file; the same files always give the same octets."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in sorted(context.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def digest(context: Context, arguments: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that change with any file or build argument."""
    sums = {name: [hashlib.sha256(content).hexdigest(), mode] for name, (content, mode) in context.items()}
    text = json.dumps([sums, dict(arguments)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _add(context: Context, source: Path, name: str) -> None:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                context[f"{name}/{path.relative_to(source).as_posix()}"] = (path.read_bytes(), 0o644)
    elif source.is_file():
        context[name] = (source.read_bytes(), 0o644)
