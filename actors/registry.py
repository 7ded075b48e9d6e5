"""Session id → session: routes every message, starts and wakes sessions, sweeps the idle.

A session that has no actor is in the journal: looking at it reads the journal and wakes nothing; feeding, cancelling
or waking it claims it and gives it an actor. Losing the registry loses nothing: session actors are found again
through the session supervisor.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moonward.actors.errors import (
    Fenced,
    JournalError,
    SessionNotFound,
    SessionOwned,
    SessionRestarting,
    StartTimeout,
    TooManySessions,
    TransitionError,
)
from moonward.actors.journal.entries import MAIN, Entry, Started
from moonward.actors.journal.outline import outline
from moonward.actors.limits import Limits
from moonward.actors.messages import Cancel, Look, Message, Observe, Snap, Wait, WaitForEnd, Wake
from moonward.actors.roll_call import RollCall
from moonward.actors.session_actor import SessionActor
from moonward.actors.session_state import SessionState
from moonward.actors.worker_pool import ReadyWorker
from moonward.supervisor.errors import MoonwardError
from moonward.supervisor.loop_actor import LoopActor
from moonward.supervisor.reply import Reply

if TYPE_CHECKING:
    from moonward.actors.services import Services

ID_BYTES = 16
"""Random bytes in a session id: 128 bits (the contract's minimum)."""

AGAIN_S = 1.0
"""Seconds until a running session whose journal failed tries again; arbitrary, a disk needs a while."""

SEED_BITS = 32
"""Bits of the random seed of a script; what Lua's generator is given."""


@dataclass
class Start:
    """Begin a session; the reply is its id, once its start is durable. `ctx` is JSON text.

    `user` is who begins it, where users are told apart.
    """

    code: str
    ctx: str
    limits: Limits
    packages: list[str]
    strategy: str | None
    reply: Reply[str]
    user: str | None = None


@dataclass
class All:
    """Ask every session that is held, asleep or not; the reply maps ids to outcomes. `make` gives each its message."""

    make: Callable[[], Look[Any] | Snap]
    reply: Reply[dict[str, Any]]


class Registry(LoopActor):
    """The registry of a Runtime."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.loop, "registry")
        self._services = services
        self._actors: dict[str, SessionActor] = {}
        self._opening: dict[str, list[Message]] = {}
        self._starting = 0

    def on_start(self) -> None:
        """Find the sessions that are there already."""
        self._services.registry = self
        for actor in self._services.sessions.actors():
            self._actors[actor.session_id] = actor

    @property
    def actors(self) -> dict[str, SessionActor]:
        """The sessions that have an actor, by id."""
        return self._actors

    def joined(self, actor: SessionActor) -> None:
        """A session actor has started, for the first time or again."""
        self._actors[actor.session_id] = actor
        known = self._services.sleepers.pop(actor.session_id)
        self._services.streams.hold(actor.session_id, known.events)

    def left(self, actor: SessionActor) -> None:
        """A session actor has ended."""
        if self._actors.get(actor.session_id) is actor:
            del self._actors[actor.session_id]

    def on_receive(self, message: Any) -> None:
        """`Start`, `All`, or (session id, message)."""
        if isinstance(message, Start):
            self._start(message)
        elif isinstance(message, All):
            RollCall(self._services, message.make, message.reply).begin()
        else:
            session_id, inner = message
            self.route(session_id, inner)

    def on_refused(self, message: Any) -> None:
        """A message came while the registry was being restarted."""
        inner = message[1] if isinstance(message, tuple) else message
        inner.reply.fail(SessionRestarting("the registry is being restarted; try again"))

    # -- routing ----------------------------------------------------------------------------------------------

    def route(self, session_id: str, message: Message) -> None:
        """Give `message` to its session, wherever that is."""
        actor = self._actors.get(session_id)
        if actor is not None:
            actor.handle(message)
        elif session_id in self._opening:
            self._opening[session_id].append(message)
        elif self._services.sessions.is_restarting(session_id):
            message.reply.fail(SessionRestarting(f"session {session_id} is being restarted; try again"))
        elif isinstance(message, Look | Snap | Observe):
            self._services.sleepers.look(session_id, message)
        elif isinstance(message, Wait | WaitForEnd):
            self._peek(session_id, message)
        else:
            self._open(session_id, message)

    def _peek(self, session_id: str, message: Wait | WaitForEnd) -> None:
        """Whoever waits for what a sleeping session is in already does not wake it."""

        def seen(state: SessionState | None, error: BaseException | None) -> None:
            event = state.event() if state is not None else None
            if state is None:
                message.reply.fail(error or SessionNotFound(session_id))
            elif event is not None and (isinstance(message, Wait) or state.terminal is not None):
                message.reply.complete(event)
            elif session_id in self._actors or session_id in self._opening:
                self.route(session_id, message)
            else:
                self._open(session_id, message)

        self._services.sleepers.see(session_id, seen)

    def _open(self, session_id: str, message: Message) -> None:
        """Claim a sleeping session, give it an actor, then the messages that came meanwhile."""
        self._opening[session_id] = [message]

        def opened(entries: list[Entry] | None, error: BaseException | None) -> None:
            messages = self._opening.pop(session_id, [])
            if entries is not None:
                try:
                    self._services.sessions.add(session_id, asleep=True)
                except MoonwardError as wrong:
                    error = wrong
            for each in messages:
                actor = self._services.registry.actors.get(session_id)  # this one may have been replaced
                if actor is not None:
                    actor.handle(each)
                elif isinstance(each, Look | Snap | Observe):
                    self._services.sleepers.look(session_id, each)
                else:
                    each.reply.fail(error or SessionNotFound(session_id))

        self._services.store.open(session_id, opened)

    def journal_failed(self, actor: SessionActor, error: BaseException) -> None:
        """A session could not be written: it begins anew from its journal, at once if its Lua was running."""
        store, session_id = self._services.store, actor.session_id
        try:
            entries = store.read(session_id)
        except MoonwardError:  # not even its start is there
            entries = []
        was_running = bool(entries) and outline(session_id, entries).phase == "running"
        self._put_away(actor, has_ended=False)
        if not entries:
            self._services.sleepers.pop(session_id)
            self._services.streams.drop(session_id)
        elif was_running and not isinstance(error, Fenced):
            self._again_later(session_id)

    def _again_later(self, session_id: str) -> None:
        def again() -> None:
            if not self.has_ended and session_id not in self._actors:
                wake = Wake()
                wake.reply.on_set(told)
                self.route(session_id, wake)

        def told(reply: Reply[None]) -> None:
            if isinstance(reply.error, JournalError | TooManySessions) and not isinstance(
                reply.error, Fenced
            ):
                self._again_later(session_id)

        self.loop.call_later(AGAIN_S, again)

    # -- starting ---------------------------------------------------------------------------------------------

    def live_count(self) -> int:
        """Sessions that have a worker or are about to."""
        return self._starting + len(self._services.running)

    def has_room(self) -> bool:
        """Whether one more session may have a worker."""
        return self.live_count() < self._services.settings.session_limit()

    def no_room(self) -> str:
        """Why there is no room, and what to do."""
        return self._services.settings.why_full()

    def _start(self, message: Start) -> None:
        if not self.has_room():
            message.reply.fail(TooManySessions(self.no_room()))
            return
        self._starting += 1
        session_id = new_id()

        def taken(ready: ReadyWorker | None, error: BaseException | None) -> None:
            self._starting -= 1
            if ready is None:
                wrong = error if isinstance(error, MoonwardError) else StartTimeout(f"no worker: {error}")
                message.reply.fail(wrong)
            else:
                self._begin(session_id, message, ready)

        self._services.take_worker(session_id, MAIN, message.limits.memory_bytes, taken)

    def _begin(self, session_id: str, message: Start, ready: ReadyWorker) -> None:
        started = Started(
            session_id=session_id,
            code=message.code,
            ctx=message.ctx,
            lua=ready.hello.lua,
            hash_seed=ready.hello.hash_seed,
            random_seed=self._services.random.getrandbits(SEED_BITS),
            prelude=self._services.prelude,
            at_ms=self._services.now().wall_ms,
            limits=message.limits.to_dict(),
            strategy=message.strategy,
            packages=message.packages,
            user=message.user,
        )
        try:
            self._services.sessions.check_serving()
            self._services.store.create(session_id, started)
            self._services.sessions.add(session_id, ready=ready)
            self._services.registry.actors[session_id].after(message.reply, session_id)
        except Exception as error:
            self._services.store.forget(session_id)
            ready.process.close()
            message.reply.fail(error)

    # -- sweeping ---------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """End what idles too long, let the paused sleep, forget old results."""
        settings, now = self._services.settings, self._services.now()
        for actor in list(self._actors.values()):
            if actor.state.terminal is not None:
                self._sweep_ended(actor, now.mono_s)
            elif settings.idle_ttl is not None and actor.state.is_expired(settings.idle_ttl, now):
                actor.handle(Cancel("expired"))
            else:
                idle_s = actor.idle_paused_s() if settings.hibernate_after is not None else None
                if idle_s is not None and idle_s >= (settings.hibernate_after or 0.0):
                    actor.hibernate()
                if actor.is_forgettable:
                    self._put_away(actor, has_ended=False)
        if settings.idle_ttl is not None:
            for session_id in self._services.sleepers.idle_for(settings.idle_ttl, now.mono_s):
                if session_id not in self._opening:
                    self._expire(session_id)

    def _expire(self, session_id: str) -> None:
        """End a session that slept too long; if another host has it, or it has ended, it is no more watched."""
        cancel = Cancel("expired")

        def told(reply: Reply[Any]) -> None:
            if isinstance(reply.error, SessionNotFound | SessionOwned | TransitionError):
                self._services.sleepers.pop(session_id)

        cancel.reply.on_set(told)
        self.route(session_id, cancel)

    def _sweep_ended(self, actor: SessionActor, now_s: float) -> None:
        ttl_s = self._services.settings.result_ttl
        if ttl_s is None or actor.ended_s is None or now_s - actor.ended_s < ttl_s or not actor.is_settled:
            return
        self._put_away(actor, has_ended=True)
        if not self._services.store.is_durable:
            self._services.store.forget(actor.session_id)

    def let_go(self, session_id: str) -> None:
        """Forget a session that the journal no longer has, if its end is still remembered here."""
        actor = self._actors.get(session_id)
        if actor is not None:
            self._put_away(actor, has_ended=True)

    def _put_away(self, actor: SessionActor, *, has_ended: bool) -> None:
        """Keep only the journal of a session, and what it has spent of its restart budget."""
        session_id, services = actor.session_id, self._services
        if has_ended or (actor.state.pending and not actor.script.restarts):
            services.forget(session_id)
        self._services.sessions.remove(session_id)
        services.store.shut(session_id)
        if has_ended:
            services.streams.drop(session_id)
        else:
            services.sleepers.put(session_id, actor.state.active_s, services.streams.rest(session_id))


def new_id() -> str:
    """A session id: `s-` and 128 bits of the system's secure random source, URL-safe."""
    return "s-" + secrets.token_urlsafe(ID_BYTES)
