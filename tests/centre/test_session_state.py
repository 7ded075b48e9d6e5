from __future__ import annotations

import pickle

import pytest

from moonward.actors.errors import TransitionError
from moonward.actors.interaction import Finished, Paused
from moonward.actors.journal.entries import Answered
from moonward.actors.phase import PHASES
from moonward.actors.query import LlmQuery, QuerySpec, TokenUsage
from moonward.actors.session_state import Instant
from moonward.actors.terminal import Cancelled, Completed, Failed

START_MS = 1_700_000_000_000

ENDS = {"complete": Completed(1), "fail": Failed("boom"), "cancel": Cancelled("why")}


def allowed(phase: str, event: str) -> bool:
    if event in ("pause", "complete"):
        return phase == "running"
    return phase in ("running", "paused")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("event", ["pause", "complete", "fail", "cancel"])
def test_an_event_moves_the_session_or_changes_nothing(session_in, phase, event) -> None:
    session = session_in(phase)
    session.pass_ms(10)
    queries = session.state.issue([(None, [QuerySpec("next")])])
    before = pickle.dumps(session.state)

    def happen() -> None:
        if event == "pause":
            session.state.pause(queries, session.now)
        else:
            session.state.end(ENDS[event], session.now)

    if allowed(phase, event):
        happen()
        after = {"pause": "paused", "complete": "completed", "fail": "failed", "cancel": "cancelled"}
        assert session.state.phase == after[event]
        return
    with pytest.raises(TransitionError) as caught:
        happen()
    assert caught.value.actual == phase
    assert pickle.dumps(session.state) == before


def test_ids_count_on_over_the_whole_life(session) -> None:
    assert session.ask("a", "b") == ["q-0", "q-1"]
    session.answer("q-0")
    session.answer("q-1")
    assert session.ask("c") == ["q-2"]


def test_each_child_counts_on_its_own(session) -> None:
    asks = [(1, [QuerySpec("a"), QuerySpec("b")]), (0, [QuerySpec("c")]), (12, [QuerySpec("d")])]
    first = session.state.issue(asks)
    assert [query.id for query in first] == ["f-1-0", "f-1-1", "f-0-0", "f-12-0"]
    assert [query.prompt for query in first] == ["a", "b", "c", "d"]
    session.state.pause(first, session.now)
    for query in first:
        session.answer(query.id)
    mixed = session.state.issue([(0, [QuerySpec("e")]), (None, [QuerySpec("f")]), (0, [QuerySpec("g")])])
    assert [query.id for query in mixed] == ["f-0-1", "q-0", "f-0-2"]


def test_issuing_twice_gives_the_same_ids(session) -> None:
    asks = [(None, [QuerySpec("a")])]
    before = pickle.dumps(session.state)
    assert session.state.issue(asks) == session.state.issue(asks) == [LlmQuery("q-0", "a")]
    assert pickle.dumps(session.state) == before


@pytest.mark.parametrize(
    "ids", [[], ["q-0"], ["q-2"], ["q-1", "q-1"], ["q-1", "q-3"], ["q--1"], ["x"], ["q-01"]]
)
def test_a_pause_takes_only_ids_that_were_issued(session_in, ids) -> None:
    session = session_in("running")
    before = pickle.dumps(session.state)
    with pytest.raises(ValueError, match="a pause needs"):
        session.state.pause([LlmQuery(each, "p") for each in ids], session.now)
    assert pickle.dumps(session.state) == before


def test_the_last_answer_resumes_the_session_and_counts_a_round(session) -> None:
    session.ask("a", "b")
    assert session.answer("q-1", "B") == 1
    assert session.state.phase == "paused"
    assert session.state.stats(session.now)["auto"]["rounds"] == 0
    assert session.answer("q-0", "A") == 0
    assert session.state.phase == "running"
    assert list(session.state.answers_of_pause().items()) == [("q-0", "A"), ("q-1", "B")]
    auto = session.state.stats(session.now)["auto"]
    assert (auto["llm_calls"], auto["pauses"], auto["rounds"]) == (2, 1, 1)


