"""Base qmail: what stands in the queue and in a Maildir, whose it is, and what is left when all is over."""

import re

from conformance.cases.internet import Internet
from conformance.cases.qmail import SUBMITTED, Qmail, mail_of, only
from conformance.catalogue import requirement
from conformance.pod.observation import FileSeen, Observation
from conformance.pod.sendlog import LoggedDelivery, SendLog, read_send_log

INTERNALS = "package source, INTERNALS"
SENDER = "a@b.example"
LOCAL = "alice@here.example"


def _queued(seen: Observation) -> dict[str, FileSeen]:
    """The files of the queue by kind; one message may be there."""
    files = [file for file in seen.files if file.path.startswith("queue/")]
    kinds = [file.path.split("/")[1] for file in files]
    assert len(set(kinds)) == len(kinds), f"more than one file of a kind: {kinds}"
    return dict(zip(kinds, files, strict=True))


def _file(files: dict[str, FileSeen], kind: str) -> FileSeen:
    assert kind in files, f"there is no file in {kind}, but in {sorted(files)}"
    return files[kind]


def _first(log: SendLog) -> LoggedDelivery:
    return only(log.deliveries[:1], "deliveries")


def _rights(files: dict[str, FileSeen]) -> dict[str, tuple[str, str]]:
    return {kind: (file.mode, file.user) for kind, file in files.items()}


async def _nothing_left(qmail: Qmail) -> None:
    """No file of a message stands in the queue, once no qmail-queue is at work."""
    seen = await qmail.delivered()
    assert not _queued(seen), f"left in the queue: {sorted(_queued(seen))}"


@requirement("base.queue.accepted-files", source=f"qmail-queue(8); {INTERNALS}: mess")
async def test_files_of_an_accepted_message(qmail: Qmail) -> None:
    """A message that was accepted stands in mess, intd and todo, all qmailq's, written by nobody else."""
    await qmail.submit(SENDER, [LOCAL])
    files = _rights(_queued(await qmail.observe()))
    assert files == {kind: ("0644", "qmailq") for kind in ("intd", "mess", "todo")}, f"{files}"


@requirement("base.queue.envelope", source=f"qmail-queue(8); {INTERNALS}: todo")
async def test_envelope_of_an_accepted_message(qmail: Qmail) -> None:
    """todo holds who handed the message in, the qp number of the reply, the sender and each recipient."""
    async with qmail.session() as smtp:
        said = (await smtp.envelope(SENDER, [LOCAL, "bob@here.example"], SUBMITTED))[-1]
    number = re.search(r"qp (\d+)", said.text)
    assert number, said
    files = _queued(await qmail.observe())
    user, *envelope = _file(files, "todo").octets.split("\0")
    assert re.fullmatch(r"u[1-9]\d*", user), f"handed in by {user}"
    assert envelope == [f"p{number[1]}", f"F{SENDER}", f"T{LOCAL}", "Tbob@here.example", ""], f"{envelope}"
    assert _file(files, "intd").octets == _file(files, "todo").octets


@requirement("base.queue.kept-files", source=f"qmail-send(8); {INTERNALS}: info")
async def test_files_of_a_deferred_message(internet: Internet, qmail: Qmail) -> None:
    """A message that waits stands in mess, info and its channel; what qmail-send wrote only it can read."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "450 later"})
    files = _queued(await qmail.deliver(SENDER, ["b@plain.example"]))
    wanted = {"info": ("0600", "qmails"), "mess": ("0644", "qmailq"), "remote": ("0600", "qmails")}
    assert _rights(files) == wanted, f"{_rights(files)}"
    assert _file(files, "info").octets == f"F{SENDER}\0"
    assert _file(files, "remote").octets == "Tb@plain.example\0"


@requirement("base.queue.accepted-groups", source="package source, qmail-queue.c: main")
async def test_groups_of_an_accepted_message(qmail: Qmail) -> None:
    """qmail-queue is nobody's by group: what it writes is in the group of qmail-smtpd, which ran it."""
    await qmail.submit(SENDER, [LOCAL])
    groups = {kind: file.group for kind, file in _queued(await qmail.observe()).items()}
    assert groups == dict.fromkeys(("intd", "mess", "todo"), "nofiles"), f"{groups}"


