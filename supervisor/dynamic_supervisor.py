"""A supervisor of many children made from one template.

Guarantees:
- Each child has a budget of its own. A child that has spent it is parked: it stays down, `on_parked` is told, and
  no other child notices anything.
- All children are stopped together, under one deadline.
- Nothing of a temporary child's arguments is kept once it has started.

Unlike Erlang/OTP's, it never gives up because of its children: a shared budget would let one child that fails again
and again take all others down.
"""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from moonward.supervisor.account import Account
from moonward.supervisor.backoff import Backoff
from moonward.supervisor.child_spec import ChildSpec, Restart
from moonward.supervisor.errors import (
    AlreadyPresent,
    AlreadyStarted,
    BadChildSpec,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    SupervisionError,
)
from moonward.supervisor.event import EventKind, OnEvent
from moonward.supervisor.exits import ExitKind, ExitReason
from moonward.supervisor.intensity import Intensity
from moonward.supervisor.loop import Loop
from moonward.supervisor.reply import Reply
from moonward.supervisor.report import ChildState
from moonward.supervisor.slot import Slot
from moonward.supervisor.strategy import wants_restart
from moonward.supervisor.supervising_actor import SupervisingActor, log, own_loop

OnParked = Callable[[str, ExitReason], None]


class DynamicSupervisor(SupervisingActor):
    """A dynamic supervisor; also an actor of `loop`, so that it can be a child of another supervisor.

    `template.start` takes the arguments of `start_child`. Each child may be restarted `intensity` times within
    `period_s` seconds. `on_parked(child_id, reason)` runs on the loop. Raises `BadChildSpec`.
    """

    def __init__(
        self,
        loop: Loop,
        template: ChildSpec,
        *,
        name: str = "dynamic supervisor",
        intensity: int = 3,
        period_s: float = 60.0,
        backoff: Backoff | None = None,
        random: Callable[[], float] = random_module.random,
        on_event: OnEvent | None = None,
        on_parked: OnParked | None = None,
    ) -> None:
        super().__init__(loop, name, on_event)
        if not isinstance(template, ChildSpec):
            raise BadChildSpec(f"not a ChildSpec: {template!r}")
        self.template = template
        self._budget = Intensity(intensity, period_s)
        self._backoff = backoff or Backoff()
        self._random = random
        self._on_parked = on_parked
        self._slots: dict[str, Slot] = {}
        self._accounts: dict[str, Account] = {}

    @classmethod
    def start(  # type: ignore[override]
        cls,
        template: ChildSpec,
        *,
        loop: Loop | None = None,
        clock: Callable[[], float] = time.monotonic,
        **settings: Any,
    ) -> DynamicSupervisor:
        """Start a dynamic supervisor without a parent; see `Supervisor.start`."""
        running = loop or own_loop(settings.get("name", "dynamic supervisor"), clock)
        try:
            supervisor = cls(running, template, **settings)
        except BaseException:
            if loop is None:
                running.stop()
            raise
        supervisor._owns_loop = loop is None
        supervisor.run_alone()
        return supervisor

    def on_start(self) -> None:
        """There are no first children: ready."""
        self._ready.complete(None)

    # --- calls, from any thread

    def start_child(self, child_id: str, *args: Any, **kwargs: Any) -> Reply[object]:
        """Start a child with these arguments for the template; the reply is its handle.

        Fails with `AlreadyStarted`, `ChildRestarting`, `AlreadyPresent` (it is parked) or `StartFailed` (then
        nothing of it is kept; there is no retry at the first start).
        """
        reply: Reply[object] = Reply()
        return self._here(reply, lambda: self._start_child(reply, child_id, args, kwargs))

    def terminate_child(self, child_id: str) -> Reply[None]:
        """Stop a child, cancel its restart or drop it from the parked, and forget it.

        Fails with `ChildNotFound`.
        """
        reply: Reply[None] = Reply()
        return self._here(reply, lambda: self._terminate_child(reply, child_id))

    def restart_child(self, child_id: str) -> Reply[object]:
        """Start a parked child, with a new budget; the reply is its handle. If that fails it stays parked.

        Fails with `ChildNotFound`, `ChildRunning`, `ChildRestarting`, `StartFailed`.
        """
        reply: Reply[object] = Reply()
        return self._here(reply, lambda: self._restart_child(reply, child_id))

    def lookup(self, child_id: str) -> object:
        """The handle of the child that runs under this id now.

        Raises `ChildRestarting`, when there will be one, and `ChildNotFound`, when there will not.
        """
        return self._ask(lambda: self._lookup(child_id))

    # --- restarts that children do themselves; loop thread

    def charge(self, child_id: str, now_s: float) -> float | None:
        """Charge a restart that a child does within itself (it replaces its process, say), to the same budget.

        Returns the seconds to wait before it, or None when the budget is spent. The child is left as it is: it
        decides what follows. `now_s` is on the loop's clock. Loop thread.
        """
        account = self._accounts.setdefault(child_id, Account())
        wait_s = account.charge(now_s, self._budget, self._backoff, self._random)
        slot = self._slots.get(child_id)
        if slot is not None:
            slot.restarts += 1
        count = len(account.past) if slot is None else slot.restarts
        kind = EventKind.GAVE_UP if wait_s is None else EventKind.RESTARTING
        self._emit(child_id, kind, None, count, wait_s or 0.0)
        return wait_s

    def forget(self, child_id: str) -> None:
        """Forget a child's budget, and the child itself unless it runs or will. Harmless if there is none."""
        self._accounts.pop(child_id, None)
        slot = self._slots.get(child_id)
        if slot is not None and slot.state in (ChildState.PARKED, ChildState.STOPPED):
            del self._slots[child_id]

    # --- behind the calls

    def _start_child(
        self, reply: Reply[object], child_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        held = self._slots.get(child_id)
        if held is not None:
            reply.fail(self._held_error(held))
            return
        spec, make = replace(self.template, id=child_id), self.template.start
        slot = Slot(self.loop, spec, lambda: make(*args, **kwargs), self._tell, self._child_exited)
        self._slots[child_id] = slot

        def started(error: BaseException | None) -> None:
            if error is None:
                if spec.restart is Restart.TEMPORARY:
                    slot.forget_start()
                reply.complete(slot.handle)
                return
            if not slot.is_up:  # else it is being terminated, which forgets it
                self._drop(slot)
            reply.fail(error)

        slot.start(started)

    def _terminate_child(self, reply: Reply[None], child_id: str) -> None:
        slot = self._held(child_id)

        def stopped(_reason: ExitReason) -> None:
            self._drop(slot)
            reply.complete(None)

        if slot.state is ChildState.STOPPING:
            slot.on_gone(stopped)
        else:
            slot.stop(stopped)

    def _restart_child(self, reply: Reply[object], child_id: str) -> None:
        slot = self._held(child_id)
        if slot.state is ChildState.RESTARTING:
            raise ChildRestarting(f"child {child_id!r} is being restarted")
        if slot.state is not ChildState.PARKED:
            raise ChildRunning(f"child {child_id!r} runs")
        self._accounts.pop(child_id, None)

        def started(error: BaseException | None) -> None:
            if error is None:
                reply.complete(slot.handle)
                return
            if not slot.is_up:
                slot.state = ChildState.PARKED
            reply.fail(error)

        slot.start(started)

    def _lookup(self, child_id: str) -> object:
        slot = self._held(child_id)
        if slot.handle is not None:
            return slot.handle
        if slot.state in (ChildState.STARTING, ChildState.RESTARTING) and not self._is_ending:
            raise ChildRestarting(f"child {child_id!r} is being started")
        raise ChildNotFound(f"child {child_id!r} is {slot.state.value}")

    def _held(self, child_id: str) -> Slot:
        slot = self._slots.get(child_id)
        if slot is None:
            raise ChildNotFound(f"no child {child_id!r}")
        return slot

    @staticmethod
    def _held_error(slot: Slot) -> SupervisionError:
        if slot.state is ChildState.PARKED:
            return AlreadyPresent(f"child {slot.id!r} is parked: restart or terminate it")
        if slot.state is ChildState.RESTARTING:
            return ChildRestarting(f"child {slot.id!r} is being restarted")
        return AlreadyStarted(f"child {slot.id!r} runs")

    # --- ends and restarts

    def _child_exited(self, slot: Slot, reason: ExitReason) -> None:
        if self._is_ending:
            return
        if wants_restart(slot.spec.restart, reason):
            self._restart(slot, reason, is_retry=False)
        else:
            self._drop(slot)

    def _restart(self, slot: Slot, reason: ExitReason, *, is_retry: bool) -> None:
        account = self._accounts.setdefault(slot.id, Account())
        wait_s = account.charge(self.loop.clock(), self._budget, self._backoff, self._random)
        slot.restarts += 1
        if wait_s is None:
            self._park(slot, reason)
            return
        slot.state = ChildState.RESTARTING
        self._tell(slot, EventKind.RESTARTING, reason, wait_s)
        if wait_s == 0 and not is_retry:
            self._attempt(slot)
        else:
            slot.retry = self.loop.call_later(wait_s, lambda: self._attempt(slot))

    def _attempt(self, slot: Slot) -> None:
        if slot.state is not ChildState.RESTARTING or self._is_ending:
            return

        def started(error: BaseException | None) -> None:
            if error is not None and not slot.is_up and not self._is_ending:
                self._restart(slot, ExitReason(ExitKind.ABNORMAL, str(error), error), is_retry=True)

        slot.start(started)

    def _park(self, slot: Slot, reason: ExitReason) -> None:
        slot.state = ChildState.PARKED
        self._tell(slot, EventKind.PARKED, reason)
        if self._on_parked is not None:
            try:
                self._on_parked(slot.id, reason)
            except Exception:
                log.exception("on_parked failed for child %r of %r", slot.id, self.name)

    def _drop(self, slot: Slot) -> None:
        if self._slots.get(slot.id) is slot:
            del self._slots[slot.id]
            self._accounts.pop(slot.id, None)

    # --- ending

    def _slots_in_order(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def _begin_shutdown(self, over: Callable[[], None]) -> None:
        slots = list(self._slots.values())
        left = len(slots) + 1

        def gone(_reason: ExitReason | None) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                over()

        for slot in slots:
            if slot.state is ChildState.STOPPING:
                slot.on_gone(gone)
            else:
                slot.stop(gone, self._deadline_s)
        gone(None)
