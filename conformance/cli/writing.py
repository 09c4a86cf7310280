"""Files that a command writes: the directory is made, and what cannot be written is said with what to do."""

from pathlib import Path

from conformance.errors import UsageError, WorldError


def write_text(path: Path, text: str) -> None:
    """Write a whole text. Raises UsageError for a place that is wrong, WorldError for a full disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> UsageError | WorldError:
    """What is told when `path` could not be written."""
    if isinstance(error, (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)):
        return UsageError(f"{path}: {error.strerror}", "Name another place.")
    return WorldError(f"{path}: {error.strerror}", "Make room, or name another place.")
