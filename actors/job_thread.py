"""A thread for work that blocks, so that the loop never does.

Guarantees:
- Work runs one piece after the other, in the order of `submit`; `done` runs on the loop, in the same order.
- Every `done` is posted once, whatever the work raises, also when the thread was closed before its turn came.

What does not work: work that never returns holds up all that waits behind it, and `close` gives up on it; the
thread is a daemon, so the process still ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

from moonward.actors.errors import RuntimeClosed
from moonward.supervisor.loop import Loop

T = TypeVar("T")

Task = Callable[[RuntimeClosed | None], None]
"""Runs one piece of work, or refuses it with the given error; posts `done` either way."""


class JobThread:
    """One daemon thread and its queue, started by the first `submit`. `name` names the thread."""

    def __init__(self, loop: Loop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._abandoned = False

    def submit(self, work: Callable[[], T], done: Callable[[T | None, BaseException | None], None]) -> None:
        """Run `work()` on the thread, then `done(value, error)` on the loop. From any thread.

        After `close`, `done` hears `RuntimeClosed`.
        """

        def task(refusal: RuntimeClosed | None) -> None:
            value: T | None = None
            error: BaseException | None = refusal
            if refusal is None:
                try:
                    value = work()
                except BaseException as raised:  # one piece of work must not end the thread of the others
                    error = raised
            self._loop.post(lambda: done(value, error))

        with self._lock:
            closed = self._closed
            if not closed:
                self._tasks.put(task)
                self._start()
        if closed:
            task(self._refusal())

    def close(self, timeout_s: float) -> bool:
        """Take no more work, finish what was submitted; True if that was done within `timeout_s` seconds.

        Otherwise the piece that runs is left alone and the ones behind it are refused. Idempotent.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                self._tasks.put(None)
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        self._abandoned = True
        return not thread.is_alive()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task(self._refusal() if self._abandoned else None)

    def _refusal(self) -> RuntimeClosed:
        return RuntimeClosed(f"{self._name} is closed")
