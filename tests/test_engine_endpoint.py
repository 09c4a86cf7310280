"""Which engine is meant: DOCKER_HOST, contexts, certificates, and what is said of what cannot be used."""

import contextlib
import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest

from conformance.errors import WorldError
from conformance.targets.docker import engine
from conformance.targets.docker.clean import found
from conformance.targets.docker.doctor import kind, unbounded
from conformance.targets.docker.endpoint import Endpoint, endpoint, other_sockets
from conformance.targets.docker.images import IMAGE_LABEL


def context(directory: Path, name: str, host: str, *, skip: bool = False, tls: bool = False) -> Path:
    """What `docker context create` writes; the directory of its certificates."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = directory / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    engine = {"Host": host, "SkipTLSVerify": skip}
    written = {"Name": name, "Metadata": {}, "Endpoints": {"docker": engine}}
    (meta / "meta.json").write_text(json.dumps(written))
    certificates = directory / "contexts" / "tls" / key / "docker"
    if tls:
        certificates.mkdir(parents=True)
        (certificates / "ca.pem").write_text("")
    return certificates


def test_docker_host_goes_before_contexts(tmp_path: Path) -> None:
    context(tmp_path, "far", "tcp://far.example:2376")
    named = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}
    near = Endpoint("unix:///x", "DOCKER_HOST", None, False)
    assert endpoint({**named, "DOCKER_HOST": "unix:///x"}) == near
    assert endpoint(named).host == "tcp://far.example:2376"


def test_docker_context_goes_before_the_one_that_was_chosen(tmp_path: Path) -> None:
    """`docker context create` writes no file besides the context's own, and none is needed."""
    context(tmp_path, "far", "tcp://far.example:2376")
    context(tmp_path, "near", "unix:///near.sock")
    named = {"DOCKER_CONFIG": str(tmp_path)}
    assert endpoint({**named, "DOCKER_CONTEXT": "far"}).host == "tcp://far.example:2376"
    (tmp_path / "config.json").write_text('{"currentContext": "near"}')
    assert endpoint(named).host == "unix:///near.sock"
    assert endpoint({**named, "DOCKER_CONTEXT": "far"}).host == "tcp://far.example:2376"
    assert endpoint({**named, "DOCKER_CONTEXT": "default"}).host == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    "config", [None, "{", "[]", '{"currentContext": ""}', '{"currentContext": "default"}']
)
def test_without_a_choice_it_is_the_default_socket(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert endpoint({"DOCKER_CONFIG": str(tmp_path)}).host == "unix:///var/run/docker.sock"


def test_a_context_brings_its_own_certificates(tmp_path: Path) -> None:
    certificates = context(tmp_path, "far", "tcp://far.example:2376", tls=True)
    context(tmp_path, "careless", "tcp://far.example:2376", skip=True, tls=True)
    named = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CERT_PATH": "/other"}
    far = endpoint({**named, "DOCKER_CONTEXT": "far"})
    assert (far.certificates, far.verify) == (certificates, True)
    assert not endpoint({**named, "DOCKER_CONTEXT": "careless"}).verify


def test_the_certificates_of_docker_host_stand_where_the_variables_say(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    far = {"DOCKER_HOST": "tcp://far.example:2376", "DOCKER_CONFIG": str(tmp_path)}
    assert endpoint(far).certificates is None
    assert endpoint({**far, "DOCKER_TLS_VERIFY": "1"}).certificates == tmp_path
    named = endpoint({**far, "DOCKER_CERT_PATH": str(tmp_path)})
    assert (named.certificates, named.verify) == (tmp_path, False)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"DOCKER_CONTEXT": "typo"}, "there is no Docker context 'typo', which DOCKER_CONTEXT names"),
        ({"DOCKER_CONTEXT": "broken"}, "the context broken of DOCKER_CONTEXT names no engine: .*KeyError"),
        ({"DOCKER_HOST": "tcp://[x"}, "DOCKER_HOST is no address of an engine"),
        ({"DOCKER_HOST": "tcp://far.example:2376", "DOCKER_CERT_PATH": "/nowhere"}, "/nowhere has no ca.pem"),
    ],
)
def test_what_names_no_engine_is_told(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    context(tmp_path, "broken", "")
    [written] = (tmp_path / "contexts" / "meta").iterdir()
    (written / "meta.json").write_text('{"Endpoints": {}}')
    with pytest.raises(WorldError, match=message):
        endpoint({"DOCKER_CONFIG": str(tmp_path), **environment})


def test_a_password_in_an_address_is_refused_and_not_said_back(tmp_path: Path) -> None:
    with pytest.raises(WorldError) as raised:
        endpoint({"DOCKER_HOST": "ssh://me:secret@far.example"})
    assert "holds a password" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_engines_at_other_usual_places_are_seen(tmp_path: Path) -> None:
    (tmp_path / "podman").mkdir()
    (tmp_path / "podman" / "podman.sock").touch()
    told = other_sockets({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert told[0] == f"unix://{tmp_path}/podman/podman.sock"
    assert f"unix://{tmp_path}/docker.sock" not in told


def test_the_doctor_tells_engines_apart() -> None:
    version = {"Version": "1.2", "Os": "linux", "Arch": "amd64"}
    assert kind({**version, "Components": [{"Name": "Engine"}]}) == "Docker 1.2 on linux/amd64"
    assert kind({**version, "Components": [{"Name": "Podman Engine"}]}) == "Podman 1.2 on linux/amd64"
    assert kind(version) == "Docker 1.2 on linux/amd64"


def test_the_doctor_tells_what_an_engine_does_not_bound() -> None:
    assert unbounded({"MemoryLimit": True, "PidsLimit": True}) == ""
    assert "does not bound memory or processes" in unbounded({})
    assert "does not bound processes" in unbounded({"MemoryLimit": True, "PidsLimit": False})


class Version(http.server.BaseHTTPRequestHandler):
    """An engine that says its version."""

    def do_GET(self) -> None:
        said = b'{"ApiVersion": "1.41"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_authorities_of_the_engine_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """requests lets REQUESTS_CA_BUNDLE go before those of the engine, and then no private one is believed."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/everybody/else.pem")
    with http.server.HTTPServer(("127.0.0.1", 0), Version) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        with contextlib.closing(engine.connect()) as client:
            client.api.verify = "/engine/ca.pem"
            settings = client.api.merge_environment_settings("https://far.example", {}, None, None, None)
        server.shutdown()
    assert settings["verify"] == "/engine/ca.pem"


class Podman:
    """An engine with one image of ours, under the whole name that Podman has for it."""

    @property
    def api(self) -> "Podman":
        return self

    def containers(self, **_: object) -> list[dict[str, object]]:
        return []

    def images(self) -> list[dict[str, object]]:
        name, labels = "docker.io/qmail-conformance/target:1", {IMAGE_LABEL: "target"}
        return [{"Id": "sha256:1", "RepoTags": [name], "Labels": labels, "Size": 1}]


def test_images_of_ours_are_known_by_the_names_that_podman_gives_them() -> None:
    assert [left.name for left in found(Podman())] == ["docker.io/qmail-conformance/target:1"]
