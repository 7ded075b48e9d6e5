"""A supervisor with children that are known by name and started in order.

Guarantees:
- Children start in order, each ready before the next; they stop in reverse.
- Calls, ends of children and restarts are dealt with one at a time, in the order in which they came. Between two
  attempts at a failing start the supervisor goes back to its mailbox.
- A stop is over within its timeout and one second, whatever the children do.
- However the supervisor ends, no child stays behind, but one that does not even end when killed (an event says so).

What does not work: a thread cannot be killed. A `ThreadChild` that never returns is abandoned.
"""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from moonward.supervisor.backoff import Backoff, delay_s, next_attempt
from moonward.supervisor.child_spec import ChildSpec, Restart
from moonward.supervisor.errors import (
    AlreadyPresent,
    AlreadyStarted,
    BadChildSpec,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    GaveUp,
    SupervisionError,
)
from moonward.supervisor.event import EventKind, OnEvent
from moonward.supervisor.exits import ExitKind, ExitReason
from moonward.supervisor.intensity import Intensity, charge
from moonward.supervisor.loop import Loop
from moonward.supervisor.reply import Reply
from moonward.supervisor.report import ChildState
from moonward.supervisor.serial import Serial, Step, Task
from moonward.supervisor.slot import Slot
from moonward.supervisor.strategy import Strategy, concerned, kept_after_stop, stop_order, wants_restart
from moonward.supervisor.supervising_actor import SupervisingActor, own_loop

RESERVE, MOST_RESERVE = 0.05, 0.5
"""Share of a stop's timeout that is kept for each child still to be asked, and for all of them together, so that one
that hangs does not use up the time of all others. Arbitrary."""


