"""Where we differ from the document on purpose, on a real Runtime."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

import moonward
from moonward import Cancelled, Completed, Failed, Finished, Paused, QueryResponse

from .processes import workers


@pytest.fixture(scope="module")
def runtime() -> Iterator[moonward.Runtime]:
    with moonward.Runtime(warm_workers=0) as shared:
        yield shared


def paused(session: moonward.Session) -> Paused:
    event = session.wait(10)
    assert isinstance(event, Paused)
    return event


def test_a_refused_answer_changes_nothing(runtime: moonward.Runtime) -> None:
    session = runtime.start("local t = alc.llm_batch{{prompt='a'}, {prompt='b'}} return t[1] .. t[2]")
    paused(session)
    session.feed("first", query_id="q-0")
    before = session.transcript(), session.snapshot("full", True)["pending"]
    with pytest.raises(moonward.AlreadyResponded):
        session.feed("second", query_id="q-0")
    with pytest.raises(moonward.UnknownQuery):
        session.feed("third", query_id="q-9")
    assert (session.transcript(), session.snapshot("full", True)["pending"]) == before
    assert session.feed("!", query_id="q-1") == session.wait()
    assert session.finished().state == Completed("first!")
    stats = session.finished().metrics["auto"]
    assert (stats["rounds"], stats["total_response_chars"]) == (1, 6)


def test_ids_count_on_so_that_a_late_answer_never_answers_the_next_question(
    runtime: moonward.Runtime,
) -> None:
    session = runtime.start("return { alc.llm('a'), alc.llm('b') }")
    assert [query.id for query in paused(session).queries] == ["q-0"]
    session.feed("1", query_id="q-0")
    assert [query.id for query in paused(session).queries] == ["q-1"]
    with pytest.raises(moonward.AlreadyResponded):
        session.feed("1 again", query_id="q-0")
    session.feed("2", query_id="q-1")
    assert session.finished().state == Completed(["1", "2"])


def test_other_options_of_a_query_reach_the_host(runtime: moonward.Runtime) -> None:
    session = runtime.start("alc.llm('a', { temperature = 0.5, seed = 7 })")
    assert paused(session).queries[0].extra == {"temperature": 0.5, "seed": 7}
    session.cancel()


def test_a_batch_of_answers_is_taken_whole_or_not_at_all(runtime: moonward.Runtime) -> None:
    session = runtime.start("local t = alc.llm_batch{{prompt='a'}, {prompt='b'}} return t[1] .. t[2]")
    paused(session)
    with pytest.raises(moonward.UnknownQuery):
        session.feed_batch([QueryResponse("q-0", "x"), QueryResponse("q-9", "y")])
    assert len(paused(session).queries) == 2
    event = session.feed_batch([QueryResponse("q-1", "b"), QueryResponse("q-0", "a")])
    assert isinstance(event, Finished)
    assert event.state == Completed("ab")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("return return", "syntax"),
        ("error('x')", "lua"),
        ("alc.llm('over budget')", "budget"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(2^20) .. #t end", "limit"),
    ],
)
def test_a_failure_says_its_kind_and_its_stats(runtime: moonward.Runtime, code: str, kind: str) -> None:
    session = runtime.start(code, {"budget": {"max_llm_calls": 0}})
    event = session.finished(30).to_json(session.id)
    assert (event["status"], event["error_kind"]) == ("error", kind)
    assert set(event["stats"]) == {"auto", "custom"}


def test_a_result_can_be_read_again(runtime: moonward.Runtime) -> None:
    session = runtime.start("return 42")
    first = session.wait()
    assert session.wait() == runtime.session(session.id).wait() == first


def test_a_session_can_be_looked_at_while_its_lua_runs(runtime: moonward.Runtime) -> None:
    session = runtime.start("alc.llm('go?') while true do end")
    paused(session)
    with pytest.raises(moonward.FeedTimeout) as caught:
        session.feed("go", timeout=0.05)
    assert caught.value.accepted is True
    shot = session.snapshot(include_history=True)
    assert shot["phase"] == "running"
    assert shot["metrics"]["conversation_history"][0]["response"] == "go"
    assert session.cancel("enough").state == Cancelled("enough")


def test_an_expired_session_is_cancelled_and_kept() -> None:
    with moonward.Runtime(warm_workers=0, idle_ttl=0.05, reap_interval=0.05) as runtime:
        session = runtime.start("alc.llm('?')")
        assert session.finished(30).state == Cancelled("expired")
        assert runtime.session(session.id).phase == "cancelled"


def test_a_batch_that_would_cross_the_budget_is_refused_whole(runtime: moonward.Runtime) -> None:
    code = (
        "local ok, why = pcall(alc.llm_batch, {{prompt='a'}, {prompt='b'}, {prompt='c'}}) return { ok, why }"
    )
    session = runtime.start(code, {"budget": {"max_llm_calls": 2}})
    end = session.finished(10)
    assert isinstance(end.state, Completed)
    assert end.state.result[0] is False
    assert "budget_exceeded: max_llm_calls (2) reached (0 used)" in end.state.result[1]
    assert end.metrics["auto"]["llm_calls"] == 0


def test_a_lost_worker_is_replaced_and_the_session_still_waits_for_the_same_answer(
    runtime: moonward.Runtime,
) -> None:
    before = workers()
    session = runtime.start("return { alc.llm('a'), alc.llm('b'), alc.llm('c') }")
    paused(session)
    session.feed("1")
    event = paused(session)
    events = session.events()
    (worker,) = workers() - before
    os.kill(worker, signal.SIGKILL)
    assert next(each for each in events if each.kind == "restarted").data["count"] == 1
    assert paused(session) == event
    session.feed("2", query_id="q-1")
    session.feed("3", query_id="q-2")
    assert session.finished(10).state == Completed(["1", "2", "3"])


def test_a_worker_that_is_not_replaced_any_more_ends_a_paused_session() -> None:
    with moonward.Runtime(warm_workers=0, restart_intensity=0) as runtime:
        session = runtime.start("alc.llm('?')")
        paused(session)
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        state = session.finished(10).state
    assert isinstance(state, Failed)
    assert state.error_kind == "crash"


def test_a_spinning_session_is_cancelled_and_its_neighbour_never_notices(runtime: moonward.Runtime) -> None:
    spinning, neighbour = runtime.start("while true do end"), runtime.start("return alc.llm('?')")
    paused(neighbour)
    assert spinning.cancel("enough").state == Cancelled("enough")
    neighbour.feed("fine")
    assert neighbour.finished(10).state == Completed("fine")


def test_whoever_waits_when_the_runtime_closes_is_told_and_so_are_those_who_watch() -> None:
    runtime = moonward.Runtime(warm_workers=0)
    sessions = [runtime.start("while true do end") for _ in range(3)]
    told: list[BaseException] = []
    watched = runtime.events()

    def wait(session: moonward.Session) -> None:
        try:
            session.wait(30)
        except moonward.RuntimeClosed as closed:
            told.append(closed)

    threads = [threading.Thread(target=wait, args=[session]) for session in sessions]
    for thread in threads:
        thread.start()
    runtime.close()
    for thread in threads:
        thread.join(20)
    assert {event.kind for event in watched} >= {"started"}  # it ends
    assert len(told) <= 3
