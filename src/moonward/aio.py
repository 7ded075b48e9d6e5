"""The front door for coroutines: `AsyncRuntime` and `AsyncSession`. The event loop is never blocked.

Cancelling a task that awaits cancels the wait, never the session.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from moonward import observing, requests
from moonward.actors.errors import RuntimeClosed
from moonward.actors.event_stream import Event, Number
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.journal.store import Page
from moonward.actors.limits import LimitFields, Limits
from moonward.actors.messages import Feed, Look, Wait, WaitForEnd, Wake
from moonward.actors.query import QueryResponse
from moonward.actors.registry import All
from moonward.actors.rehearsal import Report
from moonward.actors.settings import Settings, SettingsFields
from moonward.core import LOOK_S, Core
from moonward.runtime import PAGE, Filter, Patience, Usage
from moonward.shown import Shown
from moonward.supervisor.reply import Reply
from moonward.wakeups import Wakeups


async def outcome(core: Core, reply: Reply[Any], message: Any = None, timeout_s: float | None = None) -> Any:
    """What `reply` is set to; `FeedTimeout` after `timeout_s` seconds."""
    loop = asyncio.get_running_loop()
    wakeups = core.wakeups
    if wakeups is None or wakeups.loop is not loop:
        wakeups = core.wakeups = Wakeups(loop)
    future: asyncio.Future[None] = loop.create_future()
    wake = wakeups.wake
    reply.on_set(lambda _: wake(future))
    try:
        if timeout_s is None:
            await future
        elif not (await asyncio.wait([future], timeout=timeout_s))[0]:
            error = core.expire(reply, message, timeout_s)
            await asyncio.wait([future], timeout=LOOK_S)
            reply.fail(error)
    except asyncio.CancelledError:
        if isinstance(message, Feed):
            message.withdraw()
        reply.fail(asyncio.CancelledError())
        raise
    return reply.result()


class Opening:
    """The start of a Runtime in a thread, which nobody may be waiting for any more when it is there."""

    def __init__(self, settings: Settings | None, overrides: Mapping[str, Any]) -> None:
        self._settings = settings
        self._overrides = overrides
        self._lock = threading.Lock()
        self._wanted = 0
        self._core: Core | None = None

    def want(self) -> None:
        """One more wants it, and will call `run` in a thread, and `abandon` if it does not get it."""
        self._wanted += 1

    def run(self) -> Core:
        """The Runtime, started by the first of those who want it. Blocks."""
        with self._lock:
            if not self._wanted:
                raise RuntimeClosed("nobody waits for this AsyncRuntime any more")
            if self._core is None:
                self._core = Core(self._settings, self._overrides)
            return self._core

    def abandon(self) -> None:
        """One wants it no more; after the last it is closed, now or as soon as it is there. Does not block."""
        self._wanted -= 1
        if not self._wanted:
            threading.Thread(target=self._close, name="moonward-abandon").start()

    def _close(self) -> None:
        with self._lock:
            core = None if self._wanted else self._core
            if core is not None:
                self._core = None
        if core is not None:
            core.close(None)


class AsyncSession:
    """A handle of one session, for coroutines; see `Session`."""

    def __init__(self, core: Core, session_id: str) -> None:
        self._core = core
        self._id = session_id
        self._shown = Shown()

    def __repr__(self) -> str:
        return f"<AsyncSession {self._id}>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._id

    async def phase(self) -> str:
        """`running`, `paused`, `completed`, `failed` or `cancelled`."""
        phase: str = await self._ask(Look(lambda state, now: state.phase))
        return phase

    async def wait(self, timeout: Patience = None) -> Paused | Finished:
        """The event that the session is in, or else the next one."""
        event: Paused | Finished = self._see(await self._ask(Wait(), timeout))
        return event

    async def finished(self, timeout: Patience = None) -> Finished:
        """The end of the session, at once when it has ended."""
        event: Finished = self._see(await self._ask(WaitForEnd(), timeout))
        return event

    async def feed(
        self,
        response: str | QueryResponse,
        *,
        query_id: str | None = None,
        usage: Usage = None,
        idempotency_key: str | None = None,
        timeout: Patience = None,
    ) -> Accepted | Paused | Finished:
        """Answer a query; see `Session.feed`."""
        message = requests.feed(response, query_id, usage, idempotency_key, self._shown.ids)
        event: Accepted | Paused | Finished = self._see(await self._ask(message, timeout))
        return event

    async def feed_batch(
        self, responses: Iterable[QueryResponse], *, timeout: Patience = None
    ) -> Accepted | Paused | Finished:
        """Answer several queries, all or none."""
        message = requests.feed_batch(responses, self._shown.ids)
        event: Accepted | Paused | Finished = self._see(await self._ask(message, timeout))
        return event

    async def cancel(self, reason: str = "") -> Finished:
        """End the session, busy or not."""
        event: Finished = await self._ask(requests.cancel(reason))
        return event

    async def snapshot(self, pending_filter: Filter = None, include_history: bool = False) -> dict[str, Any]:
        """What the session looks like now."""
        message = requests.snap(self._core.settings, pending_filter, include_history)
        shot: dict[str, Any] = await self._ask(message)
        return shot

    async def is_expired(self, ttl: float | timedelta) -> bool:
        """Whether `ttl` has passed since the start or the last accepted feed."""
        expired: bool = await self._ask(requests.expired(ttl))
        return expired

    async def transcript(self) -> list[dict[str, Any]]:
        """Every query with its answer, in order."""
        exchanges: list[dict[str, Any]] = await self._ask(Look(lambda state, now: state.transcript()))
        return exchanges

    async def wake(self, timeout: Patience = None) -> None:
        """Have a worker ready."""
        await self._ask(Wake(), timeout)

    async def events(self, since: Number | None = None) -> AsyncIterator[Event]:
        """The session's events: those still kept, then each as it comes, until the session ends."""
        stream = await outcome(self._core, self._core.stream(self._id))
        async for event in observing.aread(stream, since):
            yield event

    async def _ask(self, message: Any, timeout: Patience = None) -> Any:
        timeout_s = requests.timeout(timeout)
        return await outcome(self._core, self._core.ask(self._id, message), message, timeout_s)

    def _see(self, event: Any) -> Any:
        if isinstance(event, Paused):
            self._shown.add(query.id for query in event.queries)
        return event


