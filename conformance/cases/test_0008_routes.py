"""0008, outbound: which line of authsenders is for a message, and what becomes of it when AUTH fails."""

import base64
import contextlib
import re
from typing import Any

from conformance.cases.credentials import encoded, password
from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

MANUAL = "qmail-remote(8) with patch:0008"
RECIPIENT = "b@plain.example"
LOGIN = f"|alice|{password('alice')}"


async def _submit(
    internet: Internet, qmail: Qmail, line: str, sender: str = "a@here.example", **script: Any
) -> DeliveryReport:
    """A delivery with one line in authsenders; the exchanger of plain.example follows `script`."""
    internet.load("plain.example")
    internet.exchanger(users={"alice": password("alice")}, **script)
    qmail.control["authsenders"] = line + "\n"
    qmail.control["timeoutremote"] = "1\n"
    return await qmail.remote("plain.example", sender, [RECIPIENT])


def _is_digest(line: str) -> bool:
    """Whether it is what alice answers to a CRAM-MD5 challenge (RFC 2195 2), whatever the digest."""
    with contextlib.suppress(ValueError):
        return bool(re.fullmatch(rb"alice [0-9a-f]{32}", base64.b64decode(line, validate=True)))
    return False


@requirement("0008.route.domain", source=MANUAL + " authsenders: @example.com")
async def test_line_for_a_domain(internet: Internet, qmail: Qmail) -> None:
    """A line for @domain with a relay is for every sender in that domain."""
    assert (await _submit(internet, qmail, "@here.example:[127.0.0.2]:25" + LOGIN, auth=["PLAIN"])).accepted
    assert internet.users() == ["alice"]


@requirement("0008.route.subdomain", source=MANUAL + " authsenders: .subdomain.example.com")
async def test_line_for_subdomains(internet: Internet, qmail: Qmail) -> None:
    """A line for .domain with a relay is for every sender below that domain."""
    line = ".here.example:[127.0.0.2]:25" + LOGIN
    assert (await _submit(internet, qmail, line, "a@sub.here.example", auth=["PLAIN"])).accepted
    assert internet.users() == ["alice"]


@requirement("0008.route.everybody", source=MANUAL + " authsenders: sender is empty")
async def test_line_for_everybody(internet: Internet, qmail: Qmail) -> None:
    """A line with an empty sender is for every message."""
    line = ":[127.0.0.2]:25" + LOGIN
    assert (await _submit(internet, qmail, line, "anyone@other.example", auth=["PLAIN"])).accepted
    assert internet.users() == ["alice"]


@requirement(
    "0008.route.address-before-domain",
    source="patch:0008 qmail-remote.c main: the whole sender is looked up first",
    level="should",
)
async def test_address_goes_before_domain(internet: Internet, qmail: Qmail) -> None:
    """A line for the sender's own address goes before the one for the sender's domain."""
    internet.exchanger("127.0.0.3")
    lines = f"@here.example:[127.0.0.3]\na@here.example:[127.0.0.2]:25{LOGIN}"
    assert (await _submit(internet, qmail, lines, auth=["PLAIN"])).accepted
    assert [(e.address, e.user) for e in internet.mx_sessions()] == [("127.0.0.2", "alice")]


@requirement("0008.route.port", source=MANUAL + " authsenders: on port port")
async def test_port_of_a_line(internet: Internet, qmail: Qmail) -> None:
    """The port of a line is the one that is connected to."""
    internet.exchanger("127.0.0.4", port=2525, auth=["PLAIN"], users={"alice": password("alice")})
    assert (await _submit(internet, qmail, "a@here.example:[127.0.0.4]:2525" + LOGIN)).accepted
    assert [(e.address, e.port, e.user) for e in internet.mx_sessions()] == [("127.0.0.4", 2525, "alice")]


@requirement(
    "0008.route.relay-by-name",
    source="qmail-remote(8) smtproutes: as if host had relay as its only MX; " + MANUAL + " authsenders",
)
async def test_relay_by_name(internet: Internet, qmail: Qmail) -> None:
    """A relay that is named is looked up by its address alone."""
    assert (
        await _submit(internet, qmail, "a@here.example:mx.plain.example" + LOGIN, auth=["PLAIN"])
    ).accepted
    assert internet.users() == ["alice"]
    assert [question.type for question in internet.questions()] == ["A"]


