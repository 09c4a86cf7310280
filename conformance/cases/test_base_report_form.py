"""Base qmail: what qmail-remote prints, octet for octet: reports, each ended by a 0 byte, and no more."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
RECIPIENT = "b@plain.example"
RESULTS = "qmail-remote(8) RESULTS"
WORDS = "package source, qmail-remote.c: "


def _prints(delivery: DeliveryReport, wanted: str) -> None:
    """All that was printed, to standard output or standard error, and the exit status."""
    assert delivery.raw == wanted, f"printed {delivery.raw!r}"
    assert delivery.status == 0, f"exit status {delivery.status}"


async def _form(internet: Internet, qmail: Qmail, wanted: str, count: int = 1, **steps: Any) -> None:
    """A delivery to plain.example, whose one exchanger answers as told, and what is printed."""
    internet.load("plain.example")
    internet.exchanger(steps=steps)
    qmail.control["timeoutremote"] = "1\n"
    recipients = [f"{name}@plain.example" for name in "bcdef"[:count]]
    _prints(await qmail.remote("plain.example", SENDER, recipients), wanted)


@requirement("base.form.delivered", source=RESULTS + "; " + WORDS + "smtp")
async def test_delivered(internet: Internet, qmail: Qmail) -> None:
    """A delivery prints r, and K with the host's address and its words."""
    wanted = "r\0K127.0.0.2 accepted message.\nRemote host said: 250 queued as 7\n\0"
    await _form(internet, qmail, wanted, message="250 queued as 7")


@requirement("base.form.several-recipients", source=RESULTS + "; " + WORDS + "smtp")
async def test_several_recipients(internet: Internet, qmail: Qmail) -> None:
    """Each recipient has a report in its place, a refused one with the host's words; the message has one."""
    does_not = "127.0.0.2 does not like recipient.\nRemote host said: "
    reports = ["r", f"h{does_not}550 unknown\n", f"s{does_not}450 later\n", "r"]
    wanted = "\0".join([*reports, "K127.0.0.2 accepted message.\nRemote host said: 250 ok\n", ""])
    await _form(internet, qmail, wanted, 4, RCPT=["250 ok", "550 unknown", "450 later", "250 ok"])


@requirement("base.form.no-recipient", source=RESULTS + "; " + WORDS + "smtp")
async def test_no_recipient(internet: Internet, qmail: Qmail) -> None:
    """When all are refused the host's words stand once, with the recipient; the message has one report."""
    wanted = (
        "h127.0.0.2 does not like recipient.\nRemote host said: 550 unknown\n\0DGiving up on 127.0.0.2.\n\0"
    )
    await _form(internet, qmail, wanted, RCPT="550 unknown")


@requirement("base.form.greeting", source=RESULTS + "; " + WORDS + "smtp")
async def test_greeting(internet: Internet, qmail: Qmail) -> None:
    """A refused greeting prints one report, with the host's address and its words."""
    wanted = "ZConnected to 127.0.0.2 but greeting failed.\nRemote host said: 421 busy\n\0"
    await _form(internet, qmail, wanted, connect="421 busy")


@requirement("base.form.hello", source=RESULTS + "; " + WORDS + "smtp")
async def test_hello(internet: Internet, qmail: Qmail) -> None:
    """A refused hello prints one report, with the host's address and its words."""
    wanted = "ZConnected to 127.0.0.2 but my name was rejected.\nRemote host said: 450 no\n\0"
    await _form(internet, qmail, wanted, EHLO="450 no", HELO="450 no")


@requirement("base.form.sender", source=RESULTS + "; " + WORDS + "smtp")
async def test_sender(internet: Internet, qmail: Qmail) -> None:
    """A refused sender prints one report, with the host's address and words, and none for recipients."""
    wanted = "DConnected to 127.0.0.2 but sender was rejected.\nRemote host said: 550 no\n\0"
    await _form(internet, qmail, wanted, 3, MAIL="550 no")


@requirement("base.form.data", source=RESULTS + "; " + WORDS + "smtp")
async def test_data(internet: Internet, qmail: Qmail) -> None:
    """Refused data print r, and one report with the host's address and its words."""
    wanted = "r\0D127.0.0.2 failed on DATA command.\nRemote host said: 554 no\n\0"
    await _form(internet, qmail, wanted, DATA="554 no")


@requirement("base.form.message", source=RESULTS + "; " + WORDS + "smtp")
async def test_message(internet: Internet, qmail: Qmail) -> None:
    """A refused message prints r, and one report with the host's address and its words."""
    wanted = "r\0D127.0.0.2 failed after I sent the message.\nRemote host said: 554 no\n\0"
    await _form(internet, qmail, wanted, message="554 no")


@requirement("base.form.dropped", source=RESULTS + "; " + WORDS + "dropped")
async def test_dropped(internet: Internet, qmail: Qmail) -> None:
    """A connection lost before the message prints one report, of what was said before no word."""
    await _form(internet, qmail, "ZConnected to 127.0.0.2 but connection died. (#4.4.2)\n\0", MAIL="close")


