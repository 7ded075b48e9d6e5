"""The ready workers of a pool that nobody has taken yet, oldest first. None gets older than it may."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from moonward.actors.greeting import ReadyWorker
from moonward.supervisor.loop import Loop, Timer


class WarmShelf:
    """Ready workers, for at most `max_age_s` seconds each (None: for ever). Loop thread only.

    `on_old` is called after workers that got too old were ended.
    """

    def __init__(self, loop: Loop, max_age_s: float | None, on_old: Callable[[], None]) -> None:
        self._loop = loop
        self._max_age_s = max_age_s
        self._on_old = on_old
        self._waiting: deque[tuple[float, ReadyWorker]] = deque()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[ReadyWorker]:
        return iter([ready for _, ready in self._waiting])

    def put(self, ready: ReadyWorker) -> None:
        """Keep a worker."""
        self._waiting.append((self._loop.clock(), ready))
        self._arm()

    def take(self) -> ReadyWorker | None:
        """The worker that has waited longest; None without any that lives."""
        while self._waiting:
            _, ready = self._waiting.popleft()
            if not ready.process.has_exited:
                return ready
        return None

    def remove(self, ready: ReadyWorker) -> bool:
        """Take this one; False if it is not here."""
        for item in self._waiting:
            if item[1] is ready:
                self._waiting.remove(item)
                return True
        return False

    def clear(self) -> None:
        """End all of them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, deque()
        for _, ready in waiting:
            ready.process.close()

    def _arm(self) -> None:
        if self._max_age_s is not None and self._timer is None and self._waiting:
            delay_s = self._waiting[0][0] + self._max_age_s - self._loop.clock()
            self._timer = self._loop.call_later(delay_s, self._end_old)

    def _end_old(self) -> None:
        self._timer = None
        assert self._max_age_s is not None
        born_s = self._loop.clock() - self._max_age_s
        while self._waiting and self._waiting[0][0] <= born_s:
            self._waiting.popleft()[1].process.close()
        self._arm()
        self._on_old()
