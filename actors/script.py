"""The running Lua of a session: its engine, its restart budget, and its calls of the host.

The session decides what an event means; this class makes the events come: it runs the engine, replaces lost workers
within the budget, and answers what needs no model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

import msgspec

from moonward.actors.engine import UNDECODABLE, Engine
from moonward.actors.errors import CallDiverged, ReplayDiverged
from moonward.actors.host.ledger import CallOutcome
from moonward.actors.host.packages import Module
from moonward.actors.journal.entries import MAIN, Called, ChildEnded, Clocks, Entry, Started
from moonward.actors.kept import questions_bytes
from moonward.actors.losses import Loss
from moonward.actors.query import QuerySpec
from moonward.actors.session_state import SessionState
from moonward.actors.tape import Outcome, digest_of, name_of
from moonward.actors.terminal import Completed, ErrorKind, Failed, TerminalState
from moonward.actors.worker.wire import Broke, CallRequest, Done, Note, Request, RequireRequest

if TYPE_CHECKING:
    from moonward.actors.limits import Limits
    from moonward.actors.services import Services
    from moonward.actors.strand import Strand
    from moonward.actors.worker_pool import ReadyWorker

BUDGET_REMAINING = "budget.remaining"
"""The one call that the session answers itself."""

DEFAULT_NAMESPACE = "default"
"""Of `alc.state`; the contract's."""

FILE_BYTES = 4096
"""What a card takes at least: a block of the disk."""

CALL_AGAIN_S = 1.0
"""Pause before a call is tried again that failed for the disk's sake. Arbitrary; a person is on the way."""


P = ParamSpec("P")


class ScriptHost(Protocol):
    """The session whose Lua this is."""

    state: SessionState

    def entries(self) -> Sequence[Entry]:
        """Everything recorded so far."""

    def append(self, entry: Entry, *, more: bool = False) -> None:
        """Record. `more`: the script goes on, and what it does next is about to follow."""

    @property
    def kept_bytes(self) -> int:
        """What the session makes its host keep."""

    def when_durable(self, action: Callable[[], None], *, hurry: bool = False) -> None:
        """Run `action` once what is recorded is durable. `hurry`: the script waits for it."""

    def asked(self, asks: Sequence[tuple[str, list[QuerySpec], Clocks]]) -> None:
        """The Lua waits for answers."""

    def ended(self, terminal: TerminalState, clocks: Clocks) -> None:
        """The Lua is over."""

    def noted(self, strand: str, first: int, notes: list[Note]) -> bool:
        """New logs, progress, custom metrics; `first` is the number of the strand's first of them, from 0.

        False if they are more than the session may have.
        """

    def warned(self, message: str) -> None:
        """Something that whoever looks at the session should know."""

    def restarting(self, loss: Loss, count: int) -> None:
        """A worker was lost and will be replaced."""

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """`work` as a callback: what it raises is a fault of the session, not of the loop."""


