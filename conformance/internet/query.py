"""A DNS question as it came (RFC 1035 4.1), and what of it comes back in every answer."""

import struct
from dataclasses import dataclass
from typing import Self

from dnslib import QTYPE

_HEADER = 12  #: octets
_OPCODE, _RD = 0x7800, 0x0100

#: What fits into UDP unless the question says otherwise (RFC 1035 4.2.1), and what ever fits.
_UDP_DEFAULT = 512
_UDP_MOST = 65507


@dataclass(frozen=True)
class Query:
    """One question: `name` in the letters that it came in, one character per octet, without the final dot."""

    message: bytes
    name: str = ""
    qtype: int = 0
    qclass: int = 0
    end: int = _HEADER  #: offset behind the question

    @classmethod
    def of(cls, message: bytes) -> Self:
        """Raises ValueError for what holds no question that can be read."""
        if int.from_bytes(message[4:6], "big") != 1:
            raise ValueError("not one question")
        try:
            name, end = _name(message)
            qtype, qclass = struct.unpack_from("!HH", message, end)
        except (IndexError, struct.error) as error:
            raise ValueError("a question that is cut off") from error
        return cls(message, name, qtype, qclass, end + 4)

    @property
    def type(self) -> str:
        """The type in text: `MX`, `TYPE65280`."""
        return str(QTYPE[self.qtype])

    @property
    def opcode(self) -> int:
        """Other than 0 in what is no ordinary question."""
        return int.from_bytes(self.message[2:4], "big") & _OPCODE

    @property
    def udp_size(self) -> int:
        """Octets of an answer that fit into UDP: 512, or more if the question's OPT record says so."""
        additional, opt = self.message[10:12], self.message[self.end : self.end + 5]
        if additional != b"\0\0" and len(self.message) >= self.end + 11 and opt[:3] == b"\x00\x00\x29":
            return min(max(int.from_bytes(opt[3:], "big"), _UDP_DEFAULT), _UDP_MOST)
        return _UDP_DEFAULT


def with_query_header(query: Query, response: bytes) -> bytes:
    """`response` with the id, the opcode, RD and the question's spelling of the query.

    The compressed names of the answer point at the letters of the question.
    """
    asked, end = query.message, query.end
    status = int.from_bytes(response[2:4], "big") | int.from_bytes(asked[2:4], "big") & (_OPCODE | _RD)
    return asked[:2] + status.to_bytes(2, "big") + response[4:12] + asked[12:end] + response[end:]


def _name(message: bytes) -> tuple[str, int]:
    """The name asked for, and the offset after it."""
    labels: list[bytes] = []
    position = _HEADER
    while length := message[position]:
        if length > 63:
            raise ValueError("a compressed name in a question")
        labels.append(message[position + 1 : position + 1 + length])
        position += 1 + length
    if position >= _HEADER + 255:
        raise ValueError("a name longer than 255 octets")
    return b".".join(labels).decode("latin-1"), position + 1
