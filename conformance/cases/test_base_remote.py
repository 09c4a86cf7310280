"""Base qmail: qmail-remote. Where a message goes, and what is reported of it."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
RECIPIENT = "b@plain.example"


async def _to_plain(qmail: Qmail, internet: Internet, **script: Any) -> DeliveryReport:
    """A delivery to plain.example, whose one exchanger follows `script`."""
    internet.load("plain.example")
    internet.exchanger(**script)
    return await qmail.remote("plain.example", SENDER, [RECIPIENT])


@requirement("base.remote.delivers", source="qmail-remote(8)")
async def test_delivery(internet: Internet, qmail: Qmail) -> None:
    """A message goes to the domain's exchanger and is reported delivered once the host has accepted it."""
    assert (await _to_plain(qmail, internet)).letters == "rK"
    assert [(m.sender, m.recipients) for m in internet.messages()] == [(SENDER, [RECIPIENT])]


@requirement("base.remote.octets", source="qmail-remote(8) TRANSPARENCY; rfc5321:4.5.2")
async def test_message_octets(internet: Internet, qmail: Qmail) -> None:
    """The message arrives octet for octet, with CR LF for LF and its leading dots."""
    internet.load("plain.example")
    message = b"Subject: x\n\n.dot\n..dots\n" + bytes(range(128, 256)) + b"\n.\nend\n"
    await qmail.remote("plain.example", SENDER, [RECIPIENT], message)
    assert [m.octets for m in internet.messages()] == [message.replace(b"\n", b"\r\n").decode("latin-1")]


@requirement("base.remote.preference", source="qmail-remote(8); rfc5321:5.1")
async def test_best_preference(internet: Internet, qmail: Qmail) -> None:
    """Of several exchangers the one with the lowest preference gets the message."""
    internet.zone(
        "many.example", "@ MX 30 c\n@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3\nc A 127.0.0.4"
    )
    for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
        internet.exchanger(address)
    assert (await qmail.remote("many.example", SENDER, ["b@many.example"])).accepted
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.2"]


