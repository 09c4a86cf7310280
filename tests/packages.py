"""A maintainer's package as a directory: two patches, requirements and deviations of its own, an alias."""

from pathlib import Path

#: `verbs` is the suite's 0006 under another name, and promises more than that does.
PROJECT = """
series = "debian/patches/series"
cases = ["conformance/cases"]
scenarios = ["conformance/scenarios"]
promises = ["conformance/promises.toml"]
deviations = ["conformance/deviations"]

[[patch]]
name = "verbs"
title = "verbs that nobody knows"
source = "debian/patches/verbs.patch"
file = "verbs.patch"
carries = ["0006"]

[targets]
candidate = "reference@verbs"
released = "reference-stock"

[defaults]
against = "released"
workers = 1
"""
SERIES = """
# quilt's form
verbs.patch -p1
0015-greet-delay.patch
"""
GREET_DELAY = """
From: A Maintainer <a@here.example>
Subject: [PATCH 2/2] a client that talks too early
  is refused
---
--- a/qmail-smtpd.c
"""
SCENARIOS = {
    "frob-code": """
session = '''
> FROB
< 500
> QUIT
'''

[requirement]
name = "verbs.frob.code"
source = "debian/patches/verbs.patch"
promise = "FROB is answered with 500."
severity = "wrong words"
""",
    "frob-closes": """
session = '''
> FROB
< 500
> NOOP
< 421
'''

[requirement]
name = "verbs.frob.closes"
source = "debian/patches/verbs.patch"
promise = "After FROB nothing else is taken."
level = "should"
severity = "wrong words"
""",
    "no-requirement": "session = '> QUIT'\n",
}
CASE = '''
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement


@requirement("verbs.grob.words", source="debian/patches/verbs.patch", severity="wrong words")
async def test_grob(qmail: Qmail) -> None:
    """GROB is answered with words of its own."""
    reply = await qmail.reply_to("GROB")
    assert "grob" in reply.text, f"GROB is answered {reply.code}"


def test_of_the_package_that_decides_nothing() -> None:
    raise AssertionError
'''
PROMISES = """
[[promise]]
id = "verbs.frob"
section = "verbs"
text = "FROB is answered with 500, and ends the session."
requirements = ["verbs.frob.*"]

[[promise]]
id = "verbs.grob"
section = "verbs"
text = "GROB is answered in words of its own."
requirements = ["verbs.grob.words"]
"""
DEVIATIONS = """
[[deviation]]
target = "candidate"
requirement = "verbs.frob.closes"
seen = "line 6: < 421 after NOOP; seen: 250*"
reason = "the patch does not end the session"
source = "debian/patches/verbs.patch"
since = 2026-01-01
shows = "the session goes on"

[[deviation]]
target = "candidate"
requirement = "verbs.grob.words"
seen = "GROB is answered 500*"
reason = "the patch has one text for all verbs"
source = "debian/patches/verbs.patch"
since = 2026-01-01
shows = "it is answered as any other verb"
"""


def write_package(directory: Path, project: str = "") -> None:
    """All of it but the project file; this too where its text is given."""
    files = {
        "debian/patches/series": SERIES,
        "debian/patches/verbs.patch": "Description: never read\n",
        "debian/patches/0015-greet-delay.patch": GREET_DELAY,
        "conformance/cases/test_verbs.py": CASE,
        "conformance/promises.toml": PROMISES,
        "conformance/deviations/own.toml": DEVIATIONS,
        **{f"conformance/scenarios/{name}.toml": text for name, text in SCENARIOS.items()},
    }
    if project:
        files["qmail-conformance.toml"] = project
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
