"""From an event of a session to the result of a call: the host's model answers what it can on the way.

Where the host can be asked, queries are answered within the call, each answer accepted as it comes; where it takes
requests, the call returns them and goes on when it is made again. A query that gets no answer either way comes back
as `needs_response`, for `alc_continue`.
"""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types

from moonward.actors.errors import FeedError, SettingsError, TransitionError
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.query import LlmQuery, QueryResponse
from moonward.servers.desk import Desk
from moonward.servers.host_link import HostLink, Retry, asked_again, may_ask, request_key, text_of
from moonward.supervisor.errors import MoonwardError

Result = dict[str, Any] | types.InputRequiredResult
Event = Accepted | Paused | Finished


async def settle(desk: Desk, host: HostLink, session_id: str, event: Event) -> Result:
    """The result of a call whose session is in `event`."""
    if host.takes_requests:
        return await _request(desk, session_id, event)
    while host.can_sample and isinstance(event, Paused):
        all_answered = await _sample_all(desk, host, session_id, event.queries)
        event = await desk.wait(session_id)
        if not all_answered:
            break
    return _told(desk, session_id, event)


async def resume(desk: Desk, host: HostLink, retry: Retry) -> Result:
    """The result of a call that came again with answers.

    Answers to a pause that is over, because they came before, change nothing: the call goes on from where the
    session is. What was asked and not answered is not asked again.
    """
    session_id = retry.session_id
    standing = await desk.standing(session_id)
    if standing.pause_no == retry.pause_no and standing.pending:
        texts = _texts(session_id, standing.pending, retry)
        taken = [await _feed(desk, session_id, query_id, text) for query_id, text in texts]
        if len(texts) < len(standing.pending) or not all(taken):
            return _told(desk, session_id, await desk.wait(session_id))
    return await settle(desk, host, session_id, await desk.wait(session_id))


def _told(desk: Desk, session_id: str, event: Event) -> dict[str, Any]:
    desk.has_shown(session_id, event)
    return event.to_json(session_id)


async def _request(desk: Desk, session_id: str, event: Event) -> Result:
    while isinstance(event, Paused):
        pause_no, pending = await desk.standing(session_id)
        if pending and not may_ask(pause_no):
            break
        if pending:
            desk.has_shown(session_id, event)
            return asked_again(session_id, pause_no, pending)
        event = await desk.wait(session_id)  # somebody else has answered meanwhile
    return _told(desk, session_id, event)


def _texts(session_id: str, pending: tuple[LlmQuery, ...], retry: Retry) -> list[tuple[str, str]]:
    """Which queries have answers, and these."""
    answers = [(query.id, text_of(retry.answers.get(request_key(session_id, query)))) for query in pending]
    return [(query_id, text) for query_id, text in answers if text is not None]


async def _sample_all(desk: Desk, host: HostLink, session_id: str, queries: tuple[LlmQuery, ...]) -> bool:
    """Have the host's model answer `queries`, all at once, until the session ends; whether all were answered."""
    answered: set[str] = set()
    errors: list[MoonwardError] = []

    async def answer(query: LlmQuery) -> None:
        text = await host.sample(query)
        try:
            if text is not None and await _feed(desk, session_id, query.id, text):
                answered.add(query.id)
        except MoonwardError as error:
            errors.append(error)

    async def answer_all() -> None:
        async with anyio.create_task_group() as group:
            for query in queries:
                group.start_soon(answer, query)
        watch.cancel_scope.cancel()

    async with anyio.create_task_group() as watch:
        watch.start_soon(answer_all)
        try:
            await desk.finished(session_id)
        except MoonwardError as error:
            errors.append(error)
        watch.cancel_scope.cancel()
    if errors:
        raise errors[0]
    return len(answered) == len(queries)


async def _feed(desk: Desk, session_id: str, query_id: str, text: str) -> bool:
    """Feed an answer; False if it is none that could be taken (too long, no valid text).

    Where somebody else was faster, or the session has ended, there is nothing more to ask for.
    """
    try:
        await desk.feed(session_id, [QueryResponse(query_id, text)])
    except SettingsError:
        return False
    except (FeedError, TransitionError):
        pass
    return True
