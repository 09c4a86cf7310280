"""Base qmail: control files of qmail-smtpd as people write them. Lines, blanks, comments, no line feed."""

from conformance.cases.qmail import SUBMITTED, Qmail, only
from conformance.catalogue import requirement

KNOWN = "alice@here.example"
LINES = "qmail-control(5); package source, control.c: control_readfile"
LINE = "qmail-control(5); package source, control.c: control_readline"
#: A file as people write it: blanks at ends, empty lines, comments, upper case, and no line feed at the end.
WRITTEN = "# what we take\n\n{} \t\n#{}\n   \n{}"


async def _codes(qmail: Qmail, recipients: list[str], sender: str = "a@b.example") -> list[int]:
    """The codes that recipients get in one transaction."""
    return [reply.code for reply in (await qmail.envelope(sender, recipients))[1:]]


@requirement("base.control.rcpthosts-lines", source=LINES + "; qmail-smtpd(8) rcpthosts")
async def test_rcpthosts_as_written(qmail: Qmail) -> None:
    """rcpthosts with empty lines, comments, blanks at ends, upper case, no final line feed: each counts."""
    qmail.control["rcpthosts"] = WRITTEN.format("First.Example", "comment.example", ".Last.Example")
    hosts = [
        "first.example",
        "a.last.example",
        "last.example",
        "comment.example",
        "#comment.example",
        "elsewhere.example",
    ]
    codes = await _codes(qmail, [f"x@{host}" for host in hosts])
    assert codes == [250, 250, 553, 553, 553, 553], codes


@requirement("base.control.rcpthosts-order", source=LINES + "; qmail-smtpd(8) rcpthosts")
async def test_rcpthosts_in_any_order(qmail: Qmail) -> None:
    """The order of the lines of rcpthosts does not matter, nor that one stands there twice."""
    hosts = ["a.example", ".b.example", "c.example", "a.example"]
    codes = []
    for lines in (hosts, hosts[::-1]):
        qmail.control["rcpthosts"] = "".join(f"{line}\n" for line in lines)
        codes.append(await _codes(qmail, ["x@a.example", "x@x.b.example", "x@c.example", "x@b.example"]))
    assert codes == [[250, 250, 250, 553]] * 2, codes


@requirement("base.control.rcpthosts-missing", source="qmail-smtpd(8) rcpthosts; qmail-control(5)")
async def test_rcpthosts_missing_and_empty(qmail: Qmail) -> None:
    """Without rcpthosts every recipient is taken; with an empty one none that has a domain."""
    del qmail.control["rcpthosts"]
    missing = await _codes(qmail, ["x@elsewhere.example", KNOWN])
    qmail.control["rcpthosts"] = ""
    empty = await _codes(qmail, ["x@elsewhere.example", KNOWN, "postmaster"])
    assert (missing, empty) == ([250, 250], [553, 553, 250]), f"{missing} {empty}"


@requirement("base.control.rcpthosts-comments-only", source=LINES + "; qmail-smtpd(8) rcpthosts")
async def test_rcpthosts_of_comments(qmail: Qmail) -> None:
    """An rcpthosts of comments and blanks alone is one without lines, not one that is missing."""
    qmail.control["rcpthosts"] = "# nothing\n\n \t\n"
    codes = await _codes(qmail, ["x@elsewhere.example", KNOWN])
    assert codes == [553, 553], codes


@requirement("base.control.crlf", source="package source, control.c: striptrailingwhitespace")
async def test_lines_that_end_with_crlf(qmail: Qmail) -> None:
    """A carriage return at the end of a line is part of the line, as ever: such a domain is not taken."""
    qmail.control["rcpthosts"] = "here.example\r\nother.example\n"
    codes = await _codes(qmail, [KNOWN, "x@other.example"])
    assert codes == [553, 250], codes


@requirement("base.control.long-file", source="qmail-smtpd(8) rcpthosts; " + LINES)
async def test_a_long_rcpthosts(qmail: Qmail) -> None:
    """Each of 500 lines counts, wherever it stands, and a line of 300 octets beside them."""
    long = "x" * 290 + ".example"
    lines = [f"h{number}.example" for number in range(499)]
    qmail.control["rcpthosts"] = "\n".join([*lines[:250], long, *lines[250:]]) + "\n"
    hosts = ["h0.example", "h249.example", "h250.example", "h498.example", long, "h499.example"]
    codes = await _codes(qmail, [f"x@{host}" for host in hosts])
    assert codes == [250] * 5 + [553], codes


