"""Tells the two sides of a transcript apart by what stands before their lines, whatever tool wrote it.

Where a row holds a command or a reply, what stands before it is its mark: stamps, names, numbers, quotes,
arrows. Marks of one shape (numbers and times may vary) belong to one side, and the replies tell which. Where
both sides have the same mark, or none, the order of commands and replies tells who speaks.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.scenario.transcript.bare import bare
from conformance.scenario.transcript.blocks import Row
from conformance.scenario.transcript.lines import REPLY, Line, shown, wrong
from conformance.scenario.transcript.shapes import Mark, mark_of, unquoted, words_of

_REPLY_AT = re.compile(r"(?<![\w./,=+-])(?<!\d:)[2-5][0-5]\d(?=[ -]|$|[\"'\\])")
_GREETING_AT = re.compile(r"(?<![\w./,=+-])(?<!\d:)220[ -]")
_END = r"\s*(?:\\r)?(?:\\n)?(?:[\"'].*)?$"
_COMMAND_AT = re.compile(
    r"(?<![\w-])(?:(?:EHLO|HELO) +[\w.:\[\]-]+|(?:MAIL FROM|RCPT TO): ?<[^<>]*>(?: [\w-]+(?:=[^\s\"'\\]*)?)*"
    rf"|AUTH [A-Z0-9-]{{4,}}(?: [^\s\"'\\]+)?|DATA|QUIT|RSET|NOOP|STARTTLS){_END}",
    re.IGNORECASE,
)
_REPLY_TEXT = re.compile(r"[2-5][0-5]\d[ -](?!(?:bits|bytes|octets|chars)\b)\S")
_SHOWN_END = re.compile(r"(?:\\r\\n|\\n|\^M|<CR><LF>|<CRLF>|\[CR\]\[LF\])$")

_SIGNS = set("<>\u2190\u2192:")
Who = tuple[str, ...]

_FAR = 300  #: characters at most that stand before what is said
_LONG = 5_000  #: characters of a row in which marks are looked for
_MANY = 6  #: shapes that are tried for a side


class _Learned:
    """Where commands and replies are seen, by mark."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.commands: dict[Mark, set[int]] = defaultdict(set)
        self.replies: dict[Mark, set[int]] = defaultdict(set)
        self.telling: set[int] = set()  #: rows with a command that is no mere word
        self.greetings = {index for index, row in enumerate(rows) if _GREETING_AT.search(row.text[:_LONG])}
        for index, row in enumerate(rows):
            for pattern, seen in ((_COMMAND_AT, self.commands), (_REPLY_AT, self.replies)):
                for count, found in enumerate(pattern.finditer(row.text[:_LONG])):
                    if count == 3 or found.start() > _FAR:
                        break
                    seen[mark_of(row.text[: found.start()])].add(index)
                    if seen is self.commands and re.search("[ :]", found[0].strip()):
                        self.telling.add(index)

    def pairs(self, rows: Sequence[Row]) -> list[tuple[Mark, Mark]]:
        """Marks of client and server, those first that explain most rows."""
        scores: list[tuple[int, int, Mark, Mark]] = []
        for client in _most(self.commands):
            if not client.is_blank or client in self.replies:
                pattern = re.compile(client.pattern)
                other = {index for index, row in enumerate(rows) if not pattern.match(row.text)}
                for server in _most(self.replies):
                    seen = self.replies[server] if server == client else self.replies[server] & other
                    if seen and client.words == server.words and (server == client or not client.is_blank):
                        score = len(self.commands[client] | seen)
                        scores.append((score, len(server.pattern), client, server))
        return [
            (client, server) for *_, client, server in sorted(scores, key=lambda each: each[:2], reverse=True)
        ]


def _most(seen: dict[Mark, set[int]]) -> list[Mark]:
    return sorted(seen, key=lambda mark: len(seen[mark]), reverse=True)[:_MANY]


