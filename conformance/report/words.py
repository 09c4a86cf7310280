"""Wording that every report shares."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.catalogue.builtin import PATCHES
from conformance.catalogue.severity import SEVERITIES, Severity, worst_first
from conformance.errors import EXIT_AS_EXPECTED, EXIT_MEANINGS, EXIT_REGRESSION
from conformance.harmless import Tone, printable
from conformance.judge.comparison import Comparison
from conformance.judge.outcome import exit_status
from conformance.judge.runfile import Run
from conformance.judge.verdict import VERDICTS, Verdict, counted
from conformance.targets.target import Target

#: The package of the reference at process level: as `debs:` target it is no more qmail than the embedded one.
REFERENCE_PACKAGE = "qmail-reference"

LEGEND = (
    "! not as expected; ~ deviation known; ? invalid: the world misbehaved; - unsupported; "
    "* unstable: did not repeat"
)

_MARKS = {"unexpected": "!", "unstable": "*"}


def one_line(text: str, limit: int | None = None) -> str:
    """`text` on one line, made printable; cut after `limit` characters, with a word that it was cut."""
    line = printable(" ".join(re.split(r"[ \t\r\n]+", text)).strip())
    whole = limit is None or len(line) <= limit
    return line if whole else line[:limit].rstrip() + " … (cut; whole in the run file)"


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; `none` without a name."""
    *first, last = list(names) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def numbered(number: int, noun: str) -> str:
    """`1 verdict`, `2 verdicts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_specification(target: Target) -> bool:
    return target.specification or REFERENCE_PACKAGE in target.packages


def specification_sentence(target: Target) -> str:
    return f"{one_line(target.label)} is an executable specification, not qmail"


def specification_sentences(comparison: Comparison) -> list[str]:
    """What every report says first: which runs were cut off, and which targets are not qmail."""
    said = [f"The run was cut off: {each}" for each in comparison.cut_off]
    said += [specification_sentence(run.target) for run in comparison.runs if is_specification(run.target)]
    return list(dict.fromkeys(said))


def setting(run: Run) -> str:
    """What a target is made of and stands on, and where its queue was.

    `qmail 1.06-6.2; on Ubuntu 20.04.6 LTS (ubuntu:20.04), amd64; claims 0004; queue: tmpfs; …`.
    """
    target = run.target
    parts = [", ".join(f"{name} {version}" for name, version in sorted(target.packages.items()))]
    parts += [f"on {stands_on(target)}"] if stands_on(target) else []
    parts.append(f"claims {', '.join(target.patches)}" if target.patches else "claims no patch")
    parts.append(f"queue: {run.header.queue}")
    parts.append(f"started {run.header.started}")
    return one_line("; ".join(part for part in parts if part))


def stands_on(target: Target) -> str:
    """`Ubuntu 20.04.6 LTS (ubuntu:20.04), amd64`; "" where there is no image, or nobody said it."""
    base = f"({target.base})" if target.system and target.base else target.base
    system = " ".join(filter(None, (target.system, base)))
    return ", ".join(filter(None, (system, target.architecture)))


def shows_deviation(verdict: Verdict) -> bool:
    """Whether it is as a known deviation says."""
    return verdict.deviation is not None and verdict.assessment == "expected"


def mark(verdict: Verdict) -> str:
    """A verdict as a cell of the matrix: `met`, `unmet~`, `met!`, `?`, `-`, `met*`."""
    if verdict.verdict == "invalid":
        return "?"
    word = "-" if verdict.verdict == "unsupported" else verdict.verdict
    return word + ("~" if shows_deviation(verdict) else _MARKS.get(verdict.assessment, ""))


def tone(verdict: Verdict) -> Tone:
    """How loud a cell is: `quiet` for a change that is unmet as expected."""
    if verdict.assessment == "unexpected":
        return "bad"
    if verdict.assessment in ("invalid", "unstable") or verdict.deviation is not None:
        return "doubtful"
    return "good" if verdict.verdict == "met" else "quiet"


def patch_title(patch: str, titles: Mapping[str, str]) -> str:
    """`0005: DNS answers larger than 512 octets`; the number alone for a patch of a later suite.

    `titles` are those of patches that are not ours.
    """
    title = PATCHES[patch].title if patch in PATCHES else titles.get(patch, "")
    return one_line(f"{patch}: {title}" if title else patch)


def counts_line(counts: Mapping[str, int]) -> str:
    """`64 verdicts: 40 met, 24 unmet; 63 as expected, 1 unexpected`."""
    total = sum(counts[name] for name in VERDICTS)
    shown = [name for name in VERDICTS if counts[name] or name in ("met", "unmet")]
    found = ", ".join(f"{counts[name]} {name}" for name in shown)
    agreeing = f"{counts['expected']} as expected, {counts['unexpected']} unexpected"
    unstable = f", {counts['unstable']} unstable" if counts["unstable"] else ""
    return f"{numbered(total, 'verdict')}: {found}; {agreeing}{unstable}"


def difference(comparison: Comparison) -> str:
    """`24 of 64 requirements tell the targets apart, each as expected`."""
    differing, unexplained = len(comparison.differing), len(comparison.unexplained)
    how = ", each as expected" if differing else ""
    if unexplained:
        how = f", {unexplained} of them not as expected"
    return f"{differing} of {len(comparison.rows)} requirements tell the targets apart{how}"


def exit_line(comparison: Comparison) -> str:
    """The exit status and its meaning; success names what it does not speak of."""
    status = comparison.exit_status
    counts = Counter(verdict.assessment for run in comparison.runs for verdict in run.verdicts)
    undecided = [f"{counts[name]} {name}" for name in ("unstable", "unsupported") if counts[name]]
    but = f" ({listed(undecided)} aside)" if undecided and status == EXIT_AS_EXPECTED else ""
    if comparison.cut_off:
        return f"exit status {status}: cut off: {listed(comparison.cut_off)}"
    return f"exit status {status}: {EXIT_MEANINGS[status]}{but}"


def repeat_command(target: Target, requirement: str, scenario: str = "") -> str:
    """The command that runs one requirement on one target again (without options for making images).

    `scenario` is the file that it is in; the requirement that stands for a scenario is called like its file.
    """
    name = shlex.quote(one_line(target.command_name or target.name))
    on = f" --release {shlex.quote(one_line(target.release))}" if target.release else ""
    own = one_line(requirement).removeprefix("scenario.")
    file = scenario or (f"{own}.toml" if own != one_line(requirement) else "")
    if file:
        return f"qmail-conformance try {shlex.quote(file)} --target {name}{on}"
    return f"qmail-conformance run {name}{on} -k {shlex.quote(one_line(requirement))}"


def conclusion(comparison: Comparison) -> str:
    """The one line that a gate ends with."""
    counts = counted(verdict for run in comparison.runs for verdict in run.verdicts)
    labels = ", ".join(one_line(label) for label in comparison.labels)
    return f"{labels}: {counts_line(counts)}; {exit_line(comparison)}"


@dataclass(frozen=True)
class KnownDeviation:
    """A known deviation as it shows on one run, with all requirements it speaks of."""

    target: str  #: the run's label
    reason: str
    source: str
    since: str
    requirements: tuple[str, ...]
    severity: Severity | None = None  #: the worst of them


def known_deviations(comparison: Comparison) -> list[KnownDeviation]:
    """The deviations that showed as expected, one entry for each run and reason."""
    grouped: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for row in comparison.rows:
        for label, cell in zip(comparison.labels, row.cells, strict=True):
            if cell.deviation is not None and shows_deviation(cell):
                known = cell.deviation
                key = (label, known["reason"], known["source"], known["since"])
                grouped.setdefault(key, []).append(cell)
    return [
        KnownDeviation(*key, tuple(cell.requirement for cell in cells), worst(cells))
        for key, cells in grouped.items()
    ]


def worst(verdicts: Iterable[Verdict]) -> Severity | None:
    """The worst severity of these verdicts; None where nobody says one."""
    said = {verdict.severity for verdict in verdicts}
    return next((severity for severity in SEVERITIES if severity in said), None)


#: What several of a severity are called, where that is not as of one.
_SEVERAL = {
    "loses mail": "lose mail",
    "lets somebody in": "let somebody in",
    "crashes": "crash",
    "refuses or delays mail": "refuse or delay mail",
}


def costs(verdicts: Iterable[Verdict]) -> str:
    """`2 lose mail, 1 crashes`: verdicts by what they cost, the worst first."""
    often = Counter(verdict.severity or "severity not said" for verdict in verdicts)
    said = {each: each if often[each] == 1 else _SEVERAL.get(each, each) for each in often}
    return ", ".join(f"{often[each]} {said[each]}" for each in sorted(often, key=worst_first))


def run_conclusion(comparison: Comparison, index: int) -> str:
    """The whole truth of one run in a line: what is not as expected, and what is known to be wrong.

    `debs:ppa is as expected, with 3 known deviations: 1 loses mail, 2 crash; 2 are worse than debs:stock@`.
    """
    run = comparison.runs[index]
    word, status = "is not decided", exit_status(run.verdicts)
    if status == EXIT_REGRESSION:
        word = "is not as expected"
    elif status == EXIT_AS_EXPECTED and not run.cut_off:
        word = "is as expected"
    label, told = comparison.labels[index], unexpected_or_undecided(run)
    return one_line(f"{label} {word}{told}{known_to_be_wrong(comparison, index)}")


def unexpected_or_undecided(run: Run) -> str:
    """`: 2 unexpected (1 loses mail, 1 crashes), 3 invalid`; "" where all is as expected."""
    unexpected = [verdict for verdict in run.verdicts if verdict.assessment == "unexpected"]
    invalid = sum(verdict.assessment == "invalid" for verdict in run.verdicts)
    parts = [f"{len(unexpected)} unexpected ({costs(unexpected)})"] if unexpected else []
    parts += [f"{invalid} invalid"] if invalid else []
    parts += [f"cut off after {run.cut_off}"] if run.cut_off else []
    return f": {', '.join(parts)}" if parts else ""


def known_to_be_wrong(comparison: Comparison, index: int) -> str:
    """`, with 3 known deviations: 1 loses mail, 2 crash; 2 are worse than debs:stock@`.

    What is worse is counted among the known and the unexpected; "" where there is nothing to tell.
    """
    known = [verdict for verdict in comparison.runs[index].verdicts if shows_deviation(verdict)]
    told = f", with {numbered(len(known), 'known deviation')}: {costs(known)}" if known else ""
    odd = [row for row in comparison.worse(index) if tone(row.cells[index]) in ("bad", "doubtful")]
    before = comparison.before_of(index)
    if odd and before is not None:
        verb = "is" if len(odd) == 1 else "are"
        told += f"; {len(odd)} {verb} worse than {one_line(comparison.labels[before])}"
    return told


def run_conclusions(comparison: Comparison) -> list[str]:
    """`run_conclusion` of each run."""
    return [run_conclusion(comparison, index) for index in range(len(comparison.runs))]


def noteworthy(comparison: Comparison) -> list[tuple[int, Verdict]]:
    """Verdicts that need a person, with the index of their run: unexpected, then invalid, then unstable.

    Of each kind those that another version's deviation describes come last, and those that cost most first.
    """
    order = {"unexpected": 0, "invalid": 1, "unstable": 2}
    found = [
        (index, cell)
        for row in comparison.rows
        for index, cell in enumerate(row.cells)
        if cell.assessment in order
    ]

    def rank(found: tuple[int, Verdict]) -> tuple[int, bool, int]:
        verdict = found[1]
        return order[verdict.assessment], verdict.elsewhere is not None, worst_first(verdict.severity or "")

    return sorted(found, key=rank)


def carry_line(run: Run) -> str:
    """`37 of 37 unexpected verdicts are known for 1.06-6.2; … carries them over`; "" where none is."""
    unexpected = [verdict for verdict in run.verdicts if verdict.assessment == "unexpected"]
    known = [verdict.elsewhere for verdict in unexpected if verdict.elsewhere is not None]
    if not known:
        return ""
    versions = listed(dict.fromkeys(each["version"] for each in known))
    command = f"qmail-conformance deviations carry {shlex.quote(str(run.path))}"
    return one_line(
        f"{len(known)} of {numbered(len(unexpected), 'unexpected verdict')} "
        f"{'is' if len(known) == 1 else 'are'} known for {versions}; `{command}` carries "
        f"{'it' if len(known) == 1 else 'them'} over"
    )
