"""The internet as a case arranges and reads it: zones, faults, exchangers, questions, sessions."""

import copy
from typing import Any, Literal

from conformance.internet.zones import load_zone
from conformance.pod.observation import AcceptedMessage, MxSession, Observation, Question
from conformance.pod.world import Exchanger, Fault, FaultAction, Padding, World

#: What a zone holds unless the case says otherwise: one exchanger, on the first exchanger's address.
ONE_EXCHANGER = "@ MX 10 mx\nmx A 127.0.0.2\n"


def zone_text(domain: str, records: str = ONE_EXCHANGER) -> str:
    """A whole zone in standard syntax."""
    return f"$ORIGIN {domain}.\n$TTL 60\n{records}\n"


class Internet(World):
    """The closed world around qmail, arranged and read by a case; it takes effect at the next act."""

    def __init__(self) -> None:
        self._ordinary = Exchanger()  # it accepts everything, until the case makes one of its own
        super().__init__(exchangers=[self._ordinary])
        self.seen: Observation | None = None
        #: People who write scenarios forget a zone; what our own cases do without one is qmail's doing.
        self.is_of_a_file = False

    def __repr__(self) -> str:  # in a failed assertion
        return "internet"

    def arrange(self, world: World) -> None:
        """Take a whole world over."""
        vars(self).update(vars(copy.deepcopy(world)))
        self.is_of_a_file = True

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
        self.zones.append(zone_text(domain, records))
        if padding is not None:
            self.padding(domain, type, padding, needed)

    def load(self, name: str) -> None:
        """The zone of `fixtures/dns-zones/NAME.zone`."""
        self.zones.append(load_zone(name))

    def padding(
        self, name: str, type: str, octets: int, needed: Literal["first", "middle", "last"] = "first"
    ) -> None:
        """Fill the answer for `name`/`type` to exactly so many octets."""
        self.paddings.append(Padding(name, type, octets, needed))

    def fault(self, name: str, action: FaultAction, **details: Any) -> None:
        """Answer questions about `name` otherwise than from its zone; see `Fault`."""
        self.faults.append(Fault(name, action, **details))

    def refuse_tcp(self) -> None:
        """Close port 53 over TCP."""
        self.tcp = "refuse"

    def exchanger(self, address: str = "127.0.0.2", **script: Any) -> None:
        """A remote host with a script of its own; see `Exchanger`."""
        made = Exchanger(address=address, **script)
        others = [each for each in self.exchangers if each is not self._ordinary]
        others = [each for each in others if (each.address, each.port) != (made.address, made.port)]
        self.exchangers = [*others, made]

    def refuse_smtp(self) -> None:
        """No exchanger at all: every connection is refused."""
        self.exchangers = []

    def _observed(self) -> Observation:
        assert self.seen is not None, "the case reads the internet before it has done anything"
        return self.seen

    def questions(
        self, name: str | None = None, type: str | None = None, over: str | None = None
    ) -> list[Question]:
        """The questions that qmail asked, in order; names compare without regard to case, "" is the root."""
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

    def mx_session(self) -> MxSession:
        """The one session at an exchanger."""
        sessions = self.mx_sessions()
        assert len(sessions) == 1, f"{len(sessions)} connections to exchangers were made"
        return sessions[0]

    def users(self) -> list[str]:
        """As whom each session at the exchangers was authenticated; "" for not."""
        return [session.user for session in self.mx_sessions()]

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
