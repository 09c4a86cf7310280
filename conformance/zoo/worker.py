"""A process that decides trials: it is told one on each line, and says on a line what came of it."""

import json
import signal
import sys

from conformance.stopping import end_with_parent
from conformance.zoo.trial import TRIAL_LIMIT, Trial, run_trial


def main() -> None:
    end_with_parent()
    for line in sys.stdin:
        signal.alarm(TRIAL_LIMIT)  # which ends the process
        print(json.dumps(run_trial(Trial.from_json(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
