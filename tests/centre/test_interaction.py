from __future__ import annotations

from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.query import LlmQuery
from moonward.actors.terminal import Cancelled, Completed, Failed

STATS = {"auto": {"llm_calls": 1}, "custom": {}}


def test_an_accepted_answer() -> None:
    assert Accepted(2).to_json("s-1") == {"status": "accepted", "remaining": 2}


def test_one_pending_query_is_told_flat() -> None:
    assert Paused((LlmQuery("q-0", "why?"),)).to_json("s-1") == {
        "status": "needs_response",
        "session_id": "s-1",
        "query_id": "q-0",
        "prompt": "why?",
        "system": None,
        "max_tokens": 1024,
    }


def test_flags_and_other_options_are_told_when_they_say_something() -> None:
    query = LlmQuery(
        "q-0", "why?", "be brief", 9, grounded=True, underspecified=True, extra={"temperature": 0.5}
    )
    assert Paused((query,)).to_json("s-1") == {
        "status": "needs_response",
        "session_id": "s-1",
        "query_id": "q-0",
        "prompt": "why?",
        "system": "be brief",
        "max_tokens": 9,
        "grounded": True,
        "underspecified": True,
        "extra": {"temperature": 0.5},
    }


def test_several_pending_queries_are_a_list_in_the_order_asked() -> None:
    queries = (LlmQuery("q-1", "b"), LlmQuery("f-0-0", "a", "s", 5, grounded=True))
    assert Paused(queries).to_json("s-1") == {
        "status": "needs_response",
        "session_id": "s-1",
        "queries": [
            {"id": "q-1", "prompt": "b", "system": None, "max_tokens": 1024},
            {"id": "f-0-0", "prompt": "a", "system": "s", "max_tokens": 5, "grounded": True},
        ],
    }


def test_a_completed_session_tells_its_result() -> None:
    assert Finished(Completed({"a": [1]}), STATS).to_json("s-1") == {
        "status": "completed",
        "result": {"a": [1]},
        "stats": STATS,
    }


def test_a_failed_session_tells_its_error_and_the_sort_of_it() -> None:
    assert Finished(Failed("boom", "limit"), STATS).to_json("s-1") == {
        "status": "error",
        "error": "boom",
        "error_kind": "limit",
        "stats": STATS,
    }


def test_a_cancelled_session_tells_the_reason() -> None:
    assert Finished(Cancelled("expired"), STATS).to_json("s-1") == {
        "status": "cancelled",
        "reason": "expired",
        "stats": STATS,
    }