class Script:
    """The Lua of one session; `engine` is None while it sleeps. Loop thread only."""

    def __init__(self, services: Services, host: ScriptHost, started: Started, limits: Limits) -> None:
        self._services = services
        self._host = host
        self._started = started
        self._limits = limits
        self._in_flight: set[tuple[str, str]] = set()
        self._ns: str | None = None
        self._budget = services.budgets.get(started.session_id)
        self.engine: Engine | None = None

    @property
    def is_recovering(self) -> bool:
        """Whether a worker was lost, and no other has got as far yet."""
        return self.engine is not None and any(strand.is_recovering for strand in self.engine.strands())

    @property
    def restarts(self) -> int:
        """Workers replaced so far."""
        return self._budget.restarts if self._budget is not None else 0

    def run(self, ready: ReadyWorker | None = None) -> None:
        """Run, or repeat what is recorded and go on. Does nothing when it runs."""
        if self.engine is None:
            self._services.running.add(self._started.session_id)
            self.engine = Engine(self._services, self, self._started, self._limits)
            self.engine.run(ready)

    def stop(self) -> None:
        """Give every worker up; `run` goes on later."""
        engine, self.engine = self.engine, None
        self._in_flight.clear()
        if engine is not None:
            self._services.running.discard(self._started.session_id)
            engine.stop()

    # -- what the engine tells --------------------------------------------------------------------------------

    def entries(self) -> Sequence[Entry]:
        """See `EngineHost`."""
        return self._host.entries()

    def refusal(self, queries: Sequence[QuerySpec], gathered: int) -> str | None:
        """See `EngineHost`."""
        return self._host.state.refusal(len(queries), self._services.now(), gathered)

    def asked(self, asks: Sequence[tuple[str, list[QuerySpec], Clocks]]) -> None:
        """See `EngineHost`."""
        asked = sum(questions_bytes(queries) for _, queries, _ in asks)
        count = sum(len(queries) for _, queries, _ in asks)  # of all children of a fork
        if count > self._limits.max_queries:
            self.exceeded("max_queries", self._limits.max_queries)
        elif self._host.kept_bytes + asked > self._limits.max_kept_bytes:
            self.exceeded("max_kept_bytes", self._limits.max_kept_bytes)
        else:
            self._host.asked(asks)

    def reached(self) -> None:
        """See `EngineHost`. Who waits is told by the answers."""

    def called(self, entry: Called) -> None:
        """See `EngineHost`."""
        self._record(entry)

    def child_ended(self, strand: str, outcome: Outcome) -> None:
        """See `EngineHost`."""
        self._record(ChildEnded(strand, outcome.result, outcome.error))

    def _record(self, entry: Entry) -> None:
        self._host.append(entry, more=True)
        if self._host.kept_bytes > self._limits.max_kept_bytes:
            self.exceeded("max_kept_bytes", self._limits.max_kept_bytes)

    def exceeded(self, name: str, limit: int) -> None:
        """The session ends for having crossed a limit."""
        self._host.ended(Failed(f"{name} ({limit}) exceeded", "limit"), [])

    def noted(self, strand: str, first: int, notes: list[Note]) -> None:
        """See `EngineHost`."""
        if not self._host.noted(strand, first, notes):
            self.exceeded("max_stats_bytes", self._limits.max_stats_bytes)

    def diverged(self, error: ReplayDiverged) -> None:
        """See `EngineHost`."""
        self._host.ended(Failed(str(error), "diverged"), [])

    def module(self, digest: str, done: Callable[[bytes | None, BaseException | None], None]) -> None:
        """See `EngineHost`."""
        self._services.store.content(digest, done)

    def finished(self, final: Done | Broke) -> None:
        """See `EngineHost`."""
        if isinstance(final, Done):
            try:
                value = msgspec.json.decode(final.value)
            except UNDECODABLE as error:
                self._lose(f"an undecodable result: {error}")
                return
            self._host.ended(Completed(value), final.clocks)
        else:
            text = final.error[: self._limits.max_error_bytes]
            self._host.ended(Failed(text, self._kind_of(final)), final.clocks)

    def _kind_of(self, final: Broke) -> ErrorKind:
        if final.kind == "limit":
            return "limit"
        if final.kind == "syntax":
            return "syntax"
        last = self._host.entries()[-1]
        refused = isinstance(last, Called) and last.name == "ask" and last.error is not None
        return "budget" if refused else "lua"

    # -- lost workers -----------------------------------------------------------------------------------------

    def lost(self, strand: str, loss: Loss) -> None:
        """See `EngineHost`."""
        engine = self.engine
        if engine is None:
            return
        if loss.is_final:
            self._give_up(engine, strand, loss, loss.detail)
            return
        delay_s: float | None = 0.0
        if loss.is_charged:
            self._budget = self._services.budget_of(self._started.session_id)
            delay_s = self._budget.charge(self._services.loop.clock(), len(self._host.entries()))
        if delay_s is None:
            self._give_up(engine, strand, loss, f"worker lost, restart budget spent: {loss.detail}")
            return
        self._host.restarting(loss, self.restarts)
        if delay_s == 0.0:
            engine.restart(strand)
        else:
            self._services.loop.call_later(delay_s, self.guarded(partial(self._again, engine, strand)))

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """See `EngineHost`."""
        return self._host.guarded(work)

    def _again(self, engine: Engine, strand: str) -> None:
        if self.engine is engine:
            engine.restart(strand)

    def _give_up(self, engine: Engine, strand: str, loss: Loss, why: str) -> None:
        if strand != MAIN:
            engine.give_up(strand, why)
            return
        kind: ErrorKind = "crash"
        if loss.kind in ("limit", "deadline"):
            kind = "limit"
        elif loss.kind == "protocol":
            kind = "protocol"
        self._host.ended(Failed(why, kind), [])

    def _lose(self, why: str) -> None:
        assert self.engine is not None
        self.lost(MAIN, Loss("protocol", why))

    # -- calls of the host ------------------------------------------------------------------------------------

    def calling(self, strand: Strand, sequence: str, request: Request) -> None:
        """See `EngineHost`."""
        key = (strand.name, sequence)
        if key in self._in_flight:
            return  # asked again by a replacement: the outcome is on its way
        self._in_flight.add(key)
        if isinstance(request, RequireRequest):
            self._require(strand.name, sequence, request)
        elif isinstance(request, CallRequest) and request.name == BUDGET_REMAINING:
            remaining = self._host.state.budget_remaining(self._services.now())
            result = None if remaining is None else msgspec.json.encode(remaining).decode()
            self._settle(self._key(strand.name, sequence), self._entry(strand.name, request, result=result))
        elif isinstance(request, CallRequest) and self._services.calls.is_known(request.name):
            self._host.when_durable(lambda: self._perform(strand.name, sequence, request), hurry=True)
        else:
            error = f"{name_of(request)}: no such call of the host"
            self._settle(self._key(strand.name, sequence), self._entry(strand.name, request, error=error))

    def _key(self, strand: str, sequence: str) -> tuple[Engine | None, str, str]:
        return self.engine, strand, sequence

    def _perform(self, strand: str, sequence: str, request: CallRequest, attempt: int = 1) -> None:
        key = self._key(strand, sequence)
        if self.engine is None:
            return  # the session ended, or its journal failed, while this waited
        session_id, calls = self._started.session_id, self._services.calls
        digest, args, namespace = digest_of(request), bytes(request.args), self._namespace()

        def work() -> tuple[CallOutcome, float]:
            began_s = time.thread_time()
            outcome = calls.perform(session_id, sequence, digest, request.name, args, namespace)
            return outcome, time.thread_time() - began_s

        def again() -> None:
            if key[0] is self.engine:
                self._perform(strand, sequence, request, attempt + 1)

        def done(performed: tuple[CallOutcome, float] | None, error: BaseException | None) -> None:
            if key[0] is not self.engine:
                return
            if performed is None:
                self._call_failed(request.name, error, attempt, again)
                return
            outcome, cpu_s = performed
            if outcome.cause is not None:
                self._log_failure(request.name, outcome.cause)
            assert self.engine is not None
            self.engine.spent(strand, cpu_s)
            self._settle(key, self._entry(strand, request, result=outcome.result, error=outcome.error))

        is_card = request.name.startswith("card.")
        thread = self._services.files if is_card else self._services.jobs
        thread.submit(work, self.guarded(done))

    def _namespace(self) -> str:
        """Where the session's state is. Its host said so, in `ctx`; what a worker says does not count."""
        if self._ns is None:
            self._ns = namespace_of(self._started.ctx)
        return self._ns

    def _call_failed(
        self, name: str, error: BaseException | None, attempt: int, again: Callable[[], None]
    ) -> None:
        """A call has no outcome, not even a refusal: the Lua waits until it has one."""
        if isinstance(error, CallDiverged):
            expected = "the call that was applied under its number"
            self.diverged(ReplayDiverged(len(self.entries()), expected, f"another, {name}"))
            return
        self._log_failure(name, error)
        if attempt == 1:
            self._host.warned(f"{name} waits: state or cards cannot be read or written")
        self._services.loop.call_later(CALL_AGAIN_S, self.guarded(again))

    def _log_failure(self, name: str, error: BaseException | None) -> None:
        session_id = self._started.session_id
        self._services.log.error("call.failed", session_id=session_id, name=name, error=repr(error))

    def _require(self, strand: str, sequence: str, request: RequireRequest) -> None:
        key = self._key(strand, sequence)
        find = self._services.find_module
        paths = [*self._started.packages, *self._services.package_paths]

        def work() -> Module:
            return find(request.name, paths, self._limits.max_code_bytes)

        def done(module: Module | None, error: BaseException | None) -> None:
            if module is None:
                self._settle(key, self._entry(strand, request, error=str(error)))
            else:
                digest = self._services.store.keep(module.source)
                entry = self._entry(strand, request, result=str(module.path), module=digest)
                self._settle(key, entry, module.source)

        self._services.jobs.submit(work, self.guarded(done))

    def _entry(
        self,
        strand: str,
        request: Request,
        *,
        result: str | None = None,
        error: str | None = None,
        module: str | None = None,
    ) -> Called:
        sent = 0
        if isinstance(request, CallRequest) and self._services.calls.is_effect(request.name):
            sent = memoryview(request.args).nbytes + (FILE_BYTES if request.name.startswith("card.") else 0)
        return Called(
            strand, name_of(request), digest_of(request), result, error, module, request.clocks, sent
        )

    def _settle(self, key: tuple[Engine | None, str, str], entry: Called, body: bytes | None = None) -> None:
        engine, strand, sequence = key
        if engine is not None and engine is self.engine:
            self._in_flight.discard((strand, sequence))
            engine.settle(strand, sequence, entry, body)


class _Ctx(msgspec.Struct):
    ns: Any = msgspec.field(default=None, name="_ns")


def namespace_of(ctx: str) -> str:
    """The namespace of `alc.state` that a session's ctx names, or the default one."""
    try:
        named = msgspec.json.decode(ctx, type=_Ctx).ns
    except msgspec.ValidationError:  # no object: it names none
        named = None
    return named if isinstance(named, str) else DEFAULT_NAMESPACE
