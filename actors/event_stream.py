"""Numbered events for any number of observers, none of whom can hold anything up.

A ring keeps the newest events. Observers pull: each remembers how far it has read, and is told how many it missed.
Numbers are (epoch, n); a Runtime is an epoch.
"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from moonward.actors.query import LlmQuery
from moonward.actors.terminal import Cancelled, Completed, Failed

log = logging.getLogger("moonward")

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
        """The event as a JSON object: `number, event, session_id, at`, and what its kind has to say."""
        return {
            "number": list(self.number),
            "event": self.kind,
            "session_id": self.session_id,
            "at": self.at_ms,
            **{name: _json(value) for name, value in self.data.items()},
        }


def _json(value: Any) -> Any:
    if isinstance(value, LlmQuery | Completed | Failed | Cancelled):
        return value.to_json()
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return value


def missed(number: Number, session_id: str, at_ms: int, count: int | None) -> Event:
    """The mark of a gap."""
    return Event(number, "missed", session_id, at_ms, {"count": count})


class EventStream:
    """The events of one session, or of a Runtime. `push` on the loop; the rest from any thread.

    `total` is the number of the newest event; a stream may go on from `total` events that are not kept. `is_remnant`:
    of what an ended session told only its end is known, not its number.
    """

    __slots__ = (
        "__weakref__",
        "_listeners",
        "_lock",
        "_ring",
        "closed",
        "epoch",
        "is_remnant",
        "session_id",
        "total",
    )

    def __init__(
        self, epoch: str, capacity: int, session_id: str = "", total: int = 0, *, is_remnant: bool = False
    ) -> None:
        self.epoch = epoch
        self.session_id = session_id
        self.is_remnant = is_remnant
        self.total = total
        self.closed = False
        self._ring: deque[Item] = deque(maxlen=min(capacity, sys.maxsize))
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def has_ended(self) -> bool:
        """Whether the newest event is the last: the stream is closed, or it is a session's that has finished."""
        if self.closed:
            return True
        with self._lock:
            return bool(self.session_id and self._ring) and self._ring[-1][0] == "finished"

    def push(self, item: Item) -> None:
        """Add an event and tell who waits."""
        with self._lock:
            self._ring.append(item)
            self.total += 1
            if not self._listeners:
                return
            listeners, self._listeners = self._listeners, []
        _call(listeners)

    def close(self) -> None:
        """No more events will come; readers end when they have read what is kept."""
        with self._lock:
            self.closed = True
            listeners, self._listeners = self._listeners, []
        _call(listeners)

    def leave(self) -> None:
        """In a process that was forked from the host nothing comes any more."""
        self._lock = threading.Lock()
        self._listeners = []
        self.closed = True

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


def _call(listeners: list[Callable[[], None]]) -> None:
    for listener in listeners:
        try:
            listener()
        except Exception:  # an observer can hurt only itself
            log.debug("an observer could not be told of an event", exc_info=True)