@requirement("base.form.dropped-after", source=RESULTS + "; " + WORDS + "dropped")
async def test_dropped_after_the_message(internet: Internet, qmail: Qmail) -> None:
    """A connection lost after the message prints r, and a report that warns of a duplicate."""
    wanted = "r\0ZConnected to 127.0.0.2 but connection died. Possible duplicate! (#4.4.2)\n\0"
    await _form(internet, qmail, wanted, message="reset")


@requirement("base.form.lines-of-a-reply", source=RESULTS + "; " + WORDS + "outsmtptext")
async def test_lines_of_a_reply(internet: Internet, qmail: Qmail) -> None:
    """A reply of several lines is told with all of them, ended by LF, without their carriage returns."""
    wanted = "DConnected to 127.0.0.2 but sender was rejected.\nRemote host said: 550-one\n550-\n550 two\n\0"
    await _form(internet, qmail, wanted, MAIL="550-one\r\n550-\r\n550 two")


@requirement("base.form.reply-with-nul", source=RESULTS + "; " + WORDS + "outsmtptext")
async def test_reply_with_nul(internet: Internet, qmail: Qmail) -> None:
    """A NUL in a reply is told as a question mark, so that it ends no report."""
    wanted = "DConnected to 127.0.0.2 but sender was rejected.\nRemote host said: 550 no?Kyes?r?\n\0"
    await _form(internet, qmail, wanted, MAIL="550 no\0Kyes\0r\0")


@requirement("base.form.no-connection", source=RESULTS + "; " + WORDS + "temp_noconn")
async def test_no_connection(internet: Internet, qmail: Qmail) -> None:
    """Hosts that take no connection print one report, and none for the recipient."""
    internet.load("plain.example")
    internet.refuse_smtp()
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT])
    _prints(delivery, "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n\0")


@requirement("base.form.unknown-host", source=RESULTS + "; " + WORDS + "outsafe")
async def test_unknown_host(internet: Internet, qmail: Qmail) -> None:
    """The report on a host that does not exist names it, with ? for what a terminal could obey."""
    internet.load("plain.example")
    delivery = await qmail.remote("no\x1bwhere.plain.example", SENDER, ["b@plain.example"])
    _prints(delivery, "DSorry, I couldn't find any host named no?where.plain.example. (#5.1.2)\n\0")


@requirement("base.form.no-exchanger", source=RESULTS + "; " + WORDS + "perm_nomx")
async def test_no_exchanger(internet: Internet, qmail: Qmail) -> None:
    """A domain whose exchangers do not exist prints one report, and none for the recipient."""
    internet.zone("lone.example", "@ MX 10 gone")
    delivery = await qmail.remote("lone.example", SENDER, ["b@lone.example"])
    _prints(delivery, "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n\0")


@requirement("base.form.dns-trouble", source=RESULTS + "; " + WORDS + "temp_dns")
async def test_dns_trouble(internet: Internet, qmail: Qmail) -> None:
    """A domain that cannot be looked up now prints one report, and none for the recipient."""
    internet.load("plain.example")
    internet.fault("plain.example", "rcode", type="MX", rcode="SERVFAIL")
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT])
    _prints(delivery, "ZSorry, I couldn't find any host by that name. (#4.1.2)\n\0")


@requirement("base.form.own-host", source=RESULTS + "; " + WORDS + "perm_ambigmx")
async def test_own_host(internet: Internet, qmail: Qmail) -> None:
    """A domain whose best exchanger is this host prints one report that names control/locals."""
    internet.zone("mine.example", "@ MX 10 mx\nmx A 127.0.0.1")
    delivery = await qmail.remote("mine.example", SENDER, ["b@mine.example"])
    listed = "DSorry. Although I'm listed as a best-preference MX or A for that host,\n"
    _prints(
        delivery, f"{listed}it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n\0"
    )


@requirement("base.form.partial-line", source=RESULTS + "; " + WORDS + "perm_partialline")
async def test_partial_line(internet: Internet, qmail: Qmail) -> None:
    """A message without a final line end prints r, and one report."""
    internet.load("plain.example")
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT], b"Subject: x\n\nno end")
    _prints(delivery, "r\0DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n\0")


@requirement("base.form.too-few-arguments", source="qmail-remote(8) SYNOPSIS; " + WORDS + "perm_usage")
async def test_too_few_arguments(internet: Internet, qmail: Qmail) -> None:
    """Without a recipient one report says that the program was called wrongly."""
    internet.load("plain.example")
    delivery = await qmail.remote("plain.example", SENDER, [])
    _prints(delivery, "DI (qmail-remote) was invoked improperly. (#5.3.5)\n\0")


@requirement(
    "base.form.no-name", source="qmail-remote(8) helohost: refuses to run; " + WORDS + "temp_control"
)
async def test_without_a_name(internet: Internet, qmail: Qmail) -> None:
    """Without helohost and me qmail-remote refuses to run, for now, and asks and tells nobody anything."""
    internet.load("plain.example")
    del qmail.control["me"]
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT])
    _prints(delivery, "ZUnable to read control files. (#4.3.0)\n\0")
    assert internet.questions() == []
    assert internet.mx_sessions() == []
