"""Plays a script on a pod and keeps the record; runs a case against a record and says what came of it.

A verdict is never read from a live pod: what is played gives a record, and the record is judged.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from functools import cache
from inspect import signature, unwrap
from pathlib import PurePath
from traceback import walk_tb
from typing import Any, Literal

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.script import LIMIT, Script, function_of
from conformance.catalogue.requirements import Case
from conformance.errors import WorldError
from conformance.pod.base import Pod, PodFailure, Unsupported
from conformance.pod.record import Record
from conformance.pod.recording import Recorder, Replay
from conformance.pod.secrets import Secrets

Outcome = Literal["met", "unmet", "invalid", "unsupported"]

#: How it begins when a mistake in the case is why nothing is decided.
CASE_FAILED = "the case itself failed: "


@dataclass(frozen=True)
class Played:
    """What came of a script on a pod: the record, and its own end, which is compared and never believed."""

    record: Record
    outcome: Outcome
    seen: str  #: why it is not met; "" when it is
    seconds: float


@dataclass
class Attempt:
    """What a case came to; without a record nothing was played. `error` is what it raised, for tracebacks."""

    outcome: Outcome
    seen: str = ""
    record: Record | None = None
    seconds: float = 0.0
    error: BaseException | None = None


@cache
def handle_names(case: Case) -> tuple[str, ...]:
    """What a case is given by name: `internet`, `qmail`, the bare `pod`, and arguments of its own."""
    return tuple(signature(case).parameters)


async def play(script: Script, pod: Pod, secrets: Secrets) -> Played:
    """Run a script on a live pod. Never raises: what fails is in the record."""
    try:
        case = function_of(script)
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        seen = f"{script.module} cannot be imported: {type(error).__name__}: {error}"
        if script.source:
            seen += "; a case file goes into the pod alone, with conformance and the standard library"
        return Played(Record().with_failure(seen), "invalid", seen, 0.0)
    return await record(case, pod, secrets, script.limit, script.arguments)


async def record(
    case: Case, pod: Pod, secrets: Secrets, limit: float = LIMIT, arguments: dict[str, str] | None = None
) -> Played:
    """Run a case on a live pod. Never raises: what fails is in the record."""
    recorder = Recorder(pod, secrets, limit)
    start = time.monotonic()
    ended = await conclude(case, recorder, limit, arguments)
    if ended.outcome == "invalid":
        recorder.fail(ended.seen)
    return Played(recorder.record, ended.outcome, ended.seen, round(time.monotonic() - start, 4))


async def judge(case: Case, played: Played, secrets: Secrets) -> Attempt:
    """Run a case against what was played.

    Where it comes to another end, the record did not suffice: invalid.
    """
    result, left = await _against(case, played.record, secrets)
    result.seconds = played.seconds
    if result.outcome != played.outcome or (left and result.outcome != "invalid"):
        result.seen = (
            f"the record does not bear out what came of it: {played.outcome} in the pod"
            + (f" ({played.seen})" if played.seen else "")
            + f", {result.outcome} from the record"
            + (f" ({result.seen})" if result.seen else "")
            + (f", with {left} acts left" if left else "")
        )
        result.outcome, result.error = "invalid", None  # what was raised says nothing about qmail then
        result.record = played.record.with_failure(result.seen)
    return result


async def shared(case: Case, played: Played, secrets: Secrets) -> Played | None:
    """What a case comes to with what was played for another; None where it does otherwise to qmail."""
    result, left = await _against(case, played.record, secrets)
    if left or result.outcome == "invalid":
        return None
    return Played(played.record, result.outcome, result.seen, played.seconds)


async def replay(case: Case, record: Record, secrets: Secrets) -> Attempt:
    """Run a case, as it is today, against a stored record."""
    return (await _against(case, record, secrets))[0]


async def _against(case: Case, record: Record, secrets: Secrets) -> tuple[Attempt, int]:
    pod = Replay(record, secrets)
    result = await conclude(case, pod, LIMIT)
    result.record = record
    return result, pod.left


async def conclude(
    case: Case,
    pod: Pod,
    limit: float = LIMIT,
    arguments: dict[str, str] | None = None,
    *,
    alone: bool = False,
) -> Attempt:
    """Run a case against a pod, whatever it is made of; nothing is recorded.

    `alone`: by its own words, without what every case is held to.
    """
    __tracebackhide__ = True
    internet = Internet()
    qmail = Qmail(pod, internet)
    given: dict[str, Any] = {"internet": internet, "qmail": qmail, "pod": pod, **(arguments or {})}
    try:
        async with asyncio.timeout(limit) as whole:
            await case(**{name: given[name] for name in handle_names(case)})
            if not alone:
                await qmail.check_ends()
    except AssertionError as error:
        words = str(error) or "an assertion without words"
        return Attempt("unmet", words + await _died(qmail, words), error=error)
    except Unsupported as error:
        return Attempt("unsupported", str(error), error=error)
    except (PodFailure, WorldError) as error:
        return Attempt("invalid", str(error), error=error)
    except BaseException as error:  # a mistake in the case, or pytest's skip, says nothing about qmail
        task = asyncio.current_task()
        if isinstance(error, KeyboardInterrupt) or (task is not None and task.cancelling()):
            raise
        first, *more = f"{type(error).__name__}: {error}".split("\n")
        why = "\n".join([f"{CASE_FAILED}{first}{_place(case, error)}", *more])
        if isinstance(error, TimeoutError) and whole.expired():
            why = f"the case did not end within {limit:g} s"
        return Attempt("invalid", why, error=error)
    return Attempt("met")


def _place(case: Case, error: BaseException) -> str:
    """The line of a case's own file that an error came from, in brackets; "" where it came from none."""
    function: Any = unwrap(case)
    if function.__module__.startswith("conformance.scenario"):  # whose lines are not ours to tell
        return ""
    file = function.__code__.co_filename
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return f" ({PurePath(file).name}, line {lines[-1]})" if lines else ""


async def _died(qmail: Qmail, words: str) -> str:
    """What to add to the words of an unmet case when a session was ended by a signal: its likely cause."""
    with contextlib.suppress(AssertionError, PodFailure):
        await qmail.check_ends()
    died = qmail.ended_by_signal()
    return f"\n{died}" if died and died not in words else ""
