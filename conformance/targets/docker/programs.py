"""qmail's own programs, out of an image; nothing is run."""

import io
import posixpath
import tarfile
from typing import Any

from conformance.targets.docker.engine import complaints, sdk
from conformance.targets.docker.sweep import OWNER_LABEL, ROLE_LABEL, owner
from conformance.targets.packages import PROGRAMS

#: `install` makes the link to where qmail is.
_BIN = "/opt/conformance/qmail/bin"
_MOST_LINKS = 5


def programs(client: Any, image: str) -> dict[str, bytes]:
    """The content of each program that is there. Raises WorldError."""
    with complaints("reading the programs of an image"):
        container = client.containers.create(image, labels={OWNER_LABEL: owner(), ROLE_LABEL: "programs"})
        try:
            found = {name: _file(container, f"{_BIN}/{name}") for name in PROGRAMS}
        finally:
            container.remove(force=True)
    return {name: content for name, content in found.items() if content is not None}


def _file(container: Any, path: str) -> bytes | None:
    """The content of a file, through links; None where there is none."""
    for _ in range(_MOST_LINKS):
        try:
            stream, _ = container.get_archive(path)
        except sdk().errors.NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            member = tar.getmembers()[0]
            if not member.issym():
                file = tar.extractfile(member)
                return file.read() if file is not None else None
        path = posixpath.join(posixpath.dirname(path), member.linkname)
    return None
