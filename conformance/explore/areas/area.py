"""An area: a part of what qmail does, and the grammar of scenarios about it."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy

from conformance.explore.document import Document
from conformance.explore.steering import Steer


@dataclass(frozen=True)
class Area:
    """`title` says for people what it is about; `documents` makes the strategy of its scenarios."""

    name: str
    title: str
    documents: Callable[[Steer], SearchStrategy[Document]]
