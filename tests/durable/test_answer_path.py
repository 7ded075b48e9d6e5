"""Promise one, as an adversary sees it: commits are slow, fail, or are under way while parts are lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonward.actors.errors import (
    AlreadyResponded,
    FeedTimeout,
    JournalError,
    SessionNotFound,
    SessionRestarting,
    TransitionError,
)
from moonward.actors.interaction import Finished, Paused
from moonward.actors.messages import Look
from moonward.actors.terminal import Completed, Failed

from .steered import WAIT_S, Call, SteeredRuntime, kept, kinds, paused


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[SteeredRuntime]:
    """A Runtime whose journal is steered."""
    with SteeredRuntime(tmp_path / "j.db") as runtime:
        yield runtime


# -- nothing is observable before it is durable ------------------------------------------------------------------------


def test_a_start_is_seen_by_nobody_before_it_is_durable(runtime: SteeredRuntime) -> None:
    with runtime.hold():
        start = Call(lambda: runtime.start("alc.log('info', 'hello') return alc.llm('one?')"))
        runtime.until(lambda services: services.registry.actors)
        (session_id,) = runtime.here(lambda services: list(services.registry.actors))
        runtime.is_in(session_id, "paused")
        shots = Call(runtime.snapshots)
        look = Call(lambda: runtime.session(session_id))
        runtime.here(lambda services: None)
        assert kinds(runtime) == []
        assert [call.is_over for call in (start, shots, look)] == [False] * 3
    assert start.result().id == session_id
    assert list(shots.result()) == [session_id]
    assert look.result().wait(WAIT_S).queries[0].prompt == "one?"
    runtime.until(lambda services: len(kinds(runtime)) >= 3)
    assert kinds(runtime) == ["started", "log", "paused"]


def test_a_start_that_fails_is_no_session_and_no_event(runtime: SteeredRuntime) -> None:
    with runtime.broken():
        with pytest.raises(JournalError, match="is locked"):
            runtime.start("return alc.llm('one?')")
        assert runtime.snapshots() == {}
    assert kinds(runtime) == []
    runtime.until(lambda services: not services.registry.actors)
    assert list(runtime.sessions()) == []
    assert runtime.start("return 1").finished(WAIT_S).state == Completed(1)


def test_an_answer_is_seen_by_nobody_before_it_is_durable(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    with runtime.hold():
        feed = Call(lambda: session.feed("a", query_id="q-0"))
        runtime.has_entries(session.id, 4)  # started, paused, answered, paused
        calls = [
            Call(lambda: session.phase),
            Call(session.snapshot),
            Call(session.transcript),
            Call(lambda: runtime.session(session.id).wait()),
            Call(lambda: session.feed("b", query_id="q-0")),
            Call(lambda: session.feed("c", query_id="q-9")),
            Call(runtime.snapshots),
        ]
        runtime.here(lambda services: None)
        assert [call.is_over for call in calls] == [False] * len(calls)
        assert not feed.is_over
        assert kinds(runtime, session.id) == ["started", "paused"]
    assert [query.id for query in feed.result().queries] == ["q-1"]
    assert isinstance(calls[4].error(), AlreadyResponded)


def test_a_restarted_actor_shows_nothing_that_its_predecessor_had_not_made_durable(
    runtime: SteeredRuntime,
) -> None:
    session = paused(runtime)
    with runtime.hold():
        feed = Call(lambda: session.feed("a", query_id="q-0"))
        runtime.has_entries(session.id, 4)
        old = runtime.actor(session.id)
        runtime.here(lambda services: old.end(RuntimeError("a fault")))
        runtime.until(lambda services: services.registry.actors.get(session.id) not in (None, old))
        wait = Call(session.wait)
        phase = Call(lambda: session.phase)
        runtime.here(lambda services: None)
        assert [call.is_over for call in (feed, wait, phase)] == [False] * 3
    assert [query.id for query in feed.result().queries] == ["q-1"]
    assert [query.id for query in wait.result().queries] == ["q-1"]
    assert session.transcript()[0]["response"] == "a"


def test_a_restarted_actor_takes_back_what_its_predecessor_could_not_make_durable(
    runtime: SteeredRuntime,
) -> None:
    session = paused(runtime)
    with runtime.broken():
        with runtime.hold():
            feed = Call(lambda: session.feed("lost", query_id="q-0"))
            runtime.has_entries(session.id, 4)
            old = runtime.actor(session.id)
            runtime.here(lambda services: old.end(RuntimeError("a fault")))
            runtime.until(lambda services: services.registry.actors.get(session.id) not in (None, old))
            wait = Call(session.wait)
            phase = Call(lambda: session.phase)
            runtime.here(lambda services: None)
        assert isinstance(feed.error(), JournalError)
        assert isinstance(wait.error(), JournalError)
        assert phase.result() == "paused"
    assert [query.id for query in session.wait(WAIT_S).queries] == ["q-0"]
    assert isinstance(session.feed("a", query_id="q-0", timeout=WAIT_S), Paused)
    assert session.feed("b", query_id="q-1", timeout=WAIT_S).state == Completed("ab")


# -- a commit that fails -----------------------------------------------------------------------------------------------


def test_everyone_who_waits_for_an_answer_that_fails_is_told(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    other_handle = runtime.session(session.id)
    with runtime.broken():
        with runtime.hold():
            feed = Call(lambda: session.feed("a", query_id="q-0", idempotency_key="k"))
            runtime.has_entries(session.id, 4)
            again = Call(lambda: session.feed("a", query_id="q-0", idempotency_key="k"))
            other = Call(lambda: session.feed("b", query_id="q-0"))
            unknown = Call(lambda: session.feed("b", query_id="q-7"))
            wait = Call(other_handle.wait)
            end = Call(session.finished)
            runtime.until(lambda services: len(services.registry.actors[session.id]._end_waiters) == 1)
        for call in (feed, again, other, unknown, wait):
            assert isinstance(call.error(), JournalError)
        assert isinstance(end.error(), JournalError)
    assert session.transcript() == [{"query_id": "q-0", "prompt": "one?", "system": None, "response": None}]
    session.feed("x", query_id="q-0", idempotency_key="k", timeout=WAIT_S)
    assert session.feed("y", query_id="q-1", timeout=WAIT_S).state == Completed("xy")
    assert [event.kind for event in kept(runtime, session.id) if event.kind == "answered"] == ["answered"] * 2


def test_a_wait_that_joined_a_running_session_is_told_when_its_answer_fails(runtime: SteeredRuntime) -> None:
    session = paused(runtime, "alc.llm('one?') while true do end")
    other_handle = runtime.session(session.id)
    with runtime.broken():
        with runtime.hold():
            feed = Call(lambda: session.feed("a", query_id="q-0"))
            runtime.is_in(session.id, "running")
            wait = Call(other_handle.wait)
            runtime.until(lambda services: len(services.registry.actors[session.id]._waiters) == 2)
        assert isinstance(feed.error(), JournalError)
        assert isinstance(wait.error(), JournalError)
    assert [query.id for query in session.wait(WAIT_S).queries] == ["q-0"]


def test_looking_goes_on_while_the_journal_cannot_be_written(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    with runtime.broken():
        with runtime.hold():
            feed = Call(lambda: session.feed("a", query_id="q-0"))
            runtime.has_entries(session.id, 4)
            phase = Call(lambda: session.phase)
            shot = Call(session.snapshot)
            shots = Call(runtime.snapshots)
            runtime.here(lambda services: None)
        assert isinstance(feed.error(), JournalError)
        assert phase.result() == "paused"
        assert shot.result()["pending_queries"] == 1
        assert shot.result()["metrics"]["rounds"] == 0
        assert shots.result()[session.id]["pending_queries"] == 1
        assert session.transcript()[0]["response"] is None


def test_a_running_session_whose_pause_could_not_be_written_goes_on_by_itself(
    runtime: SteeredRuntime,
) -> None:
    session = paused(runtime, "local a = alc.llm('one?') alc.state.set('k', 1) return a .. alc.llm('two?')")
    with runtime.hold() as gate:
        feed = Call(lambda: session.feed("a", query_id="q-0"))
        runtime.has_entries(session.id, 3)
        gate.set()  # the answer is written; what the Lua then does meets a locked file
        runtime.until(lambda services: services.registry.actors[session.id]._outbox._durable)
        events = runtime.events()
    with runtime.broken():
        pass
    assert [query.id for query in feed.result().queries] == ["q-1"]
    assert next(events).kind == "started"


def test_an_answer_that_is_in_is_not_refused_because_what_followed_could_not_be_written(
    runtime: SteeredRuntime,
) -> None:
    session = paused(runtime)
    workers = runtime.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    feed = Call(lambda: session.feed("a", query_id="q-0", idempotency_key="k"))
    runtime.has_entries(session.id, 3)
    runtime.until(lambda services: services.registry.actors[session.id]._outbox.is_clear)
    with runtime.broken():
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        error = feed.error()
    assert isinstance(error, SessionRestarting)
    assert "the answer is in the journal" in str(error)
    assert session.transcript()[0]["response"] == "a"
    again = session.feed("a", query_id="q-0", idempotency_key="k", timeout=WAIT_S)
    assert [query.prompt for query in again.queries] == ["two?"]


def test_an_end_that_could_not_be_written_comes_again_when_it_can(runtime: SteeredRuntime) -> None:
    session = runtime.start("return alc.llm('one?')")
    session.wait(WAIT_S)
    with runtime.broken():
        with runtime.hold():
            cancel = Call(lambda: session.cancel("enough"))
            runtime.is_in(session.id, "cancelled")
            too_late = Call(lambda: session.feed("a", query_id="q-0"))
            twice = Call(lambda: session.cancel("again"))
            runtime.here(lambda services: None)
        assert isinstance(cancel.error(), JournalError)
        assert isinstance(too_late.error(), JournalError)
        assert isinstance(twice.error(), JournalError)
    assert session.feed("a", query_id="q-0", timeout=WAIT_S).state == Completed("a")
    with pytest.raises(TransitionError):
        session.cancel()


def test_a_session_that_was_running_when_the_journal_failed_needs_nobody_to_go_on(
    runtime: SteeredRuntime,
) -> None:
    with runtime.hold():
        start = Call(lambda: runtime.start("return alc.llm('one?')"))
        runtime.until(lambda services: services.registry.actors)
        (session_id,) = runtime.here(lambda services: list(services.registry.actors))
    start.result().wait(WAIT_S)
    with runtime.broken():
        with runtime.hold():
            feed = Call(lambda: runtime.feed(session_id, "a", query_id="q-0"))
            runtime.has_entries(session_id, 4)  # its end is on the way, too
        assert isinstance(feed.error(), JournalError)
        assert runtime.session(session_id).phase == "paused"
    event = runtime.feed(session_id, "b", query_id="q-0", timeout=WAIT_S)
    assert event.state == Completed("b")


def test_a_timeout_knows_whether_the_answer_is_in(runtime: SteeredRuntime) -> None:
    session = paused(runtime, "alc.llm('one?') while true do end")
    with runtime.hold():
        unknown = Call(lambda: session.feed("a", query_id="q-0", idempotency_key="k", timeout=0.2)).error()
        again = Call(lambda: session.feed("a", query_id="q-0", idempotency_key="k", timeout=0.2)).error()
    assert isinstance(unknown, FeedTimeout)
    assert unknown.accepted is None
    assert isinstance(again, FeedTimeout)
    assert again.accepted is None
    known = Call(lambda: session.feed("a", query_id="q-0", idempotency_key="k", timeout=0.2)).error()
    assert isinstance(known, FeedTimeout)
    assert known.accepted is True


# -- faults of our own -------------------------------------------------------------------------------------------------


def test_who_asked_for_what_an_actor_broke_on_is_told(runtime: SteeredRuntime) -> None:
    session = paused(runtime)

    def spoil(services: object) -> None:
        actor = services.registry.actors[session.id]  # type: ignore[attr-defined]
        actor.state.answer = None

    runtime.here(spoil)
    with pytest.raises(SessionRestarting):
        session.feed("a", query_id="q-0", timeout=WAIT_S)
    assert isinstance(session.feed("a", query_id="q-0", timeout=WAIT_S), Paused)


def test_a_registry_that_breaks_tells_who_asked(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    runtime.here(lambda services: setattr(services.registry, "route", None))
    with pytest.raises(SessionRestarting):
        session.snapshot()
    assert list(runtime.snapshots()) == [session.id]


def test_an_actor_given_up_ends_its_session_for_all_to_see(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    end = Call(session.finished)
    for _ in range(4):
        runtime.until(lambda services: session.id in services.registry.actors)
        runtime.here(lambda services: services.registry.actors[session.id].end(RuntimeError("a fault")))
    assert isinstance(end.error(), SessionRestarting)
    state = session.finished(WAIT_S).state
    assert isinstance(state, Failed)
    assert state.error_kind == "internal"
    runtime.until(lambda services: "finished" in kinds(runtime, session.id))


def test_an_end_of_an_actor_given_up_is_not_shown_before_it_is_durable(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    with runtime.hold():
        for _ in range(4):
            runtime.until(lambda services: session.id in services.registry.actors)
            runtime.here(lambda services: services.registry.actors[session.id].end(RuntimeError("a fault")))
        phase = Call(lambda: session.phase)
        runtime.here(lambda services: None)
        assert not phase.is_over
        assert "finished" not in kinds(runtime, session.id)
    assert phase.result() == "failed"


def test_an_ended_session_whose_actor_is_given_up_is_still_there(runtime: SteeredRuntime) -> None:
    session = runtime.start("return 7")
    assert session.finished(WAIT_S).state == Completed(7)
    for _ in range(4):
        runtime.until(lambda services: session.id in services.registry.actors)
        runtime.here(lambda services: services.registry.actors[session.id].end(RuntimeError("a fault")))
    assert session.finished(WAIT_S).state == Completed(7)


@pytest.mark.parametrize("usage", [{"prompt_tokens": 1 << 64}, {"completion_tokens": 1 << 70}])
def test_a_usage_that_no_journal_can_hold_is_refused_and_hurts_nothing(
    runtime: SteeredRuntime, usage: dict[str, int]
) -> None:
    session = paused(runtime)
    with pytest.raises(ValueError, match="must be a non-negative integer"):
        session.feed("a", query_id="q-0", usage=usage)
    assert isinstance(session.feed("a", query_id="q-0", timeout=WAIT_S), Paused)


# -- a host that died between an answer and what followed it -----------------------------------------------------------


def dead_after_the_answer(path: Path) -> str:
    """A journal whose session has its answer, and no more: the id of the session."""
    with SteeredRuntime(path) as runtime:
        session = paused(runtime, "local a = alc.llm('one?') return a .. alc.llm('two?')")
        session.feed("a", query_id="q-0", idempotency_key="k", timeout=WAIT_S)
        copy = runtime.fork(session.id, 2)
        runtime.here(lambda services: None)
        return copy.id


def test_a_retry_after_the_host_died_gets_what_followed(tmp_path: Path) -> None:
    session_id = dead_after_the_answer(tmp_path / "j.db")
    with SteeredRuntime(tmp_path / "j.db") as runtime:
        assert runtime.session(session_id).phase in ("running", "paused")
        event = runtime.feed(session_id, "a", query_id="q-0", idempotency_key="k", timeout=WAIT_S)
        assert isinstance(event, Paused)
        assert [query.id for query in event.queries] == ["q-1"]


def test_who_waits_for_the_end_of_a_session_that_was_running_gets_it(tmp_path: Path) -> None:
    with SteeredRuntime(tmp_path / "j.db") as runtime:
        session = paused(runtime, "return alc.llm('one?')")
        session.feed("a", query_id="q-0", timeout=WAIT_S)
        with runtime.hold():
            copy = Call(lambda: runtime.fork(session.id, 2))
        session_id = copy.result().id
    with SteeredRuntime(tmp_path / "j.db") as runtime:
        event = runtime.session(session_id).finished(WAIT_S)
        assert isinstance(event, Finished)
        assert event.state == Completed("a")


def test_a_session_that_nobody_has_is_not_found(runtime: SteeredRuntime) -> None:
    for call in (
        lambda: runtime.feed("s-none", "a"),
        lambda: runtime.cancel("s-none"),
        lambda: runtime.session("s-none"),
    ):
        with pytest.raises(SessionNotFound):
            call()


def test_a_look_that_fails_is_the_callers_own_affair(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    message: Look[int] = Look(lambda state, now: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        runtime._core.wait(runtime._core.ask(session.id, message))
    assert session.phase == "paused"
