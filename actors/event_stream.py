"""Numbered events for any number of observers, none of whom can hold anything up.

A ring keeps the newest events. Observers pull: each remembers how far it has read, and is told how many it missed.
Numbers are (epoch, n); a Runtime is an epoch.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

Number = tuple[str, int]

Item = tuple[str, str, int, dict[str, Any]]
"""An event without its number: kind, session id, Unix milliseconds, data. Two streams share one."""


class Event(NamedTuple):
    """Something that happened to a session.

    `kind`: started, paused, answered, resumed, progress, log, restarted, hibernated, woken, finished, or `missed`
    (`data["count"]` events were not kept; None when it is not known how many). `at_ms` is Unix milliseconds.
    """

    number: Number
    kind: str
    session_id: str
    at_ms: int
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The event as a JSON object."""
        return {
            "number": list(self.number),
            "event": self.kind,
            "session_id": self.session_id,
            "at": self.at_ms,
            **self.data,
        }


def missed(number: Number, session_id: str, at_ms: int, count: int | None) -> Event:
    """The mark of a gap."""
    return Event(number, "missed", session_id, at_ms, {"count": count})


class EventStream:
    """The events of one session, or of a Runtime. `push` on the loop; the rest from any thread."""

    __slots__ = ("_listeners", "_lock", "_ring", "closed", "epoch", "session_id", "total")

    def __init__(self, epoch: str, capacity: int, session_id: str = "") -> None:
        self.epoch = epoch
        self.session_id = session_id
        self.total = 0
        self.closed = False
        self._ring: deque[Item] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def push(self, item: Item) -> None:
        """Add an event and tell who waits."""
        with self._lock:
            self._ring.append(item)
            self.total += 1
            if not self._listeners:
                return
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def close(self) -> None:
        """No more events will come; readers end when they have read what is kept."""
        with self._lock:
            self.closed = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def read(self, after: int) -> tuple[list[Event], int]:
        """The kept events above number `after`, a gap mark before them if some are gone; and the newest number."""
        with self._lock:
            total, kept = self.total, len(self._ring)
            first = total - kept + 1
            n = max(first, after + 1)
            new = list(itertools.islice(self._ring, n - first, None)) if n <= total else []
        events = [Event((self.epoch, n + i), *item) for i, item in enumerate(new)]
        if after + 1 < first:
            at_ms = events[0].at_ms if events else 0
            events.insert(0, missed((self.epoch, first - 1), self.session_id, at_ms, first - 1 - after))
        return events, max(total, after)

    def when_more(self, after: int, listener: Callable[[], None]) -> bool:
        """Call `listener` once there is more than `after`, or nothing more will come; False if that is so now."""
        with self._lock:
            if self.total > after or self.closed:
                return False
            self._listeners.append(listener)
            return True

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Forget a listener."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
