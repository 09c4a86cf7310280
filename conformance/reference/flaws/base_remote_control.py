"""Flaws of qmail-remote in reading its control files: which lines count, and for what."""

from typing import Dict, List

from conformance.reference.acts import Engine
from conformance.reference.control import ControlFiles, suffixes
from conformance.reference.flaws.flaw import flaw
from conformance.reference.remote import QmailRemote
from conformance.reference.routes import Routes


def _routes(self: Routes) -> Dict[bytes, bytes]:
    return self.control.pairs("smtproutes")


def _first_wins(self: Routes, host: bytes) -> bytes:
    lines = [line.partition(b":") for line in self.control.lines("smtproutes") or []]
    routes = {key.lower(): value for key, _, value in reversed(lines)}
    return next((routes[key] for key in suffixes(host.lower()) if key in routes), b"")


def _first_that_fits(self: Routes, host: bytes) -> bytes:
    return next((entry for key, entry in _routes(self).items() if key in suffixes(host.lower())), b"")


def _widest(self: Routes, host: bytes) -> bytes:
    routes = _routes(self)
    return next((routes[key] for key in reversed(suffixes(host.lower())) if key in routes), b"")


def _domain_itself(self: Routes, host: bytes) -> bytes:
    return (
        Routes.host_entry(self, host)
        if host.lower() in _routes(self)
        else Routes.host_entry(self, b"." + host)
    )


def _first_line(self: Routes, host: bytes) -> bytes:
    key, _, entry = ((self.control.lines("smtproutes") or [b""])[0]).partition(b":")
    return entry if key.lower() in suffixes(host.lower()) else b""


def _empty_relay_is_none(self: Routes, host: bytes) -> bytes:
    routes = _routes(self)
    return next((routes[key] for key in suffixes(host.lower()) if routes.get(key)), b"")


def _as_written(self: Routes, host: bytes) -> bytes:
    lines = [line.partition(b":") for line in self.control.lines("smtproutes") or []]
    routes = {key: value for key, _, value in lines}
    return next((routes[key] for key in suffixes(host) if key in routes), b"")


def _relay_by_mx(self: QmailRemote, relay: bytes) -> Engine:
    found, _ = yield from self.lookup.exchangers(relay, self.settings.random)
    return found


def _with_comments(self: ControlFiles, octets: bytes) -> List[bytes]:
    return [line.lstrip(b"#") for line in ControlFiles.rows(self, octets)]


FLAWS = (
    flaw("control.blanks-kept", "keeps what is blank at the end of a line",
         ControlFiles, stripped=lambda self, line: line),
    flaw("control.case-counts", "finds routes in the letters in which they are written alone",
         Routes, host_entry=_as_written),
    flaw("control.comments-count", "takes comments for lines", ControlFiles, rows=_with_comments),
    flaw("control.domain-itself", "takes .domain for the domain itself too",
         Routes, host_entry=_domain_itself),
    flaw("control.empty-relay-is-none", "takes a route with an empty relay for no route",
         Routes, host_entry=_empty_relay_is_none),
    flaw("control.first-line-only", "reads the first line of smtproutes only",
         Routes, host_entry=_first_line),
    flaw("control.first-of-two", "takes the first of two lines for one domain",
         Routes, host_entry=_first_wins),
    flaw("control.first-that-fits", "takes the first route that fits", Routes, host_entry=_first_that_fits),
    flaw("control.helohost-needs-me", "does not run without me",
         QmailRemote, helo_host=lambda self: self.control.me and QmailRemote.helo_host(self)),
    flaw("control.last-row", "takes the last line of a file of one line",
         ControlFiles, first_row=lambda self, octets: octets.rstrip(b"\n").rpartition(b"\n")[2]),
    flaw("control.relay-among-own", "looks for itself among the addresses of a relay",
         QmailRemote, looks_for_itself=lambda self, route, aliased: not aliased),
    flaw("control.relay-by-mx", "looks for the exchangers of a relay",
         QmailRemote, relay_addresses=_relay_by_mx),
    flaw("control.unended-line", "does not read a last line without its end",
         ControlFiles, rows=lambda self, octets: octets.split(b"\n")[:-1]),
    flaw("control.unended-row", "does not read a file of one line without its end",
         ControlFiles, first_row=lambda self, octets: octets[: octets.find(b"\n") + 1]),
    flaw("control.widest-that-fits", "takes the route for the most hosts", Routes, host_entry=_widest),
)  # fmt: skip
