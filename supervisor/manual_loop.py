"""A loop without a thread, whose clock is moved by hand: for tests of what runs on a loop."""

from __future__ import annotations

import heapq
import itertools
import select
import threading
from collections import deque
from collections.abc import Callable

from moonward.supervisor.loop import Job, Loop, Timer


class ManualLoop(Loop):
    """Runs jobs and timers on the caller's thread, when told to, in a fixed order.

    Errors of jobs are raised to the caller of `run` and `advance`, not reported. Descriptors may be watched and are
    looked at by `poll` only.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s
        self.clock = lambda: self.now_s
        self._jobs: deque[Job] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._watchers: dict[int, Callable[[int], None]] = {}
        self._events: dict[int, int] = {}
        self._stopping = False
        self._ident = threading.get_ident()

    def start(self) -> None:
        """Nothing to start."""

    def post(self, job: Job) -> None:
        """Keep `job` for the next `run`. From any thread."""
        self._jobs.append(job)

    def run(self) -> None:
        """Run what was posted and what is due, and what comes of it, until nothing is left to do now."""
        while True:
            while self._jobs:
                self._jobs.popleft()()
            if not self._timers or self._timers[0][0] > self.now_s:
                return
            job = heapq.heappop(self._timers)[2].job
            if job is not None:
                job()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: each timer runs at its own time, in order."""
        until_s = self.now_s + seconds
        self.run()
        while self._timers and self._timers[0][0] <= until_s:
            self.now_s = max(self.now_s, self._timers[0][0])
            self.run()
        self.now_s = until_s

    @property
    def waiting(self) -> int:
        """Timers that have not run and were not cancelled."""
        return sum(timer.job is not None for _due, _order, timer in self._timers)

    def watch(self, fd: int, on_ready: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        """Let `poll` look at `fd`."""
        self._watchers[fd] = on_ready
        self._events[fd] = events

    def rewatch(self, fd: int, events: int) -> None:
        """Change what `poll` looks for."""
        self._events[fd] = events

    def unwatch(self, fd: int) -> None:
        """Forget `fd`."""
        self._watchers.pop(fd, None)
        self._events.pop(fd, None)

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Wait up to `timeout_s` real seconds for a watched descriptor; whether one was ready. Then `run`."""
        poller = select.poll()
        for fd, events in self._events.items():
            poller.register(fd, events)
        ready = poller.poll(timeout_s * 1000)
        for fd, events in ready:
            on_ready = self._watchers.get(fd)
            if on_ready is not None:
                on_ready(events)
        self.run()
        return bool(ready)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Run what was posted; later posts are kept but nobody runs them."""
        self.run()
        self._stopping = True
        return True
