"""What an engine asks of the world around it: each act is yielded, and its result is sent back."""

from dataclasses import dataclass
from typing import Any, Dict, Generator, Optional, Tuple, Union

#: How a program came to its end without an exit status of its own; HUNG: it did not, within its limit.
CRASHED = "crashed"
MISSING = "missing"
HUNG = "hung"


class Signalled(Exception):
    """What only a flawed build does: the process is ended by the signal of that number."""


class Act:
    """One request of an engine to the ports that it is driven on (`driver.py`).

    `port` names the method that does such things; it is given the fields, or with `whole` the act itself.
    """

    _port: str
    _whole: bool

    def __init_subclass__(cls, port: str, whole: bool = False) -> None:
        cls._port, cls._whole = port, whole

    def carry_out(self, ports: Any) -> Any:
        """Have it done by its port; the result."""
        given = (self,) if self._whole else vars(self).values()
        return getattr(ports, self._port)(*given)


#: An engine: yields acts, is sent their results, and returns nothing, or what its docstring says.
Engine = Generator[Act, Any, Any]


@dataclass(frozen=True)
class Now(Act, port="now"):
    """The time. Result: seconds since the epoch, a float."""


@dataclass(frozen=True)
class Receive(Act, port="receive"):
    """The next octets from the other side. Result: bytes, b"" when it closed, None after `limit` seconds."""

    limit: float


@dataclass(frozen=True)
class Send(Act, port="send"):
    """Send octets to the other side. Result: False when it took none for the limit of the last `Receive`.

    A loss shows at the next `Receive`.
    """

    octets: bytes


@dataclass(frozen=True)
class Sleep(Act, port="sleep"):
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Leak(Act, port="leak", whole=True):
    """What only a flawed build does: something is taken, and kept while the process runs."""

    memory: int = 0  #: KiB
    descriptors: int = 0
    children: int = 0


@dataclass(frozen=True)
class Reset(Act, port="reset_connection"):
    """What only a flawed build does: the connection ends with a reset."""


@dataclass(frozen=True)
class Log(Act, port="log"):
    """One line for the log, without its line feed."""

    line: str


#: What a descriptor of a program may be: the connection to the client, a pipe, where the log goes.
SOCKET, PIPE, LOG, NOTHING = "socket", "pipe", "log", "/dev/null"


@dataclass(frozen=True)
class Surroundings:
    """How a program finds itself beside its arguments and its environment; fields as in `HookCall`."""

    descriptors: Dict[int, str]
    directory: str = "/var/lib/qmail"
    account: str = "qmaild"
    group: str = "nofiles"
    umask: str = "0022"
    ignores: Tuple[str, ...] = ()
    siblings: int = 0


@dataclass(frozen=True)
class CheckRecipient(Act, port="check_recipient", whole=True):
    """Run the program RCPTCHECK names. Result: exit status, or CRASHED, MISSING, HUNG after `limit`."""

    program: str
    environment: Dict[str, str]
    limit: Optional[float] = None
    surroundings: Surroundings = Surroundings({0: NOTHING, 1: NOTHING, 2: LOG})
    arguments: Tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckPassword(Act, port="check_password", whole=True):
    """Run `arguments` with the credentials on descriptor 3. Result as for `CheckRecipient`."""

    arguments: Tuple[str, ...]
    user: bytes
    password: bytes
    challenge: bytes  #: b"" for LOGIN and PLAIN
    environment: Dict[str, str]
    limit: Optional[float] = None
    surroundings: Surroundings = Surroundings({0: NOTHING, 1: NOTHING, 2: LOG, 3: PIPE})
    final: bool = True  #: whether the place of the challenge has its 0 byte


@dataclass(frozen=True)
class VerifyRecipient(Act, port="verify_recipient"):
    """Ask the qmail-verify server. Result: "valid", "invalid", "timeout", or an error's text."""

    server: str
    recipient: bytes


@dataclass(frozen=True)
class Queued:
    """What became of an `Enqueue`."""

    number: int  #: the qp number
    error: str = ""  #: "", or qmail-queue's trouble after Z or D: "Zqq trouble in home directory (#4.3.0)"
    status: Union[int, str] = 0  #: exit status of qmail-queue, or CRASHED


@dataclass(frozen=True)
class Enqueue(Act, port="enqueue", whole=True):
    """Run qmail-queue, or what QMAILQUEUE names. `message` has no qmail-queue line yet. Result: `Queued`."""

    message: bytes
    sender: bytes
    recipients: Tuple[bytes, ...]
    by: str = "from network"  #: as the Received line says it
    environment: Optional[Dict[str, str]] = None  #: None: that of whoever runs it
    written: Optional[bytes] = None  #: an envelope as it is, in the place of sender and recipients
    surroundings: Surroundings = Surroundings({0: PIPE, 1: PIPE, 2: LOG}, ignores=("PIPE",))


@dataclass(frozen=True)
class Discard(Act, port="discard", whole=True):
    """qmail-queue, or what QMAILQUEUE names, begun with DATA, is given up: nothing stays. No result.

    `message` is what there was of it.
    """

    why: str  #: "refused", or "lost" when the client went away
    message: bytes = b""
    environment: Optional[Dict[str, str]] = None
    surroundings: Surroundings = Surroundings({0: PIPE, 1: PIPE, 2: LOG}, ignores=("PIPE",))


@dataclass(frozen=True)
class AskDns(Act, port="ask_dns", whole=True):
    """Send one question. Result over "udp": a datagram, None after `limit` seconds, or "refused".

    Over "tcp": `Stream`, or "refused". A `limit` of None is no limit.
    """

    message: bytes
    over: str
    limit: Optional[float]


@dataclass(frozen=True)
class AwaitDns(Act, port="await_dns"):
    """Wait for another datagram to the same question, None for ever. Result as for `AskDns` over "udp"."""

    limit: Optional[float]


@dataclass(frozen=True)
class Stream:
    """What came over TCP: framed answers (two octets of length before each) and how it ended."""

    octets: bytes
    end: str = "whole"  #: "whole" (one answer and more may come), "closed", "stalled"


@dataclass(frozen=True)
class Connect(Act, port="connect"):
    """Open a connection. Result: "" or why not ("refused", "timeout")."""

    address: str
    port: int
    limit: float


@dataclass(frozen=True)
class Close(Act, port="close"):
    """Close the connection."""
