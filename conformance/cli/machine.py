"""`targets` and `doctor`: what this machine can run, and how to mend what it cannot."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys

from conformance.errors import EXIT_AS_EXPECTED, EXIT_WORLD, ConformanceError
from conformance.targets.docker import engine
from conformance.targets.docker.doctor import Finding, engine_findings, resolution_finding
from conformance.targets.docker.images import BuildOptions, internet_image, target_image
from conformance.targets.names import parse_target
from conformance.targets.ready import Images


def targets(options: argparse.Namespace) -> int:
    """Every form of target, with what stands in its way here. Nothing is built."""
    images = _images(options)
    no_engine = engine.available()
    rows = [
        ("reference-stock, reference-ppa, reference@0004,0005", "", "executable specifications, not qmail")
    ]
    rows.append(("stock", no_engine, f"qmail from Ubuntu {images.release or '20.04'}"))
    no_ppa = "" if images.ppa else "it is not said which PPA: give --ppa ppa:OWNER/NAME, or set QMAIL_PPA"
    rows.append(("ppa", no_engine or no_ppa, f"qmail from {images.ppa}"))
    rows.append(
        (
            "debs:DIRECTORY[@0004,0005]",
            no_engine,
            "candidate .deb files; all six patches unless it says which",
        )
    )
    rows.append(("image:REFERENCE[@0004,0005]", no_engine, "any image that holds qmail"))
    for name, problem, what in rows:
        print(f"{'no ' if problem else 'yes'}  {name}\n       {problem or what}")
    if no_engine:
        print(
            "For the others start a Docker engine, or name one in DOCKER_HOST; "
            "`qmail-conformance doctor` tells more."
        )
    return EXIT_AS_EXPECTED


def doctor(options: argparse.Namespace) -> int:
    """Look at each thing that the Docker path needs; exit status 3 when one is missing."""
    images = _images(options)
    build = BuildOptions(
        images.release or BuildOptions.release, images.base, images.mirror, images.internet_base
    )
    findings = [_python(), _loopback(), *engine_findings(build)]
    if all(finding.good for finding in findings):
        findings.append(_resolution(build))
    for finding in findings:
        print(f"{'good' if finding.good else 'BAD '}  {finding.what}: {finding.detail}")
        if not finding.good and finding.hint:
            print(f"        {finding.hint}")
    if all(finding.good for finding in findings):
        return EXIT_AS_EXPECTED
    print("The targets reference-… need none of what is bad.")
    return EXIT_WORLD


def _images(options: argparse.Namespace) -> Images:
    return Images.chosen(lambda name: getattr(options, name))


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding("Python", good, sys.version.split()[0], "install Python 3.11 or newer")


def _loopback() -> Finding:
    """Ports: pods keep theirs to themselves, so all that this machine must have is a loopback interface."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return Finding(
                "ports",
                True,
                f"none is taken: pods have their own; loopback works ({server.getsockname()[1]})",
            )
    except OSError as error:
        return Finding(
            "ports",
            False,
            f"no socket can listen on 127.0.0.1: {error.strerror}",
            "bring the interface lo up",
        )


def _resolution(build: BuildOptions) -> Finding:
    """With Ubuntu's qmail, or with whatever qmail the base can get."""
    try:
        client = engine.connect()
        try:
            target = target_image(client, parse_target("stock"), build)
            internet = internet_image(client, build)
        finally:
            client.close()
    except ConformanceError as error:
        return Finding("the target stock", False, error.message, error.hint)
    return asyncio.run(resolution_finding(target, internet))
