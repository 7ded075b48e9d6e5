"""A session: the actor that owns its state, its journal and its Lua. It never blocks.

Each message is validated, then recorded, then applied; what an outsider can observe waits in the outbox until it is
durable. A new actor on the same journal is the same session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from moonward.actors import feeding, looking
from moonward.actors.errors import RuntimeClosed, SessionRestarting, TooManySessions, TransitionError
from moonward.actors.forking import child_of
from moonward.actors.journal.entries import Ask as AskOf
from moonward.actors.journal.entries import Clocks, Ended, Entry, Paused, Started
from moonward.actors.kept import kept_after
from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.messages import (
    Cancel,
    Feed,
    Look,
    Message,
    Observe,
    Snap,
    Wait,
    WaitForEnd,
    Wake,
)
from moonward.actors.note_taker import NoteTaker
from moonward.actors.outbox import Outbox
from moonward.actors.query import QuerySpec
from moonward.actors.rebuild import rebuild
from moonward.actors.script import Script
from moonward.actors.session_state import Instant, SessionState
from moonward.actors.terminal import CLOSED, Cancelled, TerminalState
from moonward.actors.worker.wire import Note
from moonward.supervisor.loop_actor import LoopActor
from moonward.supervisor.reply import Reply

if TYPE_CHECKING:
    from moonward.actors.services import Services
    from moonward.actors.worker_pool import ReadyWorker

WAITERS = 16
"""Waiters above which those that gave up are sorted out; arbitrary, most sessions have one."""


class SessionActor(LoopActor):
    """The actor of one session whose journal is open. `ready` is the worker that a new one adopts."""

    state: SessionState

    def __init__(
        self,
        services: Services,
        session_id: str,
        *,
        ready: ReadyWorker | None = None,
        asleep: bool = False,
    ) -> None:
        super().__init__(services.loop, f"session {session_id}")
        self.session_id = session_id
        self._services = services
        self._ready = ready
        self._asleep = asleep
        self._outbox = Outbox(services.store, session_id, self.guarded(self._journal_failed))
        self._waiters: list[Reply[Any]] = []
        self._end_waiters: list[Reply[Any]] = []
        self._asks: dict[str, tuple[str, ...]] = {}
        self._paused_s: float | None = None
        self.ended_s: float | None = None
        self.kept_bytes = 0
        self.confinement: str | None = ready.hello.confinement if ready is not None else None

    # -- life -------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Rebuild the state from the journal, and run the Lua unless asleep or over."""
        entries = self._services.store.read(self.session_id)
        started = entries[0]
        assert isinstance(started, Started)
        self.started = started
        self.limits = Limits.recorded(started.limits)
        self._note_taker = NoteTaker(self._services, self.session_id, self.limits, self._tell_now)
        self._rebuild(entries)
        self.script = Script(self._services, self, started, self.limits)
        self._outbox.follow()
        self._services.registry.joined(self)
        ready, self._ready = self._ready, None
        if ready is not None:
            self.tell_all("started", {"strategy": started.strategy}, self.now())
        if self.state.terminal is not None:
            self.ended_s = self._services.now().mono_s
        elif not self._asleep or (self.state.phase == "running" and self.has_room):
            self.script.run(ready)

    def _rebuild(self, entries: Sequence[Entry]) -> None:
        now = self._services.now()
        active_s = self._services.sleepers.active_s(self.session_id, None if self._asleep else now.mono_s)
        self.state = rebuild(entries, Instant(now.wall_ms, active_s))
        self.kept_bytes = reduce(kept_after, entries, 0)
        self._asks = {}
        if self.state.pending:
            paused = next(entry for entry in reversed(entries) if isinstance(entry, Paused))
            self._asks = paused.by_strand()
        self._paused_s = now.mono_s if self.state.pending else None

    def on_ended(self, reason: BaseException | None) -> None:
        """Give the workers back and tell everyone who waits."""
        if hasattr(self, "script"):
            self.script.stop()
        elif self._ready is not None:
            self._ready.process.close()
        error: BaseException = RuntimeClosed("the Runtime was closed")
        if reason is not None and hasattr(self, "state"):
            self._services.sleepers.put(self.session_id, self.state.active_s)
        if not self._services.is_closing:
            why = f" ({reason})" if reason is not None else ""
            error = SessionRestarting(f"session {self.session_id} is being restarted; try again{why}")
        for reply in [*self._waiters, *self._end_waiters]:
            reply.fail(error)
        self._services.registry.left(self)

    def on_refused(self, message: Any) -> None:
        """A message came too late."""
        message.reply.fail(SessionRestarting(f"session {self.session_id} is being restarted; try again"))

    @property
    def has_worker(self) -> bool:
        """Whether a worker process is held, or on its way."""
        return self.script.engine is not None

    @property
    def has_room(self) -> bool:
        """Whether a worker is held, or there may be one more."""
        return self.has_worker or self._services.registry.has_room()

    def hibernate(self) -> None:
        """Give the worker back while paused; a feed or a wake brings another."""
        if self.state.pending and self.has_worker:
            self.script.stop()
            self.tell_all("hibernated", {}, self.now())

    def idle_paused_s(self) -> float | None:
        """Seconds since the pause began or was last fed, or None when not paused with a worker."""
        if self._paused_s is None or not self.has_worker:
            return None
        return self._services.now().mono_s - self._paused_s

    @property
    def is_forgettable(self) -> bool:
        """Whether the journal alone is enough: asleep, and nobody waits here."""
        waits = any(not reply.is_set for reply in [*self._waiters, *self._end_waiters])
        asleep = bool(self.state.pending) and not self.has_worker
        return asleep and self._services.store.is_durable and self.is_settled and not waits

    @property
    def is_settled(self) -> bool:
        """Whether everything that happened is durable."""
        return self._outbox.is_clear

    def close(self) -> None:
        """The Runtime closes: who waits is told so, and a session that nothing will remember ends as `closed`."""
        waiters, self._waiters = [*self._waiters, *self._end_waiters], []
        self._end_waiters = []
        for reply in waiters:
            reply.fail(RuntimeClosed("the Runtime was closed"))
        if self.state.terminal is None and not self._services.store.is_durable:
            self.ended(Cancelled(CLOSED), [])

    # -- messages ---------------------------------------------------------------------------------------------

    def on_receive(self, message: Message) -> None:
        """Take one message."""
        if isinstance(message, Feed):
            if message.take():
                feeding.feed(self, message)
        elif isinstance(message, Wait):
            looking.wait(self, message)
        elif isinstance(message, Look):
            looking.look(self, message)
        elif isinstance(message, Snap):
            looking.snap(self, message)
        elif isinstance(message, WaitForEnd):
            looking.wait_for_end(self, message)
        elif isinstance(message, Cancel):
            self._cancel(message)
        elif isinstance(message, Observe):
            self.after(message.reply, self._services.streams.hold(self.session_id))
        else:
            self._wake(message)

    def _cancel(self, message: Cancel) -> None:
        if self.state.terminal is not None:
            self.refuse_after(message.reply, TransitionError("running or paused", self.state.phase))
            return
        self.ended(Cancelled(message.reason), [])
        self.after(message.reply, self.state.event())

    def _wake(self, message: Wake) -> None:
        if self.state.terminal is not None:
            self.refuse_after(message.reply, TransitionError("running or paused", self.state.phase))
        elif self.may_wake(message.reply):
            self.wake()
            self.after(message.reply, None)

    @property
    def residency(self) -> str:
        """Where the session is: `live`, `hibernated`, `recovering` or `ended`."""
        if self.state.terminal is not None:
            return "ended"
        if not self.has_worker:
            return "hibernated"
        return "recovering" if self.script.is_recovering else "live"

    # -- what feeding and looking use -------------------------------------------------------------------------

    def now(self) -> Instant:
        """The current instant."""
        return self._services.now()

    def wait_for_end(self, reply: Reply[Any]) -> None:
        """Complete `reply` with the end."""
        self._end_waiters = _with(self._end_waiters, reply)

    def show_after(self, message: Look[Any] | Snap, value: Any) -> None:
        """Show `value` once it is durable; should it never be, look again at what is."""
        services, session_id = self._services, self.session_id
        self._outbox.then(
            lambda: message.reply.complete(value),
            lambda error: services.registry.route(session_id, message),
            hurry=True,
        )

    def wait_next(self, reply: Reply[Any]) -> None:
        """Complete `reply` with the next pause, or the end."""
        self._waiters = _with(self._waiters, reply)

    def fail_with_journal(self, reply: Reply[Any]) -> None:
        """`reply` waits for more than the journal, but fails with it."""
        if self._outbox.is_clear:
            return
        self._outbox.then(_nothing, reply.fail)

    def fed(self, at: Instant) -> None:
        """An answer was accepted."""
        if self._paused_s is not None:
            self._paused_s = at.mono_s

    def resume(self, at: Instant) -> None:
        """Every pending query has its answer: the Lua goes on."""
        texts = self.state.answers_of_pause()
        self.tell_all("resumed", {}, at)
        self._paused_s = None
        engine = self.script.engine
        if engine is None:
            self.wake()
        else:
            engine.resume(self._asks, texts)

    def may_wake(self, reply: Reply[Any]) -> bool:
        """Whether a worker may be had; if not, `reply` is told so."""
        if self.has_room:
            return True
        reply.fail(TooManySessions(self.no_room))
        return False

    @property
    def no_room(self) -> str:
        """Why there may be no worker."""
        return self._services.registry.no_room()

    def wake(self) -> None:
        """Have a worker."""
        if not self.has_worker:
            self.tell_all("woken", {}, self.now())
            self.script.run()

    # -- what the script tells --------------------------------------------------------------------------------

    def entries(self) -> Sequence[Entry]:
        """Everything recorded so far."""
        return self._services.store.read(self.session_id)

    def append(self, entry: Entry, *, more: bool = False) -> None:
        """Record an entry. `more`: the script goes on, and what it does next is about to follow."""
        self._outbox.append(entry, self.state.phase, more=more)
        self.kept_bytes = kept_after(self.kept_bytes, entry)

    def when_durable(self, action: Callable[[], None], *, hurry: bool = False) -> None:
        """Run `action` once what is recorded is durable. `hurry`: the script, or somebody, waits for it."""
        if self._outbox.is_clear:
            action()
        else:
            self._outbox.then(self.guarded(action), hurry=hurry)

    def after(self, reply: Reply[Any], value: Any) -> None:
        """Complete `reply` once what is recorded is durable."""
        if self._outbox.is_clear:
            reply.complete(value)
            return
        self._outbox.then(lambda: reply.complete(value), reply.fail, hurry=True)

    def refuse_after(self, reply: Reply[Any], refusal: BaseException) -> None:
        """Fail `reply` with `refusal` once what led to it is durable."""
        self._outbox.then(lambda: reply.fail(refusal), reply.fail, hurry=True)

    def asked(self, asks: Sequence[tuple[str, list[QuerySpec], Clocks]]) -> None:
        """The Lua waits for answers: the session is paused."""
        now = self._services.now()
        state = self.state
        queries = state.issue([(child_of(strand), specs) for strand, specs, _ in asks])
        state.pause(queries, now)
        entry = Paused(
            queries,
            [AskOf(strand, len(specs), clocks) for strand, specs, clocks in asks],
            now.wall_ms,
            state.view(),
        )
        self._asks = entry.by_strand()
        self._paused_s = now.mono_s
        self.append(entry)
        self.tell_all("paused", {"queries": [query.own() for query in queries]}, now)
        waiters, self._waiters = self._waiters, []
        for reply in waiters:
            self.after(reply, state.event())

    def ended(self, terminal: TerminalState, clocks: Clocks) -> None:
        """The Lua is over, by itself or because it was told to be."""
        now = self._services.now()
        self.script.stop()
        self.state.end(terminal, now)
        self.append(Ended(terminal, self.state.wall_ms(now), self.state.view(), clocks))
        self._paused_s = None
        self.ended_s = now.mono_s
        self._services.forget(self.session_id)
        self.tell_all("finished", {"phase": self.state.phase, "state": terminal.own()}, now)
        waiters, self._waiters = [*self._waiters, *self._end_waiters], []
        self._end_waiters = []
        for reply in waiters:
            self.after(reply, self.state.event())
        self.when_durable(lambda: self._services.forget_calls(self.session_id))

    def noted(self, strand: str, first: int, notes: list[Note]) -> bool:
        """Logs, progress and custom metrics: shown as they come. False if they are too much."""
        return self._note_taker.take(self.state, strand, first, notes)

    def warned(self, message: str) -> None:
        """Something that whoever looks at the session should know."""
        self._note_taker.warn(self.state, message)

    def restarting(self, loss: Loss, count: int) -> None:
        """A worker was lost and is being replaced."""
        now = self._services.now()
        self.state.log("warn", "engine", f"worker lost and replaced: {loss.detail}", now.wall_ms)
        self.tell_all("restarted", {"reason": loss.kind, "detail": loss.detail, "count": count}, now)

    def _tell_now(self, kind: str, data: dict[str, Any], at_ms: int) -> None:
        """An event for the observers, as soon as they may know of the session."""
        if self._outbox.is_begun:
            self._services.show(self.session_id, kind, data, at_ms)
        else:
            self._outbox.then(lambda: self._services.show(self.session_id, kind, data, at_ms))

    def tell_all(self, kind: str, data: dict[str, Any], at: Instant) -> None:
        """An event of `at` for the observers, once its causes are durable."""
        if self._outbox.is_clear:
            self._services.show(self.session_id, kind, data, at.wall_ms)
        else:
            self._outbox.then(lambda: self._services.show(self.session_id, kind, data, at.wall_ms))

    def _journal_failed(self, error: BaseException) -> None:
        """A commit failed: what this actor knows is not what the journal holds. Another will begin from that."""
        self._services.log.error("journal.failed", session_id=self.session_id, error=str(error))
        if self.has_ended:  # its successor hears it too
            return
        for reply in [*self._waiters, *self._end_waiters]:
            reply.fail(error)
        self._services.registry.journal_failed(self, error)


def _with(waiters: list[Reply[Any]], reply: Reply[Any]) -> list[Reply[Any]]:
    """The waiters and one more; those whose patience ended leave their places behind."""
    if len(waiters) >= WAITERS:
        waiters = [each for each in waiters if not each.is_set]
    waiters.append(reply)
    return waiters


def _nothing() -> None:
    """Nothing is to be told."""
