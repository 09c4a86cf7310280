"""Files that a command writes: whole or not at all, and what cannot be written is said with what to do."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from conformance.errors import UsageError, WorldError
from conformance.harmless import printable

#: What a person mends by naming another place.
_PLACE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ENOTEMPTY),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EBUSY),
}


def write_text(path: Path, text: str) -> None:
    """Write a whole text, as `write_octets` does."""
    write_octets(path, text.encode("utf-8", "backslashreplace"))


def write_octets(path: Path, content: bytes) -> None:
    """Write a whole file, beside its place and then into it; its directory is made.

    What was there stays when it cannot be done. Raises UsageError for a place that is wrong, WorldError for a
    full disk.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # no file takes the place of a pipe or a device
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise unwritable(path, error) from error


def _replace(path: Path, content: bytes) -> None:
    old = path.stat() if path.exists() else None
    if old is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    beside = _beside(path)
    try:
        beside.write_bytes(content)
        if old is not None:
            beside.chmod(stat.S_IMODE(old.st_mode))
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_directory(
    path: Path, files: Mapping[str, bytes], mark: str, mode: Callable[[str], int | None]
) -> None:
    """Write a directory anew, beside its place and then into it. `mode` of a name is None for the usual one.

    An earlier one is known by its file `mark`; UsageError when something else stands there. It stays when the
    new one cannot be written, which raises as `write_octets` does.
    """
    place = Path(os.path.realpath(path))
    beside, old = _beside(place), _beside(place)
    try:
        if os.path.lexists(place) and (any(place.iterdir()) and not (place / mark).is_file()):
            raise UsageError(
                f"{printable(str(path))}: something else stands there", "Name another directory."
            )
        for name, content in files.items():
            file = beside / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            if (bits := mode(name)) is not None:
                file.chmod(bits)
        if os.path.lexists(place):
            place.replace(old)
        beside.replace(place)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if not os.path.lexists(place) and old.exists():
            old.replace(place)
        shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A name in the same directory that nobody has."""
    return path.with_name(f".{secrets.token_hex(8)}.new")


def unwritable(path: Path, error: OSError) -> UsageError | WorldError:
    """What is told when `path` could not be written: its place is wrong, or the world has no room for it."""
    what = f"{printable(str(path))}: {error.strerror or error}"
    if error.errno in _PLACE:
        return UsageError(what, "Name another place.")
    return WorldError(what, "Make room, or name another place.")
