"""The internet as a case arranges and reads it: zones, faults, exchangers, questions, sessions."""

from __future__ import annotations

from typing import Any, Literal

from conformance.internet.zones import load_zone
from conformance.pod.observation import AcceptedMessage, MxSession, Observation, Question
from conformance.pod.world import Exchanger, Fault, FaultAction, Padding, World

#: What a zone holds unless the case says otherwise: one exchanger, on the first exchanger's address.
ONE_EXCHANGER = "@ MX 10 mx\nmx A 127.0.0.2\n"


class Internet:
    """The closed world around qmail. What is arranged takes effect at the case's next act."""

    def __init__(self) -> None:
        self._zones: list[str] = []
        self._paddings: list[Padding] = []
        self._faults: list[Fault] = []
        self._tcp: Literal["accept", "refuse"] = "accept"
        self._exchangers: dict[tuple[str, int], Exchanger] = {}
        self._listening = True
        self.changed = True
        self.seen: Observation | None = None

    def zone(
        self,
        domain: str,
        records: str = ONE_EXCHANGER,
        *,
        padding: int | None = None,
        type: str = "MX",
        needed: Literal["first", "middle", "last"] = "first",
    ) -> None:
        """A zone in standard syntax; `padding` fills the answer for `domain`/`type` to that many octets."""
        self._zones.append(f"$ORIGIN {domain}.\n$TTL 60\n{records}\n")
        if padding is not None:
            self.padding(domain, type, padding, needed)
        self.changed = True

    def load(self, name: str) -> None:
        """The zone of `fixtures/dns-zones/NAME.zone`."""
        self._zones.append(load_zone(name))
        self.changed = True

    def padding(
        self, name: str, type: str, octets: int, needed: Literal["first", "middle", "last"] = "first"
    ) -> None:
        """Fill the answer for `name`/`type` to exactly so many octets."""
        self._paddings.append(Padding(name, type, octets, needed))
        self.changed = True

    def fault(self, name: str, action: FaultAction, **details: Any) -> None:
        """Answer questions about `name` otherwise than from its zone; see `Fault`."""
        self._faults.append(Fault(name, action, **details))
        self.changed = True

    def refuse_tcp(self) -> None:
        """Close port 53 over TCP."""
        self._tcp = "refuse"
        self.changed = True

    def exchanger(self, address: str = "127.0.0.2", **script: Any) -> None:
        """A remote host with a script of its own; see `Exchanger`."""
        made = Exchanger(address=address, **script)
        self._exchangers[made.address, made.port] = made
        self.changed = True

    def refuse_smtp(self) -> None:
        """No exchanger at all: every connection is refused."""
        self._listening = False
        self.changed = True

    def world(self) -> World:
        """What the case has arranged; unless it says otherwise, with an exchanger that accepts everything."""
        exchangers = list(self._exchangers.values()) or [Exchanger()]
        return World(
            self._zones, self._paddings, self._faults, exchangers if self._listening else [], self._tcp
        )

    def _observed(self) -> Observation:
        assert self.seen is not None, "the case reads the internet before it has done anything"
        return self.seen

    def questions(
        self, name: str | None = None, type: str | None = None, over: str | None = None
    ) -> list[Question]:
        """The questions that qmail asked, in order; names compare without regard to case."""
        return [
            question
            for question in self._observed().questions
            if (name is None or question.name.lower() == name.lower())
            and (type is None or question.type == type)
            and (over is None or question.over == over)
        ]

    def mx_sessions(self, address: str | None = None) -> list[MxSession]:
        """The sessions at the exchangers, in order of their start."""
        return [seen for seen in self._observed().mx_sessions if address is None or seen.address == address]

    def messages(self, address: str | None = None) -> list[AcceptedMessage]:
        """The messages that exchangers accepted."""
        return [message for session in self.mx_sessions(address) for message in session.messages]

    def commands(self, address: str | None = None) -> list[str]:
        """Every line that qmail sent as a client, messages included."""
        said = "".join(
            entry.text
            for session in self.mx_sessions(address)
            for entry in session.transcript
            if entry.source == "client"
        )
        return said.split("\r\n")[:-1]