@requirement("base.queue.kept-groups", source="package source, qmail-start.c: main")
async def test_groups_of_a_deferred_message(internet: Internet, qmail: Qmail) -> None:
    """What qmail-send writes of a message that waits is in its own group, qmail."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "450 later"})
    files = _queued(await qmail.deliver(SENDER, ["b@plain.example"]))
    groups = {kind: file.group for kind, file in files.items()}
    assert groups == {"info": "qmail", "mess": "nofiles", "remote": "qmail"}, f"{groups}"


@requirement("base.queue.marks", source=f"{INTERNALS}: remote; qmail-send(8)")
async def test_recipients_that_are_done_are_marked(internet: Internet, qmail: Qmail) -> None:
    """Of a message for three, one put off, the two that were reached are marked done and only they."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT <b@plain.example>": "450 later"})
    seen = await qmail.deliver(SENDER, ["a@plain.example", "b@plain.example", LOCAL])
    files = _queued(seen)
    assert _file(files, "remote").octets == "Da@plain.example\0Tb@plain.example\0", _file(
        files, "remote"
    ).octets
    assert "local" not in files
    assert len(seen.mailboxes.get("alice", [])) == 1


@requirement("base.queue.bounce-waits", source=f"qmail-send(8); {INTERNALS}: bounce")
async def test_bounce_waits_for_the_last_recipient(internet: Internet, qmail: Qmail) -> None:
    """A failure is kept in bounce, qmails' own, until no recipient waits; nobody is told before."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT <b@plain.example>": "450 later", "RCPT": "550 we do not want you"})
    seen = await qmail.deliver(LOCAL, ["a@plain.example", "b@plain.example"])
    bounce = _file(_queued(seen), "bounce")
    assert (bounce.mode, bounce.user) == ("0600", "qmails"), f"{bounce}"
    assert bounce.octets.startswith("<a@plain.example>:\n"), bounce.octets
    assert "we do not want you" in bounce.octets
    assert seen.mailboxes == {}


@requirement("base.queue.empty-afterwards", source=f"qmail-send(8); {INTERNALS}: end")
async def test_nothing_is_left_of_a_delivered_message(qmail: Qmail) -> None:
    """Of a message that was delivered, and of another's bounce, nothing is left in the queue."""
    qmail.delivering = True
    await qmail.submit(SENDER, [LOCAL])
    await qmail.submit(LOCAL, ["nobody-at-all@here.example"])
    await _nothing_left(qmail)


@requirement("base.queue.refused-size", source="qmail-queue(8): aborts without placing it into the queue")
async def test_nothing_is_left_of_a_message_that_is_too_large(qmail: Qmail) -> None:
    """Of a message refused for its size nothing is left in the queue."""
    qmail.control["databytes"] = "10\n"
    replies = await qmail.envelope(SENDER, [LOCAL], b"Subject: larger than ten\r\n")
    assert replies[-1].code == 552, replies[-1]
    await _nothing_left(qmail)


@requirement("base.queue.refused-hops", source="qmail-queue(8): aborts without placing it into the queue")
async def test_nothing_is_left_of_a_message_that_loops(qmail: Qmail) -> None:
    """Of a message refused for its hops nothing is left in the queue."""
    replies = await qmail.envelope(SENDER, [LOCAL], b"Received: x\r\n" * 100 + b"\r\nhello\r\n")
    assert replies[-1].code == 554, replies[-1]
    await _nothing_left(qmail)


@requirement(
    "base.queue.refused-line-feed", source="qmail-queue(8): aborts without placing it into the queue"
)
async def test_nothing_is_left_of_a_message_with_a_bare_line_feed(qmail: Qmail) -> None:
    """Of a message refused for a bare line feed nothing is left in the queue."""
    replies = await qmail.envelope(SENDER, [LOCAL], b"Subject: hello\n\r\nhello\r\n")
    assert replies[-1].code == 451, replies[-1]
    await _nothing_left(qmail)


@requirement("base.queue.lost-client", source="qmail-queue(8): aborts without placing it into the queue")
async def test_nothing_is_left_of_a_message_whose_client_goes_away(qmail: Qmail) -> None:
    """Of a message whose client goes away within DATA nothing is left in the queue."""
    async with qmail.session() as smtp:
        await smtp.envelope(SENDER, [LOCAL])
        assert (await smtp.command("DATA")).code == 354
        await smtp.send(b"Subject: hello\r\n\r\nhello\r\n")
        await smtp.half_close()
        assert await smtp.closed(), "the connection stays open"
    await _nothing_left(qmail)


