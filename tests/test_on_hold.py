"""The embedded qmail-send with a channel on hold: as on real qmail, the only job goes to it and stays."""

import pytest

from conformance.catalogue.builtin import STOCK_PATCHES
from conformance.pod.configuration import Configuration
from conformance.pod.world import World
from conformance.targets.embedded import ReferencePod
from tests.agents import on_a_loop

#: Each is one message: to whom it goes.
BOTH, LOCAL, REMOTE = ("alice@here.example", "b@big.example"), ("bob@here.example",), ("b@big.example",)


@pytest.mark.parametrize(
    ("local", "remote", "messages", "started"),
    [
        (1, 0, (BOTH, LOCAL), ["local alice@here.example"]),
        (1, 0, (REMOTE, LOCAL), []),
        (1, 0, (LOCAL, LOCAL), ["local bob@here.example"] * 2),
        (2, 0, (REMOTE, LOCAL), ["local bob@here.example"]),
        (0, 1, (BOTH, REMOTE), []),
        (0, 1, (REMOTE,), ["remote b@big.example"]),
    ],
)
@on_a_loop
async def test_the_only_job_stays_with_a_channel_on_hold(
    local: int, remote: int, messages: tuple[tuple[str, ...], ...], started: list[str]
) -> None:
    control = {
        "me": "mx.here.example\n",
        "locals": "here.example\n",
        "rcpthosts": "here.example\nbig.example\n",
    }
    control |= {"concurrencylocal": f"{local}\n", "concurrencyremote": f"{remote}\n"}
    pod = ReferencePod(STOCK_PATCHES)
    await pod.prepare(World(), Configuration(control, delivering=True))
    for recipients in messages:
        connection = await pod.connect()
        said = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in recipients)
        await pod.send(connection, f"MAIL FROM:<>\r\n{said}DATA\r\n.\r\nQUIT\r\n".encode("ascii"))
        while await pod.receive(connection, 10):
            pass
        await pod.wait_until_idle(5)
    log = (await pod.observe()).log
    assert [line.partition(" to ")[2] for line in log if line.startswith("starting ")] == started
