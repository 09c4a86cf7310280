"""Base qmail as the distribution ships it: VERIFY, recipients that qmail-verify knows or does not know."""

from conformance.cases.qmail import Qmail
from conformance.catalogue import requirement

SOURCE = "qmail-smtpd(8) RECIPIENT VERIFICATION"
KNOWN = "alice@here.example"
UNKNOWN = "nobody-at-all@here.example"
MESSAGE = b"Subject: x\r\n\r\nx\r\n"


def _verify(qmail: Qmail, value: str) -> None:
    """Run qmail-verify, and set VERIFY to `value`."""
    qmail.verifying = True
    qmail.environment["VERIFY"] = value


@requirement(
    "base.verify.immediate",
    patch="0002",
    source=SOURCE
    + ": 550 error response to the RCPT command; package source, qmail-smtpd.c: err_nosuchuser550",
)
async def test_immediate(qmail: Qmail) -> None:
    """With VERIFY=: a recipient that does not exist gets 550 at RCPT, and one that exists is accepted."""
    _verify(qmail, ":")
    async with qmail.session() as smtp:
        replies = await smtp.envelope("a@b.example", [KNOWN, UNKNOWN])
        assert [reply.code for reply in replies] == [250, 250, 550]
        assert replies[2].enhanced == "5.1.1"


@requirement("base.verify.others-stand", patch="0002", source=SOURCE + ": per-recipient rejection")
async def test_others_stand(qmail: Qmail) -> None:
    """A recipient refused by verification is not added, and the others of the transaction stand."""
    _verify(qmail, ":")
    said = await qmail.envelope("a@b.example", [KNOWN, UNKNOWN, "bob@here.example"], MESSAGE)
    assert said[-1].code == 250
    assert await qmail.queued_recipients() == [[KNOWN, "bob@here.example"]]


@requirement(
    "base.verify.deferred", patch="0002", source=SOURCE + ": deferred rejection at DATA time (554 response)"
)
async def test_deferred(qmail: Qmail) -> None:
    """With VERIFY=DEFER every RCPT gets 250, and if one recipient does not exist DATA gets 554."""
    _verify(qmail, "DEFER")
    said = await qmail.envelope("a@b.example", [UNKNOWN, KNOWN], MESSAGE)
    assert [reply.code for reply in said] == [250, 250, 250, 554]
    assert await qmail.queue() == []


@requirement("base.verify.deferred-rset", patch="0002", role="guard", source=SOURCE + "; rfc5321:4.1.1.5")
async def test_deferred_and_reset(qmail: Qmail) -> None:
    """With VERIFY=DEFER a recipient that does not exist is forgotten at RSET: the next message passes.

    The manual page has DATA refused for the whole session; here RFC 5321 decides, and the source with it.
    """
    _verify(qmail, "DEFER")
    async with qmail.session() as smtp:
        lines = ["MAIL FROM:<a@b.example>", f"RCPT TO:<{UNKNOWN}>", "RSET"]
        lines += ["MAIL FROM:<a@b.example>", f"RCPT TO:<{KNOWN}>"]
        said = await smtp.commands(*lines, message=MESSAGE)
        assert said[-1].code == 250


@requirement("base.verify.empty", patch="0002", role="guard", source=SOURCE + ": explicitly disabled")
async def test_empty(qmail: Qmail) -> None:
    """With VERIFY empty nothing is verified: a recipient that does not exist is accepted."""
    _verify(qmail, "")
    assert (await qmail.recipient(UNKNOWN)).code == 250


@requirement("base.verify.no-answer", patch="0002", source=SOURCE + "; rfc5321:4.2.1")
async def test_no_answer(qmail: Qmail) -> None:
    """Where qmail-verify does not answer, RCPT gets 451 and the connection is closed; nothing is accepted."""
    qmail.environment["VERIFY"] = ":"
    async with qmail.session() as smtp:
        _, reply = await smtp.envelope("a@b.example", [KNOWN])
        assert reply.code == 451
        assert await smtp.closed(), "the connection stays open"


