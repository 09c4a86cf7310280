"""The program that pods are forked from: it has imported what they need, so that Python starts once for all.

`python -m conformance.targets.namespaces.nursery` has a socket as standard input. A request is what
`entering.main` takes, as JSON, with the descriptors of the pod's standard input, output and error. The answer
has a descriptor of the pod's process (pidfd_open(2)). When the socket closes this program and its pods end.
"""

import contextlib
import json
import os
import socket
import sys
import traceback

import conformance.targets.agent  # noqa: F401  what pods run
from conformance.targets.namespaces import entering

#: Octets of a request: a path, the name of a module, and where control groups are.
LONGEST = 1 << 16


def main() -> None:
    """Fork pods until nobody asks any more."""
    asked = socket.socket(fileno=os.dup(0))
    while True:
        words, descriptors, _, _ = socket.recv_fds(asked, LONGEST, 3)
        if not words:
            return
        try:
            pod = os.fork()
        except OSError as error:
            sys.exit(f"a pod cannot have a process: {error.strerror}")
        if pod == 0:
            asked.close()
            _become(words, descriptors)
        link = os.pidfd_open(pod)
        socket.send_fds(asked, [b"x"], [link])
        for descriptor in (link, *descriptors):
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # one that has ended
                pass


def _become(words: bytes, descriptors: list[int]) -> None:
    """Be a pod; it does not return."""
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    status = 1
    try:
        entering.main(*json.loads(words))
    except SystemExit as ending:
        status = int(ending.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
