"""Runs a session's Lua: its own strand, and those of its forks, each in a worker of its own.

An engine is a cache of the journal: it can be thrown away at any moment and made again, and then repeats what was
recorded. It tells its session what is new: questions, calls, the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ParamSpec, Protocol

import msgspec

from moonward.actors import forking
from moonward.actors.errors import ReplayDiverged
from moonward.actors.forking import Fork
from moonward.actors.journal.entries import MAIN, Called, Clocks, Entry, Started
from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.query import QuerySpec
from moonward.actors.strand import Strand
from moonward.actors.tape import Outcome, Step, Tape, digest_of, name_of
from moonward.actors.worker.wire import AskRequest, Broke, Done, ForkRequest, Note, Request

if TYPE_CHECKING:
    from moonward.actors.services import Services
    from moonward.actors.worker_pool import ReadyWorker


P = ParamSpec("P")


UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What decoding a result may raise that no worker of ours ever wrote."""


class EngineHost(Protocol):
    """The session that an engine runs for."""

    def entries(self) -> Sequence[Entry]:
        """Everything recorded so far."""

    def refusal(self, queries: Sequence[QuerySpec], gathered: int) -> str | None:
        """Why the budget forbids these questions, or None. `gathered` wait to be asked already."""

    def asked(self, asks: Sequence[tuple[str, list[QuerySpec], Clocks]]) -> None:
        """The Lua waits for answers."""

    def reached(self) -> None:
        """Every strand waits for answers to questions that were recorded: the repetition is over."""

    def called(self, entry: Called) -> None:
        """A request was answered; record it."""

    def calling(self, strand: Strand, sequence: str, request: Request) -> None:
        """Answer a request of the host, by `Engine.settle`."""

    def child_ended(self, strand: str, outcome: Outcome) -> None:
        """A forked child ended; record it."""

    def finished(self, final: Done | Broke) -> None:
        """The session's own Lua has ended."""

    def noted(self, strand: str, first: int, notes: list[Note]) -> None:
        """New logs, progress and custom metrics; `first` is the number of the strand's first of them, from 0."""

    def lost(self, strand: str, loss: Loss) -> None:
        """A worker is gone: call `restart`, `give_up`, or throw the engine away."""

    def diverged(self, error: ReplayDiverged) -> None:
        """The Lua asked for something else than it did before."""

    def module(self, digest: str, done: Callable[[bytes | None, BaseException | None], None]) -> None:
        """A stored body."""

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """`work` as a callback: what it raises is a fault of the session, not of the loop."""