@requirement("base.verify.mute", patch="0002", source=SOURCE + "; rfc5321:4.2.1", waits=5)
async def test_mute(qmail: Qmail) -> None:
    """Where qmail-verify is asked and never answers, RCPT gets 451 and the connection is closed."""
    qmail.verifying = "mute"
    qmail.environment["VERIFY"] = ":"
    async with qmail.session() as smtp:
        _, reply = await smtp.envelope("a@b.example", [KNOWN])
        assert reply.code == 451
        assert await smtp.closed(), "the connection stays open"


@requirement(
    "base.verify.relayclient", patch="0002", role="guard", source=SOURCE + "; qmail-smtpd(8) RELAYCLIENT"
)
async def test_relayclient(qmail: Qmail) -> None:
    """For a client that may relay nothing is verified: a recipient that does not exist is accepted."""
    _verify(qmail, ":")
    qmail.environment["RELAYCLIENT"] = ""
    assert (await qmail.recipient(UNKNOWN)).code == 250


@requirement(
    "base.verify.rcpthosts-first",
    source=SOURCE + "; qmail-smtpd(8) rcpthosts; package source, qmail-smtpd.c: err_nogateway",
)
async def test_rcpthosts_decides_first(qmail: Qmail) -> None:
    """A recipient in a domain that rcpthosts does not list gets 553, as without verification."""
    _verify(qmail, ":")
    assert (await qmail.recipient("nobody-at-all@elsewhere.example")).code == 553


@requirement("base.verify.extension", patch="0002", source=SOURCE + "; dot-qmail(5), qmail-verify(8)")
async def test_extension(qmail: Qmail) -> None:
    """An extension exists where a dot-qmail file is for it: 250 with the file, 550 without."""
    _verify(qmail, ":")
    qmail.dot_qmail["alice/.qmail-list"] = "./Maildir/\n"
    async with qmail.session() as smtp:
        _, there, missing = await smtp.envelope(
            "a@b.example", ["alice-list@here.example", "alice-other@here.example"]
        )
        assert (there.code, missing.code) == (250, 550)


@requirement(
    "base.verify.virtualdomain",
    patch="0002",
    source=SOURCE + "; qmail-send(8) virtualdomains; qmail-verify(8)",
)
async def test_virtual_domain(qmail: Qmail) -> None:
    """In a virtual domain a recipient exists as the domain's user knows it: 250 or 550."""
    _verify(qmail, ":")
    qmail.control["rcpthosts"] = "virtual.example\n"
    qmail.control["virtualdomains"] = "virtual.example:alice\n"
    qmail.dot_qmail["alice/.qmail-box"] = "./Maildir/\n"
    async with qmail.session() as smtp:
        _, there, missing = await smtp.envelope(
            "a@b.example", ["box@virtual.example", "other@virtual.example"]
        )
        assert (there.code, missing.code) == (250, 550)


@requirement("base.verify.other-host", patch="0002", source=SOURCE + "; qmail-verify(8)")
async def test_other_host(qmail: Qmail) -> None:
    """A recipient of a domain that is relayed and not local is not verified: it is accepted."""
    _verify(qmail, ":")
    qmail.control["rcpthosts"] = "here.example\nrelayed.example\n"
    _, relayed, unknown = await qmail.envelope("a@b.example", ["anyone@relayed.example", UNKNOWN])
    assert (relayed.code, unknown.code) == (250, 550)


# fastforward's aliases

FASTFORWARD = "package source, qmail-verify.c: verify_aliasescdb"


def _fastforward(qmail: Qmail, *aliases: str) -> None:
    """~alias/.qmail-default takes everything in, and qmail-verify is told of a table with these aliases."""
    _verify(qmail, ":")
    qmail.control["locals"] = "here.example\nlist.example\n"
    qmail.control["rcpthosts"] = "here.example\nlist.example\n"
    qmail.dot_qmail["alias/.qmail-default"] = "&alice@here.example\n"
    qmail.aliases = list(aliases)


@requirement("base.verify.aliases", patch="0003", needs=("0002",), source=FASTFORWARD)
async def test_aliases(qmail: Qmail) -> None:
    """Of what .qmail-default takes in, an address in aliases.cdb exists, in any case, another does not."""
    _fastforward(qmail, "info@here.example")
    said = await qmail.envelope("a@b.example", ["info@here.example", "InFo@here.example", "x@here.example"])
    assert [reply.code for reply in said] == [250, 250, 250, 550], said