@requirement("0008.route.no-credentials", source=MANUAL + ": the mail is delivered none-authenticated")
async def test_line_without_credentials(internet: Internet, qmail: Qmail) -> None:
    """A line without user and password routes its sender's mail, without authentication."""
    internet.exchanger("127.0.0.3", auth=["PLAIN"])
    assert (await _submit(internet, qmail, "a@here.example:[127.0.0.3]")).accepted
    assert [(e.address, e.credentials) for e in internet.mx_sessions()] == [("127.0.0.3", 0)]


@requirement(
    "0008.route.old-host",
    source=MANUAL + ": no supported AUTH method found, continuing; rfc4954:3",
    role="guard",
    waits=1,
)
async def test_credentials_and_a_host_without_ehlo(internet: Internet, qmail: Qmail) -> None:
    """A host that does not know EHLO gets the message without AUTH and never sees credentials."""
    delivery = await _submit(internet, qmail, "a@here.example:[127.0.0.2]:25" + LOGIN, ehlo=False)
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"
    assert delivery.accepted, f"after {internet.commands()} {delivery}"


@requirement(
    "0008.route.unknown-method",
    source=MANUAL + ": no supported AUTH method found, continuing; rfc4954:3",
    role="guard",
)
async def test_no_credentials_for_an_unknown_method(internet: Internet, qmail: Qmail) -> None:
    """A host that announces unknown methods only never sees credentials."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    await _submit(internet, qmail, line, auth=["DIGEST-MD5", "GSSAPI"])
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"
    assert len(internet.messages()) == 1


@requirement("0008.route.deferred", source=MANUAL + " RESULTS; rfc4954:6", waits=1)
async def test_auth_deferred(internet: Internet, qmail: Qmail) -> None:
    """4xx to the credentials is a temporary failure, and the message is not sent."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    assert (await _submit(internet, qmail, line, auth=["PLAIN"], steps={"AUTH": "454 later"})).letters == "Z"
    assert internet.messages() == []


@requirement("0008.route.method-refused", source=MANUAL + " RESULTS: but authentication was rejected")
async def test_auth_command_refused(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the command AUTH that it announced sees no credentials: a temporary failure."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(internet, qmail, line, auth=["LOGIN"], steps={"challenge": "504 no"})
    assert delivery.letters == "Z"
    assert "authentication was rejected (AUTH LOGIN)" in delivery.text
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"


@requirement("0008.route.closed-at-auth", source=MANUAL + " RESULTS; rfc5321:3.8")
async def test_closed_at_auth(internet: Internet, qmail: Qmail) -> None:
    """A host that closes instead of judging the credentials is a temporary failure."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    assert (await _submit(internet, qmail, line, auth=["PLAIN"], steps={"AUTH": "close"})).letters == "Z"
    assert internet.messages() == []


@requirement(
    "0008.route.bad-challenge",
    source=MANUAL + " RESULTS: unable to base64decode challenge; rfc4954:4",
    waits=1,
)
async def test_bad_challenge(internet: Internet, qmail: Qmail) -> None:
    """A CRAM-MD5 challenge that is not base64 is a temporary failure at once, and no digest is sent."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(
        internet, qmail, line, auth=["CRAM-MD5"], steps={"challenge": "334 !not*base64!"}
    )
    assert delivery.letters == "Z"
    assert "unable to base64decode challenge" in delivery.text, f"{delivery}"
    assert internet.commands()[1] == "AUTH CRAM-MD5"
    assert set(internet.commands()[2:]) <= {"*", "QUIT"}


@requirement("0008.route.bad-challenge-cancelled", source="rfc4954:4", waits=1)
async def test_bad_challenge_is_cancelled(internet: Internet, qmail: Qmail) -> None:
    """A challenge that is not base64 is answered with *, which cancels the exchange."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    await _submit(internet, qmail, line, auth=["CRAM-MD5"], steps={"challenge": "334 !not*base64!"})
    said = ["alice and a digest" if _is_digest(line) else line for line in internet.commands()[1:]]
    assert said[:2] == ["AUTH CRAM-MD5", "*"], f"it said {said}"


@requirement(
    "0008.route.deferred-at-once",
    source=MANUAL + " RESULTS: but authentication was rejected (plain)",
    waits=1,
)
async def test_deferral_is_reported_at_once(internet: Internet, qmail: Qmail) -> None:
    """4xx to the credentials is reported in the manual page's words, and not as a time limit that passed."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(internet, qmail, line, auth=["PLAIN"], steps={"AUTH": "454 later"})
    assert "authentication was rejected (plain)" in delivery.text, f"{delivery}"


