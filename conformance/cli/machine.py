"""`targets` and `doctor`: what this machine can run, and what to do about what it cannot."""

import argparse
import asyncio
import socket
import sys
from pathlib import Path

from conformance.cli.options import images
from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError, UsageError
from conformance.project.form import Alias
from conformance.report.words import one_line
from conformance.targets.docker import engine
from conformance.targets.docker.debs import read_debs
from conformance.targets.docker.doctor import MachineCheck, check_engine, check_resolution
from conformance.targets.docker.images import internet_image, target_image
from conformance.targets.image_options import Images
from conformance.targets.names import parse_target
from conformance.targets.namespaces.limits import in_force
from conformance.targets.namespaces.ready import hint, no_namespaces, why_not
from conformance.targets.ready import refuse_without_qmail


def targets(options: argparse.Namespace) -> int:
    """Every form of target, with what stands in its way here. Nothing is built."""
    chosen = images(options)
    no_engine = engine.available()
    no_ppa = "" if chosen.ppa else "no PPA given: give --ppa ppa:OWNER/NAME, or set QMAIL_PPA"
    six = "candidate .deb files; the PPA's patches unless it says which"
    rows = [
        ("reference-stock, reference-ppa, reference@0004,0005", "", "executable specifications, not qmail"),
        ("reference-ppa~0006.dropped", "", "the same with flaws, of which `zoo` writes a table"),
        (
            "model-stock, model-ppa, model@0004,0005",
            "",
            "the same, with the known deviations as flaws",
        ),
        ("stock", _no_stock(chosen) or no_engine, f"qmail from the archive of {chosen.target_base}"),
        ("ppa", no_engine or no_ppa, f"qmail from {chosen.ppa}"),
        ("debs:DIRECTORY[@0004,0005]", no_engine, six),
        ("image:REFERENCE[@0004,0005]", no_engine, "any image that holds qmail"),
        ("installed[@0004,0005]", why_not(Path("/")), "the qmail of this machine, which is left alone"),
        ("root:DIRECTORY[@0004,0005]", no_namespaces(), "a directory tree with qmail in it"),
    ]
    rows += [_alias(alias, options, no_engine) for alias in options.project.aliases.values()]
    for name, problem, what in rows:
        print(f"{'no ' if problem else 'yes'}  {name}\n       {one_line(problem or what)}")
    if no_engine:
        print(
            "For those in containers start a Docker engine, or name one in DOCKER_HOST; "
            "`qmail-conformance doctor` tells more."
        )
    return EXIT_AS_EXPECTED


def _no_stock(chosen: Images) -> str:
    """Why the archive of a release has no qmail; "" where it has one."""
    try:
        refuse_without_qmail(chosen)
    except UsageError as error:
        return f"{error.message}: {error.hint}"
    return ""


def _alias(alias: Alias, options: argparse.Namespace, no_engine: str) -> tuple[str, str, str]:
    """The row of a name that the project gives."""
    try:
        target = parse_target(alias.name, ppa=images(options).ppa or None, project=options.project)
        if target.kind == "debs":
            read_debs(Path(target.location))
    except ConformanceError as error:
        return alias.name, f"{error.message}: {error.hint}" if error.hint else error.message, ""
    problem = no_engine if target.needs_engine else ""
    problem = why_not(Path(target.location)) if target.kind == "root" else problem
    claims = ", ".join(target.patches) or "no patch"
    return alias.name, problem, f"{alias.written}, which claims {claims}"


def doctor(options: argparse.Namespace) -> int:
    """Look at each thing that the Docker path needs; exit status 3 when one is missing."""
    chosen = images(options)
    checks = [_python(), _loopback(), *check_engine(chosen)]
    if all(check.good for check in checks):
        checks.append(_resolution(chosen))
    for check in checks:
        detail = check.detail.replace("\n", "\n        ")  # the end of a build's log, for one
        print(f"{'good' if check.good else 'BAD '}  {check.what}: {detail}")
        if not check.good and check.hint:
            print(f"        {one_line(check.hint)}")
    reason = no_namespaces()
    print(f"The targets installed and root:DIRECTORY need no engine, {_namespaces(reason)}")
    if all(check.good for check in checks):
        return EXIT_AS_EXPECTED
    print("The targets reference-… need none of what is bad.")
    return EXIT_WORLD


def _namespaces(reason: str) -> str:
    if reason:
        return f"but namespaces: {reason}. {hint()}"
    return f"and this machine has what they need. Limits of a target there: {in_force()}."


def _python() -> MachineCheck:
    good = sys.version_info >= (3, 11)
    return MachineCheck("Python", good, sys.version.split()[0], "install Python 3.11 or newer")


def _loopback() -> MachineCheck:
    """Ports: pods keep theirs to themselves, so all that this machine must have is a loopback interface."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            return MachineCheck("ports", True, f"none is taken: pods have their own; loopback works ({port})")
    except OSError as error:
        what = f"no socket can listen on 127.0.0.1: {error.strerror}"
        return MachineCheck("ports", False, what, "bring the interface lo up")


def _resolution(chosen: Images) -> MachineCheck:
    """With Ubuntu's qmail, or with whatever qmail the base can get."""
    try:
        refuse_without_qmail(chosen)
        client = engine.connect()
        try:
            target = target_image(client, parse_target("stock"), chosen)
            internet = internet_image(client, chosen)
        finally:
            client.close()
    except ConformanceError as error:
        return MachineCheck("the target stock", False, error.message, error.hint)
    return asyncio.run(check_resolution(target, internet))
