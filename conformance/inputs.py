"""Files that a person names: read whole and within a limit, or a UsageError that says what is in the way.

Every command reads them here, so that nothing waits for a pipe, nothing fills the memory, and what cannot be
read is told in the same words everywhere.
"""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from conformance.errors import UsageError

MIB = 1 << 20

#: The most that is read of one file: of what people write by hand, of what is made of it, and of a stored run
#: (that of all requirements has 2 MiB).
WRITTEN = 1 * MIB
LONG = 8 * MIB
STORED_RUN = 64 * MIB

#: A table in a table in a table …: no file that means something comes near it.
_MOST_NESTED = 50

#: Comments, strings and signs of a text in TOML, and what is between them: keys, numbers, truths.
TOML_TOKEN = re.compile(
    r"""#[^\n]*|(?P<string>'''.*?'''(?!')|\"{3}(?:[^\\]|\\.)*?\"{3}(?!")|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
    r"""|(?P<sign>[\[\]{}\n])|[^#"'\[\]{}\n]+""",
    re.DOTALL,
)

_OTHERS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_octets(path: Path, hint: str, most: int = WRITTEN) -> bytes:
    """The content of a regular file of `most` octets at most. Raises UsageError, with `hint`, for another."""
    try:
        _check_kind(path, os.stat(path), hint)  # before it is opened: a device may act on that
        # A pipe that has taken its place meanwhile must not make us wait.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check_kind(path, os.fstat(file.fileno()), hint)
            chunks, size = [], 0
            while size <= most and (chunk := file.read(MIB)):
                chunks.append(chunk)
                size += len(chunk)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", hint) from error
    except ValueError as error:  # a NUL in its name
        raise UsageError(f"{path}: this is no name of a file", hint) from error
    if size > most:
        raise UsageError(f"{path}: it is larger than {most // MIB} MiB, the most that is read of it", hint)
    return b"".join(chunks)


def _check_kind(path: Path, found: os.stat_result, hint: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = next((words for fits, words in _OTHERS if fits(found.st_mode)), "something else")
        raise UsageError(f"{path}: this is {what} and not a file", hint)


def read_text(path: Path, hint: str, most: int = WRITTEN) -> str:
    """The text of a file in UTF-8 without its byte order mark, lines ended by LF alone. Raises UsageError."""
    octets = read_octets(path, hint, most)
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        what = f"octet {octets[error.start]:#04x} is no UTF-8"
        written = "UTF-16" if octets[:2] in (b"\xff\xfe", b"\xfe\xff") else "LATIN1"
        hint = f"Write it in UTF-8: `iconv -f {written} -t UTF-8` makes that of it."
        raise UsageError(f"{path}, line {line}: {what}", hint) from error
    return re.sub(r"(?<!\r)\r+\n", "\n", text)


def read_toml(path: Path, hint: str, most: int = WRITTEN) -> dict[str, Any]:
    """What a TOML file holds. Raises UsageError."""
    return parse_toml(read_text(path, hint, most), path, hint)


def parse_toml(text: str, path: Path, hint: str) -> dict[str, Any]:
    """What a text in TOML holds; `path` is for messages. Raises UsageError."""
    try:
        # What tomllib does with a key takes time that grows with the square of its parts.
        deep = _has_deep_key(text) or _is_deep(data := tomllib.loads(text))
    except RecursionError:
        deep = True
    except ValueError as error:  # tomllib's own error, and what it lets through of numbers and dates
        raise UsageError(f"{path}: {str(error).partition(';')[0]}", hint) from error
    if deep:
        raise UsageError(f"{path}: lists and tables are nested more than {_MOST_NESTED} deep", hint)
    return data


def _has_deep_key(text: str) -> bool:
    bare = TOML_TOKEN.sub(lambda token: token[0] if token[0][0] not in "#\"'" else "", text)
    return any(part.count(".") > _MOST_NESTED for part in re.split(r"[][{}=,\n]", bare))


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MOST_NESTED):
        inside = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [item for items in inside for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True
