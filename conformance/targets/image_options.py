"""How images are made: what options and the environment say of it."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from conformance.errors import UsageError

#: Ubuntu's releases with qmail in their archive; on the last targets are built unless somebody says more.
RELEASES = ("14.04", "16.04", "18.04", "20.04")

#: Option -> (the environment variable that stands in for it, what it is).
IMAGE_OPTIONS = {
    "--ppa": ("QMAIL_PPA", "the PPA (ppa:OWNER/NAME) or apt source line of the target ppa"),
    "--release": (
        "QMAIL_RELEASE",
        "the Ubuntu release (20.04) of stock, ppa and debs:; run, compare and gate take several: 18.04,20.04",
    ),
    "--base": ("QMAIL_BASE", "the base image of targets, instead of Ubuntu's"),
    "--internet-base": (
        "QMAIL_INTERNET_BASE",
        "the base image of the internet container, with Python 3.11 or newer",
    ),
    "--mirror": ("QMAIL_MIRROR", "an apt mirror"),
}


@dataclass(frozen=True)
class Images:
    """How images are made; "" means the default. The environment stands in for what is not given."""

    ppa: str = ""
    release: str = ""
    base: str = ""
    internet_base: str = ""
    mirror: str = ""
    release_asked: bool = False  #: by the option itself, so that a target without one is wrong use

    @classmethod
    def chosen(cls, given: Callable[[str], str | None], defaults: object = None) -> Self:
        """`given` maps an option's name as in Python (`internet_base`) to its value, if any.

        Then the environment counts, then the attributes of `defaults`, which is what a project says. Raises
        UsageError for a release that is none, and for one together with a base.
        """
        names = {option[2:].replace("-", "_"): option for option in IMAGE_OPTIONS}
        said = {name: given(name) or os.environ.get(IMAGE_OPTIONS[names[name]][0], "") for name in names}
        if said["release"] and said["base"]:
            both = (
                f"{names[name] if given(name) else IMAGE_OPTIONS[names[name]][0]} ({said[name]})"
                for name in ("release", "base")
            )
            what = f"{' and '.join(both)} both say what targets are built on"
            raise UsageError(what, "Give one of them; a variable that is empty says nothing.")
        # Whoever names one of the two does not want the other one of a project.
        taken = {"release", "base"} if said["release"] or said["base"] else set()
        left = {name: getattr(defaults, name, "") for name in names if not said[name] and name not in taken}
        chosen = cls(**said | left, release_asked=bool(given("release")))
        chosen.each_release()
        return chosen

    @property
    def target_base(self) -> str:
        """The image that targets are built on: a chosen one, or Ubuntu's."""
        return self.base or f"ubuntu:{self.release or RELEASES[-1]}"

    def each_release(self) -> list[Self]:
        """The same with each release of `18.04,20.04` alone. Raises UsageError where one is none."""
        names = dict.fromkeys(name.strip() for name in self.release.split(","))
        for name in names:
            if self.release and not re.fullmatch(r"\d\d\.(04|10)", name):
                hint = "Write --release 20.04, or several: 18.04,20.04."
                raise UsageError(f"there is no Ubuntu release {name!r}", hint)
        return [replace(self, release=name) for name in names]