@requirement("base.maildir.file", source="maildir(5) HOW A MESSAGE IS DELIVERED; qmail-local(8)")
async def test_file_in_the_maildir(qmail: Qmail) -> None:
    """A message in a Maildir is the user's own file TIME.PID.HOST in new, for him alone; tmp is empty."""
    qmail.delivering = True
    seen = await qmail.deliver(SENDER, [LOCAL])
    file = only([file for file in seen.files if file.path.startswith("homes/")], "files")
    assert re.fullmatch(r"homes/alice/Maildir/new/\d{10}\.\d+\.mx\.here\.example", file.path), file.path
    assert (file.mode, file.user) == ("0600", "alice"), f"{file.mode} {file.user}"


@requirement("base.maildir.group", source="qmail-lspawn(8); package source, qmail-lspawn.c: spawn")
async def test_group_of_a_file_in_the_maildir(qmail: Qmail) -> None:
    """A message in a Maildir is in its user's own group, and in none of qmail's."""
    qmail.delivering = True
    seen = await qmail.deliver(SENDER, [LOCAL])
    file = only([file for file in seen.files if file.path.startswith("homes/")], "files")
    assert file.group == "2000", file.group


@requirement("base.maildir.octets", source="maildir(5) THE MAILDIR STRUCTURE")
async def test_octets_in_the_maildir(qmail: Qmail) -> None:
    """Octets above 127, NUL, a line of 5,000, dots and From lines stand in the Maildir as they came."""
    qmail.delivering = True
    body = bytes(range(128, 256)) + b"\0\r\n" + b"x" * 5_000 + b"\r\n..\r\nFrom a\r\n>From b\r\n\r\n\r\n"
    seen = await qmail.deliver(SENDER, [LOCAL], b"Subject: hello\r\n\r\n" + body)
    message = mail_of(seen, "alice")
    stored = body.replace(b"\r\n", b"\n").decode("latin-1")
    assert message.endswith("\nSubject: hello\n\n" + stored), f"{message[-200:]!r}"


@requirement(
    "base.maildir.header", source="maildir(5); qmail-local(8); qmail-queue(8): always adds a Received"
)
async def test_lines_above_a_message_in_the_maildir(qmail: Qmail) -> None:
    """Return-Path, Delivered-To, qmail-queue's Received, qmail-smtpd's, in this order, once each."""
    qmail.delivering = True
    seen = await qmail.deliver(SENDER, [LOCAL])
    message = mail_of(seen, "alice")
    names = [line.partition(":")[0] for line in message.split("\n\n")[0].split("\n") if line[:1] != " "]
    assert names == ["Return-Path", "Delivered-To", "Received", "Received", "Subject"], f"{names}"
    assert re.search(r"\nReceived: \(qmail \d+ invoked from network\); \d", message), message


@requirement("base.maildir.quoted-path", source="qmail-local(8): Return-Path; addresses(5)")
async def test_quoted_sender_in_the_maildir(qmail: Qmail) -> None:
    """A sender whose local part needs quotes has them in Return-Path."""
    qmail.delivering = True
    message = mail_of(await qmail.deliver('"a b"@b.example', [LOCAL]), "alice")
    assert message.startswith('Return-Path: <"a b"@b.example>\n'), message


# The log of qmail-send


@requirement("base.send-log.message", source="qmail-log(5) MESSAGES, DELIVERIES")
async def test_log_of_a_message(qmail: Qmail) -> None:
    """The log tells a message's size, sender, qp number and each delivery with its recipient and end."""
    qmail.delivering = True
    async with qmail.session() as smtp:
        said = (await smtp.envelope("carol@here.example", [LOCAL, "nobody-at-all@here.example"], SUBMITTED))[
            -1
        ]
    seen = await qmail.delivered()
    first = only(read_send_log(seen.log).messages[:1], "logged messages")
    assert f"qp {first.qp}" in said.text, f"{first.qp}: {said}"
    stored = mail_of(seen, "alice").split("\n", 2)[2]
    assert (first.octets, first.sender) == (len(stored), "carol@here.example"), f"{first}"
    assert first.results() == [(LOCAL, "success"), ("nobody-at-all@here.example", "failure")], f"{first}"
    assert first.ended
    assert [each.number for each in first.deliveries] == [1, 2]


