"""qmail-verify: whether a recipient exists, as far as this host can know."""

import re
from typing import Container, List, Optional, Tuple, Type

from conformance.reference.control import ControlFiles
from conformance.reference.homes import ALIAS, Accounts, DotQmail
from conformance.reference.octets import split_address
from conformance.reference.rewriting import Rewriting

#: Where qmail-verify listens, unless LISTEN says otherwise: UDP address and port.
ADDRESS, PORT = "127.0.0.1", 11113

#: The dot-qmail file of ~alias that takes in what nobody else does, where fastforward runs.
DEFAULT = ".qmail-default"

#: Octets of a file's name (limits.h, NAME_MAX).
_LONGEST_NAME = 255

#: Seconds that qmail-smtpd waits for its answer.
ANSWER_LIMIT = 5.0


def server_of(value: str) -> Tuple[str, int]:
    """Address and port in a value of VERIFY, as find_digit_colon_eos and scan_ip_port read them.

    An address that is none counts as left out, and a port is what figures follow the colon.
    """
    found = re.search(r"[0-9:].*|$", value, re.DOTALL)
    text = found.group() if found else ""
    address = re.match(r"\d+\.\d+\.\d+\.\d+", text)
    port = re.match(r":(\d+)", text[address.end() :] if address else text)
    numbers = [str(int(number) % 256) for number in address.group().split(".")] if address else []
    return ".".join(numbers) or ADDRESS, int(port.group(1)) % 65536 if port else PORT


class Verifier:
    """What qmail-verify knows. `aliases`: the keys of fastforward's aliases.cdb, where it is told of one."""

    #: It looks for a local part as delivery does, though it is another program.
    box: Type[DotQmail] = DotQmail
    #: And decides as qmail-send does whose an address is; by default one without @ is at me (qmail-send(8)).
    rewriting: Type[Rewriting] = Rewriting

    def __init__(
        self, control: ControlFiles, accounts: Accounts, aliases: Optional[Container[bytes]] = None
    ) -> None:
        self.control = control
        self.accounts = accounts
        self.aliases = aliases

    def knows(self, address: bytes) -> bool:
        """False for a local address that nobody receives. One of another host is not judged: True."""
        is_local, rewritten = self.rewriting(self.control).rewrite(address)
        if not is_local:
            return True
        box = split_address(rewritten)[0]
        found = self.box(self.accounts, box)
        if self.is_unsure(found):
            return True
        if not found.exists():
            return False
        # `alias-NAME` is the account's by its own name, and in no table (package source, verifyaddr).
        in_alias = found.user == ALIAS and found.extension == box and found.chosen == DEFAULT
        return not in_alias or self.is_alias(address)

    def is_unsure(self, found: DotQmail) -> bool:
        """Whether a dot-qmail file cannot be looked for: then a recipient is let in (source, stat_error)."""
        files = self.accounts.dot_qmail(found.user)
        for name in found.names() if found.dash else ():
            first, below, _ = name.partition("/")
            if name in files or len(first) > _LONGEST_NAME or (below and first in files):
                return name not in files
        return False

    def is_alias(self, address: bytes) -> bool:
        """Whether what ~alias/.qmail-default takes in is an alias; yes where no table is named (0003)."""
        return self.aliases is None or any(key in self.aliases for key in self.keys(address))

    def keys(self, address: bytes) -> List[bytes]:
        """Where an address may stand in aliases.cdb: whole, as its domain, as its local part (0003)."""
        box, host = split_address(address.lower())
        wider = [] if host is None else [b"@" + host, box + b"@"]
        return [b":" + key for key in (address.lower(), *wider)]


def verified(control: ControlFiles, accounts: Accounts, address: bytes) -> bool:
    """Whether a qmail-verify that is told of no aliases knows a recipient."""
    return Verifier(control, accounts).knows(address)
