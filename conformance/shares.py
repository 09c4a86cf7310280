"""How pytest-xdist hands out cases with `--shares`: to each worker its share, all at once.

A worker plays its whole share from the start, so when it dies nobody knows which case it was. The one in its
place does what is left one by one, and what that one dies of is the case that it was at.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def share_of(number: int, shares: int, targets: int) -> int:
    """The share of the case with this number in the collection; a case's targets have the same one.

    The quick cases come first, so that each share has its part of those that wait.
    """
    return number // targets % shares


def stands_in(worker: Mapping[str, Any]) -> bool:
    """Whether a worker (its `workerinput`) is in the place of one that died: it plays nothing ahead."""
    number = str(worker.get("workerid", "gw0")).removeprefix("gw")
    return number.isdecimal() and int(number) >= int(worker["workercount"])


class ShareScheduling:
    """What `xdist.scheduler.Scheduling` asks for where no case goes back: a worker takes what is left of a
    share that no other has."""

    def __init__(self, targets: int) -> None:
        self._targets = targets
        self._workers = 0
        self._collections: dict[Any, Sequence[str] | None] = {}  #: by worker; None until it has one
        self._share: dict[Any, int] = {}
        self._left: list[list[int]] = []  #: of each share, what is not done

    @property
    def nodes(self) -> list[Any]:
        return list(self._collections)

    @property
    def collection_is_completed(self) -> bool:
        ready = [collection for collection in self._collections.values() if collection is not None]
        return bool(self._left) or len(ready) == self._workers

    @property
    def tests_finished(self) -> bool:
        return bool(self._left) and not self.has_pending

    @property
    def has_pending(self) -> bool:
        return any(self._left)

    def add_node(self, node: Any) -> None:
        self._workers = node.workerinput["workercount"]
        self._collections[node] = None

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        self._collections[node] = collection

    def schedule(self) -> None:
        for node, collection in self._collections.items():
            if collection is None or node in self._share:
                continue
            if not self._left:
                numbers = range(len(collection))
                self._left = [
                    [number for number in numbers if share_of(number, self._workers, self._targets) == share]
                    for share in range(self._workers)
                ]
            free = set(range(self._workers)) - set(self._share.values())
            share = self._share[node] = max(free, key=lambda share: len(self._left[share]))
            node.send_runtest_some(self._left[share])
            node.shutdown()  # when it has done this

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        self._left[self._share[node]].remove(item_index)

    def remove_node(self, node: Any) -> str | None:
        """The case that a worker died of, if that is known; what is left of its share is free."""
        collection = self._collections.pop(node)
        share = self._share.pop(node, None)
        left = [] if share is None else self._left[share]
        return collection[left.pop(0)] if collection and left and stands_in(node.workerinput) else None
