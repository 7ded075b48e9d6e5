"""What outlives a worker pool that failed, and belongs to its successor.

Takers that wait go on waiting; zygotes go on serving the workers that sessions have; and every zygote is known until
it is gone, so that a Runtime that closes leaves none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from moonward.actors.greeting import Taken
    from moonward.actors.zygote_process import Spawned


class Taker:
    """Someone who takes a worker as soon as there is one, asked for at `since_s` (loop's clock)."""

    __slots__ = ("done", "memory_bytes", "since_s")

    def __init__(self, memory_bytes: int, done: Taken, since_s: float) -> None:
        self.memory_bytes = memory_bytes
        self.done = done
        self.since_s = since_s


class Spawner(Protocol):
    """What the pool needs of a zygote; see `ZygoteProcess`."""

    @property
    def pid(self) -> int: ...

    @property
    def is_ready(self) -> bool: ...

    @property
    def is_gone(self) -> bool: ...

    def spawn(self, memory_bytes: int, done: Spawned) -> None: ...

    def retire(self) -> None: ...

    def close(self, timeout_s: float = ..., done: Callable[[], None] = ...) -> None: ...


class Estate:
    """Handed from pool to pool. Loop thread only."""

    def __init__(self) -> None:
        self.takers: deque[Taker] = deque()
        self._zygotes: list[Spawner] = []

    def add(self, zygote: Spawner) -> None:
        """A zygote was started."""
        self._zygotes = [each for each in self._zygotes if not each.is_gone]
        self._zygotes.append(zygote)

    def close(self, timeout_s: float, done: Callable[[], None]) -> None:
        """End every zygote and its workers; `done()` when all are gone. Killed after `timeout_s` seconds.

        May be called again, by whoever is less patient.
        """
        self._zygotes = [each for each in self._zygotes if not each.is_gone]
        left = len(self._zygotes) + 1

        def gone() -> None:
            nonlocal left
            left -= 1
            if not left:
                done()

        for zygote in self._zygotes:
            zygote.close(timeout_s, gone)
        gone()
