"""Base qmail: the control files of qmail-send, line by line: which line counts, in which form."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail, mail_of
from conformance.catalogue import requirement
from conformance.pod.observation import Observation
from conformance.pod.sendlog import read_send_log

FORM = "qmail-control(5): Trailing spaces and tabs"
LINE = FORM + "; package source, control.c: control_readline"
LINES = "qmail-control(5): Comments are allowed; package source, control.c: control_readfile"
NUMBER = "package source, control.c: control_readint"
ALICE = "alice@here.example"
NOBODY = "nobody-at-all@here.example"


def _local(seen: Observation) -> list[str]:
    """The addresses that were delivered to on this host, in order of their names."""
    log = read_send_log(seen.log)
    return sorted(each.recipient for each in log.deliveries if each.channel == "local")


async def _percent_hacked(qmail: Qmail, percenthack: str) -> list[str]:
    """Whom mail arrives for that is sent on to bob-NAME%here.example at one, two, three and four.example."""
    qmail.delivering = True
    names = ["one", "two", "three", "four"]
    qmail.control["percenthack"] = percenthack
    qmail.control["locals"] = "".join(f"{host}.example\n" for host in ["here", *names])
    qmail.dot_qmail["bob/.qmail-default"] = "./Maildir/\n"
    qmail.dot_qmail["alice/.qmail-on"] = "".join(
        f"&bob-{name}%here.example@{name}.example\n" for name in names
    )
    seen = await qmail.deliver("a@b.example", ["alice-on@here.example"])
    second = [message.split("\n")[1] for message in seen.mailboxes.get("bob", [])]
    return sorted(line.removeprefix("Delivered-To: ") for line in second)


@requirement("base.control.percenthack-lines", source="qmail-send(8) percenthack; " + LINES)
async def test_lines_of_percenthack(qmail: Qmail) -> None:
    """Each line of percenthack counts, but comments: the first, one after a blank one, one without end."""
    found = await _percent_hacked(qmail, "one.example\n#two.example\n\nTHREE.example \t\nfour.example")
    assert found == [
        "bob-four@here.example",
        "bob-one@here.example",
        "bob-three@here.example",
        "bob-two%here.example@two.example",
    ], found


@requirement("base.control.percenthack-order", source="qmail-send(8) percenthack; " + LINES)
async def test_order_of_percenthack(qmail: Qmail) -> None:
    """The order of the lines of percenthack does not matter, nor that one stands there twice."""
    found = await _percent_hacked(qmail, "four.example\none.example\nfour.example\n")
    assert found == [
        "bob-four@here.example",
        "bob-one@here.example",
        "bob-three%here.example@three.example",
        "bob-two%here.example@two.example",
    ], found


async def _without_host(qmail: Qmail, envnoathost: str) -> list[str]:
    qmail.delivering = True
    qmail.control["envnoathost"] = envnoathost
    return _local(await qmail.deliver("a@b.example", ["alice"]))


@requirement("base.envnoathost.first-line", source="qmail-send(8) envnoathost; " + LINE)
async def test_first_line_of_envnoathost(qmail: Qmail) -> None:
    """Of envnoathost the first line counts, without what is blank at its end."""
    found = await _without_host(qmail, "here.example \t\nmx.here.example\n")
    assert found == [ALICE], found


@requirement("base.envnoathost.without-line-end", source="qmail-send(8) envnoathost; " + LINE)
async def test_envnoathost_without_a_line_end(qmail: Qmail) -> None:
    """The name in envnoathost counts where no line end follows it."""
    found = await _without_host(qmail, "here.example")
    assert found == [ALICE], found


async def _bounce_is_from(qmail: Qmail, bouncefrom: str, bouncehost: str) -> None:
    """A bounce is from mail.system at bounces.example with these files."""
    qmail.delivering = True
    qmail.control |= {"bouncefrom": bouncefrom, "bouncehost": bouncehost}
    bounce = mail_of(await qmail.deliver(ALICE, [NOBODY]), "alice")
    assert "\nFrom: mail.system@bounces.example\n" in bounce, bounce
    assert "\nHi. This is the qmail-send program at bounces.example.\n" in bounce, bounce


@requirement("base.bounce.first-lines", source="qmail-send(8) bouncefrom, bouncehost; " + LINE)
async def test_first_lines_of_whom_a_bounce_is_from(qmail: Qmail) -> None:
    """Of bouncefrom and bouncehost the first line counts, without what is blank at its end."""
    await _bounce_is_from(qmail, "mail.system \nsomebody\n", "bounces.example\t\nother.example\n")


@requirement("base.bounce.without-line-end", source="qmail-send(8) bouncefrom, bouncehost; " + LINE)
async def test_whom_a_bounce_is_from_without_a_line_end(qmail: Qmail) -> None:
    """bouncefrom and bouncehost count where no line end follows."""
    await _bounce_is_from(qmail, "mail.system", "bounces.example")


async def _double_bounce(qmail: Qmail, doublebounceto: str, doublebouncehost: str) -> None:
    """A double bounce goes to carol at here.example with these files."""
    qmail.delivering = True
    qmail.control |= {"doublebounceto": doublebounceto, "doublebouncehost": doublebouncehost}
    notice = mail_of(await qmail.deliver("", [NOBODY]), "carol")
    assert "\nTo: carol@here.example\n" in notice, notice


DOUBLE = "qmail-send(8) doublebounceto, doublebouncehost; "


@requirement("base.bounce.double-first-lines", source=DOUBLE + LINE)
async def test_first_lines_of_where_a_double_bounce_goes(qmail: Qmail) -> None:
    """Of doublebounceto and doublebouncehost the first line counts, without what is blank at its end."""
    await _double_bounce(qmail, "carol\t \nbob\n", "here.example \nmx.here.example\n")


@requirement("base.bounce.double-without-line-end", source=DOUBLE + LINE)
async def test_where_a_double_bounce_goes_without_a_line_end(qmail: Qmail) -> None:
    """doublebounceto and doublebouncehost count where no line end follows."""
    await _double_bounce(qmail, "carol", "here.example")


@requirement(
    "base.send-log.concurrency-lines",
    source="qmail-send(8) concurrencylocal, concurrencyremote; " + NUMBER,
)
async def test_lines_of_the_limits_of_deliveries(qmail: Qmail) -> None:
    """Of concurrencylocal and concurrencyremote the number at the start of the first line counts."""
    qmail.delivering = True
    qmail.control["concurrencylocal"] = "3 at a time\n9\n"
    qmail.control["concurrencyremote"] = "7"
    seen = await qmail.deliver("a@b.example", [ALICE])
    status = [line.partition("status: ")[2] for line in seen.log if "status: " in line]
    assert status, "no status line"
    assert status[-1] == "local 0/3 remote 0/7", status


@requirement("base.again.lifetime-first-line", source="qmail-send(8) queuelifetime; " + NUMBER, waits=4)
async def test_first_line_of_queuelifetime(internet: Internet, qmail: Qmail) -> None:
    """Of queuelifetime the number at the start of the first line counts: after a second mail is old."""
    qmail.relay()
    qmail.control |= {"queuelifetime": "1 second\n604800\n", "timeoutremote": "2\n"}
    internet.load("plain.example")
    internet.exchanger(steps={"MAIL": "stall"})
    await qmail.deliver(ALICE, ["b@plain.example"])
    bounce = mail_of(await qmail.try_again(), "alice")
    assert "this message has been in the queue too long" in bounce, bounce