@requirement("base.remote.next", source="rfc5321:5.1")
async def test_next_exchanger(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger takes no connection, the next one gets the message."""
    internet.zone("many.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3")
    internet.exchanger("127.0.0.3")
    assert (await qmail.remote("many.example", SENDER, ["b@many.example"])).accepted
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.3"]


@requirement("base.remote.address-record", source="rfc5321:5.1")
async def test_without_an_exchanger_record(internet: Internet, qmail: Qmail) -> None:
    """A domain without MX gets its mail at its A record."""
    internet.zone("bare.example", "@ A 127.0.0.2")
    assert (await qmail.remote("bare.example", SENDER, ["b@bare.example"])).accepted


@requirement("base.remote.literal", source="qmail-remote(8); rfc5321:4.1.3")
async def test_address_literal(internet: Internet, qmail: Qmail) -> None:
    """A host in brackets is connected to as it stands, without a question to the DNS."""
    # The root zone: a question that should not be asked is then an answer to this case, not a stray one.
    internet.zone("", "@ NS ns.test.")
    assert (await qmail.remote("[127.0.0.2]", SENDER, ["b@[127.0.0.2]"])).accepted
    assert internet.questions() == []


@requirement("base.remote.quoted", source="addresses(5); rfc5321:4.1.2")
async def test_local_part_that_needs_quotes(internet: Internet, qmail: Qmail) -> None:
    """A recipient whose local part holds a space goes out quoted, and as one recipient."""
    internet.load("plain.example")
    assert (await qmail.remote("plain.example", SENDER, ["one two@plain.example"])).accepted
    assert [line for line in internet.commands() if line.startswith("RCPT")] == [
        'RCPT TO:<"one two"@plain.example>'
    ]


@requirement("base.remote.smtproutes", source="qmail-remote(8) smtproutes")
async def test_smtproutes(internet: Internet, qmail: Qmail) -> None:
    """A route with a port is taken instead of the domain's exchangers."""
    internet.load("plain.example")
    internet.exchanger("127.0.0.5", port=2525)
    qmail.control["smtproutes"] = "plain.example:[127.0.0.5]:2525\n"
    assert (await qmail.remote("plain.example", SENDER, [RECIPIENT])).accepted
    assert [(e.address, e.port) for e in internet.mx_sessions()] == [("127.0.0.5", 2525)]


@requirement("base.remote.helohost", source="qmail-remote(8) helohost")
async def test_helohost(internet: Internet, qmail: Qmail) -> None:
    """qmail-remote says hello with the name in helohost."""
    qmail.control["helohost"] = "hello.here.example\n"
    await _to_plain(qmail, internet)
    assert [session.helo.split()[1:] for session in internet.mx_sessions()] == [["hello.here.example"]]


@requirement("base.remote.greeting-4xx", source="qmail-remote(8) RESULTS; rfc5321:4.2.1")
async def test_greeting_4xx(internet: Internet, qmail: Qmail) -> None:
    """A host that greets with 4xx is a temporary failure."""
    assert (await _to_plain(qmail, internet, steps={"connect": "421 busy"})).letters == "Z"


@requirement("base.remote.greeting-5xx", source="package source, qmail-remote.c: smtp")
async def test_greeting_5xx(internet: Internet, qmail: Qmail) -> None:
    """A host that greets with 5xx is a temporary failure too, as ever: the message is tried again."""
    delivery = await _to_plain(qmail, internet, steps={"connect": "554 no service"})
    assert delivery.letters == "Z", f"{delivery}"


@requirement("base.remote.sender-5xx", source="qmail-remote(8) RESULTS")
async def test_sender_refused(internet: Internet, qmail: Qmail) -> None:
    """5xx at MAIL is a permanent failure that quotes the host's words."""
    delivery = await _to_plain(qmail, internet, steps={"MAIL": "550 not from you"})
    assert delivery.letters == "D"
    assert "not from you" in delivery.text


@requirement("base.remote.sender-4xx", source="qmail-remote(8) RESULTS")
async def test_sender_deferred(internet: Internet, qmail: Qmail) -> None:
    """4xx at MAIL is a temporary failure."""
    assert (await _to_plain(qmail, internet, steps={"MAIL": "451 later"})).letters == "Z"


@requirement("base.remote.some-recipients", source="qmail-remote(8) RESULTS")
async def test_some_recipients_refused(internet: Internet, qmail: Qmail) -> None:
    """Each recipient has a report of its own, in order, and the message goes to those accepted."""
    internet.load("plain.example")
    internet.exchanger(steps={"RCPT": ["250 ok", "550 unknown", "450 later", "250 ok"]})
    recipients = [f"{name}@plain.example" for name in "abcd"]
    assert (await qmail.remote("plain.example", SENDER, recipients)).letters == "rhsrK"
    assert [m.recipients for m in internet.messages()] == [["a@plain.example", "d@plain.example"]]


@requirement("base.remote.no-recipient", source="qmail-remote(8) RESULTS")
async def test_every_recipient_refused(internet: Internet, qmail: Qmail) -> None:
    """When every recipient is refused no message is sent and none is reported delivered."""
    assert (await _to_plain(qmail, internet, steps={"RCPT": "550 unknown"})).letters == "hD"
    assert internet.messages() == []


@requirement("base.remote.data-5xx", source="qmail-remote(8) RESULTS")
async def test_data_refused(internet: Internet, qmail: Qmail) -> None:
    """5xx at DATA is a permanent failure, and the message is not sent."""
    assert (await _to_plain(qmail, internet, steps={"DATA": "554 no"})).letters == "rD"
    assert "Subject: hello" not in internet.commands()


@requirement("base.remote.message-5xx", source="qmail-remote(8) RESULTS")
async def test_message_refused(internet: Internet, qmail: Qmail) -> None:
    """5xx after the message is a permanent failure."""
    assert (await _to_plain(qmail, internet, steps={"message": "554 no"})).letters == "rD"


@requirement("base.remote.message-4xx", source="qmail-remote(8) RESULTS")
async def test_message_deferred(internet: Internet, qmail: Qmail) -> None:
    """4xx after the message is a temporary failure: it is not lost and not reported delivered."""
    assert (await _to_plain(qmail, internet, steps={"message": "451 later"})).letters == "rZ"


@requirement(
    "base.remote.dropped",
    source="qmail-remote(8) RESULTS; rfc5321:3.8; package source, qmail-remote.c: dropped",
)
async def test_connection_dies_after_the_message(internet: Internet, qmail: Qmail) -> None:
    """A connection that dies before the message is answered is temporary and warns of a duplicate."""
    delivery = await _to_plain(qmail, internet, steps={"message": "close"})
    assert delivery.letters == "rZ"
    assert "Possible duplicate" in delivery.text


@requirement("base.remote.silent", source="qmail-remote(8) timeoutremote", waits=1)
async def test_silent_host(internet: Internet, qmail: Qmail) -> None:
    """A host that falls silent is given up after timeoutremote seconds, for now."""
    qmail.control["timeoutremote"] = "1\n"
    delivery = await _to_plain(qmail, internet, steps={"RCPT": "stall"})
    assert delivery.ended
    assert delivery.letters == "Z"


@requirement("base.remote.nobody-listens", source="qmail-remote(8) RESULTS")
async def test_no_connection(internet: Internet, qmail: Qmail) -> None:
    """Exchangers that take no connection are a temporary failure."""
    internet.load("plain.example")
    internet.refuse_smtp()
    assert (await qmail.remote("plain.example", SENDER, [RECIPIENT])).letters == "Z"


@requirement(
    "base.remote.no-such-domain",
    source="qmail-remote(8) RESULTS; rfc5321:5.1, rfc3463:3.2; package source, qmail-remote.c: perm_dns",
)
async def test_no_such_domain(internet: Internet, qmail: Qmail) -> None:
    """A domain that does not exist is a permanent failure (5.1.2)."""
    internet.load("plain.example")
    delivery = await qmail.remote("nowhere.plain.example", SENDER, ["b@nowhere.plain.example"])
    assert delivery.letters == "D"
    assert "#5.1.2" in delivery.text


@requirement("base.remote.own-exchanger", source="rfc5321:5.1; package source, qmail-remote.c: perm_ambigmx")
async def test_own_address_is_the_best_exchanger(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger is this host itself, the mail is refused (5.4.6) and does not loop."""
    internet.zone("mine.example", "@ MX 10 mx\nmx A 127.0.0.1")
    delivery = await qmail.remote("mine.example", SENDER, ["b@mine.example"])
    assert delivery.letters == "D"
    assert "#5.4.6" in delivery.text


@requirement(
    "base.remote.partial-line",
    source="qmail-remote(8) TRANSPARENCY; package source, qmail-remote.c: perm_partialline",
)
async def test_partial_final_line(internet: Internet, qmail: Qmail) -> None:
    """A message whose last line has no end cannot be sent: permanent failure, nothing delivered."""
    internet.load("plain.example")
    delivery = await qmail.remote("plain.example", SENDER, [RECIPIENT], b"Subject: x\n\nno end")
    assert delivery.message.letter == "D"
    assert internet.messages() == []


@requirement("base.remote.dns-servfail", source="qmail-remote(8) RESULTS; rfc5321:5.1")
async def test_dns_failure(internet: Internet, qmail: Qmail) -> None:
    """When the DNS fails for MX and A the failure is temporary, never a bounce."""
    internet.load("plain.example")
    internet.fault("*", "rcode", rcode="SERVFAIL")
    assert (await qmail.remote("plain.example", SENDER, [RECIPIENT])).letters == "Z"


@requirement("base.remote.connect-silent", source="qmail-remote(8) timeoutconnect; rfc5321:4.5.4.1", waits=1)
async def test_no_answer_to_the_connection(internet: Internet, qmail: Qmail) -> None:
    """A host that never answers the connection is a temporary failure after timeoutconnect seconds."""
    qmail.control.update(timeoutconnect="1\n", timeoutremote="1200\n")
    assert (await _to_plain(qmail, internet, silent=True)).letters == "Z"


@requirement("base.remote.connect-silent-next", source="qmail-remote(8) timeoutconnect; rfc5321:5.1", waits=1)
async def test_next_exchanger_after_silence(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger never answers the connection, the next one gets the message."""
    qmail.control["timeoutconnect"] = "1\n"
    internet.zone("many.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3")
    internet.exchanger("127.0.0.2", silent=True)
    internet.exchanger("127.0.0.3")
    assert (await qmail.remote("many.example", SENDER, ["b@many.example"])).accepted
    assert [session.address for session in internet.mx_sessions()] == ["127.0.0.3"]
