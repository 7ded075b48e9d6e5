"""Which queries a handle has been shown.

A query that nobody has named is answered only by a handle that was shown it: a late answer must not meet the question
that came next. A query waits in one pause and in no later one, so the last pauses are enough, and a handle of a long
session neither grows nor gets slower.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Final

PAUSES: Final = 4
"""The last pauses whose queries count: threads that share a handle may hear of pauses out of order. Arbitrary; should
it be too few, a feed asks for a `query_id`."""


class Shown:
    """The queries of the pauses that were last shown. From any thread."""

    __slots__ = ("_lock", "_pauses", "ids")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses: deque[frozenset[str]] = deque(maxlen=PAUSES)
        self.ids: frozenset[str] = frozenset()
        """Ids of queries; replaced, never changed."""

    def add(self, query_ids: Iterable[str]) -> None:
        """The queries of a pause, or those of them that still wait."""
        ids = frozenset(query_ids)
        with self._lock:  # of two threads that add at once, neither may take away what the other has added
            if not ids <= self.ids:
                self._pauses.append(ids)
                self.ids = frozenset().union(*self._pauses)
