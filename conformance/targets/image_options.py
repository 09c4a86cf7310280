"""How images are made: what options and the environment say of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

#: Option -> (the environment variable that stands in for it, what it is).
IMAGE_OPTIONS = {
    "--ppa": ("QMAIL_PPA", "the PPA (ppa:OWNER/NAME) or apt source line of the target ppa"),
    "--release": ("QMAIL_RELEASE", "the Ubuntu release (20.04)"),
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

    @classmethod
    def chosen(cls, given: Callable[[str], str | None], defaults: object = None) -> Self:
        """`given` maps an option's name as in Python (`internet_base`) to its value, if any.

        Then the environment counts, then the attributes of `defaults`, which is what a project says.
        """
        names = {option[2:].replace("-", "_"): variable for option, (variable, _) in IMAGE_OPTIONS.items()}
        return cls(
            **{
                name: given(name) or os.environ.get(names[name], "") or getattr(defaults, name, "")
                for name in names
            }
        )
