from __future__ import annotations

import pytest

from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import QuerySpec, TokenUsage
from moonward.actors.terminal import Cancelled

START_MS = 1_700_000_000_000


def test_a_new_session_shows_every_key_of_the_contract_and_no_other(session) -> None:
    session.pass_ms(7)
    assert session.state.snapshot(None, False, session.now) == {
        "state": "running",
        "phase": "running",
        "started_at": START_MS,
        "last_activity_at": START_MS,
        "metrics": {
            "elapsed_ms": 7,
            "llm_calls": 0,
            "rounds": 0,
            "tokens": {"prompt_total": 0, "response_total": 0, "total": 0, "current_query": None},
            "recent_logs": [],
        },
    }


def test_a_session_that_tells_all_it_can_shows_every_other_key(session_with) -> None:
    session = session_with({"budget": {"max_llm_calls": 5, "max_elapsed_ms": 100, "max_tokens": 50}})
    session.ask("hello world")
    session.pass_ms(10)
    session.answer("q-0", "yes", usage=TokenUsage(4, None))
    session.pass_ms(10)
    session.ask(QuerySpec("hello world", "あいう", 64, underspecified=True), "other")
    session.state.log("warn", "alc.log", "careful", START_MS + 15)
    session.state.set_progress(1, 4, "going")
    session.pass_ms(10)
    assert session.state.snapshot(PendingFilter.preset("full"), True, session.now) == {
        "state": "paused",
        "phase": "paused",
        "started_at": START_MS,
        "last_activity_at": START_MS + 10,
        "metrics": {
            "elapsed_ms": 30,
            "llm_calls": 3,
            "rounds": 1,
            "tokens": {
                "prompt_total": 11,
                "response_total": 1,
                "total": 12,
                "current_query": {
                    "query_id": "q-2",
                    "prompt_tokens": 2,
                    "started_waiting_at": START_MS + 20,
                },
            },
            "recent_logs": [
                {"ts": START_MS + 15, "level": "warn", "source": "alc.log", "message": "careful"}
            ],
            "progress": {"step": 1, "total": 4, "message": "going"},
            "budget_remaining": {"llm_calls": 2, "elapsed_ms": 70, "tokens": 38},
            "conversation_history": [
                {
                    "query_id": "q-0",
                    "prompt": "hello world",
                    "response": "yes",
                    "prompt_tokens": 4,
                    "response_tokens": 1,
                    "started_at": START_MS,
                    "completed_at": START_MS + 10,
                },
                {
                    "query_id": "q-1",
                    "prompt": "hello world",
                    "response": None,
                    "prompt_tokens": 5,
                    "response_tokens": 0,
                    "started_at": START_MS + 20,
                    "completed_at": None,
                },
                {
                    "query_id": "q-2",
                    "prompt": "other",
                    "response": None,
                    "prompt_tokens": 2,
                    "response_tokens": 0,
                    "started_at": START_MS + 20,
                    "completed_at": None,
                },
            ],
        },
        "pending_queries": 2,
        "pending": [
            {
                "query_id": "q-1",
                "prompt": "hello world",
                "system": "あいう",
                "max_tokens": 64,
                "underspecified": True,
            },
            {"query_id": "q-2", "prompt": "other", "system": None, "max_tokens": 1024},
        ],
    }


def test_without_a_filter_only_the_number_of_pending_queries_is_shown(session) -> None:
    session.ask("a", "b")
    session.answer("q-0")
    shown = session.state.snapshot(None, False, session.now)
    assert shown["pending_queries"] == 1
    assert "pending" not in shown


def test_an_empty_filter_shows_an_empty_object_for_each_pending_query(session) -> None:
    session.ask("a", "b")
    assert session.state.snapshot(PendingFilter(), False, session.now)["pending"] == [{}, {}]


@pytest.mark.parametrize("phase", ["running", "completed", "failed", "cancelled"])
def test_nothing_is_pending_unless_paused(session_in, phase) -> None:
    session = session_in(phase)
    shown = session.state.snapshot(PendingFilter.preset("full"), False, session.now)
    assert shown["phase"] == phase
    assert shown["state"] == ("running" if phase == "running" else "terminal")
    assert not {"pending", "pending_queries"} & set(shown)


def test_a_session_cancelled_while_paused_shows_nothing_pending(session) -> None:
    session.ask("a")
    session.state.end(Cancelled("x"), session.now)
    shown = session.state.snapshot(PendingFilter.preset("full"), False, session.now)
    assert not {"pending", "pending_queries"} & set(shown)
    assert session.state.pending == ()


def test_the_current_query_is_the_newest_and_only_while_it_has_no_answer(session) -> None:
    session.ask("a", "b")
    session.answer("q-1")
    assert session.state.snapshot(None, False, session.now)["metrics"]["tokens"]["current_query"] is None
    session.answer("q-0")
    session.pass_ms(5)
    session.ask("hello world")
    current = session.state.snapshot(None, False, session.now)["metrics"]["tokens"]["current_query"]
    assert current == {"query_id": "q-2", "prompt_tokens": 3, "started_waiting_at": START_MS + 5}


def test_the_history_holds_the_last_ten_exchanges_oldest_first(session) -> None:
    for n in range(12):
        session.ask(f"question {n}")
        session.answer(f"q-{n}", f"answer {n}")
    history = session.state.snapshot(None, True, session.now)["metrics"]["conversation_history"]
    assert [each["response"] for each in history] == [f"answer {n}" for n in range(2, 12)]


def test_a_snapshot_is_the_callers_own(session) -> None:
    session.state.log("info", "engine", "kept", START_MS)
    before = session.state.snapshot(None, True, session.now)
    changed = session.state.snapshot(None, True, session.now)
    changed["metrics"]["recent_logs"][0]["message"] = "changed"
    changed["metrics"]["tokens"]["total"] = 99
    assert session.state.snapshot(None, True, session.now) == before
