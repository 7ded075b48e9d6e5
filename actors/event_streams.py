"""The event streams of a Runtime's sessions, each for as long as something can come of it, or somebody reads it."""

from __future__ import annotations

from weakref import WeakValueDictionary

from moonward.actors.event_stream import EventStream


class EventStreams:
    """Streams by session id. A stream that rests goes on as the same one while anybody holds it.

    `find` and `all` from any thread, the rest on the loop's.
    """

    def __init__(self, epoch: str, capacity: int) -> None:
        self._epoch = epoch
        self._capacity = capacity
        self._held: dict[str, EventStream] = {}
        self._resting: WeakValueDictionary[str, EventStream] = WeakValueDictionary()

    def find(self, session_id: str) -> EventStream | None:
        """The stream of a session that is held."""
        return self._held.get(session_id)

    def hold(self, session_id: str, total: int = 0) -> EventStream:
        """The stream of a session; a new one goes on from `total` events before it."""
        stream = self._held.get(session_id)
        if stream is None:
            stream = self._held[session_id] = self.borrow(session_id, total)
            self._resting.pop(session_id, None)
        return stream

    def borrow(self, session_id: str, total: int = 0) -> EventStream:
        """The same, kept only while the caller keeps it, unless the session is held."""
        stream = self._held.get(session_id) or self._resting.get(session_id)
        if stream is None:
            stream = EventStream(self._epoch, self._capacity, session_id, total)
            self._resting[session_id] = stream
        return stream

    def rest(self, session_id: str) -> int:
        """Keep a stream only for those who read it; the number of its newest event."""
        stream = self._held.pop(session_id, None)
        if stream is None:
            stream = self._resting.get(session_id)
        if stream is None:
            return 0
        self._resting[session_id] = stream
        return stream.total

    def drop(self, session_id: str) -> None:
        """Nothing more will come of a session."""
        stream = self._held.pop(session_id, None) or self._resting.pop(session_id, None)
        if stream is not None:
            stream.close()

    def close(self) -> None:
        """Nothing more will come at all."""
        for stream in [*self._held.values(), *self._resting.values()]:
            stream.close()
