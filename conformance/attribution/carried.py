"""Which patches a build carries, by the verdicts on their changes, whatever it claims.

A change that is met is evidence of its patch. One that is unmet in the way that a known deviation of the
patch describes is none against it: the published package carries 0007, and its recipients are not screened.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby

from conformance.catalogue.requirements import Requirement
from conformance.judge.deviations import Deviation
from conformance.judge.runfile import Run
from conformance.judge.verdict import Verdict, describes
from conformance.report.words import listed, numbered


@dataclass(frozen=True)
class Share:
    """How much of a patch a build carries: changes that are met, unmet as known, and all that were decided.

    `unmet` names the others. `whole`: all changes that the suite has of the patch were decided.
    """

    patch: str
    claimed: bool
    met: int
    known: int
    total: int
    unmet: tuple[str, ...] = ()
    whole: bool = True

    @property
    def carried(self) -> bool:
        """Whether nothing speaks against it, and something for it."""
        return self.met > 0 and not self.unmet

    @property
    def in_part(self) -> bool:
        """Whether more speaks for it than against it, and not all."""
        return not self.carried and self.met > 0 and self.met + self.known >= len(self.unmet)

    @property
    def words(self) -> str:
        """`18 of 18 changes`, `10 of 23 changes, and 13 fail as is known of it`."""
        said = f"{self.met} of {numbered(self.total, 'change')}"
        if not self.met or not self.known:
            return said
        return f"{said}, and {self.known} {'fails' if self.known == 1 else 'fail'} as is known of it"


def shares(
    run: Run, deviations: Sequence[Deviation], requirements: Mapping[str, Requirement] | None = None
) -> list[Share]:
    """The share of each patch of which a change was decided, in their order.

    `requirements` are those of the suite: where a patch has changes beyond those of the run, it is not whole.
    """
    every = _changes(requirements)
    changes = sorted((v for v in run.verdicts if v.role == "change"), key=lambda verdict: verdict.patch)
    found = []
    for patch, group in groupby(changes, key=lambda verdict: verdict.patch):
        of_patch = list(group)
        decided = [v for v in of_patch if v.verdict in ("met", "unmet") and not v.unstable]
        met = [v for v in decided if v.verdict == "met"]
        known = [v for v in decided if v.verdict == "unmet" and _is_known(v, deviations)]
        unmet = tuple(v.requirement for v in decided if v not in met and v not in known)
        if decided:
            names = {v.requirement for v in of_patch}
            whole = every.get(patch, set()) <= names
            claimed = patch in run.target.patches
            found.append(Share(patch, claimed, len(met), len(known), len(decided), unmet, whole))
    return found


def _changes(requirements: Mapping[str, Requirement] | None) -> dict[str, set[str]]:
    every: dict[str, set[str]] = {}
    for each in (requirements or {}).values():
        if each.role == "change":
            every.setdefault(each.patch, set()).add(each.name)
    return every


def _is_known(verdict: Verdict, deviations: Sequence[Deviation]) -> bool:
    """Whether a deviation of its patch describes it, on whatever version."""
    return any(
        fnmatchcase(verdict.requirement, each.requirement)
        and each.verdict == "unmet"
        and describes("\n".join(each.seen), verdict.seen)
        for each in deviations
    )


def difference(run: Run, found: Sequence[Share]) -> str:
    """`claims 0004; also carries 0005 to 0009`; "" where claims and findings agree, as far as it was run."""
    whole = [share for share in found if share.whole]
    lacking = [share.patch for share in whole if share.claimed and not share.met]
    partly = [share for share in whole if share.claimed and share.met and share.unmet]
    beyond = [share.patch for share in whole if not share.claimed and share.carried]
    beyond_partly = [share for share in whole if not share.claimed and share.in_part]
    parts = [f"carries nothing of {ranges(lacking)}"] if lacking else []
    parts += [f"of {share.patch} carries {share.words}" for share in partly]
    parts += [f"also carries {ranges(beyond)}"] if beyond else []
    parts += [f"of {share.patch} also carries {share.words}" for share in beyond_partly]
    claims = f"claims {ranges(run.target.patches) if run.target.patches else 'no patch'}"
    return "; ".join([claims, *parts]) if parts else ""


def ranges(patches: Iterable[str]) -> str:
    """`0001 to 0004, 0006 and 0009`: three and more in a row are one."""
    runs: list[list[str]] = []
    for patch in sorted(patches):
        last = runs[-1][-1] if runs else ""
        if last.isdecimal() and patch.isdecimal() and int(patch) == int(last) + 1:
            runs[-1].append(patch)
        else:
            runs.append([patch])
    words = [[f"{row[0]} to {row[-1]}"] if len(row) > 2 else row for row in runs]
    return listed(word for row in words for word in row)