@requirement("base.verify.aliases-domain", patch="0003", needs=("0002",), source=FASTFORWARD)
async def test_alias_of_a_domain(qmail: Qmail) -> None:
    """An entry for a domain in aliases.cdb lets every address of that domain exist, and of no other."""
    _fastforward(qmail, "@list.example")
    said = await qmail.envelope("a@b.example", ["any@list.example", "any@here.example"])
    assert [reply.code for reply in said] == [250, 250, 550], said


@requirement("base.verify.aliases-local-part", patch="0003", needs=("0002",), source=FASTFORWARD)
async def test_alias_of_a_local_part(qmail: Qmail) -> None:
    """An entry for a local part in aliases.cdb lets it exist in every domain, and no other local part."""
    _fastforward(qmail, "info@")
    recipients = ["info@list.example", "info@here.example", "infos@here.example"]
    said = await qmail.envelope("a@b.example", recipients)
    assert [reply.code for reply in said] == [250, 250, 250, 550], said


@requirement("base.verify.aliases-others", patch="0003", role="guard", source=FASTFORWARD)
async def test_aliases_are_for_the_default_alone(qmail: Qmail) -> None:
    """aliases.cdb is not asked about users, their extensions, and aliases with a dot-qmail file."""
    _fastforward(qmail, "info@here.example")
    qmail.dot_qmail["alias/.qmail-sales"] = "&alice@here.example\n"
    qmail.dot_qmail["alice/.qmail-default"] = "./Maildir/\n"
    recipients = ["alice@here.example", "alice-x@here.example", "sales@here.example"]
    said = await qmail.envelope("a@b.example", recipients)
    assert [reply.code for reply in said] == [250] * 4, said


@requirement("base.verify.aliases-unnamed", patch="0003", role="guard", source=FASTFORWARD)
async def test_no_table_of_aliases(qmail: Qmail) -> None:
    """Where qmail-verify is told of no aliases.cdb, everything that .qmail-default takes in exists."""
    _fastforward(qmail)
    said = await qmail.envelope("a@b.example", ["x@here.example"])
    assert [reply.code for reply in said] == [250, 250], said


# Verification and delivery


@requirement("base.verify.dots", patch="0002", source="dot-qmail(5) EXTENSION ADDRESSES; qmail-verify(8)")
async def test_dots_in_an_extension(qmail: Qmail) -> None:
    """A dot in an extension is looked for as a colon, by verification as by delivery: 250, and it arrives."""
    _verify(qmail, ":")
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-a:b"] = "./Maildir/\n"
    *_, missing, go, done = await qmail.envelope(
        "c@b.example", ["alice-a.b@here.example", "alice-a.c@here.example"], MESSAGE
    )
    assert (missing.code, go.code, done.code) == (550, 354, 250), f"{missing} {go} {done}"
    mailboxes = (await qmail.delivered()).mailboxes
    assert len(mailboxes.get("alice", [])) == 1, f"{mailboxes}"


@requirement(
    "base.verify.upper-case",
    patch="0002",
    role="guard",
    source="dot-qmail(5) EXTENSION ADDRESSES; qmail-verify(8)",
)
async def test_upper_case(qmail: Qmail) -> None:
    """Upper case in a local part is no other mailbox, to verification as to delivery: 250, and it arrives."""
    _verify(qmail, ":")
    qmail.delivering = True
    qmail.dot_qmail["alice/.qmail-a:b"] = "./Maildir/\n"
    said = await qmail.envelope("c@b.example", ["ALICE@here.example", "Alice-A.B@Here.Example"], MESSAGE)
    assert [reply.code for reply in said] == [250, 250, 250, 354, 250], f"{said}"
    mailboxes = (await qmail.delivered()).mailboxes
    assert len(mailboxes.get("alice", [])) == 2, f"{mailboxes}"


@requirement(
    "base.verify.no-other-home", patch="0002", source="dot-qmail(5) EXTENSION ADDRESSES; qmail-verify(8)"
)
async def test_slashes_and_dots(qmail: Qmail) -> None:
    """No extension leads out of a home: .. and slashes name no file of another user, nor of this one."""
    _verify(qmail, ":")
    qmail.dot_qmail["bob/.qmail-list"] = "./Maildir/\n"
    recipients = [
        "alice-../../bob/.qmail-list",
        "alice-../bob/.qmail-list",
        "zl...",
        "alice-",
        "alice-/",
        "alice-.",
    ]
    _, *replies = await qmail.envelope("c@b.example", [f"{each}@here.example" for each in recipients])
    assert [reply.code for reply in replies] == [550] * 6, f"{replies}"


