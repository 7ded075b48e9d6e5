"""The standard error that all workers of a zygote share: one pipe, read on the loop, capped.

A worker has nothing to say there but its last words (an abort, a traceback before it was confined). The pipe is
non-blocking at the workers' end, so that nobody ever waits for a reader; and a flood is read at most
`MAX_BYTES_PER_SECOND` fast, so that it cannot keep the loop busy either.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from moonward.actors.plain_text import printable
from moonward.supervisor.loop import Loop

MAX_BYTES_PER_SECOND = 65536
"""One full pipe a second. Arbitrary; last words are a few hundred bytes."""


class WorkerStderr:
    """Reads a pipe and passes its text on, control characters escaped. Loop thread only."""

    def __init__(self, loop: Loop, on_text: Callable[[str], None]) -> None:
        self._loop = loop
        self._on_text = on_text
        self._fd, self.write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._left_bytes = MAX_BYTES_PER_SECOND
        self._paused = False
        self.last_line = ""
        loop.watch(self._fd, lambda _events: self._read())

    def close_write_end(self) -> None:
        """The zygote has it now."""
        fd, self.write_fd = self.write_fd, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Read what is left and close the pipe. Idempotent."""
        self.close_write_end()
        self.drain()
        self._stop()

    def drain(self) -> None:
        """Read what is there now."""
        if self._fd >= 0:
            self._read()

    def _stop(self) -> None:
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        try:
            data = os.read(self._fd, MAX_BYTES_PER_SECOND)
        except BlockingIOError:
            return
        if not data:
            self._stop()
            return
        text = printable(data.decode(errors="backslashreplace"))
        self.last_line = text.rstrip("\n").rpartition("\n")[2] or self.last_line
        self._left_bytes -= len(data)
        if self._left_bytes <= 0 and not self._paused:
            self._paused = True
            self._loop.unwatch(self._fd)
            self._loop.call_later(1.0, self._resume)
        self._on_text(text)

    def _resume(self) -> None:
        self._left_bytes, self._paused = MAX_BYTES_PER_SECOND, False
        if self._fd >= 0:
            self._loop.watch(self._fd, lambda _events: self._read())