class Supervisor(SupervisingActor):
    """A static supervisor; also an actor of `loop`, so that it can be a child of another one.

    `intensity` restarts within `period_s` seconds are allowed, of all children together; one more and it gives up:
    it stops its children in reverse and ends with `GaveUp`. Raises `BadChildSpec`.
    """

    def __init__(
        self,
        loop: Loop,
        specs: Sequence[ChildSpec] = (),
        *,
        name: str = "supervisor",
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: int = 1,
        period_s: float = 5.0,
        backoff: Backoff | None = None,
        random: Callable[[], float] = random_module.random,
        on_event: OnEvent | None = None,
    ) -> None:
        super().__init__(loop, name, on_event)
        if not isinstance(strategy, Strategy):
            raise BadChildSpec(f"strategy must be a Strategy, not {strategy!r}")
        self.strategy = strategy
        self._budget = Intensity(intensity, period_s)
        self._backoff = backoff or Backoff()
        self._random = random
        self._past: tuple[float, ...] = ()
        self._serial = Serial()
        self._slots: dict[str, Slot] = {}
        for spec in specs:
            if not isinstance(spec, ChildSpec):
                raise BadChildSpec(f"not a ChildSpec: {spec!r}")
            if spec.id in self._slots:
                raise BadChildSpec(f"two children have the id {spec.id!r}")
            self._slots[spec.id] = self._slot(spec)

    @classmethod
    def start(  # type: ignore[override]
        cls,
        specs: Sequence[ChildSpec] = (),
        *,
        loop: Loop | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float | None = None,
        **settings: Any,
    ) -> Supervisor:
        """Start a supervisor without a parent, wait until its children are ready, and return it.

        Without `loop` it makes one of its own, which `stop` ends; actors on it find it as `supervisor.loop`, and
        `start` of a specification may then take the supervisor from a closure. `settings` are the constructor's.
        Raises `StartFailed`, and leaves nothing behind then; `BadChildSpec`.
        """
        running = loop or own_loop(settings.get("name", "supervisor"), clock)
        try:
            supervisor = cls(running, specs, **settings)
        except BaseException:
            if loop is None:
                running.stop()
            raise
        supervisor._owns_loop = loop is None
        supervisor.run_alone(timeout_s)
        return supervisor

    # --- calls, from any thread

    def start_child(self, spec: ChildSpec) -> Reply[object]:
        """Add and start a child after the others; the reply is its handle.

        Fails with `AlreadyStarted`, `ChildRestarting` or `AlreadyPresent` (that id is held) or `StartFailed` (then
        the specification is not kept).
        """
        return self._submit(lambda: self._start_child(spec))

    def terminate_child(self, child_id: str) -> Reply[None]:
        """Stop a child, or cancel its restart, and keep its specification (but a temporary child's).

        Idempotent. Fails with `ChildNotFound`.
        """
        return self._submit(lambda: self._terminate_child(child_id))

    def restart_child(self, child_id: str) -> Reply[object]:
        """Start a child that is stopped; the reply is its handle. If that fails it stays stopped.

        Fails with `ChildNotFound`, `ChildRunning`, `ChildRestarting`, `StartFailed`.
        """
        return self._submit(lambda: self._restart_child(child_id))

    def delete_child(self, child_id: str) -> Reply[None]:
        """Forget a child that is stopped. Fails with `ChildNotFound`, `ChildRunning`, `ChildRestarting`."""
        return self._submit(lambda: self._delete_child(child_id))

    def lookup(self, child_id: str) -> object:
        """The handle of the child that runs under this id now.

        Raises `ChildRestarting`, when there will be one, and `ChildNotFound`, when there will not.
        """
        return self._ask(lambda: self._lookup(child_id))

    # --- the tasks behind them

    def _submit(self, make: Callable[[], Task]) -> Reply[Any]:
        reply: Reply[Any] = Reply()

        def settle(value: Any, error: BaseException | None) -> None:
            if error is None:
                reply.complete(value)
            else:
                reply.fail(error)

        return self._here(reply, lambda: self._serial.submit(make(), settle))

    def _start_child(self, spec: ChildSpec) -> Task:
        held = self._slots.get(spec.id)
        if held is not None:
            raise self._held_error(held)
        slot = self._slots[spec.id] = self._slot(spec)
        error, handle = yield self._starting(slot)
        if error is not None:
            self._slots.pop(spec.id, None)
            raise error
        return handle

    def _terminate_child(self, child_id: str) -> Task:
        slot = self._held(child_id)
        yield lambda resume: slot.stop(resume)
        if slot.spec.restart is Restart.TEMPORARY:
            self._slots.pop(child_id, None)

    def _restart_child(self, child_id: str) -> Task:
        slot = self._held_down(child_id)
        slot.attempt = 0
        error, handle = yield self._starting(slot)
        if error is not None:
            raise error
        return handle

    def _delete_child(self, child_id: str) -> Task:
        yield from ()  # it never waits, but is a task all the same
        self._held_down(child_id)
        del self._slots[child_id]

    def _lookup(self, child_id: str) -> object:
        slot = self._held(child_id)
        if slot.handle is not None:
            return slot.handle
        coming = slot.state in (ChildState.STARTING, ChildState.RESTARTING, ChildState.EXITED)
        if coming and not self._is_ending:
            raise ChildRestarting(f"child {child_id!r} is being started")
        raise ChildNotFound(f"child {child_id!r} is {slot.state.value}")

    def _held(self, child_id: str) -> Slot:
        slot = self._slots.get(child_id)
        if slot is None:
            raise ChildNotFound(f"no child {child_id!r}")
        return slot

    def _held_down(self, child_id: str) -> Slot:
        slot = self._held(child_id)
        if slot.state is ChildState.RESTARTING:
            raise ChildRestarting(f"child {child_id!r} is being restarted")
        if slot.state is not ChildState.STOPPED:
            raise ChildRunning(f"child {child_id!r} runs")
        return slot

    @staticmethod
    def _held_error(slot: Slot) -> SupervisionError:
        if slot.state is ChildState.STOPPED:
            return AlreadyPresent(f"child {slot.id!r} is stopped: restart or delete it")
        if slot.state is ChildState.RESTARTING:
            return ChildRestarting(f"child {slot.id!r} is being restarted")
        return AlreadyStarted(f"child {slot.id!r} runs")

    # --- first start

    def on_start(self) -> None:
        """Start the first children, in order; `begin_ready` tells when they all are."""
        self._serial.submit(self._start_first(), self._first_started)

    def _start_first(self) -> Task:
        for slot in list(self._slots.values()):
            error, _handle = yield self._starting(slot)
            if error is not None:
                raise error

    def _first_started(self, _value: Any, error: BaseException | None) -> None:
        if error is None:
            self._ready.complete(None)
        elif not self._is_ending:
            self._end_by(float("inf"), error, lambda: self.end(error))

    # --- ends and restarts

    def _slot(self, spec: ChildSpec) -> Slot:
        return Slot(self.loop, spec, spec.start, self._tell, self._child_exited)

    def _child_exited(self, slot: Slot, reason: ExitReason) -> None:
        if not self._is_ending:
            self._serial.submit(self._after_exit(slot, slot.run, reason), self._dealt)

    def _dealt(self, _value: Any, error: BaseException | None) -> None:
        if error is not None and not self._is_ending:  # a defect of ours: end in order, let the parent decide
            self._end_by(float("inf"), error, lambda: self.end(error))

    def _after_exit(self, slot: Slot, run: int, reason: ExitReason) -> Task:
        if slot.run != run or slot.state is not ChildState.EXITED or self._slots.get(slot.id) is not slot:
            return  # a restart of its group, or a call, came first
        slot.state = ChildState.STOPPED
        if not wants_restart(slot.spec.restart, reason):
            if slot.spec.restart is Restart.TEMPORARY:
                del self._slots[slot.id]
            return
        slot.attempt = next_attempt(self._backoff, slot.attempt, self.loop.clock() - slot.started_s)
        wait_s = self._charge(slot, reason)
        if wait_s is None:
            return
        yield from self._stop_group(slot)
        if wait_s > 0:
            self._retry_later(slot, wait_s)
        else:
            yield from self._attempt(slot)

    def _charge(self, slot: Slot, reason: ExitReason) -> float | None:
        """Charge a restart of `slot`; the seconds to wait before it, or None when this supervisor has given up."""
        slot.state = ChildState.RESTARTING
        slot.restarts += 1
        past = charge(self._past, self.loop.clock(), self._budget)
        if past is None:
            self._give_up(slot, reason)
            return None
        self._past = past
        wait_s = delay_s(self._backoff, slot.attempt, self._random)
        self._tell(slot, EventKind.RESTARTING, reason, wait_s)
        return wait_s

    def _give_up(self, slot: Slot, reason: ExitReason) -> None:
        self._tell(slot, EventKind.GAVE_UP, reason)
        budget = self._budget
        error = GaveUp(
            f"{self.name!r}: more than {budget.restarts} restarts in {budget.period_s} s; "
            f"last was {slot.id!r}: {reason}"
        )
        error.__cause__ = reason.error
        self._end_by(float("inf"), error, lambda: self.end(error))

    def _retry_later(self, slot: Slot, wait_s: float) -> None:
        run = slot.run
        slot.cancel_retry()
        slot.retry = self.loop.call_later(
            wait_s, lambda: self._serial.submit(self._retry(slot, run), self._dealt)
        )

    def _retry(self, slot: Slot, run: int) -> Task:
        if slot.run == run and slot.state is ChildState.RESTARTING and self._slots.get(slot.id) is slot:
            yield from self._attempt(slot)

    def _attempt(self, slot: Slot) -> Task:
        """Start `slot` and what its strategy concerns; if a start fails, charge that and try again later."""
        yield from self._stop_group(slot)
        for child_id in concerned(self.strategy, list(self._slots), slot.id):
            other = self._slots[child_id]
            error, _handle = yield self._starting(other)
            if error is not None:
                other.attempt = max(2, other.attempt + 1)  # never at once again
                reason = ExitReason(ExitKind.ABNORMAL, str(error), error)
                wait_s = self._charge(other, reason)
                if wait_s is not None:
                    yield from self._stop_group(other)
                    self._retry_later(other, wait_s)
                return

    def _stop_group(self, slot: Slot) -> Task:
        """Stop all others that are to be restarted with `slot`, in reverse, and forget the temporary ones."""
        group = [self._slots[i] for i in concerned(self.strategy, list(self._slots), slot.id)]
        for other in reversed(group):
            if other is not slot:
                yield other.stop
        kept = kept_after_stop((other.id, other.spec.restart) for other in group)
        for other in group:
            if other.id not in kept and other is not slot:
                self._slots.pop(other.id, None)

    @staticmethod
    def _starting(slot: Slot) -> Step:
        """A step whose value is the error, if there was one, and the handle."""
        return lambda resume: slot.start(lambda error: resume((error, slot.handle)))

    # --- ending

    def _slots_in_order(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def _begin_shutdown(self, over: Callable[[], None]) -> None:
        self._serial.abort(self._stopped_error())
        for slot in self._slots.values():
            slot.cancel_retry()
        begun_s = self.loop.clock()
        self._serial.submit(self._stop_all(begun_s), lambda _value, _error: over())

    def _stop_all(self, begun_s: float) -> Task:
        waiting = len(self._slots)
        for child_id in stop_order(self._slots):
            waiting -= 1
            share_s = stop_share(begun_s, self.loop.clock(), self._deadline_s, waiting)
            yield partial(self._slots[child_id].stop, deadline_s=share_s)


def stop_share(begun_s: float, now_s: float, deadline_s: float, waiting: int) -> float:
    """Until when a child may take to end, if `waiting` others have yet to be asked before `deadline_s`.

    What is kept for those others is theirs in equal parts, once ones that hang have used up the rest.
    """
    if deadline_s == float("inf"):
        return deadline_s
    share_s = deadline_s - (deadline_s - begun_s) * min(MOST_RESERVE, RESERVE * waiting)
    return share_s if share_s > now_s else now_s + (deadline_s - now_s) / (waiting + 1)
