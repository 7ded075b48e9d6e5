"""Feeding a session from a function until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from moonward.actors.errors import SettingsError
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.query import LlmQuery, QueryResponse

if TYPE_CHECKING:
    from moonward.aio import AsyncSession
    from moonward.runtime import Session

Answer = str | QueryResponse


def drive(session: Session, responder: Callable[[LlmQuery], Answer], *, concurrency: int = 1) -> Finished:
    """Answer every query with `responder(query)` until the session ends.

    Up to `concurrency` queries of a pause are answered at once, in threads. What the responder raises ends the
    driving, and is raised here; the session stays paused, with the answers that were given.
    """
    _check(concurrency)
    event: Accepted | Paused | Finished = session.wait()
    if concurrency == 1:
        while isinstance(event, Paused):
            for query in event.queries:
                event = session.feed(response_of(query, responder(query)))
        return _finished(event)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="moonward-drive") as pool:
        while isinstance(event, Paused):
            event = _feed_together(session, event, responder, pool)
    return _finished(event)


def _feed_together(
    session: Session, paused: Paused, responder: Callable[[LlmQuery], Answer], pool: ThreadPoolExecutor
) -> Accepted | Paused | Finished:
    asked: dict[Future[Answer], LlmQuery] = {pool.submit(responder, query): query for query in paused.queries}
    event: Accepted | Paused | Finished = paused
    left = set(asked)
    try:
        while left:
            done, left = wait(left, return_when=FIRST_COMPLETED)
            for each in done:
                event = session.feed(response_of(asked[each], each.result()))
    finally:
        for each in left:
            each.cancel()
    return event


async def adrive(
    session: AsyncSession, responder: Callable[[LlmQuery], Awaitable[Answer]], *, concurrency: int = 1
) -> Finished:
    """`drive` for coroutines: `responder` is awaited; up to `concurrency` at once."""
    _check(concurrency)
    room = asyncio.Semaphore(concurrency)
    event: Accepted | Paused | Finished = await session.wait()

    async def answer(query: LlmQuery) -> Accepted | Paused | Finished:
        async with room:
            given = await responder(query)
        return await session.feed(response_of(query, given))

    while isinstance(event, Paused):
        tasks = [asyncio.ensure_future(answer(query)) for query in event.queries]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        event = next(each for each in outcomes if not isinstance(each, Accepted))
    return _finished(event)


def response_of(query: LlmQuery, given: Answer) -> QueryResponse:
    """The response to `query` that a responder gave."""
    if isinstance(given, QueryResponse):
        return given
    if not isinstance(given, str):
        raise SettingsError(
            f"a responder must return a string or a QueryResponse, got {type(given).__name__}"
        )
    return QueryResponse(query.id, given)


def _check(concurrency: int) -> None:
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise SettingsError(f"concurrency must be a positive integer, got {concurrency!r}")


def _finished(event: Accepted | Paused | Finished) -> Finished:
    assert isinstance(event, Finished)
    return event
