"""The index: what can be found, ranked by the words of a question; SQLite's full-text search, in memory."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

from conformance.search.entries import Entry

#: Columns, and what a word is worth in each: see `Entry`.
_WORTH = {"name": 6, "told": 5, "symptoms": 4, "cites": 3, "heard": 2, "works": 1}

#: Entries with some of the words are asked for only where so few have all of them,
_ENOUGH = 5
#: and beyond so many they must be worth this much of the best one.
_SHARE = 0.4

#: Words that tell nothing; `control` stands before the names of files.
_COMMON = frozenset((
    "a", "all", "am", "an", "and", "are", "as", "at", "be", "but", "by", "can", "control", "do", "does",
    "for", "from", "has", "have", "i", "if", "in", "into", "is", "isn", "it", "its", "my", "no", "not",
    "of", "on", "or", "our", "out", "qmail", "so", "t", "that", "the", "their", "them", "then", "there",
    "they", "this", "to", "was", "we", "what", "when", "which", "why", "with", "you", "your",
))  # fmt: skip

_RFC = re.compile(r"\brfc[\s-]*(\d+)(?:[\s:,;§]|section|sec\.)*(\d+(?:\.\d+)*)?")
_TOKEN = re.compile(r"[^\W_]+")
#: What is one thing in spite of its signs: `qmail-remote`, `5.7.1`, `isn't`.
_WORD = re.compile(r"[^\W_]+(?:[.'-][^\W_]+)*")
#: Numbers that tell something: replies, status codes, patches. In longer questions others are times and
#: process ids, as a line of a log has them.
_CODE = re.compile(r"[2-5]\d\d|[245]\.\d\.\d+|00\d\d")
_SHORT = 3
#: For more words than these nothing is looked for that is near them: that takes its time.
_MOST_STRANGE = 10


class Index:
    """Entries, and the words that they hold."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        self._base = sqlite3.connect(":memory:")
        columns, worth = ", ".join(_WORTH), ", ".join(map(str, _WORTH.values()))
        self._base.execute(f"CREATE VIRTUAL TABLE entry USING fts5({columns}, tokenize = 'porter unicode61')")
        self._base.execute("INSERT INTO entry (entry, rank) VALUES ('rank', ?)", [f"bm25({worth})"])
        self._base.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", map(_columns, self.entries))

    def find(self, question: str) -> list[Entry]:
        """What speaks of the question as it stands, of all its words, and where those are few, of some.

        Among each of these the best first, by how rare the words are, and by where they stand.
        """
        known = [term for term in _terms(question.lower()) if self._worth(term)]
        worth = self._worth(" OR ".join(known))
        whole = [self._worth(f'"{_phrase(question)}"'), self._worth(" AND ".join(known))]
        ranked = dict.fromkeys(row for rows in whole for row in worth if row in rows)
        if len(ranked) < _ENOUGH:
            least = max(worth.values(), default=0.0) * _SHARE
            ranked |= dict.fromkeys(islice(worth, _ENOUGH))
            ranked |= dict.fromkeys(row for row, value in worth.items() if value >= least)
        return [self.entries[row - 1] for row in ranked]

    def near(self, question: str) -> list[str]:
        """Words that there are, and that look like those of the question that there are not."""
        words = (word for word in _tokens(question) if not word.isdecimal())
        strange = [word for word in words if not self._worth(f'"{word}"')][:_MOST_STRANGE]
        there = {word for entry in self.entries for text in _columns(entry) for word in _tokens(text)}
        near = (each for word in strange for each in get_close_matches(word, there, 2, 0.75))
        return list(dict.fromkeys(near))

    def _worth(self, asked: str) -> dict[int, float]:
        """Row -> what it is worth, the best first; of nothing nothing."""
        if asked.strip('"') == "":
            return {}
        query = "SELECT rowid, -rank FROM entry WHERE entry MATCH ? ORDER BY rank, rowid"
        return dict(self._base.execute(query, [asked]).fetchall())


def _columns(entry: Entry) -> list[str]:
    return [getattr(entry, column) for column in _WORTH]


def _terms(question: str) -> list[str]:
    """What is looked for, as phrases of FTS5: citations, then words, without those that tell nothing."""
    cited = [f"rfc{number} {section}" for number, section in _RFC.findall(question)]
    words = _WORD.findall(_RFC.sub(" ", question))
    few = len(words) <= _SHORT
    telling = [word for word in words if word not in _COMMON and (few or _tells(word))]
    return [f'"{phrase}"' for phrase in dict.fromkeys(map(_phrase, [*cited, *(telling or words)]))]


def _tells(word: str) -> bool:
    return bool(_CODE.fullmatch(word)) or not word.replace(".", "").isdecimal()


def _phrase(text: str) -> str:
    return " ".join(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    return (found[0].lower() for found in _TOKEN.finditer(text))
