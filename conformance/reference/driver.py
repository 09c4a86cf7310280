"""Drives an engine: has each act that it yields carried out by ports, and sends it the result.

Ports are an object with a method for each kind of act that the engine yields (`acts.py` says which). There
are two sets of them: real descriptors, sockets and processes (`reference/programs`), and a world in memory on
a clock that jumps (`targets/embedded`).
"""

from typing import Any

from conformance.reference.acts import Engine, Signalled

#: What a port gives when its result will come later, by `Driver.go_on`.
WAITS = object()


class Driver:
    """One engine on its ports. `ended` and `result` tell what became of it; minus a signal that ended it."""

    def __init__(self, engine: Engine, ports: Any) -> None:
        self._engine = engine
        self._ports = ports
        self.ended = False
        self.result: Any = None

    def go_on(self, result: Any = None) -> None:
        """Give the engine the result of its last act, and go on until it ends or a port waits."""
        while result is not WAITS:
            try:
                act = self._engine.send(result)
            except StopIteration as stop:
                self.ended, self.result = True, stop.value
                return
            except Signalled as signalled:
                self.ended, self.result = True, -signalled.args[0]
                return
            result = act.carry_out(self._ports)


def drive(engine: Engine, ports: Any) -> Any:
    """What an engine returns, on ports that never leave it waiting."""
    driver = Driver(engine, ports)
    driver.go_on()
    return driver.result
