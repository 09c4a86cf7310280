"""Which engine is meant, found as Docker's own command line finds it, and who named it."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.errors import WorldError

SOCKET = "/var/run/docker.sock"

#: The files of TLS in a directory of certificates.
CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True)
class Endpoint:
    """An engine's address. `found` says who named it.

    `certificates` is a directory with those of TLS (ca.pem, and cert.pem with key.pem, as far as there are),
    None without TLS; `verify` is whether the engine's own certificate is looked at.
    """

    host: str
    found: str
    certificates: Path | None = None
    verify: bool = True

    def __str__(self) -> str:
        return f"{self.host} ({self.found})"


def endpoint(environment: Mapping[str, str] = os.environ) -> Endpoint:
    """DOCKER_HOST, or the context of DOCKER_CONTEXT, or that of `docker context use`, or the default socket.

    Raises WorldError where a context cannot be read, or an address is one that nobody can use.
    """
    directory = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if host := environment.get("DOCKER_HOST"):
        return _checked(Endpoint(host, "DOCKER_HOST", *_tls(environment, directory)))
    if name := environment.get("DOCKER_CONTEXT"):
        found = f"the context {name} of DOCKER_CONTEXT"
    else:
        name = _chosen(directory)
        found = f"the context {name} of `docker context use`"
    if name == "default":
        return Endpoint(f"unix://{SOCKET}", "the default: DOCKER_HOST and contexts name none")
    return _checked(_of_context(directory / "contexts", name, found))


def other_sockets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Addresses of engines that stand on this machine at other usual places."""
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    places = (f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock", "/run/podman/podman.sock")
    return [f"unix://{place}" for place in places if os.access(place, os.W_OK)]


def _tls(environment: Mapping[str, str], directory: Path) -> tuple[Path | None, bool]:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if place := environment.get("DOCKER_CERT_PATH"):
        return Path(place), verify
    return (directory if verify else None), verify


def _chosen(directory: Path) -> str:
    """The current context; "default" where none was chosen, or the file cannot be read."""
    try:
        chosen = json.loads((directory / "config.json").read_text(encoding="utf-8")).get("currentContext")
    except (OSError, ValueError, AttributeError):
        return "default"
    return str(chosen or "default")


def _of_context(directory: Path, name: str, found: str) -> Endpoint:
    """The engine of a context that `docker context create` wrote."""
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    file = directory / "meta" / key / "meta.json"
    try:
        engine: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["Endpoints"]["docker"]
        host, verify = str(engine["Host"]), not engine.get("SkipTLSVerify")
    except FileNotFoundError as error:
        raise WorldError(
            f"there is no Docker context {name!r}, which {found.rpartition(' of ')[2]} names",
            "`docker context ls` shows those that there are",
        ) from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WorldError(
            f"{found} names no engine: {file}: {type(error).__name__}: {error}",
            f"look at it with `docker context inspect {name}`",
        ) from error
    certificates = directory / "tls" / key / "docker"
    return Endpoint(host, found, certificates if certificates.is_dir() else None, verify)


def _checked(found: Endpoint) -> Endpoint:
    try:
        password = urlsplit(found.host).password
    except ValueError as error:
        hint = "as in unix:///run/docker.sock, tcp://HOST:2376 or ssh://USER@HOST"
        raise WorldError(f"{found.found} is no address of an engine: {error}", hint) from error
    if password is not None:
        hint = "leave it out: ssh takes keys, and TLS certificates (DOCKER_CERT_PATH)"
        raise WorldError(f"the address of the engine in {found.found} holds a password", hint)
    place = found.certificates
    if found.host.startswith("tcp:") and place and not any((place / name).is_file() for name in CERTIFICATES):
        *first, last = CERTIFICATES
        raise WorldError(
            f"TLS is asked for, and {place} has no {', '.join(first)} or {last}",
            "name the directory of the engine's certificates in DOCKER_CERT_PATH, or unset DOCKER_TLS_VERIFY",
        )
    return found
