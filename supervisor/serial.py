"""Work that waits, done one piece at a time and each to its end: a supervisor's mailbox.

A task is a generator. It yields a step, a function that is given `resume` and calls it, now or later, with the
value that the `yield` is to have. Nothing blocks and no stack grows, also when every step resumes at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

Step = Callable[[Callable[[Any], None]], None]
Task = Generator[Step, Any, Any]
Done = Callable[[Any, BaseException | None], None]


class Entry:
    """A task in the queue, and who waits for its outcome."""

    __slots__ = ("done", "due", "is_running", "task", "value", "waits")

    def __init__(self, task: Task, done: Done) -> None:
        self.task = task
        self.done = done
        self.value: Any = None
        self.waits = 0
        """Number of the step whose resumption is awaited; earlier ones are ignored."""
        self.due = True
        """Whether it can go on now."""
        self.is_running = False


class Serial:
    """A queue of tasks, run in order, on one thread."""

    def __init__(self) -> None:
        self._queue: deque[Entry] = deque()
        self._current: Entry | None = None
        self._is_pumping = False

    def submit(self, task: Task, done: Done) -> None:
        """Run `task` after those submitted before it, then `done(value, None)` or `done(None, error)`."""
        self._queue.append(Entry(task, done))
        self._pump()

    def abort(self, error: BaseException) -> None:
        """End the current task where it waits, forget the queued ones, and give them all `error`."""
        dropped = [] if self._current is None else [self._current]
        dropped += self._queue
        self._current = None
        self._queue.clear()
        for entry in dropped:
            if not entry.is_running:  # one that aborts itself is closed at its next step
                entry.task.close()
            entry.done(None, error)

    def _pump(self) -> None:
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while True:
                if self._current is None:
                    if not self._queue:
                        return
                    self._current = self._queue.popleft()
                if not self._current.due:
                    return
                self._advance(self._current)
        finally:
            self._is_pumping = False

    def _advance(self, entry: Entry) -> None:
        entry.due = False
        entry.is_running = True
        try:
            step = entry.task.send(entry.value)
        except StopIteration as end:
            self._finish(entry, end.value, None)
            return
        except BaseException as error:
            self._finish(entry, None, error)
            return
        finally:
            entry.is_running = False
        if self._current is not entry:
            entry.task.close()
            return
        entry.waits += 1
        number = entry.waits

        def resume(value: Any) -> None:
            if self._current is entry and entry.waits == number and not entry.due:
                entry.value, entry.due = value, True
                self._pump()

        step(resume)

    def _finish(self, entry: Entry, value: Any, error: BaseException | None) -> None:
        if self._current is entry:
            self._current = None
            entry.done(value, error)
