"""Addresses and parameters of MAIL and RCPT, as qmail-smtpd reads them."""

import re
from typing import List, Optional, Sequence, Tuple

from conformance.reference.octets import bracketed, split_address


class AddressReader:
    """Reads paths. `local_ip_host` is what stands for an address of ours in brackets; None: nothing."""

    #: What begins and ends a quoted string (RFC 5321 4.1.2).
    quotes = b'"'
    #: What asks a relay to send on when it stands in a local part (0007; `@` a further one).
    relay_characters = b"%!@"

    def __init__(self, local_ip_host: Optional[bytes], own_addresses: Sequence[str]) -> None:
        self._local_ip_host = local_ip_host
        self._own_addresses = own_addresses

    def address(self, argument: bytes) -> bytes:
        """The address in `FROM:<…>` or `TO:<…>`: without quotes, source route and what follows it.

        Never fails: rubbish gives a rubbish address.
        """
        start = argument.find(b"<")
        end = b">"
        if start >= 0:
            argument = argument[start + 1 :]
        else:
            end = b" "
            argument = argument.partition(b":")[2].lstrip(b" ")
        address = bytearray()
        escaped = quoted = False
        for octet in self.without_route(argument):
            if escaped:
                address.append(octet)
                escaped = False
            elif not quoted and octet == end[0]:
                break
            elif octet == ord("\\"):
                escaped = True
            elif octet in self.quotes:
                quoted = not quoted
            else:
                address.append(octet)
        return self.here(bytes(address))

    def without_route(self, path: bytes) -> bytes:
        """A path without its source route, which is to be ignored (RFC 5321 appendix C)."""
        return path.partition(b":")[2] if path.startswith(b"@") else path

    def here(self, address: bytes) -> bytes:
        """`box@[own address]` becomes `box@local_ip_host` (qmail-smtpd(8), localiphost)."""
        box, host = split_address(address)
        ours = host is not None and self.literal(host) in self._own_addresses
        return box + b"@" + self._local_ip_host if ours and self._local_ip_host is not None else address

    def literal(self, host: bytes) -> Optional[str]:
        """The address in brackets, or None; a number above 255 makes none (RFC 5321 4.1.3)."""
        in_range = all(int(number) < 256 for number in re.findall(rb"[0-9]+", host))
        return bracketed(host) if in_range else None

    def relays(self, address: bytes) -> bool:
        """Whether the local part holds a relay character (0007)."""
        return any(octet in self.relay_characters for octet in split_address(address)[0])


#: A parameter of MAIL: its name in upper case, and its value, None where there is no `=`.
Parameter = Tuple[bytes, Optional[bytes]]


def parse_parameters(argument: bytes) -> List[Parameter]:
    """What follows the path of MAIL and a space (RFC 5321 4.1.2)."""
    return [parameter(word) for word in _behind_path(argument).split(b" ")[1:]]


def parameter(word: bytes) -> Parameter:
    """One of them."""
    name, sign, value = word.partition(b"=")
    return name.upper(), value if sign else None


def _behind_path(argument: bytes) -> bytes:
    """What follows the path, whose quoted strings may hold whatever (RFC 5321 4.1.2); b"" without one."""
    quoted = escaped = False
    for at in range(argument.find(b"<") + 1, len(argument)):
        octet = argument[at : at + 1]
        if escaped or (quoted and octet == b"\\"):
            escaped = not escaped
        elif octet == b'"':
            quoted = not quoted
        elif octet == b">" and not quoted:
            return argument[at + 1 :]
    return b""


def xtext(value: bytes) -> bytes:
    """Octets as xtext: `+`, `=` and what is not a visible character as `+` and two hexadecimal digits."""
    return re.sub(rb"[^!-~]|[+=]", lambda found: b"+%02X" % ord(found.group()), value)
