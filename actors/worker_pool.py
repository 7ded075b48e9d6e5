"""Keeps workers ready: forked, confined, a VM in each, greeted. Taking one costs no fork.

    take ──▶ idle worker, at once          fill ──▶ zygote ──▶ starting ── hello ──▶ waiting taker, else idle
         └─▶ waiting, until one is ready                           ▲
                                                give_back ─────────┘  (a worker that serves another run)

Guarantees:
- Each `done` of `take` is called exactly once, on the loop: with a worker that said a valid hello, or an error.
- A worker that greets late, wrongly or with too little confinement is killed and never handed out.
- The loss of the zygote is no taker's loss: another one is started, at first at once, then with growing delays.
- When this actor ends by a fault, the workers that were taken go on; the zygote ends with the last of them. Takers
  that wait, and those that come before there is another pool, are served by its successor.

Loop thread only.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from moonward.actors.errors import (
    RuntimeClosed,
    RuntimeUnsupported,
    StartTimeout,
    WorkerError,
)
from moonward.actors.estate import Estate, Spawner, Taker
from moonward.actors.greeting import Greeting, ReadyWorker, Taken
from moonward.actors.warm_shelf import WarmShelf
from moonward.actors.worker.confine import FULL
from moonward.actors.worker_process import ExitStatus, WorkerProcess
from moonward.actors.zygote_process import ZygoteProcess
from moonward.supervisor.backoff import Backoff, delay_s
from moonward.supervisor.loop import Loop, Timer
from moonward.supervisor.loop_actor import LoopActor

__all__ = ["ReadyWorker", "Taken", "WorkerPool"]

DEFAULT_MEMORY_BYTES = 128 << 20
"""Memory of a warm worker's VM: the default of `Limits.memory_bytes`."""

MAX_STARTING = 8
"""Workers that are being started at once. They share the processors with the sessions: more makes none faster."""

FILL_DELAY_S = 0.003
"""Seconds after a take in which nothing is started to replace it; a first slice takes about one thousandth. Whoever
finds the pool empty does not wait for this."""

KEPT = 2
"""Times the warm level of workers that are kept when they are given back. Twice: while they were away, others were
started to fill it, and one level must be left for those to come back to."""

RETRY = Backoff(first_s=0.1, max_s=10.0)
"""Delays after failures in a row: of the zygote, and of workers for the warm level. Arbitrary."""

CLOSE_S = 0.5
"""Seconds until a supervisor's stop kills a zygote that has not ended; it takes milliseconds. Half of what the tree
allows the pool, so that the end is seen within that."""

MAX_STILLBORN = 3
"""Zygotes in a row that ended before they were ready, at which takers are told: it is no accident. Arbitrary."""

EventSink = Callable[[str, dict[str, Any]], None]

SpawnerFactory = Callable[[Callable[[WorkerError], None], Callable[[str], None]], Spawner]
"""Starts a zygote, given `on_lost` and `on_stderr`. Raises `OSError`."""


