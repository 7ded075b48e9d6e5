"""Feeding on a real Runtime: the order of checks in every phase and place, keys, batches, handles, timeouts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import moonward
from moonward import (
    Accepted,
    AlreadyResponded,
    AmbiguousQuery,
    Completed,
    FeedError,
    FeedTimeout,
    Finished,
    IdempotencyConflict,
    Paused,
    QueryResponse,
    Session,
    TransitionError,
    UnknownQuery,
)
from moonward.testing import FaultyRuntime

PATIENCE_S = 20.0
CODE = """
local first = alc.llm('first')
local t = alc.llm_batch{{prompt = 'a'}, {prompt = 'b'}}
if t[2] == 'spin' then while true do end end
if t[2] == 'fail' then error('x') end
return {first, t[1], t[2]}
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[FaultyRuntime]:
    with FaultyRuntime(warm_workers=2, restart_intensity=100) as shared:
        yield shared


def asleep(runtime: FaultyRuntime, session: Session) -> None:
    runtime._on_loop(lambda services: services.registry.actors[session.id].hibernate())
    assert session.snapshot()["residency"] == "hibernated"


def recovering(runtime: FaultyRuntime, session: Session) -> None:
    """Its worker is lost, and the one that replaces it is stopped before it gets anywhere."""
    pids = runtime.workers(session.id)
    runtime.faults.add("stop", "begun", session=session.id, times=1)
    assert runtime.kill_worker(session.id)
    while runtime.workers(session.id) in (pids, {}):
        pass  # it is stopped in the turn of the loop in which it becomes the session's
    assert session.snapshot()["residency"] == "recovering"


def impatient(session: Session, text: str) -> FeedTimeout:
    """What a feed of q-2 is told that can only time out, once the session has looked at it."""
    while True:
        with pytest.raises(FeedTimeout) as caught:
            session.feed(text, query_id="q-2", timeout=0.02)
        if caught.value.accepted is not False:
            return caught.value


def spinning(runtime: FaultyRuntime, session: Session) -> None:
    assert impatient(session, "spin").accepted is True


PLACES: dict[str, Callable[[FaultyRuntime, Session], Any]] = {
    "live": lambda runtime, session: None,
    "hibernated": asleep,
    "recovering": recovering,
    "running": spinning,
    "completed": lambda runtime, session: session.feed("x", query_id="q-2"),
    "failed": lambda runtime, session: session.feed("fail", query_id="q-2"),
    "cancelled": lambda runtime, session: session.cancel(),
}
WAITING = ["live", "hibernated", "recovering"]
ENDED = ["completed", "failed", "cancelled"]


@pytest.fixture
def session_in(runtime: FaultyRuntime) -> Iterator[Callable[[str], Session]]:
    """Makes a session whose q-0 and q-1 have answers with keys, and whose q-2 waits, in this place."""
    made: list[Session] = []

    def make(place: str) -> Session:
        session = runtime.start(CODE)
        made.append(session)
        session.wait(PATIENCE_S)
        session.feed("1", query_id="q-0", idempotency_key="k0")
        session.feed("2", query_id="q-1", idempotency_key="k1")
        PLACES[place](runtime, session)
        return session

    yield make
    for session in made:
        if session.phase in ("running", "paused"):
            session.cancel()


@pytest.mark.parametrize("place", PLACES)
def test_the_key_is_looked_at_first_in_every_phase_and_place(
    session_in: Callable[[str], Session], place: str
) -> None:
    session = session_in(place)
    assert session.feed("2", query_id="q-1", idempotency_key="k1") == Accepted(1)
    first = session.feed("1", query_id="q-0", idempotency_key="k0")
    assert isinstance(first, Paused)
    assert [query.id for query in first.queries] == ["q-1", "q-2"]
    for query_id, text in (("q-1", "3"), ("q-0", "2"), ("q-9", "2"), (None, "2")):
        with pytest.raises(IdempotencyConflict) as caught:
            session.feed(text, query_id=query_id, idempotency_key="k1")
        assert caught.value.key == "k1"


@pytest.mark.parametrize("place", ENDED)
@pytest.mark.parametrize("query_id", ["q-9", "q-0", "q-2", None])
def test_then_whether_the_session_has_ended(
    session_in: Callable[[str], Session], place: str, query_id: str | None
) -> None:
    with pytest.raises(TransitionError, match=f"expected paused, but the session is {place}") as caught:
        session_in(place).feed("x", query_id=query_id, idempotency_key="new")
    assert (caught.value.expected, caught.value.actual) == ("paused", place)


@pytest.mark.parametrize("place", [*WAITING, "running"])
def test_then_whether_the_query_was_ever_asked_then_whether_it_has_its_answer(
    session_in: Callable[[str], Session], place: str
) -> None:
    session = session_in(place)
    with pytest.raises(UnknownQuery) as unknown:
        session.feed("x", query_id="q-9")
    assert unknown.value.query_id == "q-9"
    for query_id in ("q-0", "q-1"):
        with pytest.raises(AlreadyResponded) as answered:
            session.feed("x", query_id=query_id)
        assert answered.value.query_id == query_id
    assert [each["response"] for each in session.transcript()][:2] == ["1", "2"]


