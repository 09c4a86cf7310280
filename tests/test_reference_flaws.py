"""Every flaw of the reference changes what can be seen of it, and no flaw can be named that is not there."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from conformance.catalogue import PPA_PATCHES
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.reference.flaws import FLAWS
from conformance.reference.policy import SmtpdSettings
from conformance.reference.remote import RemoteSettings
from conformance.targets.embedded import ReferencePod

CONTROL = {
    "me": "mx.here.example\n",
    "rcpthosts": "here.example\n.wild.example\n",
    "morercpthosts": "more.example\n",
    "locals": "here.example\n",
    "badmailfrom": "bad@there.example\n@evil.example\n",
    "databytes": "60\n",
    "localiphost": "here.example\n",
    "timeoutsmtpd": "30\n",
    "timeoutremote": "5\n",
}
ZONE = """$ORIGIN big.example.
$TTL 60
@ IN SOA ns hostmaster 1 1 1 1 1
@ IN NS ns
@ IN MX 10 mx
@ IN MX 20 other
mx IN A 127.0.0.2
other IN A 127.0.0.3
plain IN A 127.0.0.2
own IN MX 10 self
self IN A 127.0.0.1
alias IN CNAME plain
"""


def b64(text: str) -> str:
    return base64.b64encode(text.encode("latin-1")).decode("ascii")


@dataclass(frozen=True)
class Scenario:
    """What is said to qmail-smtpd, piece by piece, and what is sent by qmail-remote, in one world."""

    says: tuple[str, ...] = ()
    control: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    recipient_check: RecipientCheck | None = None
    password_check: PasswordCheck | None = None
    dot_qmail: dict[str, str] = field(default_factory=dict)
    delivering: bool = False
    verifying: bool = False
    sends: tuple[str, str, tuple[str, ...], str] | None = None
    world: World = field(default_factory=lambda: World(zones=[ZONE]))
    waits: float = 10.0

    async def seen(self, pod: ReferencePod) -> str:
        configuration = Configuration(
            control={name: text for name, text in {**CONTROL, **self.control}.items() if text},
            environment=self.environment,
            recipient_check=self.recipient_check,
            password_check=self.password_check,
            dot_qmail=self.dot_qmail,
            delivering=self.delivering,
            verifying=self.verifying,
        )
        await pod.prepare(self.world, configuration)
        seen: list[Any] = []
        if self.says:
            connection = await pod.connect()
            for piece in ("", *self.says):
                await pod.send(connection, piece.encode("latin-1"))
                while said := await pod.receive(connection, self.waits):
                    seen.append([pod.clock.at, said.decode("latin-1")])
            await pod.close(connection)
        if self.sends is not None:
            host, sender, recipients, message = self.sends
            seen.append(await pod.remote(host, sender, list(recipients), message.encode("latin-1"), 60))
        await pod.wait_until_idle(60)
        return repr([seen, await pod.observe()])


def said(*lines: str, **options: Any) -> Scenario:
    return Scenario(tuple(line + "\r\n" for line in lines), **options)


def sent(
    host: str = "big.example",
    recipient: tuple[str, ...] = ("b@big.example",),
    message: str = "a: b\n\n.dot\n",
    exchangers: tuple[Exchanger, ...] = (Exchanger(), Exchanger(address="127.0.0.3")),
    control: dict[str, str] | None = None,
    **world: Any,
) -> Scenario:
    around = World(zones=[ZONE], exchangers=list(exchangers), **world)
    return Scenario(sends=(host, "a@here.example", recipient, message), world=around, control=control or {})


def scripted(**steps: Any) -> Scenario:
    return sent(exchangers=(Exchanger(steps=steps),))


ENVELOPE = ("MAIL FROM:<x@there.example>", "RCPT TO:<alice@here.example>")
MANY_HOPS = "\r\n".join(["Delivered-To: a", *["Received: x"] * 99, "", "y", "."])
BODY_HOPS = "\r\n".join(["", *["Received: x"] * 101, "."])
BASE_SMTPD = (
    said("noop", "VRFY a", "EHLO there.example", *ENVELOPE, "HELO x", "RCPT TO:<bob@here.example>", "DATA"),
    said("RCPT TO:<alice@here.example>", *ENVELOPE, "RSET", "DATA", "NOOP", "QUIT"),
    said(*ENVELOPE, "NOOP", "RCPT TO:<bob@here.example>", "DATA", "S: y\r\n\r\n..x\r\n.", "DATA"),
    said(*ENVELOPE, *ENVELOPE, "DATA", "S: \xe9\r\n\r\n" + "x" * 1200 + "\r\n.", control={"databytes": ""}),
    said(*ENVELOPE, "DATA", "x" * 59 + "\r\n.", *ENVELOPE, "DATA", "x" * 60 + "\r\n."),
    said(*ENVELOPE, "DATA", "x" * 30 + "\r\n.", environment={"DATABYTES": "20"}),
    said(*ENVELOPE, "DATA", "a\nb\r\n."),
    said(*ENVELOPE, "DATA", MANY_HOPS, *ENVELOPE, "DATA", BODY_HOPS, control={"databytes": ""}),
    said("MAIL FROM:<bad@there.example>", ENVELOPE[1], "MAIL FROM:<c@EVIL.example>", ENVELOPE[1]),
    said(
        ENVELOPE[0],
        "RCPT TO:<a@x.wild.example>",
        "RCPT TO:<a@more.example>",
        "RCPT TO:<a@Here.Example>",
        "RCPT TO:<nohost>",
        "RCPT TO:<a@other.example>",
        'RCPT TO:<"a b"@here.example>',
        "RCPT TO:<@relay.example:a@here.example>",
        "RCPT TO:<a@[127.0.0.1]>",
        "DATA",
        "x\r\n.",
    ),
    said(ENVELOPE[0], *(f"RCPT TO:<{'a' * length}@here.example>" for length in (887, 1000))),
    said(*ENVELOPE, environment={"RELAYCLIENT": ".suffix.example"}),
    said(ENVELOPE[0], f"RCPT TO:<{'a' * 890}@here.example>", "DATA", "x\r\n.", *ENVELOPE),
    said(*ENVELOPE, "DATA", "x\r\n.", environment={"RELAYCLIENT": "." + "s" * 1000}),
    said("NOOP", waits=40.0),
    said("HELP", control={"smtpgreeting": "name.here.example\n"}),
    Scenario(("MAIL FR", "OM:<x@there.example>\r\n")),
    said(ENVELOPE[0], "RCPT TO:<a@other.example>", environment={"RELAYCLIENT": ""}),
    said(*ENVELOPE, "DATA", "x\r.\rNOOP\r\n."),
    said(*ENVELOPE, "DATA", "x\r\n.\r\r\nNOOP\r\n."),
    said("NOOP\rNOOP", "NOOP " + "x" * 5000, *ENVELOPE, "DATA", "a\rb\0c\n.\rNOOP\r\n."),
    said(*ENVELOPE, "DATA", "a\rb\0c\r\n."),
    *(said(ENVELOPE[0], "RCPT TO:<z@here.example>", environment={"VERIFY": verify}) for verify in (":", "")),
    said(*ENVELOPE, environment={"VERIFY": ":", "RELAYCLIENT": ""}),
    said(
        ENVELOPE[0],
        "RCPT TO:<z@here.example>",
        "RSET",
        *ENVELOPE,
        "DATA",
        environment={"VERIFY": "DEFER"},
        verifying=True,
    ),
)
AUTH_WORLD = PasswordCheck()


def credentials(mode: str, *lines: str, check: PasswordCheck = AUTH_WORLD) -> Scenario:
    return said("EHLO there.example", *lines, environment={"SMTPAUTH": mode}, password_check=check)


GOOD = "AUTH PLAIN " + b64("\0alice\0wonderland-7")
BAD = "AUTH PLAIN " + b64("\0alice\0wrong")
OUTSIDE = ("MAIL FROM:<x@there.example>", "RCPT TO:<a@other.example>")
PATCHED_SMTPD = (
    said(*ENVELOPE, "FOO", "RCPT TO:<bob@here.example>", "NOOP"),
    said(
        "MAIL FROM:<a%b@there.example>",
        *ENVELOPE,
        *(f"RCPT TO:<{box}@here.example>" for box in ("a%b", "!ab", "a!b", "a@b", "a+b")),
        "DATA",
        "x\r\n.",
    ),
    said(ENVELOPE[0], "RCPT TO:<a%b@here.example>", environment={"RELAYCLIENT": ""}),
    said("MAIL FROM:<a@b%c.example>"),
    credentials("", GOOD, GOOD, "RSET", *OUTSIDE, "DATA", "x\r\n.", "AUTH CRAM-MD5"),
    credentials("", "HELO x", BAD, *OUTSIDE, GOOD),
    credentials("", "AUTH LOGIN " + b64("alice"), b64("wonderland-7")),
    credentials("", "AUTH LOGIN", "*", "AUTH PLAIN ???", "AUTH LOGIN", b64("alice"), "=", "AUTH PLAIN ="),
    credentials("", "AUTH CRAM-MD5"),
    credentials("", "AUTH LOGIN", b64("alice"), b64("wonderland-7")),
    credentials("", "AUTH PLAIN", b64("\0alice\0wonderland-7")),
    credentials("", "AUTH PLAIN " + b64("\0frank\0" + passwords(load_users())["frank"])),
    credentials("", "AUTH PLAIN " + b64("bob\0alice\0wonderland-7"), "AUTH PLAIN " + b64("\0alice\0")),
    credentials("+cram", "AUTH CRAM-MD5", "*", "AUTH CRAM-MD5", "*"),
    credentials("cram", GOOD),
    credentials("-", GOOD),
    credentials("!", *ENVELOPE),
    credentials("", *ENVELOPE),
    credentials("", GOOD, check=PasswordCheck(fate="crash")),
    credentials("", GOOD, check=PasswordCheck(fate="missing")),
    said("EHLO x", "MAIL FROM:<> SIZE=60", "MAIL FROM:<> SIZE=61"),
    *(
        said(
            "MAIL FROM:<>",
            "RCPT TO:<Alice@here.example>",
            "RCPT TO:<bob@here.example>",
            "DATA",
            "x\r\n.",
            recipient_check=RecipientCheck({"bob@here.example": status}),
        )
        for status in (0, 1, 100, 111, 120)
    ),
    said(ENVELOPE[0], f"RCPT TO:<{'b' * 300}\xe9@here.example>", recipient_check=RecipientCheck()),
    said(*ENVELOPE, recipient_check=RecipientCheck(fate="crash")),
    said(*ENVELOPE, recipient_check=RecipientCheck(fate="missing")),
    said(*ENVELOPE, recipient_check=RecipientCheck(), environment={"RELAYCLIENT": ""}),
    said(*ENVELOPE, recipient_check=RecipientCheck(says="printed\r\n")),
)
BASE_REMOTE = (
    sent(),
    sent("big.example", ('"a b"@big.example', "c d@BIG.example")),
    sent("alias.big.example", ("b@alias.big.example",)),
    sent("plain.big.example", ("b@plain.big.example",)),
    sent("own.big.example", ("b@own.big.example",)),
    sent("[127.0.0.2]", ("b@[127.0.0.2]",)),
    sent(message="a: b\n\npartial"),
    sent(exchangers=(Exchanger(address="127.0.0.3"),)),
    sent(exchangers=()),
    sent(exchangers=(Exchanger(port=26),), control={"smtproutes": "big.example:[127.0.0.2]:26\n"}),
    sent(control={"helohost": "name.here.example\n"}),
    sent(faults=[Fault("big.example", "rcode", type="MX")]),
    sent(faults=[Fault("big.example", "drop", type="MX")]),
    sent("plain.big.example", faults=[Fault("plain.big.example", "rcode", type="A")]),
    scripted(connect="554 no"),
    scripted(connect="220-one\r\n220 two"),
    scripted(MAIL="550 no"),
    scripted(MAIL="450 later"),
    scripted(RCPT="550 no"),
    scripted(RCPT="450 later"),
    scripted(DATA="451 later"),
    scripted(message="354 go on"),
    scripted(message="451 later"),
    scripted(message="554 no"),
    scripted(message="close"),
    sent(exchangers=(Exchanger(silent=True),), control={"timeoutconnect": "3\n"}),
    scripted(HELO="550 no", EHLO="550 no"),
    scripted(MAIL="550 no\0" + "x" * 6000),
    sent(message="a: b\n\n\xe9\n"),
)


def with_auth(auth: list[str], control: dict[str, str], **options: Any) -> Scenario:
    """A delivery with credentials to a host that announces `auth`."""
    exchanger = Exchanger(auth=auth, users={"user": "secret"}, **options)
    return sent(exchangers=(exchanger,), control=control)


AUTHSENDERS = {"authsenders": "a@here.example:[127.0.0.2]|user|secret\n"}
ALL_METHODS = ["LOGIN", "PLAIN", "CRAM-MD5"]
PATCHED_REMOTE = (
    with_auth(ALL_METHODS, AUTHSENDERS),
    with_auth(["PLAIN"], AUTHSENDERS),
    with_auth(["GSSAPI", "plain"], AUTHSENDERS),
    with_auth([], AUTHSENDERS),
    with_auth(["PLAIN"], AUTHSENDERS, steps={"AUTH": "535 no"}),
    with_auth(["PLAIN"], AUTHSENDERS, steps={"AUTH": "432 expired"}),
    with_auth(["PLAIN"], AUTHSENDERS, ehlo=False),
    with_auth(ALL_METHODS, {"authsenders": "@here.example|user|secret\n"}),
    with_auth(ALL_METHODS, {"authsenders": "z@other.example:[127.0.0.9]|user|secret\n"}),
    with_auth(ALL_METHODS, {**AUTHSENDERS, "smtproutes": "big.example:[127.0.0.9]\n"}),
    with_auth(ALL_METHODS, {"smtproutes": "big.example:[127.0.0.2]|user|secret\n"}),
    with_auth(ALL_METHODS, {"smtproutes": "big.example:[127.0.0.2]\nz.example:z|user|secret\n"}),
    sent("big.example", ("b@BIG.example",)),
    sent("alias.big.example", ("b@alias.big.example",)),
    sent(paddings=[Padding("big.example", "MX", 4096, "last")]),
    sent(paddings=[Padding("big.example", "MX", 16384, "last")]),
    sent("plain.big.example", paddings=[Padding("plain.big.example", "A", 4096, "last")]),
    sent(paddings=[Padding("big.example", "MX", 512, "first")]),
    sent(
        paddings=[Padding("big.example", "MX", 4096, "last")],
        faults=[Fault("big.example", "close", over="tcp", type="MX", length=10)],
    ),
    sent(
        paddings=[Padding("big.example", "MX", 4096, "last")],
        faults=[Fault("big.example", "stall", over="tcp", type="MX", length=10)],
    ),
)
LOCAL = said(
    "MAIL FROM:<b@big.example>", "RCPT TO:<alice@here.example>", "RCPT TO:<nobody@here.example>",
    "RCPT TO:<bob-list@here.example>", "RCPT TO:<bob-boxes-x@here.example>", "RCPT TO:<v@virtual.example>",
    "DATA", "S: x\r\n\r\ny\r\n.", "MAIL FROM:<>", "RCPT TO:<nobody@here.example>", "DATA", "x\r\n.",
    "MAIL FROM:<b@big.example>", "RCPT TO:<alice@here.example>", "DATA",
    "Delivered-To: alice@here.example\r\n\r\n.", "MAIL FROM:<>", "RCPT TO:<b@big.example>", "DATA", "x\r\n.",
    control={"rcpthosts": "", "virtualdomains": "virtual.example:bob-boxes\n", "databytes": ""},
    delivering=True,
    world=World(zones=[ZONE], exchangers=[Exchanger(steps={"RCPT": "450 later"})]),
)  # fmt: skip
REFUSED = said(
    "MAIL FROM:<alice@here.example>", "RCPT TO:<b@big.example>", "DATA", "x\r\n.",
    control={"rcpthosts": ""}, delivering=True,
    world=World(zones=[ZONE], exchangers=[Exchanger(steps={"RCPT": "450 later"})]),
)  # fmt: skip
SCENARIOS: dict[str, tuple[Scenario, ...]] = {
    "smtpd": BASE_SMTPD,
    "remote": BASE_REMOTE,
    "send": (LOCAL, REFUSED),
    "0004": PATCHED_REMOTE,
    "0005": PATCHED_REMOTE,
    "0006": PATCHED_SMTPD,
    "0007": PATCHED_SMTPD,
    "0008": PATCHED_SMTPD + PATCHED_REMOTE + BASE_REMOTE,
    "0009": PATCHED_SMTPD,
}


@cache
def unflawed(group: str, patches: tuple[str, ...]) -> list[str]:
    async def see() -> list[str]:
        pod = ReferencePod(patches)
        return [await scenario.seen(pod) for scenario in SCENARIOS[group]]

    return asyncio.run(see())


def tells_apart(name: str, patches: tuple[str, ...]) -> bool:
    """Whether some scenario shows the flaw."""
    group = name.partition(".")[0]
    right = unflawed(group, patches)

    async def differs() -> bool:
        pod = ReferencePod(patches, frozenset({name}))
        for scenario, expected in zip(SCENARIOS[group], right, strict=True):
            if await scenario.seen(pod) != expected:
                return True
        return False

    return asyncio.run(differs())


@pytest.mark.parametrize("name", sorted(FLAWS))
def test_a_flaw_can_be_seen(name: str) -> None:
    base = FLAWS[name].patch == "base"
    assert tells_apart(name, ()) if base else tells_apart(name, PPA_PATCHES)


@pytest.mark.parametrize("name", sorted(name for name in FLAWS if FLAWS[name].patch != "base"))
def test_a_flaw_of_a_patch_does_not_show_without_it(name: str) -> None:
    assert not tells_apart(name, ())


def test_runs_without_flaws_repeat_themselves() -> None:
    for group in SCENARIOS:
        assert unflawed.__wrapped__(group, PPA_PATCHES) == unflawed(group, PPA_PATCHES)


def test_an_unknown_flaw_is_refused_everywhere() -> None:
    flaws = frozenset({"smtpd.no-such-flaw"})
    with pytest.raises(ValueError, match="no-such-flaw"):
        ReferencePod((), flaws)
    with pytest.raises(ValueError, match="no-such-flaw"):
        SmtpdSettings(flaws=flaws)
    with pytest.raises(ValueError, match="no-such-flaw"):
        RemoteSettings(flaws=flaws)


def test_flaws_are_spread_over_all_patches() -> None:
    patches = {flaw.patch for flaw in FLAWS.values()}
    assert patches == {"base", *PPA_PATCHES}
    assert len(FLAWS) >= 60
