"""One run of Lua: a worker, the steps to repeat, and at most one open request.

    idle ──run──► starting ──begin──► repeating ──last step──► live ──done/failed──► ended
                     ▲                    │                      │
                     └──────run───────── lost ◄─────────────────┘

While *repeating*, requests are compared with the recorded steps and answered from them. An open request (`waiting`)
is one whose outcome does not exist yet, recorded or live.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, Protocol

import msgspec

from moonward.actors import tape as tapes
from moonward.actors.errors import ReplayDiverged
from moonward.actors.journal.entries import Started
from moonward.actors.losses import Loss
from moonward.actors.note_filter import NoteFilter
from moonward.actors.screening import Refused, Screen
from moonward.actors.tape import Step, Tape
from moonward.actors.watchdog import Slice
from moonward.actors.worker import wire
from moonward.actors.worker.wire import (
    AskRequest,
    Begin,
    Broke,
    Done,
    ForkRequest,
    FromWorker,
    Hello,
    Note,
    Notes,
    Request,
)
from moonward.actors.worker_link import WorkerLink, loss_of

if TYPE_CHECKING:
    from moonward.actors.limits import Limits
    from moonward.actors.services import Services
    from moonward.actors.worker_pool import ReadyWorker


P = ParamSpec("P")


class StrandHost(Protocol):
    """Who runs strands."""

    def tape(self) -> Tape:
        """What was recorded so far."""

    def opened(self, strand: Strand, step: Step | None) -> None:
        """`strand.waiting` has no outcome yet; `step` if the request is a recorded one."""

    def ended(self, strand: Strand, final: Done | Broke) -> None:
        """The strand's Lua has ended."""

    def noted(self, strand: Strand, first: int, notes: list[Note]) -> None:
        """Logs, progress and custom metrics that are new; `first` is the number of the first, from 0."""

    def lost(self, strand: Strand, loss: Loss) -> None:
        """The strand's worker is gone."""

    def diverged(self, error: ReplayDiverged) -> None:
        """The strand asked for something else than it did before."""

    def module(self, digest: str, done: Callable[[bytes | None, BaseException | None], None]) -> None:
        """The stored body with this content hash."""

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """`work` as a callback: what it raises is a fault of the session, not of the loop."""


