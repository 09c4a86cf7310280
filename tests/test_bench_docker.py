"""A short bench in Docker: one inbound and one outbound scenario on the packages of the reference."""

import json
import subprocess
import sys
from pathlib import Path

from tests.dockerized import needs_docker, reference_packages
from tests.schemas import faults

pytestmark = needs_docker


def test_a_short_bench_of_two_packages(tmp_path: Path) -> None:
    stock, patched = reference_packages(tmp_path)
    scenarios = ("inbound/1-kept-1k", "outbound/plain-20ms", "outbound/answer-4096-0ms")
    words = [word for name in scenarios for word in ("--scenario", name)]
    words += ["--rounds", "5", "--seconds", "0.1", "--seed", "1", "--out", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "bench", stock, patched, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an executable specification, not qmail" in " ".join(done.stdout.split())
    written = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert faults("bench-1", written) == []
    found = {scenario["name"]: scenario for scenario in written["scenarios"]}

    inbound = found["inbound/1-kept-1k"]
    counts = {key: len(rounds) for key, rounds in inbound["rounds"].items()}
    assert counts == dict.fromkeys(("0", "1", "control", "ceiling"), 5)
    # The ceiling has no qmail behind it, and a session of the reference takes a Python interpreter's start.
    rates = {row["key"]: row["rate"] for row in inbound["rows"]}
    assert rates["ceiling"] > 2 * max(rates["0"], rates["1"])
    assert all(each["target_cpu"] > each["driver_cpu"] for each in inbound["rounds"]["0"])

    # Patch 0004 saves one question of three, whatever the machine's speed.
    outbound = {row["key"]: row for row in found["outbound/plain-20ms"]["rows"]}
    assert [outbound[key]["questions"] for key in ("0", "1", "control")] == [3, 2, 3]
    # Each answer comes 20 ms late, so no delivery is faster than its questions.
    assert outbound["0"]["latencies"][0] >= 0.06
    assert outbound["1"]["latencies"][0] >= 0.04

    # Stock reads 512 octets of an answer.
    assert 'qmail-remote reported "Z' in found["outbound/answer-4096-0ms"]["failures"]["0"]
    assert list(found["outbound/answer-4096-0ms"]["failures"]) == ["0"]
