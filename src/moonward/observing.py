"""Reading event streams, from threads and from coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from moonward.actors.errors import SettingsError
from moonward.actors.event_stream import Event, EventStream, Number, missed


def begin(stream: EventStream, since: object) -> tuple[int, list[Event]]:
    """The number to read after, and what to tell first."""
    if since is None:
        return 0, []
    epoch, n = since if isinstance(since, tuple | list) and len(since) == 2 else (None, None)
    if not isinstance(epoch, str) or isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise SettingsError(f"since must be the number of an event, (epoch, n), got {since!r}")
    if epoch == stream.epoch and not stream.is_remnant:
        return n, []
    return 0, [missed((stream.epoch, 0), stream.session_id, 0, None)]


def is_last(stream: EventStream, event: Event) -> bool:
    """Whether a session's stream ends with this event."""
    return bool(stream.session_id) and event.kind == "finished"


def read(stream: EventStream, since: Number | None) -> Iterator[Event]:
    """The events after `since`; blocks for the next one."""
    after, first = begin(stream, since)
    return _read(stream, after, first)


def _read(stream: EventStream, after: int, first: list[Event]) -> Iterator[Event]:
    yield from first
    while True:
        more = threading.Event()
        events, after = stream.read(after)
        for event in events:
            yield event
            if is_last(stream, event):
                return
        if not events:
            if stream.has_ended:
                return
            if stream.when_more(after, more.set):
                try:
                    more.wait()
                finally:
                    stream.unlisten(more.set)


async def aread(stream: EventStream, since: Number | None) -> AsyncIterator[Event]:
    """The events after `since`; awaits the next one."""
    after, first = begin(stream, since)
    for event in first:
        yield event
    loop = asyncio.get_running_loop()
    while True:
        events, after = stream.read(after)
        for event in events:
            yield event
            if is_last(stream, event):
                return
        if events:
            # a script that tells without end must not keep the event loop from its other tasks
            await asyncio.sleep(0)
            continue
        if stream.has_ended:
            return
        more = asyncio.Event()

        def wake(more: asyncio.Event = more) -> None:
            try:
                loop.call_soon_threadsafe(more.set)
            except RuntimeError:
                pass  # the event loop was closed: nobody waits there any more

        if stream.when_more(after, wake):
            try:
                await more.wait()
            finally:
                stream.unlisten(wake)
