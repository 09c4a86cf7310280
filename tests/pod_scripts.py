"""What the tests of pods in Docker have played there: this file goes into the pod, and asserts there."""

import base64
import hmac

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue.requirements import Case
from conformance.pod.base import PodFailure
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.observation import Observation
from conformance.smtp.session import Session

FAR = "@ MX 10 mx\nmx A 127.0.0.2\n"


async def greets_and_accepts(qmail: Qmail) -> None:
    print("what a case prints is no answer of the agent's", flush=True)
    await qmail.submit("a@far.example", ["x@here.example", "y@here.example"])
    seen = await qmail.observe()
    (queued,) = seen.queue
    assert (queued.sender, queued.recipients) == ("a@far.example", ["x@here.example", "y@here.example"])
    assert queued.octets.endswith("Subject: hello\n\nhello\n")
    assert seen.log


async def delivers_to_an_exchanger(internet: Internet, qmail: Qmail) -> None:
    internet.zone("far.example", FAR)
    delivery = await qmail.remote(
        "far.example", "a@here.example", ["b@far.example"], b"Subject: x\n\n.dot\n", 20
    )
    assert delivery.letters == "rK"
    assert delivery.text.startswith("127.0.0.2 accepted message.")
    assert (delivery.status, delivery.ended) == (0, True)
    assert 0 < delivery.seconds < 20
    (message,) = internet.messages()
    assert message.recipients == ["b@far.example"]
    assert message.octets == "Subject: x\r\n\r\n.dot\r\n"
    assert internet.questions("far.example", "MX")
    internet.fault("far.example", "rcode", rcode="SERVFAIL")
    assert (await qmail.remote("far.example", "", ["b@far.example"])).letters == "Z"


async def is_ended_at_the_limit(internet: Internet, qmail: Qmail) -> None:
    internet.zone("far.example", FAR)
    internet.exchanger(steps={"connect": "stall"})
    qmail.control["timeoutremote"] = "1200\n"
    delivery = await qmail.remote("far.example", "", ["b@far.example"], b"\n", 0.3)
    assert (delivery.status, delivery.ended) == (-9, False)
    assert 0.3 <= delivery.seconds < 5


async def delivers_bounces_and_defers(internet: Internet, qmail: Qmail) -> None:
    internet.zone("far.example", FAR)
    internet.exchanger(steps={"RCPT <late@far.example>": "451 later"})
    qmail.control["rcpthosts"] = "here.example\nfar.example\n"
    qmail.dot_qmail["alice/.qmail-list"] = "./Maildir/\n"
    qmail.delivering = True
    recipients = ["alice@here.example", "alice-list@here.example", "nobody@here.example", "late@far.example"]
    for recipient in recipients:
        await qmail.submit("a@far.example", [recipient])
    seen = await qmail.delivered(20)
    delivered = [message.split("Delivered-To: ")[1].split("\n")[0] for message in seen.mailboxes["alice"]]
    assert delivered == ["alice@here.example", "alice-list@here.example"]
    assert [(bounce.sender, bounce.recipients) for bounce in internet.messages()] == [("", ["a@far.example"])]
    assert [queued.recipients for queued in seen.queue] == [["late@far.example"]]
    assert any("deferral" in line for line in seen.log)


async def is_still_at_work(internet: Internet, qmail: Qmail) -> None:
    """Unmet, and said so, where qmail-send waits for a host that stalls."""
    internet.zone("far.example", FAR)
    internet.exchanger(steps={"connect": "stall"})
    qmail.control |= {"rcpthosts": "far.example\n", "timeoutremote": "1200\n"}
    qmail.delivering = True
    await qmail.submit("", ["b@far.example"])
    await qmail.delivered(0.2)


async def leaves_nothing_to_the_next(qmail: Qmail) -> None:
    control = dict(qmail.control)
    qmail.control |= {"badmailfrom": "a@far.example\n", "morercpthosts": "more.example\n"}
    qmail.environment["RELAYCLIENT"] = ""
    qmail.dot_qmail["alice/.qmail-x"] = "#\n"
    qmail.delivering = True
    held = await qmail.connect()
    await qmail.submit("b@far.example", ["alice@here.example"])
    assert (await qmail.delivered(20)).mailboxes
    qmail.control, qmail.environment, qmail.dot_qmail = control, {}, {}
    qmail.delivering = False
    seen = await qmail.observe()
    assert seen == Observation(home=seen.home), seen
    await _is_gone(held)
    async with qmail.session() as smtp:
        recipients = ["x@here.example", "x@more.example"]
        assert [reply.code for reply in await smtp.envelope("a@far.example", recipients)] == [250, 250, 553]
    await qmail.submit("a@far.example", ["alice@here.example"])
    assert await qmail.queue()
    qmail.delivering = True
    seen = await qmail.delivered(20)
    assert (seen.queue, seen.mailboxes) == ([], {})
    assert not [line for line in seen.log if "msg" in line]


async def _is_gone(session: Session) -> None:
    try:
        await session.send(b"NOOP\r\n")
    except PodFailure:
        return
    raise AssertionError("a connection of the set-up before still stands")


async def notes_rcptcheck(qmail: Qmail) -> None:
    odd = "a\nb='$(id)'"
    qmail.environment["ODD"] = odd
    qmail.check_recipients({"no@here.example": 100})
    async with qmail.session() as smtp:
        said = await smtp.envelope("", ["yes@here.example", "no@here.example"])
        assert [reply.code for reply in said] == [250, 250, 553]
    calls = await qmail.hook_calls()
    assert [call.environment["RECIPIENT"] for call in calls] == ["yes@here.example", "no@here.example"]
    for call in calls:
        assert (call.arguments, call.directory) == ([], "/var/lib/qmail")
        assert (call.environment["SENDER"], call.environment["ODD"]) == ("", odd)


async def authenticates_every_user(qmail: Qmail) -> None:
    qmail.authenticate("+cram")
    users = passwords(load_users())
    for user, password in users.items():
        secret = password.encode("latin-1")
        async with qmail.session() as smtp:
            plain = base64.b64encode(b"\0" + user.encode() + b"\0" + secret).decode()
            assert (await smtp.command(f"AUTH PLAIN {plain}")).code == 235, user
        async with qmail.session() as smtp:
            challenge = base64.b64decode((await smtp.command("AUTH CRAM-MD5")).text)
            digest = hmac.new(secret, challenge, "md5").hexdigest()
            response = base64.b64encode(f"{user} {digest}".encode()).decode()
            assert (await smtp.command(response)).code == 235, user
    calls = await qmail.hook_calls("checkpassword")
    assert [call.user for call in calls] == [user for user in users for _ in range(2)]
    assert all(call.accepted for call in calls)
    assert all(call.challenge for call in calls[1::2])


async def waits_for_a_host_that_stalls(internet: Internet, qmail: Qmail) -> None:
    """Longer than any test: whoever plays it means to end it."""
    internet.zone("far.example", FAR)
    internet.exchanger(steps={"connect": "stall"})
    qmail.control["timeoutremote"] = "1200\n"
    await qmail.remote("far.example", "", ["b@far.example"], b"\n", 100)


async def never_waits() -> None:
    while True:
        pass


#: Those that any target meets, and the patch that it must carry for that.
SCRIPTS: list[tuple[Case, str]] = [
    (greets_and_accepts, ""),
    (delivers_to_an_exchanger, ""),
    (is_ended_at_the_limit, ""),
    (delivers_bounces_and_defers, ""),
    (leaves_nothing_to_the_next, ""),
    (notes_rcptcheck, "0009"),
    (authenticates_every_user, "0008"),
]
