"""Names that belong to nobody in the place of real ones: the same name always becomes the same one."""

import re

from conformance.pod.ordinary import DOMAIN

_RESERVED = re.compile(r"(?:.+\.)?(?:example|test|invalid|localhost|example\.(?:com|net|org))", re.IGNORECASE)
_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
# Only where a word begins, so that a long line costs no more than its length.
_HOST = r"(?<![\w-])[\w-]+(?:\.[\w-]+)+"
_IN_PATH = re.compile(rf"(?P<before>[@%])(?P<host>\[[^\]]*\]|[\w.-]+)|(?P<uucp>{_HOST})(?=!)|(?P<word>\w+)")
_ADDRESS = r"(?<![^\s<>\"])[^\s<>\"@]+@(?:\[[^\]]*\]|[\w.@-]+)"
_IN_TEXT = re.compile(rf"(?P<address>{_ADDRESS})|(?P<host>{_HOST})")
_SHARED = {"postmaster", "abuse", "root", "alias", "mailer", "daemon", "list", "owner", "anonymous"}
_LONG = 32


class Reserved:
    """The mapping as it grows: of `domains` (hosts, addresses too) and of `words` in local parts."""

    def __init__(self) -> None:
        self.domains: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self._own = self._others = self._addresses = 0

    def own(self, domain: str) -> str:
        """The name of a domain that the host takes mail for: here.example, then here2.example, …"""
        name = domain.lower()
        if name not in self.domains:
            self._own += 1
            self.domains[name] = DOMAIN if self._own == 1 else f"here{self._own}.example"
        return self.domains[name]

    def domain(self, name: str) -> str:
        """A host or domain; an address in figures becomes one that is kept for documentation (RFC 5737)."""
        bare = name.strip("[]")
        lower = bare.lower().rstrip(".")
        if not bare or (_RESERVED.fullmatch(lower) and lower not in self.domains) or bare.startswith("127."):
            return name
        if lower not in self.domains:
            if _NUMBERS.fullmatch(bare) or ":" in bare:
                self._addresses += 1
                self.domains[lower] = f"192.0.2.{self._addresses % 250}"
            else:
                self._others += 1
                self.domains[lower] = f"other{self._others}.example"
        mapped = self.domains[lower]
        return f"[{mapped}]" if name.startswith("[") else mapped

    def word(self, word: str) -> str:
        """One word of a local part; a long one keeps its length."""
        lower = word.lower()
        if lower in _SHARED or lower.isdigit():
            return word
        if lower not in self.words:
            name = f"user{len(self.words) + 1}"
            self.words[lower] = name.ljust(len(word), "x") if len(word) > _LONG else name
        return self.words[lower]

    def path(self, text: str) -> str:
        """An address with whatever routes and characters stand in it; these stay as they are."""

        def stand_in(found: re.Match[str]) -> str:
            if found["before"] == "@" or (found["before"] and "." in found["host"]):
                return found["before"] + self.domain(found["host"])
            if found["before"]:
                return found["before"] + self.path(found["host"])
            return self.domain(found["uucp"]) if found["uucp"] else self.word(found["word"])

        return _IN_PATH.sub(stand_in, text)

    def text(self, text: str) -> str:
        """Addresses and names of hosts in a line of any kind."""
        return _IN_TEXT.sub(
            lambda found: self.path(found[0]) if found["address"] else self.domain(found[0]), text
        )


def masked(text: str) -> str:
    """Letters and figures as x, what is beyond ASCII as one such character: lines stay, words do not."""
    return re.sub(r"[^\x00-\x7f]", "\u00fc", re.sub(r"[A-Za-z0-9]", "x", text))
