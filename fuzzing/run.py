"""Fuzzers of everything that reads what others wrote.

    python fuzzing/run.py [NAME]… [--seconds 60] [--seed N] [--jobs 2] [--out DIRECTORY]
    python fuzzing/run.py --replay FILE

Inputs are the repository's own files after a few mutations, and follow from the seed alone. A defect is an
input that ends in another error than a refusal, takes more than two seconds of CPU, or more memory than there
should be; it is made smaller and kept in the directory (reports/fuzzing). Exit status 1: a defect was found.
"""

import argparse
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from mutations import mutated
from readers import FUZZERS, Fuzzer

from conformance.errors import UsageError

#: Seconds of CPU that an input may take, and of the clock where it waits for something.
CPU, CLOCK = 2.0, 30.0
MEMORY = 1 << 30  #: octets of address space of a fuzzer's process
#: Tries and seconds that are spent on making an input smaller.
TRIES, PATIENCE = 400, 20.0


class TooSlow(BaseException):
    """No Exception: what is read must not be able to catch it."""


@dataclass(frozen=True)
class Defect:
    """What an input shows; two of one `place` are the same defect."""

    place: str
    told: str


def tried(read: Callable[[Path], None], path: Path) -> Defect | str:
    """What comes of an input: "read", "refused", or a defect."""
    slow = Defect("TooSlow", f"more than {CPU:g} s of CPU, or {CLOCK:g} s of the clock")
    late: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        late.append(number)
        raise TooSlow

    timers = (signal.ITIMER_PROF, signal.SIGPROF, CPU), (signal.ITIMER_REAL, signal.SIGALRM, CLOCK)
    for timer, number, limit in timers:
        signal.signal(number, interrupt)
        signal.setitimer(timer, limit)
    try:
        read(path)
        return slow if late else "read"  # whoever judges a case takes even that for the case's own failure
    except UsageError as refusal:
        return "refused" if len(refusal.message) < 2000 else Defect("a long message", refusal.message[:300])
    except TooSlow:
        return slow
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = [frame for frame in frames if "conformance" in frame.filename][-1:] or frames[-1:]
        kind, where = type(error).__name__, f"{Path(last[0].filename).name}:{last[0].lineno}"
        return Defect(f"{kind}, {where}", f"{kind} in {last[0].name}: {error}"[:300])
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)


def smaller(octets: bytes, still: Callable[[bytes], bool]) -> bytes:
    """The input without what its defect does not need: halves, quarters, … single octets are left out."""
    until, tries = time.monotonic() + PATIENCE, 0
    size = len(octets) // 2
    while size:
        start = 0
        while start < len(octets):
            if tries == TRIES or time.monotonic() > until:
                return octets
            tries += 1
            shorter = octets[:start] + octets[start + size :]
            if still(shorter):
                octets = shorter
            else:
                start += size
        size //= 2
    return octets


def inputs(name: str, fuzzer: Fuzzer, seed: int) -> Iterator[bytes]:
    """The seeds, and then mutations without end."""
    seeds = fuzzer.seeds()
    yield from seeds
    chance = random.Random(f"{name} {seed}")
    while True:
        yield mutated(chance, seeds, fuzzer.mutations)


def search(name: str, options: argparse.Namespace) -> dict[str, Path]:
    """Run one fuzzer; the defects, by place, with the files that show them."""
    fuzzer, out = FUZZERS[name], Path(options.out)
    now = Path(options.scratch) / f"{name}-now{fuzzer.suffix}"
    found: dict[str, Path] = {}
    counts = {"read": 0, "refused": 0}

    def attempt(octets: bytes) -> Defect | str:
        now.write_bytes(octets)  # what ends the process, stands here
        return tried(fuzzer.read, now)

    def shows(place: str, octets: bytes) -> bool:
        defect = attempt(octets)
        return isinstance(defect, Defect) and defect.place == place

    for octets in fuzzer.seeds():
        attempt(octets)  # the first time everything is slow
    began = time.monotonic()
    for number, octets in enumerate(inputs(name, fuzzer, options.seed)):
        if number >= options.inputs or time.monotonic() - began > options.seconds:
            break
        defect = attempt(octets)
        if isinstance(defect, str):
            counts[defect] += 1
        elif defect.place not in found and shows(defect.place, octets):  # a busy machine shows it once
            place = defect.place
            small = smaller(octets, partial(shows, place))
            found[place] = out / f"{name}-{len(found) + 1}{fuzzer.suffix}"
            found[place].write_bytes(small)
            print(
                f"{name}: {place}: {defect.told!r}\n  python fuzzing/run.py --replay {found[place]}",
                flush=True,
            )
    took = time.monotonic() - began
    now.unlink()
    print(
        f"{name}: {number} inputs in {took:.1f} s, {number / took:.0f} a second, {counts['read']} read, "
        f"{counts['refused']} refused; seed {options.seed}; defects: {len(found)}"
    )
    return found


def replay(path: Path) -> int:
    """Read an input again, with the whole traceback of what it ends in."""
    name = max((name for name in FUZZERS if path.name.startswith(name)), key=len, default=None)
    if name is None:
        raise SystemExit(f"{path}: its name begins with that of a fuzzer: {', '.join(FUZZERS)}")
    try:
        FUZZERS[name].read(path)
    except UsageError as refusal:
        print(f"refused: {refusal}")
    else:
        print("read")
    return 0


def apart(name: str, options: argparse.Namespace) -> int:
    """Run one fuzzer in a process of its own; the exit status."""
    given = ("seconds", "inputs", "seed", "out", "scratch")
    words = [f"--{option}={getattr(options, option)}" for option in given]
    done = subprocess.run([sys.executable, __file__, name, *words], capture_output=True, text=True)
    print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode not in (0, 1):
        last = [shutil.copy(path, options.out) for path in Path(options.scratch).glob(f"{name}-now*")]
        print(f"{name}: ended with status {done.returncode}; what it read last: {', '.join(last)}")
    return done.returncode


def main(words: list[str] | None = None) -> int:
    """Run what is named, or all; the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz what reads the files and octets of others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FUZZERS)} (all)")
    parser.add_argument("--seconds", type=float, default=60, help="for each (60)")
    parser.add_argument("--inputs", type=int, default=10**9, help="for each, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="fuzzers at a time (2)")
    parser.add_argument(
        "--out", default="reports/fuzzing", help="where the inputs that show a defect are kept"
    )
    parser.add_argument("--scratch", default="", help=argparse.SUPPRESS)
    parser.add_argument("--replay", type=Path, metavar="FILE", help="read one input again")
    options = parser.parse_args(words)
    if options.replay:
        return replay(options.replay)
    if unknown := sorted(set(options.names) - set(FUZZERS)):
        parser.error(f"there is no fuzzer {', '.join(unknown)}; there are {', '.join(FUZZERS)}")
    Path(options.out).mkdir(parents=True, exist_ok=True)
    # Where there is a place in memory: a disk may take longer to write an input than we to read it.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzzing-", dir=memory if memory.is_dir() else None) as scratch:
        options.scratch = options.scratch or scratch
        if len(options.names) == 1:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            return 1 if search(options.names[0], options) else 0
        with ThreadPoolExecutor(options.jobs) as pool:
            statuses = list(pool.map(lambda name: apart(name, options), options.names or FUZZERS))
        return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
