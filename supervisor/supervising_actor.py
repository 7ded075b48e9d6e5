"""What static and dynamic supervisors share: thread hopping, events, ending, and use without a parent."""

from __future__ import annotations

import abc
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from moonward.supervisor.child_spec import ChildKind
from moonward.supervisor.errors import StartFailed, SupervisorStopped
from moonward.supervisor.event import EventKind, OnEvent, SupervisionEvent
from moonward.supervisor.exits import ExitReason
from moonward.supervisor.loop import Loop, Timer
from moonward.supervisor.loop_actor import LoopActor
from moonward.supervisor.reply import Reply
from moonward.supervisor.report import ChildCounts, ChildReport, ChildState, TreeNode
from moonward.supervisor.slot import Slot

T = TypeVar("T")

LOOK_S = 0.5
"""How often a caller in another thread looks whether the loop is still there to answer it. Arbitrary."""

STOP_MARGIN_S = 1.0
"""By how much a stop may exceed its timeout, whatever the children do (see KILL_WAIT_S)."""

log = logging.getLogger("moonward.supervisor")


class SupervisingActor(LoopActor, abc.ABC):
    """A supervisor of either kind. Its methods may be called from any thread, unless they say otherwise."""

    def __init__(self, loop: Loop, name: str, on_event: OnEvent | None) -> None:
        super().__init__(loop, name)
        self._on_event = on_event
        self._is_ending = False
        self._deadline_s = math.inf
        self._deadline: Timer | None = None
        self._owns_loop = False
        self._ready: Reply[None] = Reply()
        self._over: Reply[None] = Reply()

    # --- for subclasses

    @abc.abstractmethod
    def _slots_in_order(self) -> Iterator[Slot]:
        """All places, in start order."""

    @abc.abstractmethod
    def _begin_shutdown(self, over: Callable[[], None]) -> None:
        """Stop all children, by `self._deadline_s` (loop's clock) if there is one; then `over`."""

    def _tell(self, slot: Slot, kind: EventKind, reason: ExitReason | None, delay_s: float = 0.0) -> None:
        self._emit(slot.id, kind, reason, slot.restarts, delay_s)

    def _emit(
        self, child: str, kind: EventKind, reason: ExitReason | None, count: int, delay_s: float = 0.0
    ) -> None:
        if self._on_event is None:
            return
        event = SupervisionEvent(kind, self.name, child, reason, count, self.loop.clock(), delay_s)
        try:
            self._on_event(event)
        except Exception:
            log.exception("on_event failed for %s", event)

    def _here(self, reply: Reply[T], work: Callable[[], None]) -> Reply[T]:
        """Run `work` on the loop; it settles `reply`, which fails at once when this supervisor is ending."""

        def guarded() -> None:
            if self._is_ending or self._ended:
                reply.fail(self._stopped_error())
                return
            try:
                work()
            except Exception as error:
                reply.fail(error)

        if self.loop.is_here:
            guarded()
        elif self.loop.is_running:
            self.loop.post(guarded)
        else:
            reply.fail(self._stopped_error())
        return reply

    def _ask(self, question: Callable[[], T]) -> T:
        """The answer to `question`, computed on the loop. Blocks other threads for as long as that takes."""
        if self.loop.is_here or self._over.is_set or not self.loop.is_running:
            return question()
        reply: Reply[T] = Reply()

        def answer() -> None:
            try:
                reply.complete(question())
            except Exception as error:
                reply.fail(error)

        self.loop.post(answer)
        while not reply.wait(LOOK_S):
            if not self.loop.is_running:
                raise self._stopped_error()
        return reply.result()

    def _stopped_error(self) -> SupervisorStopped:
        return SupervisorStopped(f"supervisor {self.name!r} has ended")

    # --- questions

    def which_children(self) -> list[ChildReport]:
        """All children in start order."""
        return self._ask(lambda: [slot.report() for slot in self._slots_in_order()])

    def count_children(self) -> ChildCounts:
        """How many there are; a child that waits for its restart is not active."""

        def count() -> ChildCounts:
            slots = list(self._slots_in_order())
            supervisors = sum(slot.spec.kind is ChildKind.SUPERVISOR for slot in slots)
            active = sum(slot.state is ChildState.RUNNING for slot in slots)
            return ChildCounts(len(slots), active, supervisors, len(slots) - supervisors)

        return self._ask(count)

    def tree(self) -> TreeNode:
        """This supervisor and everything below it."""
        return self._ask(self._node)

    def _node(self) -> TreeNode:
        children = []
        for slot in self._slots_in_order():
            below = slot.handle._node().children if isinstance(slot.handle, SupervisingActor) else ()
            children.append(TreeNode(slot.id, slot.spec.kind.value, slot.state.value, slot.restarts, below))
        state = (
            ChildState.STOPPED
            if self._ended
            else ChildState.STOPPING
            if self._is_ending
            else ChildState.RUNNING
        )
        return TreeNode(self.name, ChildKind.SUPERVISOR.value, state.value, 0, tuple(children))

    # --- ending

    def begin_ready(self, ready: Callable[[], None]) -> None:
        """Call `ready` once all first children are ready; never, if one is not: then this supervisor ends."""
        self._ready.on_set(lambda reply: ready() if reply.error is None else None)

    def begin_end(self, done: Callable[[], None]) -> None:
        """Stop all children in order, each within its own limit, then call `done`. Loop thread."""
        self._end_by(math.inf, None, done)

    def kill(self) -> None:
        """Kill all children now and end. Loop thread."""
        self._end_by(self.loop.clock(), None, lambda: self.end(None))

    def _end_by(self, deadline_s: float, reason: BaseException | None, over: Callable[[], None]) -> None:
        if self._over.is_set:
            over()
            return
        self._over.on_set(lambda _: over())
        self._bring_deadline(deadline_s)
        if not self._is_ending:
            self._is_ending = True
            self._begin_shutdown(lambda: self._finish(reason))

    def _bring_deadline(self, deadline_s: float) -> None:
        """At the deadline, everything that is still up is killed at once."""
        if deadline_s >= self._deadline_s:
            return
        self._deadline_s = deadline_s
        if self._deadline is not None:
            self._deadline.cancel()
        wait_s = deadline_s - self.loop.clock()
        if wait_s <= 0:
            self._kill_all()
        else:
            self._deadline = self.loop.call_later(wait_s, self._kill_all)

    def _kill_all(self) -> None:
        for slot in list(self._slots_in_order()):
            if slot.is_up:
                slot.stop_now()

    def _finish(self, reason: BaseException | None) -> None:
        self._ready.fail(reason or self._stopped_error())
        self._over.complete(None)

    def on_ended(self, reason: BaseException | None) -> None:
        """Whatever way this supervisor ends, no child stays behind."""
        self._is_ending = True
        for slot in list(self._slots_in_order()):
            slot.cancel_retry()
        self._kill_all()
        if self._deadline is not None:
            self._deadline.cancel()
        self._finish(reason)

    def stop(self, timeout_s: float = 5.0) -> bool:  # type: ignore[override]
        """Stop all children and this supervisor: asked at once, killed after `timeout_s` seconds at the latest.

        Over within `timeout_s` + 1 s, whatever the children do. Blocks; from the loop's thread, use `begin_end`.
        Stops the loop, if this supervisor made it. False when something of ours was still there after that time.
        Idempotent.
        """
        assert not self.loop.is_here, "stop blocks: use begin_end on the loop's thread"
        over: Reply[None] = Reply()

        def begin() -> None:
            def finish() -> None:
                self.end(None)
                over.complete(None)

            self._end_by(self.loop.clock() + timeout_s, None, finish)

        if self.loop.is_running:
            self.loop.post(begin)
            ended = over.wait(timeout_s + STOP_MARGIN_S)
        else:
            ended = self._over.is_set
        return (self.loop.stop(STOP_MARGIN_S) if self._owns_loop else True) and ended

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """Block until this supervisor has ended, by itself or not; False when `timeout_s` passed first."""
        return self._over.wait(timeout_s)

    # --- use without a parent

    def run_alone(self, timeout_s: float | None = None) -> None:
        """Launch on the loop and wait until all first children are ready. Not on the loop's thread.

        Raises `StartFailed`; then nothing is left behind.
        """

        def launch() -> None:
            try:
                self.launch()
            except BaseException as error:
                self._ready.fail(error)

        self.loop.post(launch)
        if not self._ready.wait(timeout_s):
            self.stop(0.0)
            raise StartFailed(f"supervisor {self.name!r} was not ready within {timeout_s} s")
        if self._ready.error is not None:
            self.stop(0.0)
            raise self._ready.error

    def __enter__(self) -> Any:
        """Use with `with`: stopped at the end of the block."""
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def own_loop(name: str, clock: Callable[[], float]) -> Loop:
    """A running loop for a supervisor without a parent; what goes wrong on it is logged."""
    loop = Loop(f"{name}-loop", clock, lambda error: log.error("error on the loop", exc_info=error))
    loop.start()
    return loop
