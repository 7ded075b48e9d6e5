"""Nothing that a crash could take back is shown, and what was taken back is told to everyone who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import moonward
from moonward import Completed, FeedTimeout, JournalError, Paused

from .held_runtime import HeldRuntime

TWO = "return {alc.llm('a'), alc.llm('b')}"


@pytest.fixture
def runtime() -> Iterator[HeldRuntime]:
    with HeldRuntime(warm_workers=1) as runtime:
        yield runtime


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(8)
    yield pool
    pool.shutdown(wait=False)  # closing the Runtime ends whatever still waits


def until(condition: Callable[[], Any]) -> None:
    """Look until it is so; the test's own timeout ends it otherwise."""
    while not condition():
        threading.Event().wait(0.002)


def is_open(future: Future[Any]) -> bool:
    """Whether the call has not returned, although what it asked has been done: another question was answered since."""
    return not future.done()


def test_a_session_is_not_shown_before_its_start_is_durable(
    runtime: HeldRuntime, pool: ThreadPoolExecutor
) -> None:
    events = runtime.events()
    runtime.hold()
    starting = pool.submit(runtime.start, "alc.log('info', 'early') return alc.llm('a')")
    until(lambda: runtime.held() and runtime.entries(runtime.held()[0]) == 2)
    shots = pool.submit(runtime.snapshots)
    first = pool.submit(next, events)
    runtime.tree()  # the loop has been round
    assert (is_open(starting), is_open(shots), is_open(first)) == (True, True, True)
    runtime.release()
    session = starting.result(10)
    assert list(shots.result(10)) == [session.id]
    assert [first.result(10).kind, next(events).kind, next(events).kind] == ["started", "log", "paused"]


def test_a_start_that_cannot_be_written_is_refused_and_leaves_nothing(
    runtime: HeldRuntime, pool: ThreadPoolExecutor
) -> None:
    events = runtime.events()
    runtime.hold()
    starting = pool.submit(runtime.start, "while true do end")
    until(runtime.held)
    (lost,) = runtime.held()
    runtime.lose(JournalError("the disk is full"))
    with pytest.raises(JournalError, match="the disk is full"):
        starting.result(10)
    with pytest.raises(moonward.SessionNotFound):
        runtime.session(lost)
    assert runtime.snapshots() == {}
    kept = runtime.start("return 1")
    assert next(events).session_id == kept.id


def test_an_answer_its_event_and_the_next_pause_are_shown_once_durable(
    runtime: HeldRuntime, pool: ThreadPoolExecutor
) -> None:
    session = runtime.start(TWO)
    session.wait(10)
    events = session.events()
    assert [next(events).kind for _ in range(2)] == ["started", "paused"]
    runtime.hold()
    calls = [pool.submit(session.feed, "1", query_id="q-0")]
    until(lambda: runtime.entries(session.id) == 4)
    calls += [pool.submit(work) for work in (session.snapshot, session.transcript, session.wait)]
    calls += [pool.submit(next, events), pool.submit(lambda: session.phase)]
    runtime.tree()
    assert [is_open(call) for call in calls] == [True] * 6
    runtime.release()
    fed, shot, transcript, waited, event, phase = [call.result(10) for call in calls]
    assert isinstance(fed, Paused)
    assert (fed, phase, event.kind) == (waited, "paused", "answered")
    assert shot["metrics"]["llm_calls"] == 2
    assert [each["response"] for each in transcript] == ["1", None]
    session.cancel()


def test_an_answer_that_could_not_be_written_is_as_if_it_had_never_come(
    runtime: HeldRuntime, pool: ThreadPoolExecutor
) -> None:
    session = runtime.start(TWO)
    before = session.wait(10)
    runtime.hold()
    fed = pool.submit(session.feed, "1", query_id="q-0", idempotency_key="k")
    until(lambda: runtime.entries(session.id) == 4)
    runtime.lose(JournalError("the disk is full"))
    with pytest.raises(JournalError, match="the disk is full"):
        fed.result(10)
    assert session.wait(10) == before
    assert session.transcript()[0]["response"] is None
    assert isinstance(session.feed("other", query_id="q-0", idempotency_key="k"), Paused)
    session.feed("2")
    assert session.finished(10).state == Completed(["other", "2"])


def test_a_retry_while_the_first_is_under_way_has_the_outcome_of_the_first(
    runtime: HeldRuntime, pool: ThreadPoolExecutor
) -> None:
    session = runtime.start(TWO)
    session.wait(10)
    runtime.hold()
    first = pool.submit(session.feed, "1", query_id="q-0", idempotency_key="k")
    until(lambda: runtime.entries(session.id) == 4)
    again = pool.submit(runtime.feed, session.id, "1", query_id="q-0", idempotency_key="k")
    runtime.tree()
    assert is_open(again)
    runtime.release()
    assert first.result(10) == again.result(10)
    session.cancel()


@pytest.mark.parametrize("then", ["pauses", "spins"])
def test_a_retry_while_the_first_is_under_way_fails_with_the_first(
    runtime: HeldRuntime, pool: ThreadPoolExecutor, then: str
) -> None:
    session = runtime.start(TWO if then == "pauses" else "alc.llm('a') while true do end")
    session.wait(10)
    runtime.hold()
    first = pool.submit(session.feed, "1", query_id="q-0", idempotency_key="k")
    until(lambda: runtime.entries(session.id) == (4 if then == "pauses" else 3))
    again = pool.submit(runtime.feed, session.id, "1", query_id="q-0", idempotency_key="k")
    runtime.tree()
    assert is_open(again)
    runtime.lose(JournalError("the disk is full"))
    for call in (first, again):
        with pytest.raises(JournalError, match="the disk is full"):
            call.result(10)
    assert session.phase == "paused"
    session.cancel()


def impatient(session: moonward.Session) -> FeedTimeout:
    """What a feed is told whose patience ended after the session had looked at it."""
    while True:
        with pytest.raises(FeedTimeout) as caught:
            session.feed("1", timeout=0.01, idempotency_key="k")
        if caught.value.accepted is not False:
            return caught.value


def test_whether_an_answer_that_was_waited_for_in_vain_is_durable_is_unknown_until_it_is(
    runtime: HeldRuntime,
) -> None:
    session = runtime.start("alc.llm('a') while true do end")
    session.wait(10)
    runtime.hold()
    for _ in range(2):
        error = impatient(session)
        assert (error.query_id, error.accepted) == ("q-0", None)
        assert "not yet known" in str(error)
    runtime.release()
    error = impatient(session)
    assert (error.query_id, error.accepted) == ("q-0", True)
    assert "was accepted" in str(error)
    session.cancel()
