"""One attempt at deciding a requirement: run its case against a pod, keep the record, say what came of it."""

from __future__ import annotations

import asyncio
import inspect
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import aiosmtplib

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.requirements import Case
from conformance.pod.base import Pod, PodFailure
from conformance.pod.record import Recorder, Replay
from conformance.pod.secrets import Secrets

#: Seconds after which a case is ended. Each act has a limit of its own; this only stops a case that loops.
LIMIT = 180.0


@dataclass
class Attempt:
    """What came of one run of a case. `error` is what the case raised, for people who read tracebacks."""

    verdict: Literal["met", "unmet", "invalid", "unsupported"]
    seconds: float = 0.0
    seen: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None


@cache  # each target asks for each case, and a signature takes as long as an act
def handle_names(case: Case) -> tuple[str, ...]:
    """Which handles a case asks for: `internet`, `qmail`."""
    return tuple(inspect.signature(case).parameters)


async def attempt(case: Case, pod: Pod, secrets: Secrets) -> Attempt:
    """Run a case against a live pod and record it."""
    recorder = Recorder(pod, secrets)
    result = await conclude(case, recorder)
    result.record = {"acts": recorder.acts}
    return result


async def replay(case: Case, record: dict[str, Any], secrets: Secrets) -> Attempt:
    """Run a case against its record."""
    result = await conclude(case, Replay(record.get("acts", []), secrets))
    result.record = record
    return result


async def conclude(case: Case, pod: Pod) -> Attempt:
    """Run a case against a pod, whatever it is made of; nothing is recorded."""
    internet = Internet()
    handles: dict[str, Any] = {"internet": internet, "qmail": Qmail(pod, internet)}
    start = time.monotonic()
    result = Attempt("met")
    try:
        async with asyncio.timeout(LIMIT):
            await case(**{name: handles[name] for name in handle_names(case)})
    except AssertionError as error:
        result = Attempt("unmet", seen=str(error) or "an assertion without words", error=error)
    except aiosmtplib.SMTPException as error:
        # An ordinary client gave up on what the server said: that is qmail's doing.
        result = Attempt("unmet", seen=f"aiosmtplib: {type(error).__name__}: {error}", error=error)
    except PodFailure as error:
        result = Attempt("invalid", seen=str(error), error=error)
    except TimeoutError as error:
        result = Attempt("invalid", seen=f"the case did not end within {LIMIT:.0f} s", error=error)
    except Exception as error:  # a mistake in the case says nothing about qmail
        result = Attempt(
            "invalid", seen=f"the case itself failed: {type(error).__name__}: {error}", error=error
        )
    result.seconds = round(time.monotonic() - start, 4)
    return result
