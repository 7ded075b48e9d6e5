"""One thread that runs many actors over epoll.

Guarantees:
- Jobs posted by one thread run in the order in which it posted them. All jobs run on the loop's thread.
- A job that raises is reported to `on_error` and hurts no other job.
- `stop` runs the jobs that were posted before it.

What does not work: a job that blocks holds up every actor of this loop. Nothing here blocks.

Why a shared loop: a thread for each actor costs 22 KB and, with hundreds of runnable threads, a convoy at the
interpreter's lock; one loop served nearly twice as many messages a second (see `docs/architecture.md`).
"""

from __future__ import annotations

import errno
import heapq
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]

MAX_EVENTS = 256
"""Events taken from epoll at once; arbitrary, bounds the time between two looks at the timers."""

LONGEST_WAIT_S = 3600.0
"""Longest wait for epoll at once; arbitrary, it refuses more than 24 days. A timer may be due much later."""

BURST = 512
"""Jobs run between two looks at epoll; arbitrary, keeps pipes served while messages pour in."""


class Timer:
    """A job to be run later. `cancel` from the loop's thread only."""

    __slots__ = ("due_s", "job")

    def __init__(self, due_s: float, job: Job) -> None:
        self.due_s = due_s
        self.job: Job | None = job

    def cancel(self) -> None:
        """The job will not be run."""
        self.job = None


class Loop:
    """An epoll loop on a daemon thread of its own. `clock` gives monotonic seconds."""

    def __init__(
        self,
        name: str = "moonward-loop",
        clock: Callable[[], float] = time.monotonic,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._name = name
        self.clock = clock
        self._on_error = on_error
        self._jobs: deque[Job] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._watchers: dict[int, Callable[[int], None]] = {}
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._asleep = False
        self._stopping = False
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._ident: int | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller is on this loop's thread."""
        return self._ident == threading.get_ident()

    @property
    def is_running(self) -> bool:
        """Whether posted jobs will still be run."""
        return not self._stopping

    def post(self, job: Job) -> None:
        """Run `job` on the loop's thread, after what this thread posted before. From any thread."""
        self._jobs.append(job)
        if self._asleep:
            self._wake()

    def call_later(self, delay_s: float, job: Job) -> Timer:
        """Run `job` after `delay_s` seconds. From the loop's thread (or before it started)."""
        timer = Timer(self.clock() + max(0.0, delay_s), job)
        heapq.heappush(self._timers, (timer.due_s, next(self._order), timer))
        return timer

    def watch(self, fd: int, on_ready: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        """Call `on_ready(events)` whenever `fd` is ready. Loop thread."""
        self._watchers[fd] = on_ready
        self._epoll.register(fd, events)

    def rewatch(self, fd: int, events: int) -> None:
        """Change the events that a watched `fd` is watched for. Loop thread."""
        self._epoll.modify(fd, events)

    def unwatch(self, fd: int) -> None:
        """Stop watching `fd`; harmless when it is not watched. Call it before closing `fd`. Loop thread."""
        if self._watchers.pop(fd, None) is not None:
            try:
                self._epoll.unregister(fd)
            except OSError as error:  # the descriptor is closed already, which has unregistered it
                if error.errno not in (errno.ENOENT, errno.EBADF):
                    raise

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Run what was posted, then end the thread. True when it has ended within `timeout_s` seconds."""
        self.post(self._stop_here)
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _stop_here(self) -> None:
        self._stopping = True

    def _wake(self) -> None:
        with self._lock:
            if not self._closed:
                self._asleep = False
                try:
                    os.eventfd_write(self._wake_fd, 1)
                except BlockingIOError:
                    pass  # the counter is full: the loop is awake anyway

    def _run(self) -> None:
        self._ident = threading.get_ident()
        try:
            while not self._stopping:
                self._run_jobs()
                self._run_timers()
                if not self._stopping:
                    self._poll()
            while self._jobs:
                self._run_jobs()
        finally:
            with self._lock:
                self._closed = True
                self._epoll.close()
                os.close(self._wake_fd)

    def _run_jobs(self) -> None:
        jobs = self._jobs
        for _ in range(min(len(jobs), BURST)):
            self._guard(jobs.popleft())

    def _run_timers(self) -> None:
        timers = self._timers
        if not timers:
            return
        now_s = self.clock()
        while timers and timers[0][0] <= now_s:
            job = heapq.heappop(timers)[2].job
            if job is not None:
                self._guard(job)

    def _poll(self) -> None:
        timeout_s = self._idle_time()
        self._asleep = True
        if self._jobs:  # posted between the last look and the flag: do not sleep
            timeout_s = 0.0
        try:
            ready = self._epoll.poll(timeout_s, MAX_EVENTS)
        finally:
            self._asleep = False
        for fd, events in ready:
            if fd == self._wake_fd:
                os.eventfd_read(fd)
            elif (on_ready := self._watchers.get(fd)) is not None:
                try:
                    on_ready(events)
                except BaseException as error:
                    self._report(error)

    def _idle_time(self) -> float:
        if self._jobs:
            return 0.0
        while self._timers and self._timers[0][2].job is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1
        return min(LONGEST_WAIT_S, max(0.0, self._timers[0][0] - self.clock()))

    def _guard(self, job: Job) -> None:
        try:
            job()
        except BaseException as error:  # one job must not end the thread of all the others
            self._report(error)

    def _report(self, error: BaseException) -> None:
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:
                pass  # a failing reporter has nobody left to report to
