"""The suite against engines that are not qmail at all: no crash, no hang, no memory eaten, no approval."""

import asyncio
from functools import cache
from pathlib import Path

import pytest

from conformance.cases.attempt import Attempt
from conformance.cases.collection import all_requirements, case_of
from conformance.pod.secrets import fixture_secrets
from conformance.smtp.ordinary import ordinary_client
from conformance.smtp.reply import ENDLESS
from conformance.smtp.session import LONGEST_REPLY, Session
from tests.pods import attempt
from tests.processes import run_own_cases
from tests.wrong_engines import ENGINES, WrongPod

#: Seconds of real time for one case. It takes milliseconds, on a busy machine many of them.
LIMIT = 60.0

REQUIREMENTS = all_requirements()
FLOODS = [name for name in ENGINES if name.startswith("floods")]


@cache
def every_case(engine: str) -> tuple[dict[str, Attempt], int]:
    """One attempt at each requirement, and the octets of the longest connection."""
    pod = WrongPod(ENGINES[engine])

    async def attempts() -> dict[str, Attempt]:
        found = {}
        for name, requirement in REQUIREMENTS.items():
            async with asyncio.timeout(LIMIT):
                found[name] = await attempt(case_of(requirement), pod, fixture_secrets())
        return found

    return asyncio.run(attempts()), pod.most_said


@pytest.mark.parametrize("engine", ENGINES)
def test_every_case_ends_in_a_verdict_that_is_seldom_met(engine: str) -> None:
    attempts, most_said = every_case(engine)
    # Nothing is wrong with the world here, so no verdict may say that there is.
    odd = {name: found.seen for name, found in attempts.items() if found.outcome not in ("met", "unmet")}
    assert odd == {}
    assert [name for name, found in attempts.items() if found.outcome == "unmet" and not found.seen] == []
    assert sum(found.outcome == "unmet" for found in attempts.values()) > 0.75 * len(attempts)
    assert most_said <= 2 * LONGEST_REPLY


def test_no_requirement_is_met_by_every_engine_that_greets() -> None:
    for name in REQUIREMENTS:
        outcomes = {every_case(engine)[0][name].outcome for engine in ("says-yes", "says-no", "mute")}
        assert outcomes != {"met"}, name


@pytest.mark.parametrize("engine", [name for name in FLOODS if name != "floods-with-replies"])
def test_a_reply_without_an_end_is_garbled_and_so_is_what_follows(engine: str) -> None:
    pod = WrongPod(ENGINES[engine])

    async def talk() -> None:
        async with asyncio.timeout(LIMIT):
            session = Session(pod, await pod.connect())
            replies = [await session.reply() for _ in range(100)]
        assert ENDLESS in replies[:2]
        assert set(replies[2:]) == {ENDLESS}
        assert ENDLESS.code == 0
        assert ENDLESS.why == "garbled"

    asyncio.run(talk())
    assert pod.most_said <= LONGEST_REPLY + 2 * 65_536


@pytest.mark.parametrize("engine", ["says-go-ahead", *FLOODS])
def test_an_ordinary_client_gives_up_at_once(engine: str) -> None:
    pod = WrongPod(ENGINES[engine])

    async def talk() -> None:
        async with asyncio.timeout(LIMIT), ordinary_client(pod) as client:
            await client.sendmail("a@b.example", ["alice@here.example"], b"Subject: x\r\n\r\nx\r\n")
            await client.sendmail("a@b.example", ["alice@here.example"], b"Subject: y\r\n\r\ny\r\n")

    with pytest.raises(Exception, match=r".") as raised:
        asyncio.run(talk())
    assert not isinstance(raised.value, TimeoutError)
    assert pod.most_said <= 2 * LONGEST_REPLY


FILES = ("test_0006_unknown.py", "test_base_session.py")


WRONG_POD = """
from conformance.targets import pool
from tests.wrong_engines import ENGINES, WrongPod

async def start(target, plan):
    return WrongPod(ENGINES["says-yes"])

pool.start = start
"""


def test_the_command_says_regression_and_writes_a_whole_run(tmp_path: Path) -> None:
    done, (_, *verdicts, footer) = run_own_cases(tmp_path, FILES, {}, processes=1, first=WRONG_POD)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert footer["kind"] == "footer"
    assert footer["exit_status"] == 1
    assert footer["counts"]["invalid"] == 0
    files = {name: requirement.case.partition("::")[0] for name, requirement in REQUIREMENTS.items()}
    selected = [name for name, file in files.items() if file in FILES]
    assert sorted(verdict["requirement"] for verdict in verdicts) == selected
    regressions = [verdict for verdict in verdicts if verdict["verdict"] == "unmet"]
    assert len(regressions) > 0.75 * len(verdicts)
    assert all(verdict["seen"] and verdict["attempts"] == ["unmet", "unmet"] for verdict in regressions)
