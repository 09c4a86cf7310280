"""The zoo of flaws: small named wrongnesses, each of which some case must turn red.

A flaw shows what a wrong rebase, a dropped hunk, an off-by-one or a lost error path would do. Engines ask
`"name" in flaws`; the part before the dot is the patch, or for unpatched qmail the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterable

_PROGRAMS = ("smtpd", "remote", "send")


@dataclass(frozen=True)
class Flaw:
    """One wrongness: what the flawed build does."""

    name: str
    description: str

    @property
    def patch(self) -> str:
        """The patch that is flawed, or "base"."""
        first = self.name.partition(".")[0]
        return "base" if first in _PROGRAMS else first


_TABLE = """
smtpd.accepts-without-queueing  says 250 to a message that it never gave to qmail-queue
smtpd.any-line-end              takes a carriage return or a line feed alone for the end of a line
smtpd.badmailfrom-ignored       takes recipients from a sender in badmailfrom
smtpd.badmailfrom-no-hosts      does not know @host lines in badmailfrom
smtpd.bare-cr-ends-command      takes a carriage return alone for the end of a command
smtpd.bare-cr-ends-line         takes CR . CR for the end of a message
smtpd.bare-lf-accepted          takes a bare line feed for the end of a line
smtpd.carriage-returns-lost     drops carriage returns within a line of the message
smtpd.data-keeps-sender         goes on with the same transaction after a message
smtpd.data-without-mail         takes DATA before MAIL and RCPT
smtpd.databytes-452             answers 452 to a message over databytes
smtpd.databytes-ignored         has no limit on a message's size
smtpd.databytes-off-by-one      refuses a message of exactly databytes octets
smtpd.databytes-variable-ignored  does not let DATABYTES override databytes
smtpd.delivered-not-counted     counts Received fields as hops, but not Delivered-To
smtpd.dots-kept                 does not unstuff dots
smtpd.end-counted               counts an end beside the 900 octets of an address
smtpd.extra-cr-ends             takes a dot and several carriage returns for the end of a message
smtpd.greeting-file-ignored     greets with me, whatever smtpgreeting says
smtpd.greeting-without-me       greets as `unknown` where there is no smtpgreeting
smtpd.helo-as-ehlo              answers HELO as EHLO, with extensions
smtpd.helo-keeps-transaction    HELO and EHLO leave the transaction as it is
smtpd.help-unknown              does not know HELP
smtpd.hops-ignored              accepts a message that loops
smtpd.hops-in-body              counts hops in the body, too
smtpd.hops-off-by-one           accepts a message of exactly 100 hops
smtpd.last-recipient-lost       forgets the last of several recipients after accepting it
smtpd.localiphost-ignored       does not replace its own address in brackets
smtpd.long-command-closes       closes the connection after a command of more than 4,096 octets
smtpd.long-lines-cut            cuts lines at 998 octets
smtpd.longer-addresses          takes addresses of more than 900 octets
smtpd.lost-connection-queues    queues a message for its recipients when the connection is lost
smtpd.mail-keeps-recipients     a second MAIL keeps the recipients of the first
smtpd.no-8bitmime               does not announce 8BITMIME
smtpd.no-host-refused           refuses a recipient without an @
smtpd.no-morercpthosts          does not read morercpthosts
smtpd.no-received               writes no Received field
smtpd.no-wildcards              does not know .domain lines in rcpthosts
smtpd.noop-resets               NOOP ends the transaction
smtpd.nuls-dropped              drops NULs from the message
smtpd.one-recipient             keeps the last recipient only
smtpd.open-relay                takes recipients in any domain
smtpd.pieces-lost               keeps only the last piece of a line that arrives in pieces
smtpd.queue-trouble-accepted    says 250 although qmail-queue failed
smtpd.quit-stays                does not close the connection after QUIT
smtpd.quotes-kept               leaves the quotes in a quoted local part
smtpd.rcpt-without-mail         takes RCPT before MAIL
smtpd.rcpthosts-550             answers 550 for a domain that is not in rcpthosts
smtpd.rcpthosts-case            compares domains with rcpthosts by case
smtpd.relayclient-empty-ignored  takes an empty RELAYCLIENT for none
smtpd.relayclient-no-suffix     does not append the value of RELAYCLIENT
smtpd.relayclient-verified      verifies the recipients of a client that may relay
smtpd.rset-keeps-sender         RSET leaves the transaction as it is
smtpd.rset-keeps-unverified     RSET does not forget a recipient that could not be verified
smtpd.seven-bit                 clears the eighth bit of every octet
smtpd.source-route-kept         does not strip a source route
smtpd.timeout-silent            closes after timeoutsmtpd without a reply
smtpd.verb-case                 knows verbs in upper case only
smtpd.verify-empty-on           takes an empty VERIFY for immediate verification
smtpd.verify-ignored            does not verify recipients
smtpd.verify-silence-accepts    accepts a recipient when qmail-verify does not answer
smtpd.vrfy-250                  answers VRFY with 250
smtpd.vrfy-unknown              does not know VRFY
remote.alias-kept               follows aliases but leaves the recipient as written
remote.connect-timeout-ignored  waits for a connection for as long as it takes, whatever timeoutconnect says
remote.data-reply-ignored       sends the message although DATA was refused
remote.dots-not-stuffed         does not stuff dots
remote.drop-after-message-success  reports success when the connection dies after the final dot
remote.drop-permanent           reports a lost connection as a permanent failure
remote.eighth-bit-cleared       clears the eighth bit of what it sends
remote.first-mx-only            looks up the best exchanger only
remote.greeting-5xx-permanent   reports a 5xx greeting as a permanent failure
remote.greeting-permanent       reports a refused greeting as a permanent failure
remote.hello-permanent          reports a refused hello as a permanent failure
remote.helohost-ignored         says HELO with me, whatever helohost says
remote.mail-4xx-permanent       reports a deferred sender as a permanent failure
remote.mail-5xx-temporary       reports a refused sender as a temporary failure
remote.message-3xx-accepted     takes a 3xx after the message for acceptance
remote.message-4xx-accepted     takes a 4xx after the message for acceptance
remote.message-5xx-temporary    reports a 5xx after the message as a temporary failure
remote.message-reply-unread     reports success without reading the reply to the message
remote.no-a-fallback            does not fall back to the A record of a host without MX
remote.no-connection-permanent  reports refused connections as a permanent failure
remote.no-duplicate-warning     does not warn of a possible duplicate
remote.no-host-soft             reports a host that does not exist as a temporary failure
remote.no-literals              looks up host literals in the DNS
remote.no-second-try            does not try the next exchanger when the best one refuses connections
remote.nul-kept                 leaves the NULs of a reply in its report
remote.null-sender              sends every message from the null sender
remote.own-address-tried        delivers to itself as the best exchanger
remote.partial-line-sent        completes a partial final line and sends it
remote.recipient-kinds-swapped  reports 4xx at RCPT as permanent and 5xx as temporary
remote.refused-recipient-accepted  reports a refused recipient as accepted
remote.reply-not-quoted         leaves the remote host's words out of the report
remote.route-port-ignored       does not obey the port in smtproutes
remote.servfail-hard            takes SERVFAIL for a host that does not exist
remote.single-line-replies      takes each line of a reply for a reply
remote.smtproutes-ignored       does not obey smtproutes
remote.soft-is-hard             reports a failed lookup as a permanent failure
remote.text-unlimited           quotes replies in its report whatever their length
remote.unquoted                 does not quote local parts that need it
remote.worst-first              tries the exchanger of the worst preference first
send.bounce-with-sender         sends bounces with a sender
send.deferral-fails             gives a message up at the first temporary failure
send.deferred-dropped           forgets a message after a temporary failure
send.delivered-twice            delivers into a Maildir twice
send.forward-lost               drops what a dot-qmail file forwards
send.loop-unseen                delivers a message that has its own Delivered-To line already
send.no-bounce                  drops a failed message without a bounce
send.no-default                 does not look for .qmail-default files
send.no-delivered-to            writes no Delivered-To line
send.no-double-bounce           drops a bounce that failed
send.no-return-path             writes no Return-Path line
send.no-virtualdomains          does not obey virtualdomains
send.recipient-report-ignored   takes the message report for a refused recipient's
send.unknown-user-dropped       takes mail for unknown users and drops it
0004.aliases-unread             fails for now when an answer goes through an alias
0004.any-for-mx                 asks ANY in the place of MX
0004.asks-and-ignores           still asks ANY, and ignores the answer
0004.asks-cname                 asks CNAME where stock asks ANY
0004.dropped                    asks ANY and rewrites recipients as stock does
0004.loop-followed              follows aliases by itself, without end
0004.lower-case                 lowers the case of the recipient's domain
0005.always-tcp                 asks again over TCP whatever the answer's size
0005.dropped                    reads answers into 512 octets as stock does
0005.exact-512-buffer           reads into exactly 512 octets, and takes a full buffer for a cut one
0005.mx-only                    asks again for MX, but not for A and ANY
0005.only-4096                  asks again into 4,096 octets only
0005.tc-ignored                 asks again only when the buffer is full, whatever the TC bit says
0005.tc-only                    asks again only when the answer came with TC and fitted the buffer
0005.tcp-failure-hard           a failure over TCP is permanent
0005.tcp-hangs                  waits for ever for a stalled answer over TCP
0005.udp-again                  asks again over UDP
0006.closes                     closes the connection after an unknown command
0006.dropped                    answers 502 as stock does
0006.enhanced-status            answers 500 with the old enhanced status 5.5.1
0006.known-verbs                answers 500 to NOOP, too
0006.resets                     an unknown command ends the transaction
0007.550                        refuses with 550
0007.adds-recipient             refuses a recipient and adds it all the same
0007.at-forgotten               does not screen for a further @
0007.bang-forgotten             does not screen for !
0007.domain-screened            screens the domain part of an address, too
0007.dropped                    screens nothing
0007.first-octet                does not see a relay character at the start
0007.null-refused               takes the null sender for an address with relay characters
0007.percent-forgotten          does not screen for %
0007.plus-refused               refuses + as well
0007.recipients-only            does not screen the sender
0007.relayclient-exempt         does not screen the recipients of a client that may relay
0007.sender-only                does not screen recipients (the hunk landed in MAIL)
0008.any-password               accepts whatever password
0008.authsenders-exact-only     does not know @domain and .subdomain in authsenders
0008.authsenders-first-line     uses the first line of authsenders for every sender
0008.authsenders-ignored        does not read authsenders
0008.bad-base64                 takes bad base64 for credentials
0008.cram-adds                  SMTPAUTH=cram adds CRAM-MD5 and leaves LOGIN and PLAIN
0008.crash-accepts              takes a crashed checkprogram for acceptance
0008.dash-announces             SMTPAUTH=- announces and accepts AUTH
0008.digest-swapped             swaps key and text of the CRAM-MD5 digest
0008.early-success              reports K before the host accepted the message
0008.empty-password             asks the checkprogram about empty passwords
0008.esmtpa-forgotten           says SMTP in Received after authentication
0008.expired-reads-again        waits for another reply after 432
0008.failure-454                answers a wrong password with 454
0008.failure-relays             lets a client relay after a failed authentication
0008.first-method-only          reads the first announced method only
0008.helo-announces             announces AUTH after HELO
0008.in-transaction             takes AUTH inside a mail transaction
0008.leaks-to-other-line        uses another line's credentials for a route without its own
0008.login-first                prefers LOGIN over CRAM-MD5
0008.login-initial-ignored      ignores an initial response of LOGIN
0008.login-prompts-swapped      takes LOGIN's answers for password and user, in this order
0008.malformed-535              answers credentials that cannot be read with 535
0008.methods-case               knows announced methods in upper case only
0008.missing-accepts            takes a missing checkprogram for acceptance
0008.no-auth-gives-up           does not deliver to a host that announces no AUTH
0008.no-cancel                  does not let a client cancel with *
0008.no-delay                   does not wait after a failed authentication
0008.no-helo-fallback           gives up when EHLO is refused
0008.no-mail-parameter          sends MAIL without AUTH= after authentication
0008.no-relaying                does not let an authenticated client relay
0008.no-remote-info             does not name the user in Received
0008.not-announced              does not announce AUTH
0008.not-required               does not require authentication before MAIL
0008.padding-crashes            ends without a reply when credentials are padding alone
0008.password-cut               cuts passwords to 127 octets
0008.plain-identity             checks the authorization identity instead of the user
0008.plain-initial-ignored      ignores an initial response of PLAIN
0008.plain-initial-only         refuses PLAIN without an initial response
0008.plain-unasked              sends credentials to a host that did not announce AUTH
0008.plus-cram-lost             SMTPAUTH=+cram offers LOGIN and PLAIN only
0008.rejection-ignored          goes on after its credentials were rejected
0008.rejection-permanent        reports rejected credentials as a permanent failure
0008.remote-helo-only           says HELO, and so never authenticates
0008.required-always            requires authentication wherever it offers any
0008.rset-forgets               RSET undoes authentication
0008.short-form-ignored         does not know lines of authsenders without a relay
0008.size-ignored               does not read SIZE on MAIL
0008.size-not-announced         does not announce SIZE
0008.size-off-by-one            refuses SIZE of exactly databytes
0008.smtproutes-credentials-ignored  does not read credentials in smtproutes
0008.smtproutes-first           lets smtproutes go before authsenders
0008.stale-challenge            gives the same CRAM-MD5 challenge again
0008.twice                      takes a second AUTH after success
0008.unknown-method-501         answers an unknown method with 501
0008.unoffered-methods          takes methods that were not announced
0008.unset-enables              takes SMTPAUTH unset for SMTPAUTH empty
0009.100-accepts                takes exit 100 for acceptance
0009.111-451                    answers 451 to exit 111
0009.111-accepts                takes exit 111 for acceptance
0009.111-stays                  does not close the connection after exit 111
0009.120-accepts                takes exit 120 for acceptance
0009.adds-refused               refuses a recipient and adds it all the same
0009.bare-environment           runs the program with SENDER and RECIPIENT only
0009.crash-accepts              takes a crashed program for acceptance
0009.exit-1                     takes exit 1 for a refusal
0009.missing-accepts            takes a missing program for acceptance
0009.no-sender                  does not set SENDER
0009.null-sender                sets SENDER to <> for the null sender
0009.once                       runs the program for the first recipient only
0009.output-shown               leaves the connection to the client to the program as its output
0009.recipient-7bit             clears the eighth bit of the octets in RECIPIENT
0009.recipient-cut              cuts RECIPIENT to 255 octets
0009.recipient-lower            lowers the case of RECIPIENT
0009.relayclient-checked        runs the program for a client that may relay
0009.relayclient-given          sets RELAYCLIENT for the program
0009.unset-refuses              takes RCPTCHECK unset for a program that cannot be run
"""


def _read(table: str) -> Dict[str, Flaw]:
    pairs = [line.split(None, 1) for line in table.splitlines() if line]
    return {name: Flaw(name, description) for name, description in pairs}


#: Every flaw, by name.
FLAWS: Dict[str, Flaw] = _read(_TABLE)


def checked(names: Iterable[str]) -> FrozenSet[str]:
    """The names as a set. Raises ValueError when there is no such flaw."""
    unknown = sorted(set(names) - set(FLAWS))
    if unknown:
        raise ValueError(f"there is no flaw {unknown[0]!r}")
    return names if isinstance(names, frozenset) else frozenset(names)
