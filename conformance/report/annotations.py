"""Annotations: workflow commands, which GitHub shows beside a run: one for each verdict not as expected.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions. GitHub shows ten errors and
ten warnings of a step, so the last one says how many there are besides.
"""

from conformance.judge.baseline import AgainstBaseline
from conformance.judge.comparison import Comparison
from conformance.judge.expectation import meaning
from conformance.judge.verdict import Verdict
from conformance.report.sentences import sentence
from conformance.report.words import one_line, patch_title

#: What GitHub shows of one kind.
_MOST = 10

#: Assessment -> the command; the others are as expected.
_COMMANDS = {"unexpected": "error", "invalid": "warning", "unstable": "warning", "unsupported": "notice"}


def annotations(comparison: Comparison, since: AgainstBaseline | None = None) -> str:
    """Lines for the log of a job: requirement, patch and target in the title, what it means in the text.

    `since`: what became of a baseline's verdicts on the first run; what was unmet before is a notice.
    """
    found: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for label, run in zip(comparison.labels, comparison.runs, strict=True):
        # What another version's deviation describes comes last: little is shown.
        for verdict in sorted(run.verdicts, key=lambda verdict: verdict.elsewhere is not None):
            if command := _command_of(verdict, since if run is comparison.runs[0] else None):
                found[command].append(_line(command, label, verdict, comparison))
        if run.cut_off:
            words = f"cut off after {run.cut_off}: the world failed, and nothing is said of the rest"
            found["error"].append(_command("error", one_line(label), words))
    return "".join(line for command, lines in found.items() for line in _shortened(command, lines))


def _command_of(verdict: Verdict, since: AgainstBaseline | None) -> str:
    """ "" for what nobody needs to hear of."""
    if since is not None and verdict in since.newly:
        return "error"
    if since is not None and verdict in since.before:
        return "notice"
    return _COMMANDS.get(verdict.assessment, "")


def _shortened(command: str, lines: list[str]) -> list[str]:
    if len(lines) <= _MOST:
        return lines
    more = f"{len(lines) - _MOST + 1} more, in the summary of the job and in its evidence"
    return [*lines[: _MOST - 1], _command(command, "qmail-conformance", more)]


def _line(command: str, label: str, verdict: Verdict, comparison: Comparison) -> str:
    title = f"{verdict.requirement} ({patch_title(verdict.patch, comparison.titles)}) on {one_line(label)}"
    seen = f"; seen: {one_line(sentence(verdict), 200)}" if verdict.seen else ""
    return _command(command, title, f"{one_line(verdict.promise)} {one_line(meaning(verdict))}{seen}")


def _command(command: str, title: str, message: str) -> str:
    """`%`, line ends and, in a property, `:` and `,` are written as their codes."""
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    head = one_line(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{command} title={head}::{text}\n"
