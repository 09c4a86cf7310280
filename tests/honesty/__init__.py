"""Every safeguard, triggered on purpose: `tox run -e honesty`.

For each: the verdict, the message, the exit status, and that all other verdicts stand.
"""

import signal

# What a shell puts into the background ignores some signals, and so would every program that is tried here.
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