@requirement("base.control.morercpthosts-lines", source="qmail-newmrh(8); qmail-smtpd(8) morercpthosts")
async def test_morercpthosts_as_written(qmail: Qmail) -> None:
    """morercpthosts, compiled, is read as rcpthosts is: comments, blanks, upper case, wildcards."""
    qmail.control["morercpthosts"] = (
        WRITTEN.format("First.Example", "comment.example", ".Last.Example") + "\n"
    )
    hosts = [
        "first.example",
        "FIRST.Example",
        "A.Last.Example",
        "last.example",
        "comment.example",
        "here.example",
    ]
    codes = await _codes(qmail, [f"x@{host}" for host in hosts])
    assert codes == [250, 250, 250, 553, 553, 250], codes


@requirement("base.control.badmailfrom-lines", source=LINES + "; qmail-smtpd(8) badmailfrom")
async def test_badmailfrom_as_written(qmail: Qmail) -> None:
    """badmailfrom with comments, blanks, upper case, no final line feed: each line counts."""
    qmail.control["badmailfrom"] = WRITTEN.format("Spam@Bad.Example", "ham@bad.example", "@Worse.Example")
    codes = []
    async with qmail.session() as smtp:
        for sender in (
            "spam@bad.example",
            "SPAM@BAD.EXAMPLE",
            "x@worse.example",
            "ham@bad.example",
            "x@bad.example",
            "",
        ):
            codes.append((await smtp.envelope(sender, [KNOWN]))[-1].code)
    assert codes == [553, 553, 553, 250, 250, 250], codes


@requirement("base.control.badmailfrom-empty", source="qmail-smtpd(8) badmailfrom; qmail-control(5)")
async def test_badmailfrom_empty(qmail: Qmail) -> None:
    """An empty badmailfrom, or one of comments alone, refuses nobody; the null sender neither."""
    codes = []
    for content in ("", "\n", "# nobody\n"):
        qmail.control["badmailfrom"] = content
        codes += await _codes(qmail, [KNOWN]) + await _codes(qmail, [KNOWN], "")
    assert codes == [250] * 6, codes


@requirement("base.control.one-line", source=LINE + "; qmail-smtpd(8) smtpgreeting")
async def test_the_first_line_counts(qmail: Qmail) -> None:
    """Of smtpgreeting and me the first line counts alone, without blanks at its end, # and all."""
    qmail.control["smtpgreeting"] = "first.here.example # words \t \nsecond.here.example\n"
    async with await qmail.connect() as smtp:
        assert smtp.greeting.text == "first.here.example # words ESMTP", smtp.greeting
    del qmail.control["smtpgreeting"]
    qmail.control["me"] = "other.here.example"
    async with await qmail.connect() as smtp:
        assert smtp.greeting.text == "other.here.example ESMTP", smtp.greeting


@requirement("base.control.greeting-empty", source=LINE + "; package source, control.c: control_rldef")
async def test_an_empty_greeting(qmail: Qmail) -> None:
    """An empty smtpgreeting is an empty greeting, as ever, and not one that is missing."""
    qmail.control["smtpgreeting"] = ""
    async with await qmail.connect() as smtp:
        assert (smtp.greeting.code, smtp.greeting.text) == (220, " ESMTP"), smtp.greeting


@requirement(
    "base.control.nothing",
    needs=("0001",),
    source="qmail-smtpd(8) smtpgreeting; package source, qmail-smtpd.c: die_control",
)
async def test_without_me(qmail: Qmail) -> None:
    """Without me and smtpgreeting there is no session: 421, the end, and a line of the log."""
    del qmail.control["me"]
    async with await qmail.connect() as smtp:
        assert smtp.greeting.code == 421, smtp.greeting
        assert await smtp.closed(), "the connection stays open"
    session = only(await qmail.session_ends(), "sessions")
    assert session.status == 1, session
    texts = [line.text for line in await qmail.smtpd_log()]
    assert texts == ["Unable to read controls: quitting"], texts