@requirement("0008.route.bad-challenge-gives-nothing", source=MANUAL + " RESULTS, timeoutremote", waits=1)
async def test_nothing_for_a_bad_challenge(internet: Internet, qmail: Qmail) -> None:
    """After a CRAM-MD5 challenge that is not base64 no password and no message leave, in time."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(
        internet, qmail, line, auth=["CRAM-MD5"], steps={"challenge": "334 !not*base64!"}
    )
    said = internet.commands()[2:]
    assert all(each in ("*", "QUIT") or _is_digest(each) for each in said), f"it said {said}"
    assert internet.messages() == []
    assert (delivery.letters, delivery.seconds < 3) == ("Z", True), f"{delivery} in {delivery.seconds} s"


@requirement("0008.route.survives-padding", source="rfc4954:4", role="guard", waits=1)
async def test_padding_as_a_challenge_is_survived(internet: Internet, qmail: Qmail) -> None:
    """A challenge that padding makes shorter than nothing is no crash: mail is delivered or deferred."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    for challenge in ("=", "AA=", "===="):
        delivery = await _submit(
            internet, qmail, line, auth=["CRAM-MD5"], steps={"challenge": f"334 {challenge}"}
        )
        promised = "rK" if internet.messages() else "Z"
        assert delivery.letters == promised, f"334 {challenge}: {delivery}"


@requirement("0008.route.survives-no-challenge", source="rfc5321:4.2; rfc4954:4", role="guard", waits=1)
async def test_no_challenge_is_survived(internet: Internet, qmail: Qmail) -> None:
    """334 with nothing behind it where a challenge is due is no crash: mail is delivered or deferred."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(internet, qmail, line, auth=["CRAM-MD5"], steps={"challenge": "334"})
    assert delivery.letters == ("rK" if internet.messages() else "Z"), f"{delivery}"


@requirement("0008.route.cram-response", source=MANUAL + " authsenders; rfc2195:2", waits=1)
async def test_form_of_the_response(internet: Internet, qmail: Qmail) -> None:
    """What answers a CRAM-MD5 challenge is the user, a space and 32 lower-case hexadecimal digits."""
    await _submit(internet, qmail, "a@here.example:[127.0.0.2]:25" + LOGIN, auth=["CRAM-MD5"])
    said = internet.commands()[1:3]
    assert said[:1] == ["AUTH CRAM-MD5"]
    assert all(map(_is_digest, said[1:])), f"it answered {said[1:]}"


async def _answer(internet: Internet, qmail: Qmail, challenge: str, secret: str) -> str:
    """What is answered to a challenge for this password."""
    line = f"a@here.example:[127.0.0.2]:25|alice|{secret}"
    steps = {"challenge": f"334 {challenge}"}
    await _submit(internet, qmail, line, auth=["CRAM-MD5"], steps=steps)
    answer = internet.commands()[2:3]
    assert list(map(_is_digest, answer)) == [True], f"it answered {answer}"
    return answer[0]


@requirement("0008.route.cram-each-challenge", source=MANUAL + " authsenders; rfc2195:2", waits=2)
async def test_digest_of_two_challenges(internet: Internet, qmail: Qmail) -> None:
    """Two challenges give different CRAM-MD5 digests of one password."""
    first = await _answer(internet, qmail, encoded("<1.2@mx.plain.example>"), password("alice"))
    second = await _answer(internet, qmail, encoded("<1.3@mx.plain.example>"), password("alice"))
    assert first != second


@requirement("0008.route.never-unasked", source=MANUAL + "; rfc4954:3, rfc4954:4", role="guard", waits=1)
async def test_no_credentials_where_no_method_is_announced(internet: Internet, qmail: Qmail) -> None:
    """A host that announces no AUTH hears neither AUTH nor credentials, and timeoutremote holds there."""
    delivery = await _submit(internet, qmail, "a@here.example:[127.0.0.2]:25" + LOGIN)
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [0], f"credentials went out so many times: {sent}"
    assert [line for line in internet.commands() if line.startswith("AUTH")] == []
    assert delivery.letters in ("rK", "Z"), f"{delivery}"
    assert delivery.seconds < 3, f"{delivery.seconds} s"


@requirement("0008.route.rejected-in-time", source=MANUAL + " RESULTS, timeoutremote", waits=1)
async def test_rejection_ends_in_time(internet: Internet, qmail: Qmail) -> None:
    """Rejected credentials are sent once, and the delivery ends as Z within timeoutremote."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(internet, qmail, line, auth=["PLAIN", "LOGIN"], steps={"AUTH": "535 no"})
    sent = [session.credentials for session in internet.mx_sessions()]
    assert sent == [1], f"credentials went out so many times: {sent}"
    assert (delivery.letters, delivery.seconds < 3) == ("Z", True), f"{delivery} in {delivery.seconds} s"