class Strand:
    """A strand of a session. Loop thread only."""

    def __init__(
        self,
        name: str,
        services: Services,
        host: StrandHost,
        started: Started,
        limits: Limits,
        strategy: str | None = None,
        ctx: bytes | None = None,
    ) -> None:
        self.name = name
        self.waiting: Request | None = None
        self.has_ended = False
        self.screen = Screen(limits)
        self.calls = 0
        self._services = services
        self._host = host
        self._started = started
        self._limits = limits
        self._strategy = strategy
        self._ctx = started.ctx.encode() if ctx is None else ctx
        self._steps: list[Step] = []
        self._at = 0
        self._paused_steps = 0
        self._clocks_of_end: list[tuple[int, int]] = []
        self._notes = NoteFilter()
        self._was_lost = False
        self._link: WorkerLink | None = None
        self._slice: Slice | None = None
        self._life = 0
        self._stays = False

    @property
    def is_repeating(self) -> bool:
        """Whether recorded steps are left."""
        return self._at < len(self._steps)

    @property
    def is_recovering(self) -> bool:
        """Whether its worker was lost, and no other has got as far yet."""
        return self._was_lost and not self.has_ended and (self._link is None or self.is_repeating)

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._link.process.pid if self._link is not None else None

    def run(self, ready: ReadyWorker | None = None) -> None:
        """Run from the start, in `ready` or in a worker from the pool, repeating what was recorded."""
        self.stop()
        tape = self._host.tape()
        self._steps = tape.of(self.name)
        self._clocks_of_end = tape.clocks_of_end(self.name)
        self._paused_steps = tape.paused_steps(self.name)
        self._at = 0
        self.calls = 0
        self._notes.run_again()
        self.has_ended = False
        life = self._life
        if ready is not None:
            self._prepare(life, ready)
        else:
            self._services.take_worker(
                self._started.session_id,
                self.name,
                self._limits.memory_bytes,
                self._host.guarded(partial(self._taken, life)),
            )

    def stop(self) -> None:
        """Give the worker up. Nothing is reported for this run any more."""
        self._life += 1
        self.waiting = None
        self._end_slice()
        link, self._link = self._link, None
        if link is not None:
            link.close()
            self._services.worker_gone(self)

    def record(self, step: Step) -> None:
        """A step was recorded while this strand is on its way to it again."""
        self._steps.append(step)

    def lose(self, loss: Loss) -> None:
        """Kill the worker as if it had been lost."""
        if self._link is not None:
            self._link.lose(loss)

    # -- a worker ---------------------------------------------------------------------------------------------

    def _taken(self, life: int, ready: ReadyWorker | None, error: BaseException | None) -> None:
        if life != self._life:
            if ready is not None:
                ready.process.kill()
                ready.process.close()
        elif ready is None:
            self._tell_lost(Loss("start", str(error)))
        else:
            self._prepare(life, ready)

    def _prepare(self, life: int, ready: ReadyWorker) -> None:
        if ready.hello.prelude == self._started.prelude:
            self._begin(ready, None)
            return

        def loaded(body: bytes | None, error: BaseException | None) -> None:
            if life != self._life or body is None:
                ready.process.kill()
                ready.process.close()
                if life == self._life:
                    self._tell_lost(Loss("start", f"the recorded prelude could not be read: {error}"))
            else:
                self._begin(ready, msgspec.json.decode(body, type=list[tuple[str, str]]))

        self._host.module(self._started.prelude, self._host.guarded(loaded))

    def _begin(self, ready: ReadyWorker, prelude: list[tuple[str, str]] | None) -> None:
        if ready.process.exit_status is not None:  # it has ended while it waited for its prelude
            ready.process.close()
            self._tell_lost(loss_of(ready.process.exit_status))
            return
        started, limits, faults = self._started, self._limits, self._services.faults
        link_to = WorkerLink if faults is None else faults.link_of(started.session_id, self.name)
        self.screen.begin()
        self._link = link_to(
            self._services.loop,
            ready.process,
            self.screen,
            self._host.guarded(self._message),
            self._host.guarded(self._lost),
        )
        self._services.worker_here(self)
        self._slice = Slice(ready.process, limits, 0.0, self._link.lose)
        self._stays = faults is None and prelude is None and self._services.pool.may_stay(ready.process)
        same_seed = ready.hello.hash_seed == started.hash_seed
        begin = Begin(
            code=started.code,
            ctx=msgspec.Raw(self._ctx),
            random_seed=started.random_seed,
            now_ms=self._services.now().wall_ms,
            started_ms=started.at_ms,
            hash_seed=None if same_seed and prelude is None else started.hash_seed,
            prelude=prelude,
            stay=self._stays,
            strategy=self._strategy,
            clocks=self._next_clocks(),
            memory_bytes=limits.memory_bytes,
            **{name: getattr(limits, name) for name in wire.LIMIT_NAMES},
            dirs=self._services.dirs,
        )
        self._write(wire.frame(msgspec.json.encode(begin)))

    def _lost(self, loss: Loss) -> None:
        self._end_slice()
        self._link = None
        self.waiting = None
        self._services.worker_gone(self)
        self._tell_lost(loss)

    def _tell_lost(self, loss: Loss) -> None:
        self._was_lost = True
        self._host.lost(self, loss)

    # -- messages ---------------------------------------------------------------------------------------------

    def _message(self, message: FromWorker) -> None:
        if isinstance(message, Notes):
            self._note(message.notes)
        elif isinstance(message, Hello):
            self.lose(Loss("protocol", "a second greeting"))
        elif isinstance(message, Broke) and message.kind == "limit" and not self.has_ended:
            self._final(message)  # while a request is open, too: there was no room to wait for its reply
        elif self.waiting is not None or self.has_ended:
            self.lose(Loss("protocol", f"{type(message).__name__} while a request was open"))
        elif isinstance(message, Done | Broke):
            self._final(message)
        else:
            self._request(message)

    def _note(self, notes: list[Note]) -> None:
        first, fresh = self._notes.fresh(notes, is_recorded=self._at < self._paused_steps)
        if fresh:
            self._host.noted(self, first, fresh)

    def _final(self, message: Done | Broke) -> None:
        if self.is_repeating:
            step = self._steps[self._at]
            came = tapes.describe_final(message)
            self._host.diverged(ReplayDiverged(step.entry, tapes.describe(step), came))
            return
        self._end_slice()
        self.has_ended = True
        link, self._link = self._link, None
        process = None
        if link is not None:
            if self._stays and isinstance(message, Done):
                process = link.release()
            else:
                link.close()
            self._services.worker_gone(self)
        self._host.ended(self, message)
        if process is not None:
            if self.has_ended:
                self._services.pool.give_back(process)
            else:  # what it said could not be believed: it was replaced
                process.close()

    def _request(self, request: Request) -> None:
        self._end_slice()
        self.waiting = request
        if not isinstance(request, AskRequest):
            self.calls += 1
        if not self.is_repeating:
            self._open(request)
            return
        step = self._steps[self._at]
        try:
            tapes.check(step, request)
        except ReplayDiverged as error:
            self._host.diverged(error)
            return
        self._at += 1
        self._repeat(step)

    def _open(self, request: Request) -> None:
        try:
            self.screen.charge(request)
        except Refused as refused:
            self.lose(refused.loss)
        else:
            self._host.opened(self, None)

    def _repeat(self, step: Step) -> None:
        if step.queries is not None:
            texts = self._host.tape().answers(step.query_ids)
            if texts is None:
                self._host.opened(self, step)
            else:
                self.answer(texts)
            return
        called = step.called
        assert called is not None
        if isinstance(self.waiting, ForkRequest) and called.error is None:
            self._host.opened(self, step)
        elif called.module is not None:
            self._repeat_module(called.module, called.result or "")
        elif called.error is not None:
            self.refuse(called.error)
        else:
            self.give(called.result)

    def _repeat_module(self, digest: str, path: str) -> None:
        life = self._life

        def loaded(body: bytes | None, error: BaseException | None) -> None:
            if life != self._life:
                return
            if body is None:
                self.lose(Loss("crash", f"a recorded module could not be read: {error}"))
            else:
                self.give_module(path, body)

        self._host.module(digest, self._host.guarded(loaded))

    # -- outcomes ---------------------------------------------------------------------------------------------

    def answer(self, texts: Sequence[str]) -> None:
        """Give the answers of the open question."""
        self.screen.answered()
        self._reply(wire.ANSWERS, wire.answers(list(texts)))

    def give(self, result: str | None) -> None:
        """Give JSON text, or nothing, to the open call."""
        if result is None:
            self._reply(wire.NOTHING, b"")
        else:
            self._reply(wire.VALUE, wire.text(result.encode()))

    def give_module(self, path: str, source: bytes) -> None:
        """Give a module's source to the open `require`."""
        body = {"path": path, "source": source.decode("utf-8", "surrogateescape")}
        try:
            encoded = msgspec.json.encode(body)
        except UnicodeEncodeError:
            self.refuse(f"module {path}: not valid UTF-8")
            return
        self._reply(wire.VALUE, wire.text(encoded))

    def refuse(self, message: str) -> None:
        """Raise `message` in the script."""
        self._reply(wire.REFUSED, wire.text(message.encode(errors="replace")))

    def _reply(self, kind: int, rest: bytes) -> None:
        self.waiting = None
        self._write(wire.reply(kind, self._services.now().wall_ms, self._next_clocks(), rest))

    def _write(self, frame: bytes) -> None:
        link = self._link
        if link is None:
            return
        if len(frame) - 4 > self._limits.max_frame_bytes:
            link.lose(Loss("limit", f"max_frame_bytes ({self._limits.max_frame_bytes}) exceeded by a reply"))
            return
        assert self._slice is not None
        self._services.watchdog.begin(self._slice)
        link.send(frame)

    def _next_clocks(self) -> list[tuple[int, int]]:
        if self._at < len(self._steps):
            return self._steps[self._at].clocks
        return self._clocks_of_end

    def _end_slice(self) -> None:
        if self._slice is not None:
            self._services.watchdog.end(self._slice)