@dataclass
class Reading:
    """One way to read the rows: `marks` says for each mark whose it is, "both" where the order tells."""

    rows: Sequence[Row]
    path: Path
    learned: _Learned
    marks: dict[Mark, str]
    is_keyed: bool

    @property
    def is_bare(self) -> bool:
        return "both" in self.marks.values()

    @property
    def form(self) -> str:
        """How the sides are told apart, with the marks as they stand in the first row of each."""
        marks: dict[str, str] = {}
        for index, (side, match) in sorted(self._matched().items()):
            if self.rows[index].text:
                marks.setdefault(side, self.rows[index].text[: match.end()])
        if self.is_bare:
            return f"by the order of commands and replies, behind {marks['both']!r}"
        return (
            f"by marks, {marks.get('client', '')!r} the client's and {marks.get('server', '')!r} the server's"
        )

    def streams(self) -> list[list[Line]]:
        """The lines of each connection. Raises UsageError."""
        matched = self._matched()
        whose = self._whose(matched)
        if not self.is_keyed:
            self._check_one(matched, whose)
            whose = {}
        found: dict[Who, list[tuple[str, Row]]] = {}
        who: Who = ()
        for index, row in enumerate(self.rows):
            who = whose.get(index, who)
            side, text = "talk", row.text
            if index in matched:
                side, match = matched[index]
                text = self._unquoted(row, match.end())
            found.setdefault(who, []).append((side, Row(row.number, text)))
        told = [stream for stream in found.values() if any(side != "talk" for side, _ in stream)]
        return [self._lines(stream) for stream in _without_ends(told)]

    def _whose(self, matched: dict[int, tuple[str, re.Match[str]]]) -> dict[int, Who]:
        """The words with figures that name a row's connection; rows without a mark may have one of them."""
        varying = _varying(match for _, match in matched.values())
        whose = {
            index: tuple(sorted(word for place, word in enumerate(match.groups()) if place not in varying))
            for index, (_, match) in matched.items()
        }
        known = set(whose.values())
        shared = set.intersection(*map(set, known)) if known else set()
        names = {word: who for who in known for word in who if word not in shared}
        for index, row in enumerate(self.rows):
            if index not in whose and len(known) > 1:
                named = {names[word] for word in words_of(row.text[:_FAR]) if word in names}
                whose |= {index: named.pop()} if len(named) == 1 else {}
        return whose

    def _check_one(self, matched: dict[int, tuple[str, re.Match[str]]], whose: dict[int, Who]) -> None:
        """Raise UsageError where numbers tell connections apart: then the lines are not all of one."""
        sides: dict[Who, set[bool]] = defaultdict(set)
        for index, (_, match) in matched.items():
            sides[whose[index]].add(REPLY.fullmatch(match.string[match.end() :]) is not None)
        if len(sides) > 1 and any(len(kinds) > 1 for kinds in sides.values()):
            number = self.rows[min(matched)].number
            raise wrong(self.path, number, "several connections are mixed here", "Give one alone.")

    def _matched(self) -> dict[int, tuple[str, re.Match[str]]]:
        """Whose each row is that bears a mark."""
        known = sorted(self.marks, key=lambda mark: len(mark.pattern), reverse=True)
        patterns = [(re.compile(mark.pattern), mark, self.marks[mark]) for mark in known]
        found: dict[int, tuple[str, re.Match[str]]] = {}
        for index, row in enumerate(self.rows):
            for pattern, mark, side in patterns:
                match = pattern.match(row.text)
                if match and (
                    side == "both" or not mark.is_blank or REPLY.fullmatch(row.text[match.end() :])
                ):
                    found[index] = side, match
                    break
        return found

    def _lines(self, stream: list[tuple[str, Row]]) -> list[Line]:
        if self.is_bare:
            return bare([(side, *row) for side, row in stream], self.path)
        lines: list[Line] = []
        for side, row in stream:
            if side != "talk" and row.text.strip() == "[EOF]":
                lines.append(Line("closed" if side == "server" else "half-close", "", row.number))
                continue
            for text in re.split(r"\r?\n", row.text):
                text = text.lstrip(" ") if side == "server" else text
                lines.append(Line(side, text, row.number))  # type: ignore[arg-type]
        return lines

    def _unquoted(self, row: Row, start: int) -> str:
        text = unquoted(row.text, start)
        if text is None:
            what = "whether a backslash in this line means itself is unclear"
            raise wrong(self.path, row.number, what, "Write the line as it was sent.")
        return text

    def check_rest(self, read: set[int], open_: set[int], is_whole: bool) -> list[str]:
        """What is in no session must not look like one of its own, or like the beginning that is missing.

        `read` are the numbers of the rows that are in one, `open_` of those that have no reply. Returns notes
        of what is left out and looks like a reply, behind another mark. Raises UsageError.
        """
        rest = {index for index, row in enumerate(self.rows) if row.number not in read}
        replies = {index for seen in self.learned.replies.values() for index in seen} & rest
        words = {index for seen in self.learned.commands.values() for index in seen} & rest
        commands = self.learned.telling & rest | {index for index in words if index + 1 in replies}
        greetings = self.learned.greetings & rest
        if commands and replies:
            hint = "Give sessions that are written in different forms in files of their own."
            number = self.rows[min(commands)].number
            raise wrong(self.path, number, "this looks like a command, in another form than the others", hint)
        if greetings and not is_whole:
            what = "this looks like the greeting, in another form than the others"
            hint = "Write its mark as that of the other replies."
            raise wrong(self.path, self.rows[min(greetings)].number, what, hint)
        left = self._left_replies(rest)
        for index in sorted(left):
            is_due = index > 0 and self.rows[index - 1].number in open_
            if is_due or any(self._may_be_own(mark) for mark in left[index]):
                what = "this looks like a reply, in another form than the others"
                hint = "Write its mark as that of the other replies, or take it out if it is none."
                raise wrong(self.path, self.rows[index].number, what, hint)
        what = "left out, for it bears another mark than the replies"
        return [
            f"line {self.rows[i].number}: {what}: {shown(self.rows[i].text.strip())}" for i in sorted(left)
        ]

    def _left_replies(self, rest: set[int]) -> dict[int, list[Mark]]:
        """The marks behind which the rows of `rest` hold what looks like a reply, where they do."""
        found: dict[int, list[Mark]] = defaultdict(list)
        for mark, places in self.learned.replies.items():
            pattern = re.compile(mark.pattern)
            for index in places & rest:
                match = pattern.match(self.rows[index].text)
                if match and _REPLY_TEXT.match(self.rows[index].text[match.end() :]):
                    found[index].append(mark)
        return found

    def _may_be_own(self, mark: Mark) -> bool:
        """Whether a mark is as likely one of the session's as those that were taken for it."""
        sides = {
            side: {each for each, its in self.marks.items() if its == side} for side in ("client", "server")
        }
        if self.is_bare or mark.is_blank:
            return False
        if all(each.is_blank for each in sides["server"]):
            return any(mark.words == each.words for each in sides["client"])
        alike = {(each.letters, each.words) for each in sides["client"] | sides["server"]}
        shared = set.intersection(*(set(each.signs) for each in sides["client"] | sides["server"]))
        return (mark.letters, mark.words) in alike and bool(_SIGNS & set(mark.signs) - shared)


