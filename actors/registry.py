"""Session id → session: routes every message, starts and wakes sessions, sweeps the idle.

A session that has no actor is in the journal: looking at it reads the journal and wakes nothing; feeding, cancelling
or waking it claims it and gives it an actor. Losing the registry loses nothing: session actors are found again
through the session supervisor.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moonward.actors.branch import branch
from moonward.actors.errors import (
    JournalError,
    SessionNotFound,
    SessionRestarting,
    SettingsError,
    StartTimeout,
    TooManySessions,
)
from moonward.actors.journal.entries import MAIN, Entry, Started
from moonward.actors.journal.store import TERMINAL, SessionRow
from moonward.actors.limits import Limits
from moonward.actors.messages import Cancel, Look, Message, Snap
from moonward.actors.rebuild import rebuild
from moonward.actors.rehearsal import Rehearsal, Report
from moonward.actors.session_actor import SessionActor
from moonward.actors.worker_pool import ReadyWorker
from moonward.supervisor.errors import MoonwardError
from moonward.supervisor.loop_actor import LoopActor
from moonward.supervisor.reply import Reply

if TYPE_CHECKING:
    from moonward.actors.services import Services

ID_BYTES = 16
"""Random bytes in a session id: 128 bits (the contract's minimum)."""

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
        self._fading: list[str] = []
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

    def left(self, actor: SessionActor) -> None:
        """A session actor has ended."""
        if self._actors.get(actor.session_id) is actor:
            del self._actors[actor.session_id]

    def on_receive(self, message: Any) -> None:
        """`Start`, `All`, or (session id, message)."""
        if isinstance(message, Start):
            self._start(message)
        elif isinstance(message, All):
            self._ask_all(message)
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
        elif not self._services.store.is_durable:
            message.reply.fail(SessionNotFound(session_id))
        elif isinstance(message, Look | Snap):
            self._look(session_id, message)
        else:
            self._open(session_id, message)

    def _look(self, session_id: str, message: Look[Any] | Snap) -> None:
        def read(entries: list[Entry] | None, error: BaseException | None) -> None:
            if entries is None:
                message.reply.fail(error or SessionNotFound(session_id))
                return
            try:
                now = self._services.now()
                state = rebuild(entries, now)
                if isinstance(message, Look):
                    message.reply.complete(message.read(state, now))
                else:
                    shot = state.snapshot(message.filter, message.history, now)
                    shot["residency"] = "ended" if state.terminal is not None else "hibernated"
                    shot["restarts"] = 0
                    shot["confinement"] = None
                    message.reply.complete(shot)
            except Exception as wrong:
                message.reply.fail(wrong)

        self._services.store.look(session_id, read)

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
                actor = self._services.registry.actors.get(
                    session_id
                )  # this one may have been replaced meanwhile
                if actor is not None:
                    actor.handle(each)
                else:
                    each.reply.fail(error or SessionNotFound(session_id))

        self._services.store.open(session_id, opened)

    def _ask_all(self, message: All) -> None:
        """Ask the sessions here, and those in the journal that have not ended and that no other live host has."""

        def listed(rows: list[SessionRow] | None, error: BaseException | None) -> None:
            if rows is None:
                message.reply.fail(error or JournalError("the sessions could not be listed"))
                return
            here = (None, os.getpid())
            asleep = [row.id for row in rows if row.phase not in TERMINAL and row.owner_pid in here]
            self._ask_each(list(dict.fromkeys([*asleep, *self._actors])), message)

        if self._services.store.is_durable:
            self._services.store.list(listed)
        else:
            self._ask_each(list(self._actors), message)

    def _ask_each(self, order: list[str], message: All) -> None:
        outcomes: dict[str, Any] = {}
        left = len(order)
        if not left:
            message.reply.complete(outcomes)
            return

        def came(session_id: str, reply: Reply[Any]) -> None:
            nonlocal left
            left -= 1
            if reply.error is None:
                outcomes[session_id] = reply.result()
            if not left:
                message.reply.complete({key: outcomes[key] for key in order if key in outcomes})

        for session_id in order:
            each = message.make()
            each.reply.on_set(lambda reply, session_id=session_id: came(session_id, reply))  # type: ignore[misc]
            self.route(session_id, each)

    # -- starting ---------------------------------------------------------------------------------------------

    def live_count(self) -> int:
        """Sessions that have a worker or are about to."""
        return self._starting + sum(actor.has_worker for actor in self._actors.values())

    def _start(self, message: Start) -> None:
        most = self._services.settings.session_limit()
        if self.live_count() >= most:
            message.reply.fail(
                TooManySessions(
                    f"{most} live sessions are held, which is the limit; wait for one to end, or raise max_sessions"
                    " (and the limit on open files, which it is derived from when it is not set)"
                )
            )
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
            prelude=self._services.store.keep(self._services.prelude),
            at_ms=self._services.now().wall_ms,
            limits=message.limits.to_dict(),
            strategy=message.strategy,
            packages=message.packages,
            user=message.user,
        )
        reply = message.reply

        created: Reply[None] = Reply()

        def durable(error: BaseException | None) -> None:
            if error is None:
                created.complete(None)
            else:
                self._services.sessions.remove(session_id)
                created.fail(error)

        def settled(_: Reply[None]) -> None:
            if created.error is None:
                reply.complete(session_id)
            else:
                self._services.streams.pop(session_id, None)
                reply.fail(created.error)

        try:
            self._services.sessions.check_serving()
            self._services.store.create(session_id, started, durable)
            if created.error is not None:
                raise created.error
            self._services.sessions.add(session_id, ready=ready, created=created)
        except Exception as error:
            self._services.store.forget(session_id)
            ready.process.close()
            reply.fail(error)
        created.on_set(settled)

    # -- time travel ------------------------------------------------------------------------------------------

    def fork(self, session_id: str, at: int, reply: Reply[str]) -> None:
        """Begin a session with the entries of another up to and including number `at`."""

        def read(entries: list[Entry] | None, error: BaseException | None) -> None:
            if entries is None:
                reply.fail(error or SessionNotFound(session_id))
                return
            try:
                copy = branch(entries, at, new_id())
            except SettingsError as wrong:
                reply.fail(wrong)
                return
            self.restore(copy, reply)

        self._services.store.look(session_id, read)

    def restore(self, entries: list[Entry], reply: Reply[str]) -> None:
        """Hold a session that comes with its past."""
        started = entries[0]
        assert isinstance(started, Started)
        session_id = started.session_id

        def restored(error: BaseException | None) -> None:
            if error is not None:
                reply.fail(error)
            else:
                self.hold(session_id, reply)

        self._services.store.restore(session_id, entries, restored)

    def hold(self, session_id: str, reply: Reply[str]) -> None:
        """Give a session that was put into the journal its actor; the reply is its id."""

        def opened(_: list[Entry] | None, error: BaseException | None) -> None:
            if error is None:
                try:
                    self._services.sessions.add(session_id, asleep=self._services.store.is_durable)
                except MoonwardError as wrong:
                    error = wrong
            if error is not None:
                reply.fail(error)
            else:
                reply.complete(session_id)

        self._services.store.open(session_id, opened)

    def rehearse(self, session_id: str, code: str | None, reply: Reply[Report]) -> None:
        """Run a journal again, changing nothing."""

        def read(entries: list[Entry] | None, error: BaseException | None) -> None:
            if entries is None:
                reply.fail(error or SessionNotFound(session_id))
            else:
                Rehearsal(self._services, entries, code, reply).run()

        self._services.store.look(session_id, read)

    # -- sweeping ---------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """End what idles too long, let the paused sleep, forget old results."""
        settings, now = self._services.settings, self._services.now()
        self._let_streams_fade()
        for actor in list(self._actors.values()):
            if actor.state.terminal is not None:
                self._sweep_ended(actor, now.mono_s)
            elif settings.idle_ttl is not None and actor.state.is_expired(settings.idle_ttl, now):
                actor.handle(Cancel("expired"))
            elif settings.hibernate_after is not None:
                idle_s = actor.idle_paused_s()
                if idle_s is not None and idle_s >= settings.hibernate_after:
                    actor.hibernate()
                if actor.is_forgettable:
                    self._put_away(actor)

    def _let_streams_fade(self) -> None:
        """Events of sessions that went to sleep before the last sweep: observers have had time to read them."""
        fading, self._fading = self._fading, []
        for session_id in fading:
            stream = self._services.streams.get(session_id)
            if stream is not None and session_id not in self._actors:
                stream.forget()

    def _sweep_ended(self, actor: SessionActor, now_s: float) -> None:
        ttl_s = self._services.settings.result_ttl
        if ttl_s is None or actor.ended_s is None or now_s - actor.ended_s < ttl_s:
            return
        self._put_away(actor)
        if not self._services.store.is_durable:
            self._services.store.forget(actor.session_id)

    def _put_away(self, actor: SessionActor) -> None:
        """Keep only the journal of a session, and what it has spent of its restart budget."""
        session_id, services = actor.session_id, self._services
        is_over = actor.state.terminal is not None
        if is_over or not actor.script.restarts:
            services.forget(session_id)
        services.sessions.remove(session_id)
        services.store.shut(session_id)
        stream = services.streams.get(session_id)
        if not is_over:
            self._fading.append(session_id)
        elif stream is not None:
            del services.streams[session_id]
            stream.close()


def new_id() -> str:
    """A session id: `s-` and 128 bits of the system's secure random source, URL-safe."""
    return "s-" + secrets.token_urlsafe(ID_BYTES)
