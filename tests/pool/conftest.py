"""A loop, and pools on it whose workers run an entry of `entries/pool_entries.py`."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from moonward.actors.worker_pool import ReadyWorker, WorkerPool
from moonward.actors.zygote_process import ZygoteProcess
from moonward.supervisor.loop import Loop

T = TypeVar("T")

ENTRIES = str(Path(__file__).parent / "entries")
PATIENCE_S = 50.0
"""Long enough for a second of CPU time on a machine that has much else to do."""
MIB = 1 << 20


class Desk:
    """Drives things on a loop from a test's thread."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.loop = Loop("tests-loop", on_error=self.errors.append)
        self.loop.start()
        self._closers: list[Callable[[Callable[[], None]], None]] = []
        self._changed = threading.Condition()

    def on_loop(self, work: Callable[[], T]) -> T:
        """Run `work` on the loop, and give what it returns or raises."""
        return self.awaited(lambda done: done(work()))

    def awaited(self, start: Callable[[Callable[[T], None]], None]) -> T:
        """Run `start(done)` on the loop, and give what `done` was called with."""
        outcome: list[T] = []
        failure: list[BaseException] = []
        over = threading.Event()

        def done(value: T) -> None:
            outcome.append(value)
            over.set()

        def run() -> None:
            try:
                start(done)
            except BaseException as error:
                failure.append(error)
                over.set()

        self.loop.post(run)
        assert over.wait(PATIENCE_S), "nothing came"
        if failure:
            raise failure[0]
        return outcome[0]

    def zygote(self, entry: str = "greet", **options: Any) -> ZygoteProcess:
        """A zygote whose workers run `entry`; its loss is an event."""

        def lost(reason: Exception) -> None:
            self.tell("lost", {"reason": reason})

        options.setdefault("on_stderr", lambda text: self.tell("stderr", {"text": text}))
        zygote = self.on_loop(
            lambda: ZygoteProcess(
                self.loop, lost, entry=f"pool_entries:{entry}", entry_paths=[ENTRIES], **options
            )
        )
        self._closers.append(lambda done: zygote.close(2.0, done))
        return zygote

    def pool(
        self, warm: int = 0, entry: str = "greet", start_timeout_s: float = 10.0, **options: Any
    ) -> WorkerPool:
        """A pool, launched, whose workers run `entry`."""

        def spawner(on_lost: Callable[[Any], None], on_stderr: Callable[[str], None]) -> ZygoteProcess:
            return ZygoteProcess(
                self.loop,
                on_lost,
                on_stderr=on_stderr,
                entry=f"pool_entries:{entry}",
                entry_paths=[ENTRIES],
                start_timeout_s=max(start_timeout_s, 5.0),
            )

        options.setdefault("spawner", spawner)
        pool = WorkerPool(self.loop, warm, start_timeout_s=start_timeout_s, on_event=self.tell, **options)
        self.on_loop(pool.launch)
        self._closers.append(lambda done: pool.close(2.0, done))
        return pool

    def ready(self, pool: WorkerPool) -> ZygoteProcess:
        """The zygote of `pool`, once it is ready."""

        def look(done: Callable[[ZygoteProcess], None]) -> None:
            if pool._zygote is not None and pool._zygote.is_ready:
                done(pool._zygote)
            else:
                self.loop.call_later(0.001, lambda: look(done))

        return self.awaited(look)

    def take(self, pool: WorkerPool, memory_bytes: int = 128 * MIB) -> ReadyWorker:
        """A worker from `pool`, or what it raised."""

        def start(done: Callable[[tuple[ReadyWorker | None, Exception | None]], None]) -> None:
            pool.take(memory_bytes, lambda ready, error: done((ready, error)))

        ready, error = self.awaited(start)
        if error is not None:
            raise error
        assert ready is not None
        return ready

    def tell(self, name: str, fields: dict[str, Any]) -> None:
        """An event of a pool."""
        with self._changed:
            self.events.append((name, fields))
            self._changed.notify_all()

    def event(self, name: str, count: int = 1) -> dict[str, Any]:
        """The `count`th event with that name, awaited."""

        def found() -> dict[str, Any] | None:
            named = [fields for each, fields in self.events if each == name]
            return named[count - 1] if len(named) >= count else None

        with self._changed:
            fields = self._changed.wait_for(found, PATIENCE_S)
        assert fields is not None, f"no {name}"
        return fields

    def idle(self, pool: WorkerPool, count: int) -> None:
        """Wait until `count` workers are idle."""

        def look(done: Callable[[bool], None]) -> None:
            if len(pool._idle) == count:
                done(True)
            else:
                self.loop.call_later(0.001, lambda: look(done))

        self.awaited(look)

    def close(self) -> None:
        """End everything, and then the loop."""
        for closer in reversed(self._closers):
            self.awaited(lambda done, closer=closer: closer(lambda: done(None)))
        assert self.loop.stop(PATIENCE_S)
        assert not self.errors, self.errors


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def ended_within(pidfd: int, timeout_s: float) -> bool:
    """Whether the process of `pidfd` ends in time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def say(ready: ReadyWorker, data: bytes) -> bytes:
    """Write to a worker and read what it writes back."""
    os.write(ready.process.stdin_fd, data)
    return hear(ready)


def hear(ready: ReadyWorker) -> bytes:
    """The next that a worker writes."""
    poll = select.poll()
    poll.register(ready.process.stdout_fd, select.POLLIN)
    assert poll.poll(PATIENCE_S * 1000), "the worker says nothing"
    return os.read(ready.process.stdout_fd, 4096)
