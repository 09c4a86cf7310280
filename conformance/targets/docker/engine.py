"""The Docker engine: how to reach it, and what it can do here."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conformance.errors import ConformanceError, EngineGone, WorldError
from conformance.targets.docker.endpoint import CERTIFICATES, SOCKET, Endpoint, endpoint, other_sockets
from conformance.targets.docker.tunnel import reach

#: Seconds that one call to the engine may take.
PATIENCE = 60

_OTHERWISE = "without one, the targets reference-… still run"

_FORBIDDEN_HINT = (
    "join the group docker (`sudo usermod -aG docker $USER`, then log in anew), or name an engine of your "
    "own in DOCKER_HOST: rootless Docker, unix://$XDG_RUNTIME_DIR/docker.sock, or Podman, "
    f"unix://$XDG_RUNTIME_DIR/podman/podman.sock (`systemctl --user start podman.socket`); {_OTHERWISE}"
)


def sdk() -> Any:
    """The Docker SDK, which is optional and untyped; WorldError when it is not installed."""
    try:
        importlib.import_module("docker.errors")
        return importlib.import_module("docker")
    except ImportError as error:
        raise WorldError("the Docker SDK for Python is not installed", "pip install docker") from error


def connect() -> Any:
    """A client of the engine that answers; raises EngineGone when there is none.

    WorldError where what names an engine names none.
    """
    docker = sdk()
    where = endpoint()
    client: Any = None
    try:
        client = docker.DockerClient.__new__(docker.DockerClient)
        client.api = _api(docker, where)
        client.ping()
    except ConformanceError:
        raise
    except Exception as error:  # the SDK lets errors of requests, urllib3 and sockets through
        if hasattr(client, "api"):
            client.close()
        reason = _reason(error)
        if "Permission denied" in reason:
            what = f"this user may not open the socket of the Docker engine at {where}: {reason}"
            raise EngineGone(what, _FORBIDDEN_HINT) from error
        raise EngineGone(f"no Docker engine answers at {where}: {reason}", _hint(where)) from error
    return client


def _api(docker: Any, where: Endpoint) -> Any:
    """The SDK's API of that engine, which has been asked for its version."""

    class Api(docker.APIClient):  # type: ignore[misc]
        """With the engine's own certificates: requests would let REQUESTS_CA_BUNDLE go before them."""

        def merge_environment_settings(
            self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            own = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, own, cert)

    host = f"unix://{reach(where.host)}" if where.host.startswith("ssh:") else where.host
    tls = _tls(docker, where) if where.host.startswith("tcp:") else None
    return Api(base_url=host, tls=tls or False, version="auto", timeout=PATIENCE)


def _tls(docker: Any, where: Endpoint) -> Any:
    if where.certificates is None:
        return None
    ca, cert, key = (where.certificates / name for name in CERTIFICATES)
    pair = (str(cert), str(key)) if cert.is_file() and key.is_file() else None
    return docker.tls.TLSConfig(
        client_cert=pair, ca_cert=str(ca) if ca.is_file() else None, verify=where.verify
    )


def _hint(where: Endpoint) -> str:
    """What to do when nothing answers there."""
    if where.host.startswith("ssh:"):
        return (
            "the login succeeds; that machine must have an engine's socket that this user may open, "
            f"{SOCKET} or another named behind the host: ssh://USER@HOST/run/user/1000/docker.sock"
        )
    if others := [host for host in other_sockets() if host != where.host]:
        return f"engines stand at {', '.join(others)}: name one in DOCKER_HOST; {_OTHERWISE}"
    return f"start Docker, or name an engine in DOCKER_HOST or DOCKER_CONTEXT; {_OTHERWISE}"


def available() -> str:
    """Why no engine can be used here; "" when one answers."""
    try:
        connect().close()
    except WorldError as error:
        return error.message
    return ""


def memory(client: Any) -> int:
    """MiB that the engine's machine has; 0 where it does not say."""
    with complaints("asking the engine for its memory"):
        return int(client.info().get("MemTotal") or 0) >> 20


@contextmanager
def complaints(doing: str) -> Iterator[None]:
    """Turn whatever the SDK raises inside into a WorldError that says what was being done.

    It is EngineGone where the engine has not answered at all.
    """
    try:
        yield
    except WorldError:
        raise
    except Exception as error:
        hint = "look at `docker ps -a` and at the engine's own log"
        # Its answers are APIError, which the SDK makes a kind of requests' HTTPError.
        answered = not isinstance(error, OSError) or isinstance(error, sdk().errors.APIError)
        kind = WorldError if answered else EngineGone
        raise kind(f"{doing}: {_reason(error)}", hint) from error


def _reason(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return " ".join(str(explanation or error).split())
