"""The suite against engines that are not qmail at all: no crash, no hang, no memory eaten, no approval."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from conformance.cases.attempt import Attempt
from conformance.cases.collection import DIRECTORY, all_requirements, case_of
from conformance.pod.secrets import fixture_secrets
from conformance.smtp.ordinary import ordinary_client
from conformance.smtp.reply import ENDLESS
from conformance.smtp.session import LONGEST_REPLY, Session
from tests.pods import attempt
from tests.wrong_engines import ENGINES, WrongPod

#: Seconds of real time for one case. It takes milliseconds; the rest is for a busy machine.
LIMIT = 5.0

REQUIREMENTS = all_requirements()
FLOODS = [name for name in ENGINES if name.startswith("floods")]


async def every_case(pod: WrongPod) -> dict[str, Attempt]:
    """One attempt at each requirement; TimeoutError, with the requirement's name, when one does not end."""
    attempts = {}
    for name, requirement in REQUIREMENTS.items():
        try:
            async with asyncio.timeout(LIMIT):
                attempts[name] = await attempt(case_of(requirement), pod, fixture_secrets())
        except TimeoutError:
            raise TimeoutError(f"{name} does not end in {LIMIT:g} s") from None
    return attempts


@pytest.mark.parametrize("engine", ENGINES)
def test_every_case_ends_in_a_verdict_that_is_seldom_met(engine: str) -> None:
    pod = WrongPod(ENGINES[engine])
    attempts = asyncio.run(every_case(pod))
    # Nothing is wrong with the world here, so no verdict may say that there is.
    invalid = {name: one.seen for name, one in attempts.items() if one.outcome not in ("met", "unmet")}
    assert invalid == {}
    assert [name for name, one in attempts.items() if one.outcome == "unmet" and not one.seen] == []
    counts = Counter(one.outcome for one in attempts.values())
    assert counts["unmet"] > 0.75 * len(attempts), counts
    assert pod.most_said <= 2 * LONGEST_REPLY


def test_no_requirement_is_met_by_every_engine_that_greets() -> None:
    async def met(engine: str) -> set[str]:
        attempts = await every_case(WrongPod(ENGINES[engine]))
        return {name for name, one in attempts.items() if one.outcome == "met"}

    assert asyncio.run(met("says-yes")) & asyncio.run(met("says-no")) & asyncio.run(met("mute")) == set()


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


def test_the_command_says_regression_and_writes_a_whole_run(tmp_path: Path) -> None:
    package = tmp_path / "wrong"
    package.mkdir()
    for name in ("__init__.py", "pytest.ini", *FILES):
        shutil.copy(DIRECTORY / name, package)
    # By a conftest, so that it holds wherever the cases are run.
    (package / "conftest.py").write_text(
        """
from conformance.targets import pool
from tests.wrong_engines import ENGINES, WrongPod

async def start(target, plan):
    return WrongPod(ENGINES["says-yes"])

pool.start = start
"""
    )
    out = tmp_path / "out"
    program = f"""
import pathlib, sys
from conformance.cli import case_run, main
case_run.DIRECTORY = pathlib.Path({str(package)!r})
sys.exit(main(["run", "reference-ppa", "-n", "1", "--out", {str(out)!r}]))
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QMAIL_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    _, *verdicts, footer = map(json.loads, (out / "reference-ppa.jsonl").read_text().splitlines())
    assert footer["kind"] == "footer"
    assert footer["exit_status"] == 1
    assert footer["counts"]["invalid"] == 0
    selected = [one.name for one in REQUIREMENTS.values() if one.case.partition("::")[0] in FILES]
    assert sorted(verdict["requirement"] for verdict in verdicts) == selected
    regressions = [verdict for verdict in verdicts if verdict["verdict"] == "unmet"]
    assert len(regressions) > 0.75 * len(verdicts)
    assert all(verdict["seen"] and verdict["attempts"] == ["unmet", "unmet"] for verdict in regressions)