def test_without_an_id_a_running_session_takes_nothing(session_in: Callable[[str], Session]) -> None:
    with pytest.raises(TransitionError, match="expected paused, but the session is running"):
        session_in("running").feed("x")


@pytest.mark.parametrize("place", WAITING)
def test_a_session_that_sleeps_or_is_recovering_takes_answers_as_a_paused_one_does(
    runtime: FaultyRuntime, session_in: Callable[[str], Session], place: str
) -> None:
    session = session_in(place)
    event = session.wait(PATIENCE_S)
    assert isinstance(event, Paused)
    assert [query.id for query in event.queries] == ["q-2"]
    if place == "recovering":  # the answer is taken at once, although nobody can use it before it goes on
        assert impatient(session, "3").accepted is True
        runtime.continue_worker(session.id)
        end: object = session.finished(PATIENCE_S)
    else:
        end = session.feed("3", timeout=PATIENCE_S)
    assert isinstance(end, Finished)
    assert end.state == Completed(["1", "2", "3"])


def test_of_several_pending_queries_one_must_be_named(runtime: FaultyRuntime) -> None:
    session = runtime.start("return alc.llm_batch{{prompt='a'}, {prompt='b'}, {prompt='c'}}")
    session.wait(PATIENCE_S)
    for door in (session.feed, lambda text: runtime.feed(session.id, text)):
        with pytest.raises(
            AmbiguousQuery, match="3 queries are pending; say which one with query_id"
        ) as caught:
            door("x")
        assert caught.value.count == 3
    session.cancel()


# Handles


