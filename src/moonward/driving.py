"""Feeding a session from a function until it ends.

A driver is one caller among others: what somebody else answered or ended while the responder was thinking is no
error, and neither is a session actor that is being restarted; the driver goes on from there.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

from moonward.actors.errors import AlreadyResponded, SessionRestarting, SettingsError, TransitionError
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.query import LlmQuery, QueryResponse
from moonward.aio import AsyncSession
from moonward.runtime import Session

T = TypeVar("T")
Answer = str | QueryResponse
Outcome = Accepted | Paused | Finished | None
"""Of a feed; None when somebody else was faster."""

AGAIN_S = 0.05
"""Seconds before a session that is being restarted is asked again. Arbitrary; its first restart is at once."""


def drive(session: Session, responder: Callable[[LlmQuery], Answer], *, concurrency: int = 1) -> Finished:
    """Answer every query with `responder(query)` until the session ends.

    Up to `concurrency` queries of a pause are answered at once, in threads. What the responder raises ends the
    driving, and is raised here, once the answers to others of the pause that it is thinking about have been given;
    the session stays paused.
    """
    _check(session, Session, responder, concurrency)
    event = _patiently(session.wait)
    if concurrency == 1:
        while isinstance(event, Paused):
            event = _feed_in_turn(session, event, responder)
        return event
    with ThreadPoolExecutor(concurrency, thread_name_prefix="moonward-drive") as pool:
        while isinstance(event, Paused):
            event = _feed_together(session, event, responder, pool)
    return event


def _feed_in_turn(
    session: Session, paused: Paused, responder: Callable[[LlmQuery], Answer]
) -> Paused | Finished:
    for query in paused.queries:
        outcome = _feed(session, query, responder(query))
        if outcome is None:
            break
        if not isinstance(outcome, Accepted):
            return outcome
    return _patiently(session.wait)


def _feed_together(
    session: Session, paused: Paused, responder: Callable[[LlmQuery], Answer], pool: ThreadPoolExecutor
) -> Paused | Finished:
    asked: dict[Future[Answer], LlmQuery] = {pool.submit(responder, query): query for query in paused.queries}
    following: Paused | Finished | None = None
    wrong: Exception | None = None
    try:
        for each in as_completed(asked):
            if each.cancelled():
                continue
            try:
                outcome = _feed(session, asked[each], each.result())
            except Exception as error:
                wrong = wrong or error
                _cancel(asked)
            else:
                if outcome is None:
                    _cancel(asked)
                elif not isinstance(outcome, Accepted):
                    following = outcome
    except BaseException:
        _cancel(asked)
        raise
    if wrong is not None:
        raise wrong
    return following or _patiently(session.wait)


def _cancel(asked: dict[Future[Answer], LlmQuery]) -> None:
    for each in asked:
        each.cancel()  # those that have begun go on


def _feed(session: Session, query: LlmQuery, given: Answer) -> Outcome:
    response = response_of(query, given)
    try:
        return _patiently(lambda: session.feed(response))
    except (AlreadyResponded, TransitionError):
        return None


def _patiently(work: Callable[[], T]) -> T:
    while True:
        try:
            return work()
        except SessionRestarting:
            time.sleep(AGAIN_S)


async def adrive(
    session: AsyncSession, responder: Callable[[LlmQuery], Awaitable[Answer]], *, concurrency: int = 1
) -> Finished:
    """`drive` for coroutines: `responder` is awaited; up to `concurrency` at once.

    What a responder raises cancels the others of its pause, and is raised here; the session stays paused.
    """
    _check(session, AsyncSession, responder, concurrency)
    room = asyncio.Semaphore(concurrency)

    async def answer(query: LlmQuery, overtaken: asyncio.Event) -> Outcome:
        async with room:
            if overtaken.is_set():
                return None
            response = response_of(query, await _awaitable(responder(query)))
            try:
                return await _patiently_async(lambda: session.feed(response))
            except (AlreadyResponded, TransitionError):
                overtaken.set()
                return None

    event = await _patiently_async(session.wait)
    while isinstance(event, Paused):
        overtaken = asyncio.Event()
        tasks = [asyncio.ensure_future(answer(query, overtaken)) for query in event.queries]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        following = [each for each in outcomes if isinstance(each, Paused | Finished)]
        event = following[0] if following else await _patiently_async(session.wait)
    return event


def _awaitable(answer: Awaitable[Answer]) -> Awaitable[Answer]:
    if not inspect.isawaitable(answer):
        raise SettingsError(
            f"responder must be a coroutine function, as adrive awaits its answer, got {type(answer).__name__}"
        )
    return answer


async def _patiently_async(work: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await work()
        except SessionRestarting:
            await asyncio.sleep(AGAIN_S)


def response_of(query: LlmQuery, given: Answer) -> QueryResponse:
    """The response to `query` that a responder gave; a `QueryResponse` without an id is one to `query`."""
    if isinstance(given, QueryResponse):
        if given.query_id not in (None, query.id):
            raise SettingsError(f"a responder asked for {query.id!r} must not answer {given.query_id!r}")
        return QueryResponse(query.id, given.response, given.usage, given.idempotency_key)
    if not isinstance(given, str):
        raise SettingsError(
            f"a responder must return a string or a QueryResponse, got {type(given).__name__}"
        )
    return QueryResponse(query.id, given)


def _check(session: object, kind: type, responder: object, concurrency: object) -> None:
    if not isinstance(session, kind):
        raise SettingsError(f"session must be of type {kind.__name__}, got {type(session).__name__}")
    if not callable(responder):
        raise SettingsError(
            f"responder must be a function from a query to its answer, got {type(responder).__name__}"
        )
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise SettingsError(f"concurrency must be a positive integer, got {concurrency!r}")
