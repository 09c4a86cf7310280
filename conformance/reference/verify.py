"""qmail-verify: whether a recipient exists, as far as this host can know."""

from conformance.reference.control import ControlFiles
from conformance.reference.local import Accounts, DotQmail
from conformance.reference.octets import split_address
from conformance.reference.rewriting import Rewriting

#: Where qmail-verify listens, unless LISTEN says otherwise: UDP address and port.
ADDRESS, PORT = "127.0.0.1", 11113

#: Seconds that qmail-smtpd waits for its answer.
ANSWER_LIMIT = 5.0


def verified(control: ControlFiles, accounts: Accounts, address: bytes) -> bool:
    """False for a local address that nobody receives. An address of another host is not judged: True."""
    is_local, rewritten = Rewriting(control).rewrite(address)
    return not is_local or DotQmail(accounts, split_address(rewritten)[0]).exists()