def test_a_handle_answers_without_an_id_only_what_it_has_been_shown(runtime: FaultyRuntime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b'), alc.llm('c')}")
    with pytest.raises(AmbiguousQuery, match="1 query is pending, but this handle has not been shown it"):
        until_paused(session)
        session.feed("x")
    other = runtime.session(session.id)
    assert isinstance(session.wait(PATIENCE_S), Paused)
    session.feed("1", query_id="q-0", idempotency_key="k")
    other.wait(PATIENCE_S)
    other.feed("2")
    for retry in (
        lambda: session.feed("2"),
        lambda: session.feed_batch([QueryResponse(None, "2")]),
        lambda: session.feed(QueryResponse(None, "2")),
        lambda: session.feed_batch([QueryResponse("q-0", "1", None, "k"), QueryResponse(None, "2")]),
    ):
        with pytest.raises(AmbiguousQuery):
            retry()
    assert [each["response"] for each in session.transcript()] == ["1", "2", None]
    assert isinstance(runtime.feed(session.id, "3"), Finished)


def until_paused(session: Session) -> None:
    while session.phase != "paused":
        pass


def test_a_retry_after_a_timeout_never_answers_the_next_question(runtime: FaultyRuntime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
    session.wait(PATIENCE_S)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(runtime.feed, session.id, "1")  # the answer went in, its outcome did not reach us
        lost.result(PATIENCE_S)
    with pytest.raises(AmbiguousQuery):
        session.feed("1")
    with pytest.raises(AlreadyResponded):
        session.feed("1", query_id="q-0")
    assert session.transcript()[1]["response"] is None
    session.cancel()


def test_what_one_handle_was_shown_in_two_threads_counts_for_both(runtime: FaultyRuntime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
    late = session.wait(PATIENCE_S)
    assert isinstance(session.feed("1"), Paused)
    session._see(late)  # the other thread comes back from its wait only now
    assert isinstance(session.feed("2"), Finished)


# Keys and batches


def test_a_key_is_good_for_as_long_as_its_session_is_there(runtime: FaultyRuntime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
    session.wait(PATIENCE_S)
    second = session.feed("1", idempotency_key="k")
    runtime.lose_session(session.id)
    while True:
        try:
            assert session.feed("1", idempotency_key="k") == second  # without the id, as the first time
            break
        except moonward.SessionRestarting:
            continue
    end = session.feed("2", query_id="q-1", idempotency_key="l")
    again = session.feed("2", query_id="q-1", idempotency_key="l")
    assert again == end == session.finished()
    assert session.feed("1", idempotency_key="k") == second


def test_a_retry_must_name_the_query_if_the_first_call_did(runtime: FaultyRuntime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
    session.wait(PATIENCE_S)
    session.feed("1", query_id="q-0", idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        session.feed("1", idempotency_key="k")
    session.cancel()


def test_each_answer_of_a_batch_has_a_key_of_its_own(runtime: FaultyRuntime) -> None:
    session = runtime.start("return alc.llm_batch{{prompt='a'}, {prompt='b'}, {prompt='c'}}")
    session.wait(PATIENCE_S)
    two = [QueryResponse("q-0", "1", None, "k0"), QueryResponse("q-1", "2", None, "k1")]
    assert session.feed_batch(two) == session.feed_batch(two) == Accepted(1)
    assert session.feed("1", query_id="q-0", idempotency_key="k0") == Accepted(1)
    with pytest.raises(IdempotencyConflict):
        session.feed_batch([QueryResponse("q-2", "3"), QueryResponse("q-1", "other", None, "k1")])
    with pytest.raises(IdempotencyConflict):
        session.feed_batch([QueryResponse("q-2", "3", None, "k0")])
    end = session.feed_batch([two[0], QueryResponse("q-2", "3")])  # one was there, one is new
    assert isinstance(end, Finished)
    assert end.state == Completed(["1", "2", "3"])


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (QueryResponse("q-9", "x"), UnknownQuery),
        (QueryResponse("q-0", "x"), AlreadyResponded),
        (QueryResponse("q-1", "again"), AlreadyResponded),
        (QueryResponse("q-2", "x", None, "k"), IdempotencyConflict),
        (QueryResponse(None, "x"), AmbiguousQuery),
    ],
)
def test_one_bad_answer_refuses_its_whole_batch(
    runtime: FaultyRuntime, bad: QueryResponse, error: type[FeedError]
) -> None:
    session = runtime.start("return alc.llm_batch{{prompt='a'}, {prompt='b'}, {prompt='c'}}")
    session.wait(PATIENCE_S)
    session.feed("1", query_id="q-0")
    before = session.transcript(), session.wait()
    with pytest.raises(error):
        session.feed_batch([QueryResponse("q-1", "2", None, "k"), bad])
    assert (session.transcript(), session.wait()) == before
    session.cancel()


# Many at once


def test_of_many_threads_that_answer_the_same_query_one_is_heard(runtime: FaultyRuntime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
    session.wait(PATIENCE_S)
    threads = 16
    together = threading.Barrier(threads)

    def answer(number: int) -> object:
        together.wait(PATIENCE_S)
        try:
            return session.feed(str(number), query_id="q-0")
        except AlreadyResponded as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        outcomes = list(pool.map(answer, range(threads)))
    heard = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Paused)]
    assert len(heard) == 1
    assert session.transcript()[0]["response"] == str(heard[0])
    assert sum(isinstance(outcome, AlreadyResponded) for outcome in outcomes) == threads - 1
    session.cancel()


def test_of_many_retries_with_one_key_all_have_the_same_outcome(runtime: FaultyRuntime) -> None:
    session = runtime.start("alc.llm('a') return alc.llm('b')")
    session.wait(PATIENCE_S)
    with ThreadPoolExecutor(16) as pool:
        calls = [
            pool.submit(session.feed, "1", query_id="q-0", idempotency_key="k", timeout=PATIENCE_S)
            for _ in range(64)
        ]
        outcomes = [call.result() for call in calls]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert isinstance(outcomes[0], Paused)
    assert session.snapshot()["metrics"]["rounds"] == 1
    session.cancel()


def test_one_handle_hammered_from_all_sides_loses_nothing(runtime: FaultyRuntime) -> None:
    """Threads answer, look, wait and watch with one handle, while its worker is killed now and then."""
    count = 60
    session = runtime.start(
        f"local said = {{}} for i = 1, {count} do said[i] = alc.llm('ask ' .. i) end return said"
    )
    accepted: dict[str, str] = {}
    wrong: list[BaseException] = []
    lock = threading.Lock()
    over = threading.Event()

    def guarded(work: Callable[[], None]) -> None:
        try:
            while not over.is_set():
                work()
        except BaseException as error:
            wrong.append(error)
            over.set()

    def answer() -> None:
        event = session.wait(PATIENCE_S)
        if isinstance(event, Finished):
            over.set()
            return
        for query in event.queries:
            text = f"{threading.get_ident()} says {query.prompt}"
            try:
                session.feed(text, query_id=query.id, timeout=PATIENCE_S)
            except (AlreadyResponded, TransitionError):
                continue
            with lock:
                assert query.id not in accepted
                accepted[query.id] = text

    def look() -> None:
        shot = session.snapshot("full", include_history=True)
        assert shot["phase"] in ("running", "paused", "completed")
        assert len(session.transcript()) >= shot["metrics"]["llm_calls"]

    def watch() -> None:
        kinds = [event.kind for event in session.events()]
        assert (kinds.count("answered"), kinds[-1]) == (count, "finished")

    def kill() -> None:
        for event in session.events():
            if event.kind == "paused" and event.number[1] % 60 == 0:
                runtime.kill_worker(session.id)
        over.wait(PATIENCE_S)

    works = [answer] * 4 + [look] * 2 + [watch] * 2 + [kill]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert wrong == []
    end = session.finished(PATIENCE_S)
    assert isinstance(end.state, Completed)
    assert end.state.result == [accepted[f"q-{n}"] for n in range(count)]
    assert end.metrics["auto"]["rounds"] == count
