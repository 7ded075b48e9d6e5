"""Wakes an asyncio event loop for outcomes that come from another thread, once for all that came together.

Theory: `call_soon_threadsafe` writes a byte to a socket, and takes the interpreter's lock away from the caller, for
every call. Under load many replies are set between two turns of the event loop; one call is enough for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Wakeups:
    """Resolves futures of one event loop, from any thread."""

    __slots__ = ("_due", "_is_called", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._due: deque[asyncio.Future[None]] = deque()
        self._is_called = False

    def wake(self, future: asyncio.Future[None]) -> None:
        """Resolve `future`, a future of this event loop; harmless when it is done, or the event loop is closed."""
        self._due.append(future)
        if not self._is_called:
            self._is_called = True
            try:
                self.loop.call_soon_threadsafe(self._resolve)
            except RuntimeError:
                pass  # the event loop was closed: nobody waits there any more

    def _resolve(self) -> None:
        self._is_called = False  # before the look at the queue: what is added after it calls again
        due = self._due
        while due:
            future = due.popleft()
            if not future.done():
                future.set_result(None)
