"""Patches: the changes that a package carries, by numbers or names, and which of them a build claims."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

from conformance.errors import UsageError
from conformance.nearest import did_you_mean

#: Unpatched qmail, which every build is made from.
BASE = "base"


@dataclass(frozen=True)
class Patch:
    """One change carried by the package; `base` stands for unpatched qmail.

    `carries` are patches of other numbers that whoever has this one has too: the same change under another
    name, or more in one. `files` are patterns of the names of its file, as fnmatch reads them.
    """

    number: str
    title: str
    source: str
    carries: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def is_in(self, file: str) -> bool:
        """Whether a file of this name holds it."""
        return any(fnmatchcase(file, pattern) for pattern in self.files)


#: What Debian and Ubuntu put on netqmail: stock qmail is `base` with these.
STOCK_PATCHES: tuple[str, ...] = ("0001", "0002", "0003")


@dataclass(frozen=True)
class PatchSeries:
    """All patches of a catalogue by number, `base` first; `package`: what a build has unless it says."""

    patches: Mapping[str, Patch]
    package: tuple[str, ...]

    def claimed(self, listed: Collection[str]) -> tuple[str, ...]:
        """The patches that a list claims, and what they carry, in order.

        Stock's patches come besides, so that `0004` is stock with 0004, and nothing is stock; a list that
        names `base` or one of stock's is the whole list: `base` is netqmail itself.
        """
        whole = not {BASE, *STOCK_PATCHES}.isdisjoint(listed)
        found = self._with_carried([*listed] if whole else [*listed, *STOCK_PATCHES])
        return tuple(number for number in self.patches if number in found - {BASE})

    def without(self, left_out: Collection[str]) -> tuple[str, ...]:
        """The package without some patches: whoever carries one of them goes, too, and what it carries."""
        gone = {number for number in self.package if not self._with_carried([number]).isdisjoint(left_out)}
        kept = self._with_carried(set(self.package) - self._with_carried(gone))
        return tuple(number for number in self.package if number in kept)

    def _with_carried(self, listed: Collection[str]) -> set[str]:
        found: set[str] = set()
        left = [*listed]
        while left:
            if (number := left.pop()) not in found:
                found.add(number)
                left += self.patches[number].carries
        return found

    def words(self, patches: Collection[str]) -> str:
        """The shortest list that `claimed` reads as these: `0004,0005`; "" for stock, `base` for none."""
        carried = [number for number in self.patches if number in patches and number != BASE]
        if set(STOCK_PATCHES) <= set(carried):
            return ",".join(number for number in carried if number not in STOCK_PATCHES)
        return ",".join([BASE, *carried])

    def read(self, listed: str, whose: str) -> tuple[str, ...]:
        """The patches that a list such as `0004,0005` claims. Raises UsageError."""
        return self.claimed([self.number(word, whose) for word in listed.split(",") if listed.strip()])

    def number(self, word: str, whose: str) -> str:
        """The patch that a word names, `4` as well as `0004`. Raises UsageError where there is none."""
        word = word.strip()
        number = word.zfill(4) if word.isdecimal() else word
        if number not in self.patches:
            # One number is as near as another.
            meant = () if word.isdecimal() else self.patches
            hint = did_you_mean(word, meant, f"known: {', '.join(self.patches)}")
            raise UsageError(f"{whose}: there is no patch {word!r}", hint)
        return number


def series_of(patches: Iterable[Patch], package: Collection[str] | None = None) -> PatchSeries:
    """The series of these patches; a build has all unless `package`, as `claimed` reads it, says less."""
    series = PatchSeries(MappingProxyType({patch.number: patch for patch in patches}), ())
    listed = [BASE, *series.patches] if package is None else package
    return PatchSeries(series.patches, series.claimed(listed))