class AsyncRuntime:
    """`Runtime` for coroutines: `async with AsyncRuntime() as runtime`, or `await runtime.open()` and `close()`."""

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[SettingsFields]) -> None:
        self._opening = Opening(settings, overrides)
        self._held: Core | None = None

    async def open(self) -> Self:
        """Start it; `async with` does so by itself. The errors are those of `Runtime()`. Idempotent."""
        if self._held is None:
            self._opening.want()
            try:
                self._held = await asyncio.to_thread(self._opening.run)
            except BaseException:
                self._opening.abandon()
                raise
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def _core(self) -> Core:
        if self._held is None:
            raise RuntimeClosed("this AsyncRuntime is not open: use `async with`, or `await runtime.open()`")
        return self._held

    @property
    def settings(self) -> Settings:
        """The settings that hold."""
        return self._core.settings

    async def start(
        self,
        code: str,
        ctx: Mapping[str, Any] | None = None,
        *,
        packages: Sequence[Path | str] = (),
        limits: Limits | LimitFields | None = None,
    ) -> AsyncSession:
        """Start a session; see `Runtime.start`."""
        return await self._start(requests.start(self.settings, code, ctx, packages, limits))

    async def advise(
        self,
        strategy: str,
        task: str | None = None,
        opts: Mapping[str, Any] | None = None,
        *,
        packages: Sequence[Path | str] = (),
        limits: Limits | LimitFields | None = None,
    ) -> AsyncSession:
        """Run an installed strategy; see `Runtime.advise`."""
        return await self._start(requests.advise(self.settings, strategy, task, opts, packages, limits))

    async def _start(self, message: Any) -> AsyncSession:
        return AsyncSession(self._core, await outcome(self._core, self._core.tell(message), message))

    async def session(self, session_id: str) -> AsyncSession:
        """The handle of a session; `SessionNotFound` if there is none."""
        session = AsyncSession(self._core, requests.identity(session_id))
        await session._ask(Look(lambda state, now: None))
        return session

    async def sessions(self) -> list[AsyncSession]:
        """All sessions, oldest first; with a durable journal those of other hosts too."""
        sessions: list[AsyncSession] = []
        rows = await outcome(self._core, self._core.list_sessions(Page(limit=PAGE)))
        while rows:
            sessions += [AsyncSession(self._core, row.id) for row in rows]
            rows = await outcome(self._core, self._core.list_sessions(Page(rows[-1].num, PAGE)))
        return sessions

    async def feed(
        self,
        session_id: str,
        response: str | QueryResponse,
        *,
        query_id: str | None = None,
        usage: Usage = None,
        idempotency_key: str | None = None,
        timeout: Patience = None,
    ) -> Accepted | Paused | Finished:
        """Answer a query of a session."""
        message = requests.feed(response, query_id, usage, idempotency_key, None)
        event: Accepted | Paused | Finished = await self._ask(session_id, message, timeout)
        return event

    async def feed_batch(
        self, session_id: str, responses: Iterable[QueryResponse], *, timeout: Patience = None
    ) -> Accepted | Paused | Finished:
        """Answer several queries of a session, all or none."""
        message = requests.feed_batch(responses)
        event: Accepted | Paused | Finished = await self._ask(session_id, message, timeout)
        return event

    async def cancel(self, session_id: str, reason: str = "") -> Finished:
        """End a session."""
        event: Finished = await self._ask(session_id, requests.cancel(reason))
        return event

    async def snapshots(
        self, pending_filter: Filter = None, include_history: bool = False
    ) -> dict[str, dict[str, Any]]:
        """Snapshots of all sessions that are held, by id."""
        settings = self.settings
        requests.snap(settings, pending_filter, include_history)
        message = All(lambda: requests.snap(settings, pending_filter, include_history), Reply())
        shots: dict[str, dict[str, Any]] = await outcome(self._core, self._core.tell(message), message)
        return shots

    async def events(self, since: Number | None = None) -> AsyncIterator[Event]:
        """The events of all sessions."""
        async for event in observing.aread(self._core.events, since):
            yield event

    async def tree(self) -> dict[str, Any]:
        """The supervision tree as data."""
        tree: dict[str, Any] = await outcome(self._core, self._core.tree())
        return tree

    async def fork(self, session_id: str, at: int) -> AsyncSession:
        """A new session from a point of an old one."""
        return AsyncSession(
            self._core, await outcome(self._core, self._core.fork(requests.identity(session_id), at))
        )

    async def replay(self, session_id: str, code: str | None = None, timeout: Patience = None) -> Report:
        """Run a journal again and report."""
        timeout_s = requests.timeout(timeout)
        reply = self._core.rehearse(requests.identity(session_id), requests.replay_code(code))
        report: Report = await outcome(self._core, reply, None, timeout_s)
        return report

    async def export(self, session_id: str, path: Path | str) -> None:
        """Write a session's journal to one portable file."""
        await outcome(
            self._core, self._core.export(requests.identity(session_id), requests.path("path", path))
        )

    async def import_(self, path: Path | str) -> AsyncSession:
        """Take a session from a portable file."""
        return AsyncSession(
            self._core, await outcome(self._core, self._core.import_(requests.path("path", path)))
        )

    async def prune(self, older_than: float | timedelta) -> int:
        """Remove the journals of sessions that ended longer ago than `older_than`; how many."""
        pruned: int = await outcome(self._core, self._core.prune(requests.seconds("older_than", older_than)))
        return pruned

    async def close(self, timeout: Patience = None) -> None:
        """End everything; see `Runtime.close`. Idempotent."""
        if self._held is not None:
            await asyncio.to_thread(self._held.close, requests.timeout(timeout))

    async def _ask(self, session_id: str, message: Any, timeout: Patience = None) -> Any:
        session_id, timeout_s = requests.identity(session_id), requests.timeout(timeout)
        return await outcome(self._core, self._core.ask(session_id, message), message, timeout_s)
