"""Sessions that have no actor: what a Runtime remembers of them, and how they are looked at without waking.

A session that sleeps is its journal, and some three hundred bytes here: when it was last active and how many events
it had. Of sessions that this Runtime never had, nothing is remembered: what they did before it does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from moonward.actors.errors import SessionNotFound
from moonward.actors.event_stream import EventStream
from moonward.actors.messages import Look, Observe, Snap
from moonward.actors.rebuild import rebuild
from moonward.actors.session_state import Instant, SessionState

if TYPE_CHECKING:
    from moonward.actors.journal.entries import Entry
    from moonward.actors.services import Services

Looking = Look[Any] | Snap | Observe
"""What is answered from the journal alone."""

Seen = Callable[[SessionState | None, BaseException | None], None]


class Sleeper(NamedTuple):
    """`active_s` is the monotonic second of the last activity, `events` the number of the newest event."""

    active_s: float
    events: int


class Sleepers:
    """The sleeping sessions of a Runtime. Loop thread only; outlives the registry."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[str, Sleeper] = {}
        self._began_s = services.now().mono_s

    def put(self, session_id: str, active_s: float | None = None, events: int = 0) -> None:
        """Remember a session; one of an earlier Runtime was last active when this one began."""
        self._known[session_id] = Sleeper(self._began_s if active_s is None else active_s, events)

    def pop(self, session_id: str) -> Sleeper:
        """Forget a session, and say what was known of it."""
        return self._known.pop(session_id, None) or Sleeper(self._began_s, 0)

    def active_s(self, session_id: str, unknown_s: float | None = None) -> float:
        """The monotonic second of a session's last activity; if unknown, when this Runtime began, or `unknown_s`."""
        known = self._known.get(session_id)
        if known is not None:
            return known.active_s
        return self._began_s if unknown_s is None else unknown_s

    def idle_for(self, ttl_s: float, now_s: float) -> list[str]:
        """The remembered sessions whose last activity is at least `ttl_s` seconds ago."""
        return [session_id for session_id, known in self._known.items() if now_s - known.active_s >= ttl_s]

    def look(self, session_id: str, message: Looking) -> None:
        """Answer `message` from what is durable, changing and waking nothing."""

        def seen(state: SessionState | None, error: BaseException | None) -> None:
            if state is None:
                message.reply.fail(error or SessionNotFound(session_id))
                return
            try:
                message.reply.complete(self._answer(message, state))
            except Exception as wrong:
                message.reply.fail(wrong)

        self.see(session_id, seen)

    def see(self, session_id: str, done: Seen) -> None:
        """Give `done` the durable state of a session."""

        def read(entries: list[Entry] | None, error: BaseException | None) -> None:
            if entries is None:
                done(None, error)
                return
            try:
                state = rebuild(entries, Instant(self._services.now().wall_ms, self.active_s(session_id)))
            except Exception as wrong:
                done(None, wrong)
            else:
                done(state, None)

        self._services.store.look(session_id, read)

    def _answer(self, message: Looking, state: SessionState) -> Any:
        now = self._services.now()
        if isinstance(message, Look):
            return message.read(state, now)
        if isinstance(message, Observe):
            return self._stream(state)
        shot = state.snapshot(message.filter, message.history, now)
        shot["residency"] = "ended" if state.terminal is not None else "hibernated"
        shot["restarts"] = 0
        shot["confinement"] = None
        return shot

    def _stream(self, state: SessionState) -> EventStream:
        """The events of a session; of one that has ended long ago, its end."""
        services, session_id = self._services, state.session_id
        known = self._known.get(session_id)
        if state.terminal is None:
            return services.streams.borrow(session_id, known.events if known is not None else 0)
        stream = EventStream(services.events.epoch, 1, session_id, is_remnant=True)
        data = {"phase": state.phase, "state": state.terminal}
        stream.push(("finished", session_id, state.wall_ms(services.now()), data))
        stream.close()
        return stream
