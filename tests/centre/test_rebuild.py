"""A state from a journal; that it equals the live one is held by `tests/machines/test_session_state.py`."""

from __future__ import annotations

import pytest

from moonward.actors.errors import JournalError
from moonward.actors.journal.entries import (
    Answered,
    Ask,
    Batch,
    Called,
    ChildEnded,
    Ended,
    Paused,
    Started,
    View,
)
from moonward.actors.query import LlmQuery, TokenUsage
from moonward.actors.rebuild import rebuild
from moonward.actors.session_state import Instant, Repeat
from moonward.actors.terminal import Completed

START_MS = 1_700_000_000_000
NOW = Instant(START_MS + 10**7, 5.0)
STARTED = Started("s-1", "return 1", '{"budget": {"max_llm_calls": 3}}', "5.5", 1, 2, "p", START_MS)
LOG = {"ts": START_MS, "level": "info", "source": "engine", "message": "m"}
PAUSED = Paused(
    [LlmQuery("q-0", "a"), LlmQuery("f-1-0", "b")],
    [Ask("", 1), Ask("0.1", 1)],
    START_MS + 10,
    View([LOG], {"step": 1, "total": 2, "message": None}, {"k": 1}),
)
FIRST = Answered("f-1-0", "B", START_MS + 20, TokenUsage(5, 6), "key", named=False)
SECOND = Answered("q-0", "A", START_MS + 30)
ENDED = Ended(Completed("done"), START_MS + 40, View([], None, {"k": 2}))


def test_a_journal_that_has_just_begun_is_a_running_session() -> None:
    state = rebuild([STARTED], NOW)
    assert (state.session_id, state.phase, state.pending, state.event()) == ("s-1", "running", (), None)


def test_a_paused_session_waits_for_what_it_waited_for_and_shows_what_it_showed() -> None:
    state = rebuild([STARTED, PAUSED, FIRST], NOW)
    assert state.pending == (LlmQuery("q-0", "a"),)
    assert state.view() == PAUSED.view
    assert state.answers_of_pause() == {"f-1-0": "B"}
    assert state.budget_remaining(NOW) == {"llm_calls": 1}
    shown = state.snapshot(None, True, NOW)
    assert shown["last_activity_at"] == START_MS + 20
    assert shown["metrics"]["conversation_history"][1]["completed_at"] == START_MS + 20


def test_keys_and_ids_go_on_where_they_were() -> None:
    state = rebuild([STARTED, PAUSED, FIRST, SECOND], NOW)
    assert state.check_feed(None, "key", "B") == Repeat("f-1-0", 0, 1)
    ids = [
        query.id
        for query in state.issue([(None, [PAUSED.queries[0].spec()]), (1, [PAUSED.queries[1].spec()])])
    ]
    assert ids == ["q-1", "f-1-1"]


def test_an_ended_session_tells_the_same_end() -> None:
    state = rebuild([STARTED, PAUSED, FIRST, SECOND, ENDED], NOW)
    assert state.terminal == Completed("done")
    stats = state.stats(NOW)
    assert (stats["auto"]["elapsed_ms"], stats["custom"]) == (40, {"k": 2})
    assert stats["auto"]["prompt_tokens"] == {"tokens": 6, "source": "estimated"}
    assert stats["auto"]["response_tokens"] == {"tokens": 7, "source": "estimated"}


def test_a_batch_is_taken_whole_and_each_answer_has_its_outcome() -> None:
    both = [
        Answered("f-1-0", "B", START_MS + 20, None, "k1", batch=2),
        Answered("q-0", "A", START_MS + 20, None, "k0", batch=2),
    ]
    state = rebuild([STARTED, PAUSED, Batch(both)], NOW)
    assert state.phase == "running"
    assert state.answers_of_pause() == {"q-0": "A", "f-1-0": "B"}
    assert state.check_feed("f-1-0", "k1", "B") == Repeat("f-1-0", 0, 0)
    assert state.check_feed("q-0", "k0", "A") == Repeat("q-0", 0, 0)


def test_time_in_no_live_host_is_not_idle_time() -> None:
    state = rebuild([STARTED, PAUSED], NOW)
    assert not state.is_expired(1, NOW)
    assert state.is_expired(1, Instant(NOW.wall_ms, NOW.mono_s + 1))


def test_requests_answered_by_the_host_do_not_concern_the_state() -> None:
    called = Called("", "state.get", "00", "1")
    entries = [STARTED, called, PAUSED, FIRST, SECOND, ChildEnded("0.1", "1"), called]
    plain = rebuild([STARTED, PAUSED, FIRST, SECOND], NOW)
    assert rebuild(entries, NOW).snapshot(None, True, NOW) == plain.snapshot(None, True, NOW)


@pytest.mark.parametrize("entries", [[], [PAUSED], [ENDED, STARTED]])
def test_a_journal_that_does_not_begin_with_the_start_is_refused(entries) -> None:
    with pytest.raises(JournalError, match="must begin with a started entry"):
        rebuild(entries, NOW)


@pytest.mark.parametrize(
    ("entries", "number"),
    [
        ([STARTED, STARTED], 1),
        ([STARTED, SECOND], 1),
        ([STARTED, PAUSED, PAUSED], 2),
        ([STARTED, PAUSED, FIRST, FIRST], 3),
        ([STARTED, PAUSED, FIRST, SECOND, PAUSED], 4),
        ([STARTED, PAUSED, ENDED], 2),
        ([STARTED, ENDED, ENDED], 2),
    ],
)
def test_entries_that_no_session_could_have_written_are_named(entries, number) -> None:
    with pytest.raises(JournalError, match=f"^entry {number} cannot follow"):
        rebuild(entries, NOW)


def test_a_ctx_that_is_not_json_is_refused() -> None:
    broken = Started("s-1", "", "{", "5.5", 1, 2, "p", START_MS)
    with pytest.raises(JournalError, match="entry 0 holds a ctx that is not JSON"):
        rebuild([broken], NOW)