@requirement("base.send-log.order", source="qmail-log(5)")
async def test_log_is_whole(internet: Internet, qmail: Qmail) -> None:
    """Every delivery has a start and an end, every count of deliveries under way is right, nothing warns."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT <b@plain.example>": "450 later"})
    await qmail.submit(SENDER, [LOCAL, "bob@here.example", "a@plain.example", "b@plain.example"])
    seen = await qmail.deliver(LOCAL, ["nobody-at-all@here.example"])
    log = read_send_log(seen.log)
    assert (log.disorder, log.trouble) == ([], []), f"{log.disorder} {log.trouble}"
    assert len(log.deliveries) == 6, f"{log.deliveries}"
    assert all(each.result for each in log.deliveries), f"{log.deliveries}"
    assert log.statuses[:1] == [(0, 10, 0, 20)], f"{log.statuses}"


@requirement("base.send-log.uid", source="qmail-log(5) MESSAGES: queued by a user with user ID")
async def test_log_tells_who_queued(qmail: Qmail) -> None:
    """Mail from the network, a forwarded message and a bounce are told with the user ids of three users."""
    qmail.delivering = True
    qmail.dot_qmail["bob/.qmail-on"] = "&nobody-at-all@here.example\n"
    seen = await qmail.deliver(LOCAL, ["bob-on@here.example"])
    uids = [message.uid for message in read_send_log(seen.log).messages]
    assert len(uids) == len(set(uids)) == 3, f"{uids}"
    assert 0 not in uids


@requirement("base.send-log.deferral", source="qmail-log(5) DELIVERIES: deferral")
async def test_log_of_a_deferral(internet: Internet, qmail: Qmail) -> None:
    """A delivery that was put off is told as deferral, with the host's words, and the message has no end."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "450 come back later"})
    seen = await qmail.deliver(SENDER, ["b@plain.example"])
    message = only(read_send_log(seen.log).messages, "logged messages")
    assert message.results() == [("b@plain.example", "deferral")], f"{message}"
    assert "450_come_back_later" in only(message.deliveries, "deliveries").text, only(
        message.deliveries, "deliveries"
    ).text
    assert not message.ended


@requirement("base.send-log.bounce", source="qmail-log(5) MESSAGES: bounce msg m qp q")
async def test_log_of_a_bounce(qmail: Qmail) -> None:
    """The log names the qp number of the bounce, which then comes as a message from the null sender."""
    qmail.delivering = True
    seen = await qmail.deliver(LOCAL, ["nobody-at-all@here.example"])
    messages = read_send_log(seen.log).messages
    assert len(messages) == 2, f"{messages}"
    failed, bounce = messages
    assert failed.bounce_qp == bounce.qp, f"{failed} {bounce}"
    assert (bounce.sender, bounce.results()) == ("", [(LOCAL, "success")]), f"{bounce}"


@requirement("base.send-log.not-forged", source="qmail-log(5): each possible line is described")
async def test_log_is_not_forged_by_a_host(internet: Internet, qmail: Qmail) -> None:
    """What a host says in several lines stands in one line of the log, and makes none of its own."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": "550-no\r\n550-\x1b[2J\r\n550 end msg 1"})
    seen = await qmail.deliver(LOCAL, ["b@plain.example"])
    log = read_send_log(seen.log)
    assert log.disorder == [], f"{log.disorder}"
    assert "550-no/550-_[2J/550_end_msg_1" in _first(log).text, _first(log).text


@requirement("base.send-log.concurrency", source="qmail-log(5) STATUS; qmail-send(8) concurrencylocal")
async def test_log_tells_the_limits(qmail: Qmail) -> None:
    """The limits of concurrencylocal and concurrencyremote stand in each status line and are kept."""
    qmail.delivering = True
    qmail.control["concurrencylocal"] = "1\n"
    qmail.control["concurrencyremote"] = "7\n"
    seen = await qmail.deliver(SENDER, [LOCAL, "bob@here.example", "carol@here.example"])
    statuses = read_send_log(seen.log).statuses
    assert {(most_local, most_remote) for _, most_local, _, most_remote in statuses} == {(1, 7)}
    assert max(local for local, _, _, _ in statuses) == 1, f"{statuses}"
