"""The front door for threads: `Runtime` and `Session`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from moonward import observing, requests
from moonward.actors.event_stream import Event, Number
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.journal.store import Page, Rows
from moonward.actors.limits import LimitFields, Limits
from moonward.actors.messages import Look, Wait, WaitForEnd, Wake
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import QueryResponse, TokenUsage
from moonward.actors.registry import All
from moonward.actors.rehearsal import Report
from moonward.actors.settings import Settings, SettingsFields
from moonward.core import Core
from moonward.shown import Shown
from moonward.supervisor.reply import Reply

PAGE = 500
"""Sessions that a listing reads at a time; arbitrary, a few milliseconds' worth."""

Filter = PendingFilter | str | Mapping[str, Any] | None
Usage = TokenUsage | Mapping[str, Any] | None
Patience = float | timedelta | None


class Session:
    """A handle of one session. Cheap; many may exist for one session; none owns it.

    Errors: `SessionNotFound`, `SessionOwned`, `SessionRestarting` (try again), `RuntimeClosed`, `RuntimeFailed`.
    """

    def __init__(self, core: Core, session_id: str) -> None:
        self._core = core
        self._id = session_id
        self._shown = Shown()

    def __repr__(self) -> str:
        return f"<Session {self._id}>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._id

    @property
    def phase(self) -> str:
        """`running`, `paused`, `completed`, `failed` or `cancelled`."""
        phase: str = self._ask(Look(lambda state, now: state.phase))
        return phase

    def wait(self, timeout: Patience = None) -> Paused | Finished:
        """The event that the session is in, or else the next one. `FeedTimeout` after `timeout` seconds."""
        event: Paused | Finished = self._see(self._ask(Wait(), timeout))
        return event

    def finished(self, timeout: Patience = None) -> Finished:
        """The end of the session, at once when it has ended. `FeedTimeout` after `timeout` seconds."""
        event = self._see(self._ask(WaitForEnd(), timeout))
        assert isinstance(event, Finished)
        return event

    def feed(
        self,
        response: str | QueryResponse,
        *,
        query_id: str | None = None,
        usage: Usage = None,
        idempotency_key: str | None = None,
        timeout: Patience = None,
    ) -> Accepted | Paused | Finished:
        """Answer a query: `query_id`, or the sole pending one if this handle has been shown it.

        Errors: `TransitionError`, `UnknownQuery`, `AlreadyResponded`, `AmbiguousQuery`, `IdempotencyConflict`,
        `JournalError`; nothing is changed then. `FeedTimeout` says whether the answer was accepted.
        """
        message = requests.feed(response, query_id, usage, idempotency_key, self._shown.ids)
        event: Accepted | Paused | Finished = self._see(self._ask(message, timeout))
        return event

    def feed_batch(
        self, responses: Iterable[QueryResponse], *, timeout: Patience = None
    ) -> Accepted | Paused | Finished:
        """Answer several queries: all of them, or on any error none."""
        event: Accepted | Paused | Finished = self._see(
            self._ask(requests.feed_batch(responses, self._shown.ids), timeout)
        )
        return event

    def cancel(self, reason: str = "") -> Finished:
        """End the session, busy or not. `TransitionError` when it has ended."""
        event = self._ask(requests.cancel(reason))
        assert isinstance(event, Finished)
        return event

    def snapshot(self, pending_filter: Filter = None, include_history: bool = False) -> dict[str, Any]:
        """What the session looks like now. Never waits for Lua, never changes or wakes the session."""
        shot: dict[str, Any] = self._ask(requests.snap(self._core.settings, pending_filter, include_history))
        return shot

    def is_expired(self, ttl: float | timedelta) -> bool:
        """Whether `ttl` (seconds or a timedelta) has passed since the start or the last accepted feed."""
        expired: bool = self._ask(requests.expired(ttl))
        return expired

    def transcript(self) -> list[dict[str, Any]]:
        """Every query with its answer, in order: `query_id, prompt, system, response`."""
        exchanges: list[dict[str, Any]] = self._ask(Look(lambda state, now: state.transcript()))
        return exchanges

    def wake(self, timeout: Patience = None) -> None:
        """Have a worker ready, as a session that sleeps has none. `TransitionError` when it has ended."""
        self._ask(Wake(), timeout)

    def events(self, since: Number | None = None) -> Iterator[Event]:
        """The session's events: those still kept (a thousand), then each as it comes, until the session ends."""
        return observing.read(self._core.wait(self._core.stream(self._id)), since)

    def _ask(self, message: Any, timeout: Patience = None) -> Any:
        timeout_s = requests.timeout(timeout)
        return self._core.wait(self._core.ask(self._id, message), message, timeout_s)

    def _see(self, event: Any) -> Any:
        if isinstance(event, Paused):
            self._shown.add(query.id for query in event.queries)
        return event


