"""Base qmail: the hosts that timed out, which one qmail-remote remembers for the next (qmail-tcpto(8))."""

from typing import Any

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement
from conformance.pod.delivery import DeliveryReport

SENDER = "a@here.example"
HOST = "127.0.0.2"
TABLE = "qmail-tcpto(8)"
HOUR = 3600


async def _to_plain(internet: Internet, qmail: Qmail, **script: Any) -> DeliveryReport:
    """A delivery to plain.example, whose one exchanger follows `script`, with short time limits."""
    internet.load("plain.example")
    internet.exchanger(**script)
    qmail.control.update(timeoutconnect="1\n", timeoutremote="1\n")
    return await qmail.remote("plain.example", SENDER, ["b@plain.example"])


async def _remembered(qmail: Qmail, timeouts: int) -> None:
    remembered = await qmail.remembered()
    wanted = {HOST: timeouts} if timeouts else {}
    assert remembered == wanted, f"remembered are {remembered}"


@requirement("base.tcpto.recorded", source=TABLE + ": records the relevant IP address", waits=1)
async def test_a_time_out_is_recorded(internet: Internet, qmail: Qmail) -> None:
    """A host that does not answer an attempt to connect is remembered with one time-out."""
    assert (await _to_plain(internet, qmail, silent=True)).letters == "Z"
    await _remembered(qmail, 1)


@requirement("base.tcpto.second", source=TABLE + ": after at least two minutes", waits=1)
async def test_a_second_time_out_counts(internet: Internet, qmail: Qmail) -> None:
    """A further time-out more than two minutes after the first is the second one."""
    qmail.remember(HOST, 1, age=130)
    assert (await _to_plain(internet, qmail, silent=True)).letters == "Z"
    await _remembered(qmail, 2)


@requirement("base.tcpto.same", source=TABLE + ": after at least two minutes", waits=1)
async def test_a_time_out_soon_after_counts_for_nothing(internet: Internet, qmail: Qmail) -> None:
    """A further time-out within two minutes of the first is still the first one."""
    qmail.remember(HOST, 1, age=60)
    assert (await _to_plain(internet, qmail, silent=True)).letters == "Z"
    await _remembered(qmail, 1)


@requirement("base.tcpto.tried-after-one", source=TABLE)
async def test_a_host_with_one_time_out_is_tried(internet: Internet, qmail: Qmail) -> None:
    """A host that timed out once is tried again, and gets the message."""
    qmail.remember(HOST, 1, age=1)
    assert (await _to_plain(internet, qmail)).accepted


@requirement("base.tcpto.left-alone", source=TABLE + ": further attempts will fail for at least another hour")
async def test_a_host_with_two_time_outs_is_left_alone(internet: Internet, qmail: Qmail) -> None:
    """A host that timed out twice is left alone: the failure is temporary, at once, and nobody connects."""
    qmail.remember(HOST, 2, age=1)
    delivery = await _to_plain(internet, qmail)
    assert delivery.letters == "Z", delivery
    assert internet.mx_sessions() == []
    await _remembered(qmail, 2)


@requirement("base.tcpto.for-an-hour", source=TABLE + ": for at least another hour")
async def test_a_host_is_left_alone_for_an_hour(internet: Internet, qmail: Qmail) -> None:
    """Almost an hour later a host that timed out twice is still left alone."""
    qmail.remember(HOST, 2, age=HOUR - 30)
    assert (await _to_plain(internet, qmail)).letters == "Z"
    assert internet.mx_sessions() == []


@requirement("base.tcpto.not-for-ever", source=TABLE + "; rfc5321:4.5.4.1")
async def test_a_host_is_not_left_alone_for_ever(internet: Internet, qmail: Qmail) -> None:
    """Two hours later a host that timed out twice is tried again."""
    qmail.remember(HOST, 2, age=2 * HOUR)
    assert (await _to_plain(internet, qmail)).accepted


@requirement("base.tcpto.forgotten", source=TABLE + ": no intervening successful connections")
async def test_a_connection_clears_the_record(internet: Internet, qmail: Qmail) -> None:
    """A host that takes a connection is no longer remembered."""
    qmail.remember(HOST, 1, age=130)
    assert (await _to_plain(internet, qmail)).accepted
    await _remembered(qmail, 0)


@requirement("base.tcpto.refusal", source=TABLE + ": attempt times out")
async def test_a_refused_connection_is_not_recorded(internet: Internet, qmail: Qmail) -> None:
    """A host that refuses the connection is not remembered."""
    internet.load("plain.example")
    internet.refuse_smtp()
    assert (await qmail.remote("plain.example", SENDER, ["b@plain.example"])).letters == "Z"
    await _remembered(qmail, 0)


@requirement("base.tcpto.silent-greeting", source=TABLE + ": connection attempt", waits=1)
async def test_a_missing_greeting_is_not_recorded(internet: Internet, qmail: Qmail) -> None:
    """A host that takes the connection and then never greets is not remembered."""
    assert (await _to_plain(internet, qmail, steps={"connect": "stall"})).letters == "Z"
    await _remembered(qmail, 0)


@requirement("base.tcpto.greeting-refused", source=TABLE + ": connection attempt")
async def test_a_refused_greeting_is_not_recorded(internet: Internet, qmail: Qmail) -> None:
    """A host that greets with 421 is not remembered."""
    assert (await _to_plain(internet, qmail, steps={"connect": "421 busy"})).letters == "Z"
    await _remembered(qmail, 0)


@requirement("base.tcpto.next", source=TABLE + "; rfc5321:5.1")
async def test_the_next_exchanger_instead(internet: Internet, qmail: Qmail) -> None:
    """When the best exchanger is left alone, the next one gets the message at once."""
    internet.zone("many.example", "@ MX 10 a\n@ MX 20 b\na A 127.0.0.2\nb A 127.0.0.3")
    internet.exchanger("127.0.0.2", silent=True)
    internet.exchanger("127.0.0.3")
    qmail.control["timeoutconnect"] = "4\n"
    qmail.remember(HOST, 2, age=1)
    delivery = await qmail.remote("many.example", SENDER, ["b@many.example"])
    assert delivery.accepted, delivery
    assert delivery.seconds < 2, f"after {delivery.seconds:.1f} s"


@requirement("base.tcpto.others", source=TABLE)
async def test_other_hosts_are_not_left_alone(internet: Internet, qmail: Qmail) -> None:
    """That another host timed out keeps nobody from this one, and stays remembered."""
    qmail.remember("127.0.0.3", 2, age=1)
    assert (await _to_plain(internet, qmail)).accepted
    assert await qmail.remembered() == {"127.0.0.3": 2}


@requirement("base.tcpto.full", source="package source, tcpto.c: tcpto_err", waits=1)
async def test_a_full_table(internet: Internet, qmail: Qmail) -> None:
    """In a full table a new host takes the place of the one whose time-out is longest ago."""
    for number in range(64):
        qmail.remember(f"127.1.1.{number + 1}", 1, age=1000 + number)
    assert (await _to_plain(internet, qmail, silent=True)).letters == "Z"
    remembered = await qmail.remembered()
    assert remembered.get(HOST) == 1, "the new host is not remembered"
    assert "127.1.1.64" not in remembered
    assert len(remembered) == 64