@requirement("base.control.localiphost-lines", source=LINE + "; qmail-smtpd(8) localiphost")
async def test_localiphost_as_written(qmail: Qmail) -> None:
    """localiphost: the first line counts, without blanks at its end."""
    qmail.control["localiphost"] = "here.example \t\nmx.here.example\n"
    await qmail.submit("a@b.example", ["alice@[127.0.0.1]"])
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement("base.control.localiphost-without-line-end", source=LINE + "; qmail-smtpd(8) localiphost")
async def test_localiphost_without_a_line_end(qmail: Qmail) -> None:
    """localiphost counts where no line end follows, but blanks."""
    qmail.control["localiphost"] = "here.example \t"
    await qmail.submit("a@b.example", ["alice@[127.0.0.1]"])
    assert await qmail.queued_recipients() == [[KNOWN]]


@requirement(
    "base.control.numbers", source="package source, control.c: control_readint; qmail-smtpd(8) databytes"
)
async def test_numbers_as_written(qmail: Qmail) -> None:
    """databytes: the digits at the start of the first line count; none, or an empty file, is the default."""
    codes = []
    for content in ("20", "20 octets\n5\n", "twenty\n", "", " 20\n", "0\n"):
        qmail.control["databytes"] = content
        codes.append((await qmail.envelope("a@b.example", [KNOWN], SUBMITTED))[-1].code)
    assert codes == [552, 552, 250, 250, 250, 250], codes


@requirement("base.control.databytes-each", source="qmail-smtpd(8) databytes")
async def test_databytes_for_each_message(qmail: Qmail) -> None:
    """databytes holds for each message of a session anew: what came before counts neither way."""
    qmail.control["databytes"] = "30\n"
    small, large = b"Subject: x\r\n\r\n", b"Subject: x\r\n\r\n" + b"x" * 40 + b"\r\n"
    async with qmail.session() as smtp:
        codes = [
            (await smtp.envelope("a@b.example", [KNOWN], each))[-1].code
            for each in (small, large, small, small, large)
        ]
    assert codes == [250, 552, 250, 250, 552], codes


@requirement(
    "base.control.databytes-variable",
    source="qmail-smtpd(8) databytes: DATABYTES overrides it",
)
async def test_databytes_variable(qmail: Qmail) -> None:
    """DATABYTES overrides the file either way: 0 lifts the limit, and a number below it lowers it."""
    codes = []
    for control, variable in (("20\n", "0"), ("0\n", "20"), ("1000\n", "20"), ("20\n", "1000")):
        qmail.control["databytes"] = control
        qmail.environment["DATABYTES"] = variable
        codes.append((await qmail.envelope("a@b.example", [KNOWN], SUBMITTED))[-1].code)
    assert codes == [250, 552, 552, 250], codes


@requirement("base.control.read-once", source="package source, qmail-smtpd.c: setup")
async def test_each_session_reads_anew(qmail: Qmail) -> None:
    """A control file that has changed counts from the next session on."""
    first = await _codes(qmail, ["x@new.example"])
    qmail.control["rcpthosts"] = "new.example\n"
    second = await _codes(qmail, ["x@new.example"])
    assert (first, second) == ([553], [250]), f"{first} {second}"


@requirement("base.control.percenthack", source="qmail-send(8) percenthack")
async def test_percenthack(qmail: Qmail) -> None:
    """What is sent on to user%domain arrives at user@domain where percenthack lists the host, else not."""
    qmail.delivering = True
    qmail.control |= {
        "percenthack": "# ours\nHack.example\n",
        "locals": "here.example\nmx.here.example\nhack.example\nno.example\n",
    }
    qmail.dot_qmail["alice/.qmail-one"] = "&bob%here.example@hack.example\n"
    qmail.dot_qmail["alice/.qmail-two"] = "&alice%here.example@no.example\n"
    seen = await qmail.deliver("", ["alice-one@here.example", "alice-two@here.example"])
    boxes = {box: len(messages) for box, messages in seen.mailboxes.items() if messages}
    assert boxes.get("bob") == 1, f"{boxes}"
    assert "alice" not in boxes, f"{boxes}"


@requirement("0007.rcpt.percenthack", source="patch:0007 smtpd-relay-reject", level="should")
async def test_percenthack_is_screened(qmail: Qmail) -> None:
    """A recipient with % is refused with 553 also where control/percenthack lists its domain."""
    qmail.control["percenthack"] = "here.example\n"
    reply = await qmail.recipient("alice%here.example@here.example")
    assert reply.code == 553, reply