@requirement("base.verify.default", patch="0002", source="dot-qmail(5) EXTENSION ADDRESSES; qmail-verify(8)")
async def test_defaults(qmail: Qmail) -> None:
    """A dot-qmail file for default takes every extension below it, to verification as to delivery."""
    _verify(qmail, ":")
    qmail.dot_qmail["alice/.qmail-a-default"] = "./Maildir/\n"
    recipients = [
        "alice-a-x@here.example",
        "alice-a-x-y@here.example",
        "alice-b-x@here.example",
        "alice-a@here.example",
    ]
    _, *replies = await qmail.envelope("c@b.example", recipients)
    assert [reply.code for reply in replies] == [250, 250, 550, 550], f"{replies}"


@requirement("base.verify.lines", patch="0002", source="qmail-send(8) locals; qmail-verify(8)")
async def test_lines_of_locals(qmail: Qmail) -> None:
    """Every line of locals and virtualdomains counts for verification."""
    _verify(qmail, ":")
    hosts = ["here.example", "two.example", "three.example", "v1.example", "v2.example"]
    qmail.control["rcpthosts"] = "".join(f"{host}\n" for host in hosts)
    qmail.control["locals"] = "# ours\nhere.example\n\ntwo.example \nTHREE.example"
    qmail.control["virtualdomains"] = "v1.example:alice-one\n# no\nv2.example:bob\n"
    recipients = [f"nobody-at-all@{host}" for host in hosts] + ["alice@two.example", "bob@three.example"]
    _, *replies = await qmail.envelope("c@b.example", recipients)
    assert [reply.code for reply in replies] == [550] * 5 + [250] * 2, f"{replies}"


# Addresses without a domain

NO_HOST = "qmail-verify(8) CONTROL FILES; qmail-send(8) envnoathost"


@requirement("base.verify.envnoathost", patch="0002", source=NO_HOST)
async def test_address_at_envnoathost(qmail: Qmail) -> None:
    """An address without @ is verified at envnoathost: 250 for one that exists there, 550 for another."""
    _verify(qmail, ":")
    qmail.control["envnoathost"] = "here.example\n"
    said = await qmail.envelope("a@b.example", ["alice", "nobody-at-all", "alice-list"])
    assert [reply.code for reply in said] == [250, 250, 550, 550], said


@requirement("base.verify.without-host", patch="0002", source=SOURCE + "; " + NO_HOST + ": Default: me")
async def test_address_at_me(qmail: Qmail) -> None:
    """Without envnoathost an address without @ is one at me: 550 for nobody there, as it would bounce."""
    _verify(qmail, ":")
    qmail.control["locals"] = "mx.here.example\n"
    reply = await qmail.recipient("nobody-at-all")
    assert reply.code == 550, reply


@requirement(
    "base.verify.without-host-exists",
    patch="0002",
    role="guard",
    source=SOURCE + "; " + NO_HOST + ": Default: me",
)
async def test_known_address_at_me(qmail: Qmail) -> None:
    """Without envnoathost an address without @ that exists at me is accepted, and arrives."""
    _verify(qmail, ":")
    qmail.delivering = True
    qmail.control["locals"] = "mx.here.example\n"
    said = await qmail.envelope("a@b.example", ["alice"], MESSAGE)
    assert [reply.code for reply in said] == [250, 250, 354, 250], said
    boxes = {user: len(messages) for user, messages in (await qmail.delivered()).mailboxes.items()}
    assert boxes == {"alice": 1}, boxes


@requirement("base.verify.nul", patch="0002", source=SOURCE + "; rfc5321:4.1.2")
async def test_nul_in_an_address(qmail: Qmail) -> None:
    """An address with a NUL is nobody's, even where a user's name is left without it: 5xx."""
    _verify(qmail, ":")
    qmail.control["envnoathost"] = "here.example\n"
    recipients = ["no\0body@here.example", "al\0ice@here.example"]
    _, *replies = await qmail.envelope("a@b.example", recipients)
    assert all(500 <= reply.code < 600 for reply in replies), replies
