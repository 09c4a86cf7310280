"""The Docker engine: how to reach it, and what it can do here."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conformance.errors import EngineGone, WorldError

#: Seconds that one call to the engine may take.
PATIENCE = 60

_HINT = "start Docker, or name an engine in DOCKER_HOST; without one, the targets reference-… still run"

_FORBIDDEN_HINT = (
    "join the group docker (`sudo usermod -aG docker $USER`, then log in anew), or name an engine of your "
    "own in DOCKER_HOST: rootless Docker, unix://$XDG_RUNTIME_DIR/docker.sock, or Podman, "
    "unix://$XDG_RUNTIME_DIR/podman/podman.sock (`systemctl --user start podman.socket`); without one, the "
    "targets reference-… still run"
)


def sdk() -> Any:
    """The Docker SDK, which is optional and untyped; WorldError when it is not installed."""
    try:
        importlib.import_module("docker.errors")
        return importlib.import_module("docker")
    except ImportError as error:
        raise WorldError("the Docker SDK for Python is not installed", "pip install docker") from error


def connect() -> Any:
    """A client of the engine that answers; raises EngineGone when there is none."""
    docker = sdk()
    client: Any = None
    try:
        host = os.environ.get("DOCKER_HOST") or _host_of_context(docker)
        environment = os.environ | ({"DOCKER_HOST": host} if host else {})
        client = docker.from_env(timeout=PATIENCE, version="auto", environment=environment)
        client.ping()
    except Exception as error:  # the SDK lets errors of requests, urllib3 and sockets through
        if client is not None:
            client.close()
        reason = _reason(error)
        if "Permission denied" in reason:
            what = f"this user may not open the socket of the Docker engine: {reason}"
            raise EngineGone(what, _FORBIDDEN_HINT) from error
        raise EngineGone(f"no Docker engine answers: {reason}", _HINT) from error
    return client


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


def _host_of_context(docker: Any) -> str:
    """The engine that `docker context use` chose, as for the command line; "" for the default."""
    try:
        context = docker.context.ContextAPI.get_current_context()
        return "" if context is None or context.name == "default" else str(context.Host or "")
    except Exception:  # a broken context file says nothing about the default engine
        return ""


def _reason(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return " ".join(str(explanation or error).split())
