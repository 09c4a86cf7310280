"""How pytest-xdist hands out cases where each worker has a share of its own (`--dist each`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdist.scheduler import EachScheduling  # type: ignore[import-untyped]


class ShareScheduling(EachScheduling):  # type: ignore[misc]
    """Each worker runs its share; one in the place of a worker that died what was left of it, be it nothing.

    pytest-xdist's own tells workers apart by how they were started, and here all were started alike.
    """

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        share = node.workerinput["share"]
        before = [one for one in self.node2collection if one.workerinput["share"] == share]
        pending = [] if before else list(range(len(collection)))
        for one in before:
            pending += self._removed2pending.pop(one, [])
        self.node2collection[node] = list(collection)
        self.node2pending[node] = pending
        shares = {one.workerinput["share"] for one in self.node2collection}
        self.collection_is_completed = len(shares) == self.numnodes

    def schedule(self) -> None:
        for node, pending in self.node2pending.items():
            if node in self.node2collection and node not in self._started:
                self._started.append(node)
                node.send_runtest_some(pending)
                node.shutdown()
