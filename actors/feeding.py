"""How answers are taken: validate all, record, apply, tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moonward.actors.errors import AmbiguousQuery, SettingsError, TooManySessions
from moonward.actors.interaction import Accepted
from moonward.actors.journal.entries import Answered, Batch
from moonward.actors.query import QueryResponse
from moonward.actors.session_state import Repeat
from moonward.actors.tokens import MOST_UTF8_BYTES, utf8_bytes
from moonward.supervisor.errors import MoonwardError

if TYPE_CHECKING:
    from moonward.actors.messages import Feed
    from moonward.actors.session_actor import SessionActor


ROOM_SHARE = 16
"""A frame of answers leaves one part in so many to what else it holds: lengths, and readings of the clock."""


def feed(session: SessionActor, message: Feed) -> None:
    """Apply a feed to its session."""
    try:
        checked = _check(session, message)
        _check_size(session, message)
    except MoonwardError as error:
        session.refuse_after(message.reply, error)
        return
    first, last = checked[0][0], checked[-1][0]
    message.query_id = first.query_id if isinstance(first, Repeat) else first
    fresh = [(target, response) for target, response in checked if isinstance(target, str)]
    if fresh:
        _apply(session, message, fresh)
    else:
        assert isinstance(last, Repeat)
        _repeat(session, message, last)


def _check(session: SessionActor, message: Feed) -> list[tuple[str | Repeat, QueryResponse]]:
    checked = _checked(session, message)
    if not session.has_room:
        fresh = sum(isinstance(each, str) for each, _ in checked)
        if fresh and fresh == len(session.state.pending):
            raise TooManySessions(session.no_room)
    return checked


def _checked(session: SessionActor, message: Feed) -> list[tuple[str | Repeat, QueryResponse]]:
    state, responses, shown = session.state, message.responses, message.shown
    found: list[str | Repeat]
    if len(responses) > 1:
        found = state.check_batch(responses)
    else:
        only = responses[0]
        found = [state.check_feed(only.query_id, only.idempotency_key, only.response)]
    if shown is not None:
        for target, given in zip(found, responses, strict=True):
            if given.query_id is None and isinstance(target, str) and target not in shown:
                raise AmbiguousQuery(1, ", but this handle has not been shown it")
    return list(zip(found, responses, strict=True))


def _check_size(session: SessionActor, message: Feed) -> None:
    """The answers of a pause go to the script in one frame."""
    frame_bytes = session.limits.max_frame_bytes
    most = frame_bytes - frame_bytes // ROOM_SHARE
    given = [each.response for each in message.responses]
    if sum(map(len, given)) * MOST_UTF8_BYTES + session.state.answered_bytes <= most:
        return
    together = session.state.answered_bytes + sum(utf8_bytes(text) for text in given)
    if together > most:
        raise SettingsError(
            f"response is too long: the answers of a pause may have {most} bytes together"
            f" (limits.max_frame_bytes is {frame_bytes}), these would have {together}"
        )


def _apply(session: SessionActor, message: Feed, fresh: list[tuple[str, QueryResponse]]) -> None:
    now = session.now()
    answers = [
        Answered(
            query_id,
            response.response,
            now.wall_ms,
            response.usage,
            response.idempotency_key,
            response.query_id is not None,
            len(fresh),
        )
        for query_id, response in fresh
    ]
    remaining = 0
    for answer in answers:
        remaining = session.state.answer(answer, now)
    session.append(answers[0] if len(answers) == 1 else Batch(answers), more=not remaining)
    session.fed(now)
    session.when_durable(lambda: _accept(message))
    for answer in answers:
        session.tell_all("answered", {"query_id": answer.query_id, "remaining": remaining}, now)
    if remaining:
        session.after(message.reply, Accepted(remaining))
        return
    session.wait_next(message.reply)
    session.fail_with_journal(message.reply)
    session.resume(now)


def _accept(message: Feed) -> None:
    message.reply.accepted = True


def _repeat(session: SessionActor, message: Feed, repeat: Repeat) -> None:
    """The outcome that the first call had, or will have."""
    session.when_durable(lambda: _accept(message))
    if repeat.remaining:
        session.after(message.reply, Accepted(repeat.remaining))
        return
    outcome = session.state.event_after(repeat.pause_no)
    if outcome is not None:
        session.after(message.reply, outcome)
    elif session.may_wake(message.reply):
        session.wake()
        session.wait_next(message.reply)
        session.fail_with_journal(message.reply)