def readings(rows: Sequence[Row], path: Path) -> Iterator[Reading]:
    """The ways to read these rows, the likeliest first."""
    learned = _Learned(rows)
    for client, server in learned.pairs(rows):
        marks = {client: "both"}
        if client != server:
            marks = _others(rows, learned, client, server) | {client: "client", server: "server"}
        for is_keyed in (True, False) if client.words or server.words else (False,):
            yield Reading(rows, path, learned, marks, is_keyed)


def only_replies(rows: Sequence[Row]) -> int | None:
    """The line of the first reply, where several are shown and not one command."""
    learned = _Learned(rows)
    best = max(learned.replies.values(), key=len, default=set())
    return rows[min(best)].number if len(best) > 1 and not learned.commands else None


def _others(rows: Sequence[Row], learned: _Learned, client: Mark, server: Mark) -> dict[Mark, str]:
    """More marks, each with its side.

    Some differ from the two in their signs alone: `<**` beside `<-`, `SMTP|>` beside `SMTP>>`. Others lack
    what is the server's own, and are no side's: further lines of replies whose first line alone is marked.
    """
    patterns = [re.compile(mark.pattern) for mark in (client, server) if not mark.is_blank]
    seen_by = [{i for i, row in enumerate(rows) if pattern.match(row.text)} for pattern in patterns]
    covered = set[int]().union(*seen_by)
    known = {(mark.letters, mark.words) for mark in (client, server)}
    signs = {"client": _SIGNS & set(client.signs), "server": _SIGNS & set(server.signs)}
    shared = signs["client"] & signs["server"] if signs["client"] != signs["server"] else set()
    own = {side: those - shared for side, those in signs.items()}  # those that tell the sides apart
    found: dict[Mark, str] = {}
    for mark, places in [*learned.replies.items(), *learned.commands.items()]:
        side = "client" if mark in learned.commands else "server"
        if places <= covered:
            continue
        if (mark.letters, mark.words) in known and own[side] & set(mark.signs):
            found[mark] = side
        elif mark.is_apart and server.letters.startswith(mark.letters) and mark.words == server.words:
            found[mark] = "talk"
    return found


def _varying(matches: Iterable[re.Match[str]]) -> set[int]:
    """The places of words with figures that tell no connection: they are another in almost every row."""
    values: dict[int, Counter[str]] = defaultdict(Counter)
    for match in matches:
        for place, word in enumerate(match.groups()):
            values[place][word] += 1
    return {place for place, words in values.items() if len(words) > 2 and len(words) * 3 > words.total()}


def _without_ends(streams: list[list[tuple[str, Row]]]) -> list[list[tuple[str, Row]]]:
    """The streams with what tools add to the end of each line taken off, and long lines made whole.

    recordio ends each line with a space, and with `+` where it goes on.
    """
    texts = [
        row.text
        for stream in streams
        for side, row in stream
        if side != "talk" and row.text.strip() != "[EOF]"
    ]
    if all(text.endswith((" ", "+")) for text in texts):
        return [list(_pieced(stream)) for stream in streams]
    if all(_SHOWN_END.search(text) for text in texts if text):
        return [
            [
                (side, row if side == "talk" else Row(row.number, _SHOWN_END.sub("", row.text)))
                for side, row in stream
            ]
            for stream in streams
        ]
    return streams


def _pieced(stream: list[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """A line in pieces has the number of its first one."""
    begun: dict[str, Row] = {}
    for side, row in stream:
        if side == "talk" or row.text.strip() == "[EOF]":
            yield side, row
            continue
        number, before = begun.pop(side, Row(row.number, ""))
        whole = Row(number, before + row.text[:-1])
        if row.text.endswith("+"):
            begun[side] = whole
        else:
            yield side, Row(number, whole.text.rstrip("\r"))
    yield from begun.items()  # the log ends within a line