class Engine:
    """The running Lua of one session. Loop thread only.

    A fork blocks the session's own strand until all its children have ended, and children do not fork: so only the
    last of the forks has children that run. They run on while the session's own strand is lost and on its way to
    them again; `_reached` counts the forks that it has come to.
    """

    def __init__(self, services: Services, host: EngineHost, started: Started, limits: Limits) -> None:
        self._services = services
        self._host = host
        self._started = started
        self._limits = limits
        self._tape: Tape | None = None
        self._forks: list[Fork] = []
        self._reached = 0
        self._stopped = False
        self._gathered: dict[str, tuple[list[QuerySpec], Clocks]] = {}
        self._main = self._strand(MAIN)

    def run(self, ready: ReadyWorker | None = None) -> None:
        """Run, or repeat, from the start."""
        self._main.run(ready)

    def stop(self) -> None:
        """Kill every worker; nothing is told any more."""
        self._stopped = True
        for strand in self.strands():
            strand.stop()

    def strands(self) -> list[Strand]:
        """The strands that have not ended."""
        return [self._main, *(self._forks[-1].children.values() if self._forks else ())]

    def resume(self, asks: Mapping[str, tuple[str, ...]], texts: Mapping[str, str]) -> None:
        """Every question of the pause has its answer: hand them to the strands that wait."""
        if not any(strand.is_repeating for strand in self.strands()):
            self._tape = None
        for strand in self.strands():
            strand.screen.answered()
            query_ids = asks.get(strand.name)
            if query_ids and isinstance(strand.waiting, AskRequest):
                strand.answer([texts[each] for each in query_ids])

    def settle(self, strand_name: str, sequence: str, called: Called, body: bytes | None = None) -> None:
        """The request `sequence` of a strand has its outcome: record it and give it."""
        self._host.called(called)
        strand = self._find(strand_name)
        if strand is None:
            return
        if strand.waiting is None or self._sequence(strand) != sequence:
            strand.record(Step(len(self._host.entries()) - 1, called.clocks, called=called))
        elif called.error is not None:
            strand.refuse(called.error)
        elif body is not None:
            strand.give_module(called.result or "", body)
        else:
            strand.give(called.result)

    def spent(self, strand_name: str, cpu_s: float) -> None:
        """A call of a strand kept the host's processor busy for so many seconds."""
        strand = self._find(strand_name)
        if strand is not None:
            strand.screen.spent(cpu_s)

    def restart(self, strand_name: str) -> None:
        """Run a strand again after its loss."""
        strand = self._find(strand_name)
        if strand is not None:
            if strand is self._main:
                self._reached = 0
            strand.run()

    def give_up(self, strand_name: str, why: str) -> None:
        """A forked child will not be run again."""
        if self._find(strand_name) is not None:
            self._child_over(strand_name, Outcome(None, why))

    def _strand(self, name: str, strategy: str | None = None, ctx: bytes | None = None) -> Strand:
        return Strand(name, self._services, self, self._started, self._limits, strategy, ctx)

    def _find(self, name: str) -> Strand | None:
        return next((each for each in self.strands() if each.name == name), None)

    @staticmethod
    def _sequence(strand: Strand) -> str:
        return f"{strand.name}:{strand.calls}"

    # -- what strands tell ------------------------------------------------------------------------------------

    def tape(self) -> Tape:
        """What was recorded."""
        if self._tape is None:
            self._tape = Tape(self._host.entries())
        else:
            self._tape.read_on(self._host.entries())
        return self._tape

    def opened(self, strand: Strand, step: Step | None) -> None:
        """A strand's request has no outcome yet."""
        request = strand.waiting
        assert request is not None
        if isinstance(request, ForkRequest):
            self._open_fork(strand, request, step)
        elif isinstance(request, AskRequest):
            if step is None:
                self._open_ask(strand, request)
            else:
                self._reach()
        else:
            self._host.calling(strand, self._sequence(strand), request)

    def _reach(self) -> None:
        if all(each.waiting is not None or each.has_ended for each in self.strands()):
            self._host.reached()

    def noted(self, strand: Strand, first: int, notes: list[Note]) -> None:
        """A strand logged something."""
        self._host.noted(strand.name, first, notes)

    def ended(self, strand: Strand, final: Done | Broke) -> None:
        """A strand's Lua has ended."""
        if strand is self._main:
            self._host.finished(final)
        elif isinstance(final, Done):
            self._child_done(strand, final)
        else:
            self._child_over(strand.name, Outcome(None, final.error))

    def _child_done(self, strand: Strand, final: Done) -> None:
        try:
            msgspec.json.decode(final.value)
        except UNDECODABLE as error:
            self.lost(strand, Loss("protocol", f"an undecodable result: {error}"))
        else:
            self._child_over(strand.name, Outcome(bytes(final.value).decode(), None))

    def lost(self, strand: Strand, loss: Loss) -> None:
        """A strand's worker is gone."""
        self._gathered.pop(strand.name, None)
        self._host.lost(strand.name, loss)

    def diverged(self, error: ReplayDiverged) -> None:
        """A strand diverged."""
        self._host.diverged(error)

    def module(self, digest: str, done: Callable[[bytes | None, BaseException | None], None]) -> None:
        """A stored body."""
        self._host.module(digest, done)

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """A strand's callback."""
        return self._host.guarded(work)

    # -- questions --------------------------------------------------------------------------------------------

    def _open_ask(self, strand: Strand, request: AskRequest) -> None:
        if strand is not self._main:
            self._gathered[strand.name] = (request.queries, request.clocks)
            self._pause_together()
        elif self._admits(strand, request, 0):
            self._host.asked([(MAIN, request.queries, request.clocks)])

    def _admits(self, strand: Strand, request: AskRequest, gathered: int) -> bool:
        """Whether the budget admits these questions beside those gathered; if not, they are refused."""
        why = self._host.refusal(request.queries, gathered)
        if why is None:
            return True
        called = Called(strand.name, "ask", digest_of(request), error=why, clocks=request.clocks)
        self._host.called(called)
        strand.refuse(why)
        return False

    def _pause_together(self) -> None:
        """Ask when every child that has not ended waits for answers.

        What is left of the budget goes to the children in their order, not to the quickest.
        """
        if not self._gathered:
            return
        fork = self._forks[-1]
        strands = [fork.children[child] for child in sorted(fork.children)]
        if not all(strand.name in self._gathered for strand in strands):
            return
        count = 0
        for strand in strands:
            request = strand.waiting
            assert isinstance(request, AskRequest)
            if self._admits(strand, request, count):
                count += len(request.queries)
            else:
                self._gathered.pop(strand.name, None)
        if len(self._gathered) == len(strands):
            asks = [(strand.name, *self._gathered[strand.name]) for strand in strands]
            self._gathered = {}
            self._host.asked(asks)

    # -- forks ------------------------------------------------------------------------------------------------

    def _open_fork(self, strand: Strand, request: ForkRequest, step: Step | None) -> None:
        why = forking.refusal(request, strand.name, self._limits.max_strands)
        if step is None:
            sent = memoryview(request.ctx).nbytes
            called = Called(
                strand.name, name_of(request), digest_of(request), error=why, clocks=request.clocks, sent=sent
            )
            self._host.called(called)
        if why is not None:
            strand.refuse(why)
            return
        if self._stopped:  # that entry was too much
            return
        self._reached += 1
        if self._reached > len(self._forks):
            self._begin_fork(Fork(len(self._forks), request))
        self._give_outcome(self._forks[self._reached - 1])

    def _begin_fork(self, fork: Fork) -> None:
        """Begin a fork, or one that an earlier engine began: those of its children that have not ended."""
        self._forks.append(fork)
        ended = self.tape().children
        for child, strategy in enumerate(fork.request.strategies):
            name = fork.name_of(child)
            if name in ended:
                fork.end(child, ended[name])
            else:
                fork.children[child] = self._strand(name, strategy, bytes(fork.request.ctx))
        for strand in list(fork.children.values()):
            strand.run()

    def _child_over(self, name: str, outcome: Outcome) -> None:
        child = forking.child_of(name)
        assert child is not None
        fork = self._forks[-1]
        self._gathered.pop(name, None)
        strand = fork.children.get(child)
        if strand is not None:
            strand.stop()
        fork.end(child, outcome)
        self._host.child_ended(name, outcome)
        if self._stopped:
            return
        if fork.is_over:
            self._give_outcome(fork)
        else:
            self._pause_together()

    def _give_outcome(self, fork: Fork) -> None:
        """Give the parent what came of a fork, if that is over and the parent waits for it."""
        waits = isinstance(self._main.waiting, ForkRequest) and self._reached == fork.index + 1
        if not (fork.is_over and waits):
            return
        failure = fork.failure()
        if failure is not None:
            self._main.refuse(failure)
        else:
            self._main.give(fork.result())
