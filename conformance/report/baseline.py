"""What became of the last release's verdicts, at the end of a gate: for a terminal, and as part of a page."""

from collections.abc import Sequence

from conformance.errors import EXIT_MEANINGS
from conformance.judge.baseline import AgainstBaseline
from conformance.judge.verdict import Verdict
from conformance.report.markdown import escape, table
from conformance.report.sentences import sentence as what_came
from conformance.report.words import costs, numbered, one_line

_SHOWN = 20  #: requirements that are named; the run file holds them all
_SEEN = 160  #: characters of what was seen of each

TITLES = {
    "newly": "newly unmet",
    "known": "newly unmet, as a known deviation says",
    "before": "not as expected, and unmet before in the same words",
}


def sentence(found: AgainstBaseline) -> str:
    """`2 newly unmet (1 loses mail, 1 crashes); 25 not as expected, and unmet before in … (…)`."""
    parts = [f"{len(group)} {title} ({costs(group)})" for _, title, group in groups(found)]
    return "; ".join(parts) or "nothing is newly unmet"


def lines(found: AgainstBaseline) -> list[str]:
    """Each of them by name, below what it is."""
    told = [f"Against {caption(found)}:"]
    for _, title, group in groups(found):
        told.append(f"  {title}: {len(group)}")
        told += [f"    {_line(verdict)}" for verdict in group[:_SHOWN]]
        if len(group) > _SHOWN:
            told.append(f"    … and {len(group) - _SHOWN} more; the run file holds them all.")
    told += ["  nothing is newly unmet"] if not found.newly else []
    return [*told, *([f"  {gone(found)}"] if found.gone else [])]


def caption(found: AgainstBaseline) -> str:
    """Which run it is, and of what."""
    target = found.baseline.target
    packages = ", ".join(f"{name} {version}" for name, version in sorted(target.packages.items()))
    release = f" on {target.release}" if target.release else ""
    return one_line(f"the baseline {found.baseline.path} ({packages or target.name}{release})")


def page(found: AgainstBaseline) -> str:
    """The same in Markdown, for the summary."""
    rows = [
        (
            escape(verdict.requirement),
            escape(title),
            escape(verdict.severity or ""),
            escape(what_came(verdict), _SEEN),
        )
        for _, title, group in groups(found)
        for verdict in group
    ]
    blocks = ["## Against the baseline", f"{escape(sentence(found))}."]
    blocks += [f"{escape(gone(found))}."] if found.gone else []
    return (
        "\n\n".join([*blocks, table(("requirement", "since", "severity", "seen"), rows)] if rows else blocks)
        + "\n"
    )


def ending(name: str, word: str, found: AgainstBaseline, status: int, verdicts: Sequence[Verdict]) -> str:
    """The one line that a gate against a baseline ends with."""
    meaning = EXIT_MEANINGS[status] if status else "nothing is newly unmet, and all else is as expected"
    said = f"{numbered(len(verdicts), 'verdict')}: {sentence(found)}"
    return one_line(f"gate: {name} {word}. {said}; exit status {status}: {meaning}")


def gone(found: AgainstBaseline) -> str:
    """What nobody would miss otherwise: a case that was taken away fails no more."""
    more = f" and {len(found.gone) - _SHOWN} more" if len(found.gone) > _SHOWN else ""
    return f"in the baseline and no longer in this run: {', '.join(found.gone[:_SHOWN])}{more}"


def groups(found: AgainstBaseline) -> list[tuple[str, str, tuple[Verdict, ...]]]:
    """Kind, title and verdicts of each group that there is, the worst first."""
    all_of_them = {"newly": found.newly, "known": found.known, "before": found.before}
    return [(kind, TITLES[kind], group) for kind, group in all_of_them.items() if group]


def _line(verdict: Verdict) -> str:
    costs = f" [{verdict.severity}]" if verdict.severity else ""
    return one_line(f"{verdict.requirement}{costs}: {one_line(what_came(verdict), _SEEN)}")