class Runtime:
    """Owns sessions and all that runs them. A context manager; several may live in one process.

    `settings`, then `overrides` by field name, win over `MOONWARD_*` environment variables. `SettingsError` names
    what is wrong; `RuntimeUnsupported` where sessions cannot run.
    """

    def __init__(self, settings: Settings | None = None, **overrides: Unpack[SettingsFields]) -> None:
        self._core = Core(settings, overrides)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def settings(self) -> Settings:
        """The settings that hold."""
        return self._core.settings

    def start(
        self,
        code: str,
        ctx: Mapping[str, Any] | None = None,
        *,
        packages: Sequence[Path | str] = (),
        limits: Limits | LimitFields | None = None,
    ) -> Session:
        """Start a session with Lua `code`; returns once its start is durable, without waiting for Lua.

        `ctx` is a JSON object, `packages` are directories searched before `Settings.package_paths`.
        Errors: `SettingsError`, `TooManySessions`, `StartTimeout`, `JournalError`.
        """
        return self._start(requests.start(self.settings, code, ctx, packages, limits))

    def advise(
        self,
        strategy: str,
        task: str | None = None,
        opts: Mapping[str, Any] | None = None,
        *,
        packages: Sequence[Path | str] = (),
        limits: Limits | LimitFields | None = None,
    ) -> Session:
        """Run an installed strategy: `require(strategy).run(ctx)` with `ctx = {**opts, task}`."""
        return self._start(requests.advise(self.settings, strategy, task, opts, packages, limits))

    def _start(self, message: Any) -> Session:
        return Session(self._core, self._core.wait(self._core.tell(message), message))

    def session(self, session_id: str) -> Session:
        """The handle of a session; `SessionNotFound` if there is none."""
        session = Session(self._core, requests.identity(session_id))
        session._ask(Look(lambda state, now: None))
        return session

    def sessions(self) -> Iterator[Session]:
        """All sessions, oldest first; with a durable journal those of other hosts too. Read a few at a time."""
        return self._sessions(self._core.wait(self._core.list_sessions(Page(limit=PAGE))))

    def _sessions(self, rows: Rows) -> Iterator[Session]:
        while rows:
            for row in rows:
                yield Session(self._core, row.id)
            rows = self._core.wait(self._core.list_sessions(Page(rows[-1].num, PAGE)))

    def feed(
        self,
        session_id: str,
        response: str | QueryResponse,
        *,
        query_id: str | None = None,
        usage: Usage = None,
        idempotency_key: str | None = None,
        timeout: Patience = None,
    ) -> Accepted | Paused | Finished:
        """Answer a query of a session; without `query_id` the sole pending one. See `Session.feed`."""
        message = requests.feed(response, query_id, usage, idempotency_key, None)
        event: Accepted | Paused | Finished = self._ask(session_id, message, timeout)
        return event

    def feed_batch(
        self, session_id: str, responses: Iterable[QueryResponse], *, timeout: Patience = None
    ) -> Accepted | Paused | Finished:
        """Answer several queries of a session, all or none."""
        event: Accepted | Paused | Finished = self._ask(session_id, requests.feed_batch(responses), timeout)
        return event

    def cancel(self, session_id: str, reason: str = "") -> Finished:
        """End a session."""
        event: Finished = self._ask(session_id, requests.cancel(reason))
        return event

    def snapshots(
        self, pending_filter: Filter = None, include_history: bool = False
    ) -> dict[str, dict[str, Any]]:
        """Snapshots of all sessions that are held, by id."""
        settings = self.settings
        requests.snap(settings, pending_filter, include_history)
        message = All(lambda: requests.snap(settings, pending_filter, include_history), Reply())
        shots: dict[str, dict[str, Any]] = self._core.wait(self._core.tell(message), message)
        return shots

    def events(self, since: Number | None = None) -> Iterator[Event]:
        """The events of all sessions: those still kept (a thousand), then each as it comes, until `close`."""
        return observing.read(self._core.events, since)

    def tree(self) -> dict[str, Any]:
        """The supervision tree as data."""
        tree: dict[str, Any] = self._core.wait(self._core.tree())
        return tree

    def fork(self, session_id: str, at: int) -> Session:
        """A new session with the entries of an old one up to and including number `at`, and its own future."""
        return Session(self._core, self._core.wait(self._core.fork(requests.identity(session_id), at)))

    def replay(self, session_id: str, code: str | None = None, timeout: Patience = None) -> Report:
        """Run a journal again, with other `code` if given, and report agreement or the first divergence."""
        timeout_s = requests.timeout(timeout)
        reply = self._core.rehearse(requests.identity(session_id), requests.replay_code(code))
        report: Report = self._core.wait(reply, None, timeout_s)
        return report

    def export(self, session_id: str, path: Path | str) -> None:
        """Write a session's journal to one portable file."""
        self._core.wait(self._core.export(requests.identity(session_id), requests.path("path", path)))

    def import_(self, path: Path | str) -> Session:
        """Take a session from a portable file; `JournalError` when its id is there already."""
        return Session(self._core, self._core.wait(self._core.import_(requests.path("path", path))))

    def prune(self, older_than: float | timedelta) -> int:
        """Remove the journals of sessions that ended longer ago than `older_than`; how many."""
        pruned: int = self._core.wait(self._core.prune(requests.seconds("older_than", older_than)))
        return pruned

    def close(self, timeout: Patience = None) -> None:
        """End everything, within `timeout` seconds (default `Settings.close_timeout`) and one more. Idempotent."""
        self._core.close(requests.timeout(timeout))

    def _ask(self, session_id: str, message: Any, timeout: Patience = None) -> Any:
        session_id, timeout_s = requests.identity(session_id), requests.timeout(timeout)
        return self._core.wait(self._core.ask(session_id, message), message, timeout_s)
