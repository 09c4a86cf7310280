"""What `pods.py` has played: it goes into the pod as it stands here."""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail


async def cases(internet: Internet, qmail: Qmail, rounds: str) -> None:
    """An ordinary case of qmail-smtpd and one of qmail-remote, again and again; each sets qmail up anew."""
    internet.load("plain.example")
    for number in range(int(rounds)):
        qmail.environment["ROUND"] = f"smtpd {number}"
        await qmail.submit("a@b.example", ["alice@here.example"])
        await qmail.queue()
        qmail.environment["ROUND"] = f"remote {number}"
        assert (await qmail.remote("plain.example", "a@here.example", ["b@plain.example"])).accepted
