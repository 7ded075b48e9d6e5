"""Tells a host of a script's progress while its call is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from moonward.actors.event_stream import EventStream
from moonward.servers.host_link import HostLink

NUDGE: Final = 0.001
"""How far progress is moved on when a script's step does not: MCP wants each value above the last. Arbitrary, small
beside a step."""

PACE_S: Final = 0.05
"""Shortest time between two looks at what a script reports. Arbitrary: nobody sees less, and a script that reports in a
tight loop must not keep the server from its other calls."""


class ProgressTeller:
    """Tells one call's host what its session's script reports, in order: all that the stream keeps from one look to the
    next."""

    def __init__(self, host: HostLink, stream: EventStream, after: int) -> None:
        self._host = host
        self._stream = stream
        self._after = after
        self._last: float | None = None
        self._over = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Tell of each report as it comes; after `end`, of what has come until then."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        while True:
            self._changed.clear()
            is_over = self._over.is_set()
            events, self._after = self._stream.read(self._after)
            for event in events:
                if event.kind == "progress":
                    data = event.data
                    progress, total = self._moved_on(data["step"]), _number(data["total"])
                    await self._host.tell_progress(progress, total, data["message"])
            if is_over or self._stream.closed:
                return
            await self._rest()
            if self._stream.when_more(self._after, wake):
                try:
                    await self._changed.wait()
                finally:
                    self._stream.unlisten(wake)

    def end(self) -> None:
        """There will be no more."""
        self._over.set()
        self._changed.set()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PACE_S):
                await self._over.wait()

    def _moved_on(self, step: Any) -> float:
        progress = _number(step) or 0.0
        if self._last is not None and progress <= self._last:
            progress = self._last + NUDGE
        self._last = progress
        return progress


def _number(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


@asynccontextmanager
async def telling_progress(host: HostLink, stream: EventStream, after: int) -> AsyncIterator[None]:
    """While the block runs, tell of what the session reports after event number `after`, in order."""
    teller = ProgressTeller(host, stream, after)
    telling = asyncio.create_task(teller.run())  # no task group: it would wrap what the block raises
    try:
        yield
        teller.end()
        await telling
    finally:
        telling.cancel()
