"""One place in a supervisor: a specification, the child that runs for it now, and the deadlines on it.

State::

    STOPPED ──start──▶ STARTING ──ready──▶ RUNNING ──ends by itself──▶ EXITED
       ▲                  │ fails, too late    │ stop
       └──────────────────┴────────────────────▼
       └───────────────── gone ──────────── STOPPING

RESTARTING and PARKED are set by the supervisor, which owns the policy. Reports that come from a child which is no
longer the current one are ignored. All on the loop's thread; nothing blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from moonward.supervisor.actor_child import as_child
from moonward.supervisor.child import Child
from moonward.supervisor.child_spec import ChildSpec, Startable
from moonward.supervisor.errors import StartFailed
from moonward.supervisor.event import EventKind
from moonward.supervisor.exits import ExitKind, ExitReason, after_request
from moonward.supervisor.loop import Loop, Timer
from moonward.supervisor.report import ChildReport, ChildState

KILL_WAIT_S = 0.5
"""Seconds that a killed child may take to be gone before it is abandoned. Arbitrary; half of the second by which
a shutdown may exceed its timeout, so that a nested one fits."""

Started = Callable[[BaseException | None], None]
Stopped = Callable[[ExitReason], None]
Tell = Callable[["Slot", EventKind, ExitReason | None], None]

UP = (ChildState.STARTING, ChildState.RUNNING, ChildState.STOPPING)


class Slot:
    """A place for one child at a time. `exited` hears of ends that nobody asked for."""

    def __init__(
        self,
        loop: Loop,
        spec: ChildSpec,
        start: Callable[[], Startable],
        tell: Tell,
        exited: Callable[[Slot, ExitReason], None],
    ) -> None:
        self.id = spec.id
        self.spec = spec
        self.state = ChildState.STOPPED
        self.run = 0
        self.restarts = 0
        self.attempt = 0
        self.started_s = 0.0
        self.retry: Timer | None = None
        self._loop = loop
        self._start: Callable[[], Startable] | None = start
        self._tell = tell
        self._exited = exited
        self._child: Child | None = None
        self._on_started: Started | None = None
        self._on_stopped: Stopped | None = None
        self._timer: Timer | None = None
        self._kill_at_s = math.inf
        self._killed = False
        self._late: ExitReason | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a child that has to be stopped."""
        return self.state in UP

    @property
    def handle(self) -> object | None:
        """What callers are given of the child, while it runs."""
        return self._child.handle if self._child is not None and self.state is ChildState.RUNNING else None

    def report(self) -> ChildReport:
        """This place as data."""
        return ChildReport(self.id, self.state, self.spec.kind, self.spec.restart, self.restarts, self.handle)

    def forget_start(self) -> None:
        """Keep no argument of a start that will not be repeated."""
        self._start = None

    def cancel_retry(self) -> None:
        """There will be no start by itself."""
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None

    def start(self, started: Started) -> None:
        """Start a new child. `started` is called once, with None when it is ready, or with `StartFailed`."""
        assert self.state not in UP, f"{self.id} is {self.state.value}"
        assert self._start is not None, f"the start of {self.id} is forgotten"
        self.cancel_retry()
        self.run += 1
        run = self.run
        self.state = ChildState.STARTING
        self._on_started = started
        self._killed = False
        self._late = None
        self._timer = self._loop.call_later(self.spec.start_timeout_s, self._start_is_late)
        try:
            self._child = as_child(self._start())
            self._child.begin_start(self._loop, lambda: self._ready(run), lambda why: self._gone(run, why))
        except BaseException as error:  # whatever a child's start raises is that child's failure alone
            if self.run == run and self.is_up:
                self._gone(run, ExitReason(ExitKind.ABNORMAL, f"{type(error).__name__}: {error}", error))

    def stop(self, stopped: Stopped, deadline_s: float = math.inf) -> None:
        """Ask, wait as long as the specification allows and until `deadline_s` at most, kill, wait a little.

        `stopped` is called once, in any case by KILL_WAIT_S after that time. A later call replaces the earlier
        one's `stopped` and can bring the end forward. `deadline_s` is on the loop's clock.
        """
        self.cancel_retry()
        if not self.is_up:
            self.state = ChildState.STOPPED
            stopped(ExitReason(ExitKind.SHUTDOWN))
            return
        self._on_stopped = stopped
        first = self.state is not ChildState.STOPPING
        self.state = ChildState.STOPPING
        if not self._killed:
            now_s = self._loop.clock()
            limit_s = now_s + self.spec.stop_limit_s if first else self._kill_at_s
            self._kill_at(min(limit_s, deadline_s), now_s)
            if first and not self._killed:
                self._ask()
        if first:
            self._settle_start(StartFailed(f"child {self.id!r} was stopped before it was ready"))

    def on_gone(self, stopped: Stopped) -> None:
        """Let `stopped` hear of the stop that is under way, after whoever hears of it already."""
        assert self.state is ChildState.STOPPING, f"{self.id} is {self.state.value}"
        first = self._on_stopped

        def both(reason: ExitReason) -> None:
            if first is not None:
                first(reason)
            stopped(reason)

        self._on_stopped = both

    def stop_now(self) -> None:
        """Kill what is up; who waits for its stop is still told."""
        if self.state is not ChildState.STOPPING:
            self.stop(lambda _reason: None, -math.inf)
        elif not self._killed:
            self._kill()

    def _kill_at(self, kill_at_s: float, now_s: float) -> None:
        self._kill_at_s = kill_at_s
        self._cancel_timer()
        if kill_at_s <= now_s:
            self._kill()
        elif kill_at_s < math.inf:
            self._timer = self._loop.call_later(kill_at_s - now_s, self._kill)

    def _ask(self) -> None:
        assert self._child is not None
        try:
            self._child.begin_stop()
        except BaseException:  # a child that cannot even be asked is killed
            if self.state is ChildState.STOPPING:
                self._kill()

    def _start_is_late(self) -> None:
        self._late = ExitReason(ExitKind.ABNORMAL, f"not ready within {self.spec.start_timeout_s} s")
        self._kill()

    def _kill(self) -> None:
        self._killed = True
        run = self.run
        self._cancel_timer()
        self._timer = self._loop.call_later(KILL_WAIT_S, lambda: self._abandon(run))
        try:
            if self._child is not None:
                self._child.kill()
        except BaseException as error:
            self._gone(run, ExitReason(ExitKind.ABNORMAL, f"kill failed: {error}", error))

    def _abandon(self, run: int) -> None:
        if self.run != run or not self.is_up:
            return
        reason = ExitReason(ExitKind.KILLED, "did not end when killed")
        self._tell(self, EventKind.ABANDONED, reason)
        self._gone(run, reason)

    def _ready(self, run: int) -> None:
        if self.run != run or self.state is not ChildState.STARTING or self._late is not None:
            return
        self._cancel_timer()
        self.state = ChildState.RUNNING
        self.started_s = self._loop.clock()
        self._tell(self, EventKind.STARTED, None)
        self._settle_start(None)

    def _gone(self, run: int, reason: ExitReason) -> None:
        if self.run != run or not self.is_up:
            return
        self._cancel_timer()
        before, self._child = self.state, None
        match before:
            case ChildState.STARTING:
                self.state = ChildState.STOPPED
                reason = self._late or reason
                self._tell(self, EventKind.START_FAILED, reason)
                failure = StartFailed(f"child {self.id!r} did not start: {reason}")
                failure.__cause__ = reason.error
                self._settle_start(failure)
            case ChildState.RUNNING:
                self.state = ChildState.EXITED
                self._tell(self, EventKind.EXITED, reason)
                self._exited(self, reason)
            case _:
                self.state = ChildState.STOPPED
                reason = after_request(reason, killed=self._killed)
                self._tell(self, EventKind.EXITED, reason)
                on_stopped, self._on_stopped = self._on_stopped, None
                if on_stopped is not None:
                    on_stopped(reason)

    def _settle_start(self, error: BaseException | None) -> None:
        on_started, self._on_started = self._on_started, None
        if on_started is not None:
            on_started(error)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