@requirement("0008.route.rejected-and-closed", source=MANUAL + " RESULTS; rfc5321:3.8", waits=1)
async def test_rejection_and_the_end_of_service(internet: Internet, qmail: Qmail) -> None:
    """A host that rejects the credentials and closes with 421 is a Z in the manual's words."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    steps = {"AUTH": "535 no\r\n421 goodbye; close"}
    delivery = await _submit(internet, qmail, line, auth=["PLAIN"], steps=steps)
    assert delivery.letters == "Z", f"{delivery}"
    assert "authentication was rejected (plain)" in delivery.text, f"{delivery}"


@requirement("0008.route.expired-in-time", source=MANUAL + " RESULTS, timeoutremote; rfc4954:6", waits=1)
async def test_expired_password_ends_in_time(internet: Internet, qmail: Qmail) -> None:
    """After 432 no message leaves, and the delivery ends as Z within timeoutremote."""
    line = "a@here.example:[127.0.0.2]:25" + LOGIN
    delivery = await _submit(internet, qmail, line, auth=["PLAIN"], steps={"AUTH": "432 change it"})
    assert internet.messages() == []
    assert (delivery.letters, delivery.seconds < 3) == ("Z", True), f"{delivery} in {delivery.seconds} s"


@requirement("0008.route.others-unchanged", source=MANUAL + " authsenders", role="guard")
async def test_messages_of_others_are_unchanged(internet: Internet, qmail: Qmail) -> None:
    """A message without a line of its own has the same MAIL, RCPT and DATA as ever."""
    line = "someone-else@here.example:[127.0.0.2]:25" + LOGIN
    assert (await _submit(internet, qmail, line, auth=["PLAIN"])).accepted
    assert internet.commands()[1:4] == ["MAIL FROM:<a@here.example>", f"RCPT TO:<{RECIPIENT}>", "DATA"]


@requirement("0008.route.through-the-queue", source=MANUAL + " authsenders; qmail-send(8)")
async def test_authenticated_through_the_queue(internet: Internet, qmail: Qmail) -> None:
    """qmail-send delivers the mail of a sender with a line authenticated, and it leaves the queue."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(auth=["PLAIN"], users={"alice": password("alice")})
    qmail.control["authsenders"] = "alice@here.example:[127.0.0.2]:25" + LOGIN + "\n"
    seen = await qmail.deliver("alice@here.example", [RECIPIENT])
    assert internet.users() == ["alice"]
    assert len(internet.messages()) == 1
    assert seen.queue == []


@requirement("0008.route.refused-bounces", source=MANUAL + " RESULTS; rfc5321:6.1")
async def test_refused_after_authentication(internet: Internet, qmail: Qmail) -> None:
    """A message that a host refuses after it accepted the credentials bounces with the host's words."""
    qmail.relay()
    internet.load("plain.example")
    steps = {"message": "554 we do not want this"}
    internet.exchanger(auth=["PLAIN"], users={"alice": password("alice")}, steps=steps)
    qmail.control["authsenders"] = "alice@here.example:[127.0.0.2]:25" + LOGIN + "\n"
    seen = await qmail.deliver("alice@here.example", [RECIPIENT])
    assert internet.users() == ["alice"]
    bounces = seen.mailboxes.get("alice", [])
    assert len(bounces) == 1, f"{len(bounces)} bounces, and {len(seen.queue)} messages in the queue"
    assert "we do not want this" in bounces[0]


@requirement("0008.route.rejection-keeps", source=MANUAL + " RESULTS; rfc5321:4.5.4.1", waits=1)
async def test_rejection_keeps_the_message(internet: Internet, qmail: Qmail) -> None:
    """A message whose credentials are rejected stays in the queue, undelivered and without a bounce."""
    qmail.relay()
    internet.load("plain.example")
    internet.exchanger(auth=["PLAIN"], steps={"AUTH": "535 no"})
    qmail.control["authsenders"] = "alice@here.example:[127.0.0.2]:25" + LOGIN + "\n"
    qmail.control["timeoutremote"] = "1\n"
    seen = await qmail.deliver("alice@here.example", [RECIPIENT])
    assert internet.messages() == []
    assert [message.recipients for message in seen.queue] == [[RECIPIENT]]
    assert seen.mailboxes.get("alice", []) == []
