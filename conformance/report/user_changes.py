"""What changes for users, in words: what the first section of a comparison says in every form."""

import shlex
from collections.abc import Callable, Iterator
from itertools import groupby

from conformance.judge.comparison import Comparison, Row
from conformance.judge.user_changes import Kind, UserChange, UserChanges
from conformance.judge.verdict import Verdict
from conformance.pod.configuration import Configuration
from conformance.pod.record import Prepare
from conformance.report.sentences import sentence
from conformance.report.words import costs, listed, one_line, patch_title

HEADING = "What changes for your users"

TITLES: dict[Kind, str] = {
    "worse": "Worse than before",
    "better": "Better than before",
    "different": "Different, and no better",
}

_SEEN = 200  #: characters of what was seen; the evidence holds it whole


def summary(comparison: Comparison, changes: UserChanges) -> str:
    """`From debs:stock@ to debs:ppa: 23 worse (1 loses mail, 22 crash), 226 better, 33 different`."""
    said = []
    for kind in changes.kinds:
        verdicts = changes.verdicts(kind)
        cost = f" ({costs(verdicts)})" if kind == "worse" and verdicts else ""
        said.append(f"{len(verdicts)} {kind}{cost}")
    before, after = _label(comparison, changes.before), _label(comparison, changes.after)
    return f"From {before} to {after}: {', '.join(said)}"


def explanation(comparison: Comparison, changes: UserChanges, kind: Kind) -> str:
    """What a kind means: `debs:stock@ keeps these promises, and debs:ppa does not`."""
    before, after = _label(comparison, changes.before), _label(comparison, changes.after)
    ordinary = sum(not seen_with(verdict) for verdict in changes.verdicts(kind))
    many = "all" if ordinary == len(changes.verdicts(kind)) else str(ordinary)
    worse = f"{before} keeps these promises, and {after} does not"
    return {
        "worse": f"{worse}; {many} of them with nothing configured besides.",
        "better": f"{after} keeps these promises, and {before} does not.",
        "different": f"{after} does not keep these promises; {before} does not either, or has none of it.",
    }[kind]


def does(verdict: Verdict) -> str:
    """What a build does with a promise: `keeps it`, or the sentence on what came."""
    if verdict.verdict == "met":
        return "keeps it"
    return one_line(sentence(verdict), _SEEN) or "does not keep it"


def sides(comparison: Comparison, changes: UserChanges, row: Row) -> str:
    """What each of the two builds does, and what was configured besides when it was seen.

    `debs:stock@ keeps it; debs:ppa: 250 was answered. Seen with RCPTCHECK set`.
    """
    told = "; ".join(_does(comparison, side, row) for side in (changes.before, changes.after))
    concerns = seen_with(row.cells[changes.after])
    return f"{told}. Seen with {concerns}" if concerns else told


def seen_with(verdict: Verdict) -> str:
    """What was configured beyond the ordinary when it was seen: who has none of it may never see it."""
    acts = verdict.record.acts if verdict.record else ()
    configurations = [act.configuration for act in acts if isinstance(act, Prepare)]
    found = [
        words
        for words, is_so in _CONCERNS
        if configurations and all(is_so(configuration) for configuration in configurations)
    ]
    return listed(found) if found else ""


def _sends_credentials(configuration: Configuration) -> bool:
    return any("|" in configuration.control.get(name, "") for name in ("smtproutes", "authsenders"))


_CONCERNS: tuple[tuple[str, Callable[[Configuration], bool]], ...] = (
    ("SMTPAUTH set", lambda its: its.password_check is not None or "SMTPAUTH" in its.environment),
    ("RCPTCHECK set", lambda its: its.recipient_check is not None or "RCPTCHECK" in its.environment),
    ("VERIFY set", lambda its: bool(its.verifying) or "VERIFY" in its.environment),
    ("credentials for mail that goes out", _sends_credentials),
    ("a program in the place of qmail-queue", lambda its: its.queue_program is not None),
)


def _does(comparison: Comparison, side: int, row: Row) -> str:
    label, cell = _label(comparison, side), row.cells[side]
    if cell.verdict == "met":
        return f"{label} keeps it"
    if row.patch != "base" and row.patch not in comparison.runs[side].target.patches:
        return f"{label} does not have {row.patch}"  # it has promised none of it
    return f"{label}: {does(cell)}"


def by_patch(comparison: Comparison, changes: tuple[UserChange, ...]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of changes, below the title of their patch."""
    rows = [row for change in changes for row in change.rows]
    rows.sort(key=lambda row: (row.patch != "base", row.patch, row.requirement))
    for patch, of_patch in groupby(rows, key=lambda row: row.patch):
        yield patch_title(patch, comparison.titles), list(of_patch)


def evidence_command(run_file: str) -> str:
    """The command that tells the story of one of them on the build of after, out of its stored run."""
    return f"qmail-conformance reproduce REQUIREMENT --from {shlex.quote(one_line(run_file))}"


def _label(comparison: Comparison, index: int) -> str:
    return one_line(comparison.labels[index])