def test_stats_have_every_key_of_the_contract_and_no_other(session_with) -> None:
    session = session_with({"budget": {"max_tokens": 100, "max_llm_calls": -1}})
    session.ask(QuerySpec("hello あ", "あ"))
    session.pass_ms(12)
    session.answer("q-0", "はい", usage=TokenUsage(7, 2))
    session.state.record("score", {"a": 1})
    assert session.state.stats(session.now) == {
        "auto": {
            "elapsed_ms": 12,
            "llm_calls": 1,
            "pauses": 1,
            "rounds": 1,
            "total_prompt_chars": 12,
            "total_response_chars": 6,
            "prompt_tokens": {"tokens": 7, "source": "provided"},
            "response_tokens": {"tokens": 2, "source": "provided"},
            "total_tokens": {"tokens": 9, "source": "provided"},
            "budget": {"max_tokens": 100},
        },
        "custom": {"score": {"a": 1}},
    }


def test_usage_of_one_side_leaves_the_other_an_estimate(session) -> None:
    session.ask("hello world")
    session.answer("q-0", "hello world", usage=TokenUsage(None, 8))
    auto = session.state.stats(session.now)["auto"]
    assert auto["prompt_tokens"] == {"tokens": 3, "source": "estimated"}
    assert auto["response_tokens"] == {"tokens": 8, "source": "provided"}
    assert auto["total_tokens"] == {"tokens": 11, "source": "estimated"}
    assert "budget" not in auto


def test_stats_before_any_query_are_definite(session) -> None:
    auto = session.state.stats(session.now)["auto"]
    assert auto["total_tokens"] == {"tokens": 0, "source": "definite"}


def test_elapsed_time_never_decreases_and_is_never_negative(session) -> None:
    state, mono = session.state, session.now.mono_s
    assert state.stats(Instant(START_MS - 500, mono))["auto"]["elapsed_ms"] == 0
    assert state.stats(Instant(START_MS + 90, mono))["auto"]["elapsed_ms"] == 90
    assert state.stats(Instant(START_MS + 40, mono))["auto"]["elapsed_ms"] == 90
    assert state.wall_ms(Instant(START_MS + 40, mono)) == START_MS + 90


def test_elapsed_time_stops_at_the_end(session) -> None:
    session.pass_ms(20)
    session.state.end(Completed(None), session.now)
    session.pass_ms(500)
    assert session.state.stats(session.now)["auto"]["elapsed_ms"] == 20
    event = session.state.event()
    assert isinstance(event, Finished)
    assert event.metrics["auto"]["elapsed_ms"] == 20
    assert session.state.wall_ms(session.now) == START_MS + 20


def test_the_last_activity_is_the_last_feed_by_the_wall_clock(session) -> None:
    session.ask("a", "b")
    session.pass_ms(100)
    session.answer("q-0")
    session.now = Instant(START_MS - 50, session.now.mono_s)
    session.answer("q-1")
    assert session.state.snapshot(None, False, session.now)["last_activity_at"] == START_MS - 50


def test_a_session_expires_when_it_was_idle_for_the_ttl(session) -> None:
    assert session.state.is_expired(0, session.now)
    assert not session.state.is_expired(5, session.now)
    session.pass_ms(4999)
    assert not session.state.is_expired(5, session.now)
    session.pass_ms(1)
    assert session.state.is_expired(5, session.now)


def test_only_an_accepted_feed_is_activity(session) -> None:
    session.pass_ms(4000)
    session.ask("a")
    session.state.snapshot(None, True, session.now)
    with pytest.raises(Exception, match="was never asked"):
        session.answer("q-9")
    session.pass_ms(1000)
    assert session.state.is_expired(5, session.now)
    session.answer("q-0")
    assert not session.state.is_expired(5, session.now)


