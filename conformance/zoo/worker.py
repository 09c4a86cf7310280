"""A process that decides trials: it is told one on each line, and says on a line what came of it.

It does so inside of pytest, which rewrites the assertions of cases: only so is told what they have seen.
"""

import json
import os
import signal
import sys

import pytest

from conformance.own_pytest import own_pytest
from conformance.stopping import end_with_parent
from conformance.zoo.trial import TRIAL_LIMIT, Trial, run_trial


class _Work:
    """Takes the place of a session of pytest."""

    def pytest_cmdline_main(self) -> int:
        for line in sys.stdin:
            signal.alarm(TRIAL_LIMIT)  # which ends the process
            print(json.dumps(run_trial(Trial.from_json(json.loads(line)))), flush=True)
        return 0


def main() -> None:
    end_with_parent()
    words = ["--capture=no", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", os.sep]
    with own_pytest():
        sys.exit(pytest.main(words, plugins=[_Work()]))


if __name__ == "__main__":
    main()
