"""What a program names: environment variables and control files, out of the constants of an ELF file."""

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{3,39}")
_CONTROL = re.compile(r"control/([A-Za-z0-9._-]{1,60})")
_VERB = re.compile(r"[a-z][a-z0-9]{3,11}")

#: Sections that hold texts; in those of code whatever looks like one is none.
_CONSTANTS = (b".rodata", b".data.rel.ro")

#: The head of a section: name, type, flags, address, offset, size, … by word size in bits.
_SECTIONS = {32: "IIIIIIIIII", 64: "IIQQQQIIQQ"}


@dataclass(frozen=True)
class Named:
    """What programs name: variables, control files (without `control/`), and words that may be verbs."""

    variables: frozenset[str] = frozenset()
    control: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


def named_by(programs: Mapping[str, bytes]) -> Named:
    """What these programs name; what is no ELF file names nothing."""
    texts = {text for content in programs.values() for text in constants(content)}
    smtpd = constants(programs.get("qmail-smtpd", b""))
    return Named(
        frozenset(text for text in texts if _VARIABLE.fullmatch(text)),
        frozenset(found[1] for text in texts if (found := _CONTROL.fullmatch(text))),
        frozenset(text for text in smtpd if _VERB.fullmatch(text)),
    )


def constants(content: bytes) -> list[str]:
    """The texts, each ended by a 0 byte, among the constants of an ELF file; none of anything else."""
    try:
        sections = list(_sections(content))
    except (struct.error, ValueError, IndexError):
        return []
    return [text for data in sections for text in _texts(data.split(b"\0"))]


def _texts(pieces: Iterable[bytes]) -> Iterable[str]:
    return (piece.decode("ascii") for piece in pieces if piece and all(32 <= octet < 127 for octet in piece))


def _sections(content: bytes) -> Iterable[bytes]:
    """The content of sections with constants (elf(5))."""
    if content[:4] != b"\x7fELF":
        return []
    bits, order = (32, 64)[content[4] - 1], "<>"[content[5] - 1]
    start, shape = (0x20, "I") if bits == 32 else (0x28, "Q")
    (table,) = struct.unpack_from(order + shape, content, start)
    size, count, names_at = struct.unpack_from(order + "HHH", content, 0x2E if bits == 32 else 0x3A)
    heads = [struct.unpack_from(order + _SECTIONS[bits], content, table + n * size) for n in range(count)]
    names = content[heads[names_at][4] : heads[names_at][4] + heads[names_at][5]]
    wanted = []
    for head in heads:
        name = names[head[0] :].partition(b"\0")[0]
        if name.startswith(_CONSTANTS):
            wanted.append(content[head[4] : head[4] + head[5]])
    return wanted
