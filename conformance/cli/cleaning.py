"""`clean`: lists and removes what of ours lies around on the Docker engine and is of no use any more."""

import argparse
from contextlib import closing

from conformance.errors import EXIT_AS_EXPECTED
from conformance.report.words import numbered
from conformance.targets.docker import clean, engine


def run(options: argparse.Namespace) -> int:
    """Containers and images of runs that still go on stay; so does everything that is not ours."""
    with closing(engine.connect()) as client:
        left = clean.found(client, options.all)
        if clean.building(client):
            print("An image is being built: all images are left as they are.")
        removed = 0
        for each in left:
            gone = options.dry_run or clean.discard(client, each)
            removed += gone
            print(each if gone else f"left, for it is in use or has gone by itself: {each}", flush=True)
    if options.dry_run:
        print(f"{numbered(len(left), 'thing')} would be removed; nothing was.")
    else:
        print(f"{numbered(removed, 'thing')} removed.")
    return EXIT_AS_EXPECTED
