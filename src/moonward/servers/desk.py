"""What the tools of a server do to sessions, for one guest or another.

Guarantees:
- A guest with a name reaches only the sessions that it made; any other is not found, as if it were not there.
- Giving up a call gives up the wait, never the session. An answer that was on its way is taken back if nobody has
  looked at it yet, else it counts.
- A question whose showing was given up is not answered by an answer without a query id: a host that asks again,
  because it never saw what came of its first try, cannot answer the next question by accident.

What does not work: a reply that is lost on the wire after it was handed over is not noticed; name the query, or give
an idempotency key, where that can happen.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, TypeVar

from moonward import requests
from moonward.actors.errors import SessionNotFound
from moonward.actors.event_stream import EventStream
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.journal.entries import Started
from moonward.actors.journal.store import TERMINAL, Notes, SessionRow
from moonward.actors.messages import Look, Snap, Wait, WaitForEnd
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import LlmQuery, QueryResponse
from moonward.actors.session_state import Instant, SessionState
from moonward.aio import outcome
from moonward.core import Core
from moonward.servers.guest import Guest
from moonward.supervisor.reply import Reply

T = TypeVar("T")

MAX_LISTED: Final = 1000
"""Sessions that one listing shows; arbitrary, some hundred kilobytes of JSON. The newest are shown."""


MAX_BLOCKING: Final = 8
"""Threads that read files or install packages at once; arbitrary, more would wait for the same disk."""


class Standing(NamedTuple):
    """Where a session stands: the number of its last pause, from 0 (-1 before the first), and what is pending."""

    pause_no: int
    pending: tuple[LlmQuery, ...]


class Desk:
    """Reaches the sessions of a running Runtime. All methods run on the event loop's thread and never block it."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._room = asyncio.Semaphore(MAX_BLOCKING)
        self._seen: dict[str, frozenset[str]] = {}
        self._in_doubt: set[str] = set()

    async def start(
        self, guest: Guest, code: str, ctx: Mapping[str, Any] | None, packages: Sequence[str]
    ) -> str:
        """Start a session; its id."""
        message = requests.start(self.core.settings, code, ctx, packages, None, None, guest.name)
        session_id: str = await outcome(self.core, self.core.tell(message), message)
        return session_id

    async def advise(
        self,
        guest: Guest,
        strategy: str,
        task: str | None,
        opts: Mapping[str, Any] | None,
        packages: Sequence[str],
    ) -> str:
        """Run an installed strategy; the session's id."""
        message = requests.advise(self.core.settings, strategy, task, opts, packages, None, guest.name)
        session_id: str = await outcome(self.core, self.core.tell(message), message)
        return session_id

    async def wait(self, session_id: str) -> Paused | Finished:
        """The event that the session is in, or else the next one."""
        event: Paused | Finished = await self._ask(session_id, Wait())
        return event

    async def finished(self, session_id: str) -> Finished:
        """How the session ended, once it has."""
        event: Finished = await self._ask(session_id, WaitForEnd())
        return event

    async def feed(self, session_id: str, responses: Iterable[QueryResponse]) -> Accepted | Paused | Finished:
        """Answer queries, all or none. Without a query id: the sole pending one, unless nobody may have seen it."""
        seen = self._seen.get(session_id, frozenset()) if session_id in self._in_doubt else None
        message = requests.feed_batch(responses, seen)
        event: Accepted | Paused | Finished = await self._ask(session_id, message)
        return event

    async def cancel(self, session_id: str, reason: str) -> Finished:
        """End a session."""
        event: Finished = await self._ask(session_id, requests.cancel(reason))
        return event

    async def standing(self, session_id: str) -> Standing:
        """Where a session stands."""
        return await self.look(session_id, lambda state, now: Standing(state.pauses - 1, state.pending))

    async def look(self, session_id: str, read: Callable[[SessionState, Instant], T]) -> T:
        """Read from a session's state, without changing or waking it."""
        found: T = await self._ask(session_id, Look(read))
        return found

    async def snapshot(self, session_id: str, filter_: PendingFilter | None, history: bool) -> dict[str, Any]:
        """What a session looks like, with its id and strategy."""
        shot: dict[str, Any] = await self._ask(session_id, Snap(filter_, history))
        return shot

    async def rows(self, guest: Guest) -> list[SessionRow]:
        """The guest's sessions, oldest first, but for those that another live host has."""
        rows: list[SessionRow] = await outcome(self.core, self.core.list_sessions())
        here = os.getpid()
        return [
            row
            for row in rows
            if (guest.name is None or row.user == guest.name) and row.owner_pid in (None, here)
        ]

    async def add_note(self, session_id: str, title: str, text: str) -> None:
        """Add a remark to a session."""
        await outcome(self.core, self.core.add_note(session_id, title, text))

    async def notes(self, session_id: str) -> Notes:
        """The remarks of a session, oldest first."""
        notes: Notes = await outcome(self.core, self.core.notes(session_id))
        return notes

    async def stream(self, session_id: str) -> EventStream:
        """The events of a session that exists."""
        stream: EventStream = await outcome(self.core, self.core.stream(session_id))
        return stream

    async def check(self, guest: Guest, session_id: str) -> Started:
        """The start of a session; `SessionNotFound` if it is not there, or not this guest's."""
        started = await self.look(session_id, lambda state, now: state.started)
        if guest.name is not None and started.user != guest.name:
            raise SessionNotFound(session_id)
        return started

    @asynccontextmanager
    async def showing(self, session_id: str) -> AsyncIterator[None]:
        """While the block runs, a question may come up that the guest sees only if the block is not cut short."""
        try:
            yield
        except asyncio.CancelledError:
            self._in_doubt.add(session_id)
            raise

    def has_shown(self, session_id: str, event: Accepted | Paused | Finished) -> None:
        """The guest is shown `event`."""
        if isinstance(event, Paused):
            self._seen[session_id] = frozenset(query.id for query in event.queries)
        elif isinstance(event, Finished):
            self._seen.pop(session_id, None)
        self._in_doubt.discard(session_id)

    async def in_thread(self, work: Callable[..., T], *args: Any) -> T:
        """Run what blocks in a thread, which does not keep the process from ending."""
        reply: Reply[T] = Reply()

        def job() -> None:
            try:
                reply.complete(work(*args))
            except BaseException as error:
                reply.fail(error)

        async with self._room:
            threading.Thread(target=job, name="moonward server job", daemon=True).start()
            done: T = await outcome(self.core, reply)
        return done

    async def _ask(self, session_id: str, message: Any) -> Any:
        return await outcome(self.core, self.core.ask(requests.identity(session_id), message), message)


def is_active(row: SessionRow) -> bool:
    """Whether a session is running or paused."""
    return row.phase not in TERMINAL
