"""Ends slices that take too long: one timer for all the workers of a Runtime.

A slice is a run of Lua between two host events. Past `slice_seconds` a worker that used at least half of that as
CPU has a script that computes too long (`limit`); one that did not was stopped or starved (`deadline`).
"""

from __future__ import annotations

from collections.abc import Callable

from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.worker_process import WorkerProcess
from moonward.supervisor.loop import Loop

TICK_S = 0.1
"""Seconds between two looks; arbitrary: limits are in seconds, so a tenth is exact enough."""

CPU_LOOK_S = 0.5
"""Seconds between two readings of a worker's CPU time; a reading costs about 15 µs."""

CPU_SLACK_S = 2.0
"""CPU seconds after `cpu_seconds` at which the kernel ends a worker by itself: only if this host is stopped."""

CPU_SHARE = 0.5
"""Share of a slice that must be CPU time for the script to be blamed (`docs/guarantees.md`)."""


class Slice:
    """A run of Lua under watch."""

    __slots__ = ("base_s", "began_s", "limits", "looked_s", "on_late", "process")

    def __init__(
        self, process: WorkerProcess, limits: Limits, began_s: float, on_late: Callable[[Loss], None]
    ) -> None:
        self.process = process
        self.limits = limits
        self.began_s = began_s
        self.on_late = on_late
        self.base_s: float | None = None
        self.looked_s = began_s


class Watchdog:
    """Watches slices between `begin` and `end`. Loop thread only."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._slices: set[Slice] = set()
        self._armed = False

    def begin(self, slice_: Slice) -> None:
        """Watch a slice from now on."""
        slice_.began_s = slice_.looked_s = self._loop.clock()
        slice_.base_s = None
        self._slices.add(slice_)
        if not self._armed:
            self._armed = True
            self._loop.call_later(TICK_S, self._tick)

    def end(self, slice_: Slice) -> None:
        """The slice is over. Harmless when it is not watched."""
        if slice_ in self._slices:
            self._slices.discard(slice_)
            if slice_.base_s is not None:
                slice_.process.set_cpu_limit(None)

    def _tick(self) -> None:
        self._armed = False
        now_s = self._loop.clock()
        for each in list(self._slices):
            loss = self._judge(each, now_s)
            if loss is not None:
                self._slices.discard(each)
                each.on_late(loss)
        if self._slices and not self._armed:
            self._armed = True
            self._loop.call_later(TICK_S, self._tick)

    def _judge(self, each: Slice, now_s: float) -> Loss | None:
        elapsed_s = now_s - each.began_s
        limits = each.limits
        late = elapsed_s > limits.slice_seconds
        if each.base_s is None:
            each.base_s = each.process.cpu_seconds() or 0.0
            each.base_s = max(0.0, each.base_s - elapsed_s)
            each.process.set_cpu_limit(limits.cpu_seconds + CPU_SLACK_S)
        elif late or now_s - each.looked_s >= CPU_LOOK_S:
            each.looked_s = now_s
        else:
            return None
        used_s = max(0.0, (each.process.cpu_seconds() or 0.0) - each.base_s)
        if used_s > limits.cpu_seconds:
            return Loss("limit", f"cpu_seconds ({limits.cpu_seconds:g}) exceeded")
        if not late:
            return None
        if used_s >= CPU_SHARE * limits.slice_seconds:
            return Loss(
                "limit", f"slice_seconds ({limits.slice_seconds:g}) exceeded, {used_s:.1f} s of it computing"
            )
        return Loss(
            "deadline", f"its slice took over {limits.slice_seconds:g} s with {used_s:.1f} s of CPU time"
        )