class WorkerPool(LoopActor):
    """The pool; an actor that is launched on `loop` and whose methods are called there.

    `warm`: workers kept ready, each for `max_age_s` at most. `lives`: runs that one worker serves at most, if each but
    the last of them ends well. `on_event(name, fields)` hears `zygote_started`, `zygote_lost`, `worker_failed`
    (one that never became ready), `worker_lost` (an idle one) and `worker_stderr`.
    """

    def __init__(
        self,
        loop: Loop,
        warm: int,
        *,
        start_timeout_s: float = 10.0,
        on_event: EventSink = lambda _name, _fields: None,
        require_confinement: bool = False,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        lives: int = 1,
        max_age_s: float | None = None,
        estate: Estate | None = None,
        spawner: SpawnerFactory | None = None,
        name: str = "pool",
    ) -> None:
        super().__init__(loop, name)
        self._warm = warm
        self._start_timeout_s = start_timeout_s
        self._tell = on_event
        self._require_confinement = require_confinement
        self._memory_bytes = memory_bytes
        self._lives = lives
        self._lent: dict[WorkerProcess, int] = {}
        self._new_spawner = spawner or self._new_zygote
        self._zygote: Spawner | None = None
        self._zygote_timer: Timer | None = None
        self._zygote_failures = 0
        self._stillborn = 0
        self._warm_timer: Timer | None = None
        self._fill_timer: Timer | None = None
        self._warm_failures = 0
        self._wait_timer: Timer | None = None
        self._last_ready_s = 0.0
        self._idle = WarmShelf(loop, max_age_s, self.guarded(self._fill))
        self._asked = 0
        self._greeting: dict[WorkerProcess, Greeting] = {}
        self._estate = estate if estate is not None else Estate()
        self._waiting = self._estate.takers
        self._closing = False
        self._counts = {"zygotes": 0, "started": 0, "failed": 0, "taken": 0, "reused": 0}
        self._confinement: str | None = None

    def on_start(self) -> None:
        """Start the zygote and the first warm workers; none of them is awaited."""
        self._last_ready_s = self.loop.clock()
        self._start_zygote()
        self._await_progress()

    def take(self, memory_bytes: int, done: Taken) -> None:
        """Give a ready worker to `done`: at once if one is idle. Its limits fit a VM of `memory_bytes`."""
        if self._closing:
            done(None, RuntimeClosed("the worker pool has ended"))
            return
        ready = self._idle.take()
        if ready is not None:
            self._hand_over(ready, memory_bytes, done)
            self._fill_later()
            return
        self._waiting.append(Taker(memory_bytes, done, self.loop.clock()))
        if not self._ended:
            self._await_progress()
            self._fill()

    def may_stay(self, process: WorkerProcess) -> bool:
        """Whether a worker that was taken here may be given back when its run ends well."""
        return self._lent.get(process, self._lives) < self._lives

    def give_back(self, process: WorkerProcess) -> None:
        """Take back a worker whose run ended well, and which greets again. Ended when nobody waits for one and twice
        the warm level is there."""
        lives = self._lent.pop(process, None)
        ready = len(self._idle) + len(self._greeting) + self._asked
        is_wanted = bool(self._waiting) or ready < KEPT * self._warm
        if lives is None or process.has_exited or self._ended or self._closing or not is_wanted:
            process.close()
            return
        self._lent[process] = lives
        process.on_exit(lambda _: self._forget(process))
        self._counts["reused"] += 1
        self._greet(process)

    def stats(self) -> dict[str, Any]:
        """Numbers for people: workers idle, starting, asked for; takers waiting; the zygote; counts since start."""
        return {
            "idle": len(self._idle),
            "starting": self._asked + len(self._greeting),
            "waiting": len(self._waiting),
            "warm": self._warm,
            "zygote_pid": self._zygote.pid if self._zygote is not None else None,
            "confinement": self._confinement,
            **self._counts,
        }

    def close(self, timeout_s: float, done: Callable[[], None]) -> None:
        """End the zygote and every worker, those that were taken too; `done()` when they are gone or killed."""
        self._close(timeout_s, done)
        self.end()

    def begin_end(self, done: Callable[[], None]) -> None:
        """`close`, as a supervisor asks for it: it counts as ended, by `done`, when every process is gone."""
        self._close(CLOSE_S, done)

    def on_ended(self, reason: BaseException | None) -> None:
        """Kill what is not taken; leave the taken ones to their sessions."""
        self._let_go()
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.retire()

    def _close(self, timeout_s: float, done: Callable[[], None]) -> None:
        self._closing = True
        self._zygote = None
        self._let_go()
        self._fail_waiting(RuntimeClosed("the worker pool has ended"))
        self._estate.close(timeout_s, done)

    def _let_go(self) -> None:
        for timer in (self._zygote_timer, self._warm_timer, self._fill_timer, self._wait_timer):
            if timer is not None:
                timer.cancel()
        self._idle.clear()
        greeting, self._greeting = self._greeting, {}
        for process, each in greeting.items():
            each.cancel()
            process.close()

    # -- the zygote ----------------------------------------------------------------------------------------------

    def _new_zygote(
        self, on_lost: Callable[[WorkerError], None], on_stderr: Callable[[str], None]
    ) -> Spawner:
        return ZygoteProcess(self.loop, on_lost, on_stderr=on_stderr, start_timeout_s=self._start_timeout_s)

    def _start_zygote(self) -> None:
        self._zygote_timer = None
        if self._ended or self._closing:
            return
        try:
            self._zygote = self._new_spawner(
                self.guarded(self._on_zygote_lost), lambda text: self._tell("worker_stderr", {"text": text})
            )
        except OSError as error:
            self._on_no_zygote(WorkerError(f"the zygote could not be started: {error}"), True)  # noqa: FBT003
            return
        self._estate.add(self._zygote)
        self._counts["zygotes"] += 1
        self._tell("zygote_started", {"pid": self._zygote.pid})
        self._fill()

    def _on_zygote_lost(self, reason: WorkerError) -> None:
        zygote, self._zygote = self._zygote, None
        self._idle.clear()  # they die with it
        self._on_no_zygote(reason, zygote is None or not zygote.is_ready)

    def _on_no_zygote(self, reason: WorkerError, never_ready: bool) -> None:
        self._zygote_failures += 1
        wait_s = delay_s(RETRY, self._zygote_failures, random.random)
        self._tell("zygote_lost", {"reason": str(reason), "retry_in_s": wait_s})
        if self._ended or self._closing:
            return
        self._stillborn = self._stillborn + 1 if never_ready else 0
        if self._stillborn >= MAX_STILLBORN:
            self._fail_waiting(reason)
        self._zygote_timer = self.loop.call_later(wait_s, self.guarded(self._start_zygote))

    # -- starting workers ----------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Ask for as many workers as takers and the warm level want."""
        if self._fill_timer is not None:
            self._fill_timer.cancel()
            self._fill_timer = None
        zygote = self._zygote
        if self._ended or zygote is None:
            return
        wanted = len(self._waiting)
        if self._warm_timer is None:
            wanted += max(0, self._warm - len(self._idle))
        starting = self._asked + len(self._greeting)
        for _ in range(min(wanted, MAX_STARTING) - starting):
            self._asked += 1
            zygote.spawn(self._memory_bytes, self.guarded(partial(self._on_spawned, zygote)))

    def _fill_later(self) -> None:
        """Let the taker's first slice go first: a fork and a new VM would compete with it for the processors."""
        if self._fill_timer is None:
            self._fill_timer = self.loop.call_later(FILL_DELAY_S, self._fill)

    def _on_spawned(self, zygote: Spawner, process: WorkerProcess | None, error: Exception | None) -> None:
        self._asked -= 1
        if process is None:
            if zygote is self._zygote:  # a lost zygote has its own way to be made good
                self._on_failed(error or WorkerError("no worker"))
            return
        if self._ended:
            process.close()
        else:
            self._greet(process)

    def _greet(self, process: WorkerProcess) -> None:
        self._greeting[process] = Greeting(
            self.loop,
            process,
            self._start_timeout_s,
            self.guarded(partial(self._on_greeted, process)),
        )

    def _on_greeted(self, process: WorkerProcess, ready: ReadyWorker | None, error: Exception | None) -> None:
        del self._greeting[process]
        if ready is not None and self._require_confinement and ready.hello.confinement != FULL:
            error = RuntimeUnsupported(
                f"confinement is required, this machine gives {ready.hello.confinement!r}"
            )
        if ready is None or error is not None:
            lost_with_zygote = process.exit_status is not None and process.exit_status.zygote_lost
            process.close()
            if not lost_with_zygote:
                self._on_failed(error or WorkerError("no worker"))
            return
        self._on_ready(ready)

    def _on_ready(self, ready: ReadyWorker) -> None:
        self._counts["started"] += 1
        self._confinement = ready.hello.confinement
        self._last_ready_s = self.loop.clock()
        self._zygote_failures = 0
        self._warm_failures = 0
        if self._waiting:
            waiting = self._waiting.popleft()
            self._hand_over(ready, waiting.memory_bytes, waiting.done)
        else:
            self._idle.put(ready)
            ready.process.on_exit(lambda status: self._on_idle_exit(ready, status))
        self._fill()

    def _on_failed(self, error: Exception) -> None:
        """A worker did not become ready. One taker, if there is one, is told; the warm level waits a while."""
        self._counts["failed"] += 1
        self._tell("worker_failed", {"reason": str(error)})
        if self._waiting:
            self._give(self._waiting.popleft().done, None, error)
        self._warm_later()
        self._fill()

    def _on_idle_exit(self, ready: ReadyWorker, status: ExitStatus) -> None:
        if self._ended or not self._idle.remove(ready):
            return
        ready.process.close()
        self._tell("worker_lost", {"pid": ready.process.pid, "status": str(status)})
        if not status.zygote_lost:
            self._warm_later()
        self._fill()

    def _warm_later(self) -> None:
        if self._warm_timer is None:
            self._warm_failures += 1
            wait_s = delay_s(RETRY, self._warm_failures, random.random)
            self._warm_timer = self.loop.call_later(wait_s, self._warm_again)

    def _warm_again(self) -> None:
        self._warm_timer = None
        self._fill()

    # -- takers --------------------------------------------------------------------------------------------------

    def _hand_over(self, ready: ReadyWorker, memory_bytes: int, done: Taken) -> None:
        self._counts["taken"] += 1
        ready.process.set_memory_limit(memory_bytes)
        if self._lives > 1:
            self._lend(ready.process)
        self._give(done, ready, None)

    def _lend(self, process: WorkerProcess) -> None:
        if process not in self._lent:
            process.on_exit(lambda _: self._forget(process))
        self._lent[process] = self._lent.get(process, 0) + 1

    def _forget(self, process: WorkerProcess) -> None:
        self._lent.pop(process, None)

    def _give(self, done: Taken, ready: ReadyWorker | None, error: Exception | None) -> None:
        """Tell a taker. What it makes of that is no fault of this actor's."""
        try:
            done(ready, error)
        except Exception as wrong:
            self.loop.post(partial(_raise, wrong))

    def _fail_waiting(self, error: Exception) -> None:
        waiting = list(self._waiting)
        self._waiting.clear()
        for each in waiting:
            self._give(each.done, None, error)

    def _await_progress(self) -> None:
        """Let the oldest taker fail when nothing became ready for twice the time that one worker may take."""
        if self._wait_timer is None and self._waiting:
            patience_s = 2 * self._start_timeout_s
            since_s = max(self._waiting[0].since_s, self._last_ready_s)
            self._wait_timer = self.loop.call_later(
                since_s + patience_s - self.loop.clock(), self._check_progress
            )

    def _check_progress(self) -> None:
        self._wait_timer = None
        patience_s = 2 * self._start_timeout_s
        now_s = self.loop.clock()
        while self._waiting and now_s - max(self._waiting[0].since_s, self._last_ready_s) >= patience_s:
            late = StartTimeout(f"no worker became ready within {patience_s:g} s")
            self._give(self._waiting.popleft().done, None, late)
        self._await_progress()


def _raise(error: Exception) -> None:
    """For the loop to report."""
    raise error
