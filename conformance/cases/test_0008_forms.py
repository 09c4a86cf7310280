"""0008: forms of AUTH and of MAIL's parameters that people and programs send."""

from conformance.cases.credentials import encoded, password, plain
from conformance.cases.qmail import SUBMITTED, Qmail
from conformance.catalogue import requirement

KNOWN = "alice@here.example"


@requirement("0008.form.no-argument", source="rfc4954:4; rfc5321:4.3.2", role="guard")
async def test_auth_without_an_argument(qmail: Qmail) -> None:
    """AUTH without a method, or with one that is unknown, is refused, and the session goes on."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        replies = await smtp.commands("AUTH", "AUTH   ", "AUTH FOO", "AUTH plain=", "AUTH =", "AUTH PLAIN\tx")
        assert all(reply.code >= 500 for reply in replies), f"{replies}"
        assert (await smtp.command("NOOP")).code == 250
    assert await qmail.hook_calls("checkpassword") == []


@requirement("0008.form.unknown-goes-on", source="rfc4954:4")
async def test_auth_after_an_unknown_method(qmail: Qmail) -> None:
    """After an unknown method, 504, another AUTH of the session succeeds."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        unknown, right = await smtp.commands("AUTH DIGEST-MD5 x", f"AUTH PLAIN {plain('alice')}")
        assert (unknown.code, right.code) == (504, 235), f"{unknown} {right}"


@requirement("0008.form.blank-behind", source="rfc5321:4.1.1; rfc4954:4", level="should")
async def test_a_blank_behind_an_initial_response(qmail: Qmail) -> None:
    """A blank behind an initial response is no part of it, also where that ends with padding."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        named = await smtp.command(f"AUTH LOGIN {encoded('alice')} ")
        assert named.code == 334, named
        accepted = await smtp.command(encoded(password("alice")))
        assert accepted.code == 235, accepted


@requirement("0008.size.in-any-case", source="rfc5321:2.4, rfc5321:4.1.1.11; rfc1870:3")
async def test_size_in_any_case(qmail: Qmail) -> None:
    """The keyword SIZE is known in any case, and wherever it stands among other parameters."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        replies = await smtp.commands(
            "MAIL FROM:<a@client.example> size=2000",
            "MAIL FROM:<a@client.example> BODY=8BITMIME SIZE=2000",
            "MAIL FROM:<a@client.example> Size=2000 BODY=8BITMIME",
        )
        assert [reply.code for reply in replies] == [552] * 3, f"{replies}"


@requirement("0008.size.twenty-digits", source="rfc1870:3, rfc1870:6.1")
async def test_size_of_twenty_digits(qmail: Qmail) -> None:
    """A SIZE of up to twenty digits is read whole: 2^64 + 1 and 2^32 + 1 are over databytes, and not 1."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        said = [
            f"MAIL FROM:<a@client.example> SIZE={size}"
            for size in (2**32 + 1, 2**63 + 1, 2**64 - 1, 2**64 + 1)
        ]
        replies = await smtp.commands(*said)
    codes = [reply.code for reply in replies]
    assert codes == [552] * 4, codes


@requirement("0008.size.quoted-local-part", source="rfc5321:4.1.1.11, rfc5321:4.1.2; rfc1870:3", role="guard")
async def test_size_inside_an_address(qmail: Qmail) -> None:
    """What looks like SIZE or AUTH inside a quoted local part is a part of the address, and no parameter."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        reply = await smtp.command('MAIL FROM:<"a SIZE=999999999 b"@client.example>')
        assert reply.code == 250, reply


@requirement("0008.size.at-the-limit", source="rfc1870:6.1")
async def test_size_at_the_limit(qmail: Qmail) -> None:
    """A SIZE of exactly databytes is taken, and one more is refused."""
    qmail.control["databytes"] = "1000\n"
    async with qmail.session() as smtp:
        at, over = await smtp.commands(
            "MAIL FROM:<a@b.example> SIZE=1000", "MAIL FROM:<a@b.example> SIZE=1001"
        )
        assert (at.code, over.code) == (250, 552), f"{at} {over}"


@requirement("0008.size.announced-variable", source="rfc1870:3; qmail-smtpd(8) databytes")
async def test_size_and_the_variable(qmail: Qmail) -> None:
    """EHLO announces, and MAIL obeys, the limit that DATABYTES sets in the place of the file's."""
    qmail.control["databytes"] = "1000\n"
    qmail.environment["DATABYTES"] = "50"
    async with qmail.session(hello=False) as smtp:
        hello = await smtp.hello()
        assert "SIZE 50" in hello.lines, hello
        reply = await smtp.command("MAIL FROM:<a@b.example> SIZE=60")
        assert reply.code == 552, reply


@requirement("0008.mail.auth-parameter", source="rfc4954:5; patch:0008 README")
async def test_auth_on_mail(qmail: Qmail) -> None:
    """AUTH= on MAIL is understood, and of a client that has not authenticated it names nobody."""
    qmail.authenticate("")
    async with qmail.session(hello=False) as smtp:
        hello = await smtp.hello()
        assert any(line.startswith("AUTH") for line in hello.lines), hello
        lines = ["MAIL FROM:<a@b.example> AUTH=e+3Dmc2", f"RCPT TO:<{KNOWN}>"]
        said = await smtp.commands(*lines, message=SUBMITTED)
        assert [reply.code for reply in said] == [250, 250, 354, 250], f"{said}"
    received = (await qmail.queued()).octets.partition("Subject:")[0]
    line = received.split("Received: ")[-1].partition("\n")[0]
    assert "mc2" not in received, f"a stranger is named: {line}"


@requirement("0008.mail.auth-of-user", source="rfc4954:5; patch:0008 README")
async def test_auth_on_mail_after_authentication(qmail: Qmail) -> None:
    """After 235 AUTH= on MAIL changes nothing of who the client is: Received names who has authenticated."""
    qmail.authenticate("")
    async with qmail.session() as smtp:
        assert (await smtp.command(f"AUTH PLAIN {plain('alice')}")).code == 235
        await smtp.commands(
            "MAIL FROM:<a@b.example> AUTH=bob@here.example", f"RCPT TO:<{KNOWN}>", message=SUBMITTED
        )
    received = (await qmail.queued()).octets.partition("Subject:")[0]
    assert "(alice@127.0.0.1)" in received, received
    assert "bob" not in received, received