def test_a_clock_that_seems_to_run_backwards_counts_as_no_time_passed(session) -> None:
    before = Instant(START_MS, session.now.mono_s - 100)
    assert session.state.is_expired(0, before)
    assert not session.state.is_expired(0.001, before)
    session.ask("a")
    session.state.answer(Answered("q-0", "yes", before.wall_ms), before)
    assert not session.state.is_expired(50, session.now)


def test_wall_time_that_is_stepped_does_not_expire_a_session(session) -> None:
    assert not session.state.is_expired(5, Instant(START_MS + 10**9, session.now.mono_s + 1))


def test_the_event_of_a_session_is_the_one_it_is_in(session) -> None:
    assert session.state.event() is None
    session.ask("a", "b")
    session.answer("q-0")
    assert session.state.event() == Paused((LlmQuery("q-1", "b"),))
    session.answer("q-1")
    assert session.state.event() is None
    session.state.end(Cancelled("x"), session.now)
    assert session.state.event() == Finished(Cancelled("x"), session.state.stats(session.now))


def test_what_came_after_a_pause_can_be_told_again(session) -> None:
    session.ask("a")
    assert session.state.event_after(0) is None
    session.answer("q-0")
    assert session.state.event_after(0) is None
    session.ask("b", "c")
    session.answer("q-1")
    assert session.state.event_after(0) == Paused((LlmQuery("q-1", "b"), LlmQuery("q-2", "c")))
    session.answer("q-2")
    session.state.end(Completed(1), session.now)
    assert session.state.event_after(0) == Paused((LlmQuery("q-1", "b"), LlmQuery("q-2", "c")))
    assert session.state.event_after(1) == session.state.event()


def test_a_transcript_holds_every_query_and_the_answers_that_came(session) -> None:
    session.ask(QuerySpec("a", "sys"), "b")
    session.answer("q-1", "")
    assert session.state.transcript() == [
        {"query_id": "q-0", "prompt": "a", "system": "sys", "response": None},
        {"query_id": "q-1", "prompt": "b", "system": None, "response": ""},
    ]


def test_nothing_is_told_of_an_ended_session_that_its_last_entry_does_not_hold(session) -> None:
    session.state.record("a", 1)
    session.state.end(Completed(None), session.now)
    view = session.state.view()
    session.state.record("a", 2)
    session.state.log("info", "engine", "late", START_MS)
    session.state.set_progress(1, 1, None)
    assert session.state.view() == view
    assert view.custom == {"a": 1}


def test_the_budget_counts_what_was_asked_waited_and_said(session_with) -> None:
    session = session_with({"budget": {"max_llm_calls": 3, "max_elapsed_ms": 100, "max_tokens": 9}})
    assert session.state.refusal(3, session.now) is None
    assert session.state.refusal(4, session.now) is not None
    assert session.state.refusal(1, session.now, gathered=2) is None
    refusal = session.state.refusal(1, session.now, gathered=3)
    assert refusal == "budget_exceeded: max_llm_calls (3) reached (3 used)"
    session.ask("hello world")
    session.answer("q-0", "x" * 21)
    assert session.state.budget_remaining(session.now) == {"llm_calls": 2, "elapsed_ms": 100, "tokens": 0}
    assert session.state.refusal(1, session.now) == "budget_exceeded: max_tokens (9) reached (9 used)"
    session.pass_ms(120)
    refusal = session.state.refusal(1, session.now)
    assert refusal == "budget_exceeded: max_elapsed_ms (100ms) reached (120ms elapsed)"


@pytest.mark.parametrize("ctx", [{}, [], 3, "budget", {"budget": "much"}, {"budget": {"max_tokens": -1}}])
def test_a_session_without_a_usable_budget_refuses_nothing(session_with, ctx) -> None:
    session = session_with(ctx)
    assert session.state.refusal(1000, session.now) is None
    assert session.state.budget_remaining(session.now) is None
    assert "budget_remaining" not in session.state.snapshot(None, False, session.now)["metrics"]
