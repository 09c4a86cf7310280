"""A pod for tests, which answers from a script and notes what was done; a whole attempt on any pod."""

from conformance.cases.attempt import Attempt, Played, judge, play, record
from conformance.cases.script import Script
from conformance.catalogue.requirements import Case
from conformance.pod.base import Pod
from conformance.pod.configuration import Configuration
from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import Observation, RemoteResult
from conformance.pod.secrets import Secrets, fixture_secrets
from conformance.pod.world import World


async def attempt(case: Case, pod: Pod, secrets: Secrets) -> Attempt:
    """What comes of a case on a pod, as its record says."""
    return await judge(case, await record(case, pod, secrets), secrets)


class ScriptedPod:
    """Gives `octets` to whoever receives, one item a time; None is silence, the end a closed connection."""

    def __init__(self, *octets: bytes | None, seen: Observation | None = None) -> None:
        self._octets = list(octets)
        self._seen = seen or Observation()
        self.sent = b""
        self.writes: list[bytes] = []
        self.acts: list[str] = []
        self.installation = Installation(packages={"qmail": "1.06 install ok installed"})
        self.report = "r\0Kaccepted\n\0"

    async def prepare(self, world: World, configuration: Configuration) -> None:
        self.acts.append("prepare")

    async def connect(self) -> int:
        self.acts.append("connect")
        return 41

    async def send(self, connection: int, data: bytes) -> bool:
        self.sent += data
        self.writes.append(data)
        return True

    async def receive(self, connection: int, limit: float) -> bytes | None:
        return self._octets.pop(0) if self._octets else b""

    async def pause(self, connection: int, seconds: float) -> None:
        self.acts.append("pause")

    async def shut(self, connection: int) -> None:
        self.acts.append("shut")

    async def close(self, connection: int) -> None:
        self.acts.append("close")

    async def remote(
        self, host: str, sender: str, recipients: list[str], message: bytes, limit: float
    ) -> RemoteResult:
        return RemoteResult(self.report, 0, True, 0.1)

    async def wait_until_idle(self, limit: float) -> bool:
        return True

    async def signal(self, name: str, control: dict[str, str]) -> None:
        self.acts.append(f"signal {name}")

    async def packages(self, step: PackageStep) -> Installation:
        self.acts.append(step)
        return self.installation

    async def observe(self) -> Observation:
        return self._seen

    async def play(self, script: Script) -> Played:
        return await play(script, self, fixture_secrets())

    async def dispose(self) -> None:
        self.acts.append("dispose")
