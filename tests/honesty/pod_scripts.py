"""What the tests of bounds have played in a pod: this file goes there, and asserts there."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail


async def fills_the_memory(internet: Internet) -> None:
    bytearray(1 << 30)[::4096] = b"x" * (1 << 18)


async def floods(qmail: Qmail) -> None:
    delivery = await qmail.remote("flood", "", ["a@here.example"])
    assert not delivery, delivery


async def eats(qmail: Qmail) -> None:
    delivery = await qmail.remote("hungry", "", ["a@here.example"])
    assert not delivery, f"{delivery} {(await qmail.observe()).log}"


async def talks(internet: Internet, qmail: Qmail) -> None:
    await qmail.remote("talks", "", ["a@here.example"])
    [session] = internet.mx_sessions()
    assert not session, [entry.text for entry in session.transcript if entry.source == "event"]


async def logs(qmail: Qmail) -> None:
    async with qmail.session(hello=False):
        pass
    log = (await qmail.observe()).log
    assert not log, f"{sum(map(len, log))} octets, and at the end {log[-1]}"
