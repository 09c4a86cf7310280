"""Scenes for the tests of reproductions: a case run on an embedded reference, or a world made up here."""

import asyncio
import subprocess
from functools import lru_cache
from pathlib import Path

from conformance.cases.attempt import judge, play
from conformance.cases.collection import all_requirements, case_of
from conformance.cases.script import script_of
from conformance.cli.writing import write_directory
from conformance.judge.decider import verdict_of
from conformance.judge.expectation import Expectation
from conformance.pod.secrets import fixture_secrets
from conformance.reproduce.directory import MARK, directory, mode
from conformance.reproduce.scene import Scene, scene
from conformance.targets.embedded import ReferencePod
from conformance.targets.names import parse_target
from conformance.targets.ready import Images

PERL = "/usr/bin/perl"


@lru_cache(maxsize=64)
def scene_of(requirement: str, target_name: str = "reference-ppa") -> Scene:
    """What one case comes to on an embedded reference."""
    known = all_requirements()[requirement]
    target = parse_target(target_name)
    case, secrets = case_of(known), fixture_secrets()
    played = asyncio.run(play(script_of(case), ReferencePod(target.patches), secrets))
    result = asyncio.run(judge(case, played, secrets))
    expectation = Expectation("met" if result.outcome == "met" else "unmet")
    verdict = verdict_of(known, expectation, [result])
    return scene(verdict, target)


def written(made: Scene, out: Path) -> dict[str, bytes]:
    """The directory of a scene, written to `out`; its files."""
    files = directory(made, Images())
    write_directory(out, files, MARK, mode)
    return files


def perl(program: str, *arguments: str, input: bytes = b"") -> bytes:
    """What a small Perl program prints; its warnings are errors."""
    finished = subprocess.run(
        [PERL, "-we", f"local $SIG{{__WARN__}} = sub {{ die @_ }}; {program}", *arguments],
        input=input,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr.decode()
    return finished.stdout
