"""Which answers are taken, in the contract's order of checks."""

from __future__ import annotations

import pickle

import pytest

from moonward.actors.errors import (
    AlreadyResponded,
    AmbiguousQuery,
    IdempotencyConflict,
    SettingsError,
    TransitionError,
    UnknownQuery,
)
from moonward.actors.journal.entries import Answered
from moonward.actors.query import QueryResponse
from moonward.actors.session_state import Repeat
from moonward.actors.terminal import Cancelled, Completed

FINISHED = ["completed", "failed", "cancelled"]


def refused(session, error, query_id, key=None, text="yes"):
    """The feed is refused by check and by entry alike, and changes nothing."""
    session.pass_ms(10)
    before = pickle.dumps(session.state)
    with pytest.raises(error) as caught:
        session.state.check_feed(query_id, key, text)
    assert pickle.dumps(session.state) == before
    if query_id is not None:
        with pytest.raises(error):
            session.state.answer(Answered(query_id, text, session.now.wall_ms, None, key), session.now)
        assert pickle.dumps(session.state) == before
    return caught.value


def test_a_pending_query_is_answered_by_its_id_in_any_order(session) -> None:
    session.ask("a", "b")
    assert session.state.check_feed("q-1", None, "B") == "q-1"
    assert session.state.check_feed("q-0", "key", "A") == "q-0"


def test_the_sole_pending_query_needs_no_id(session) -> None:
    session.ask("a", "b")
    session.answer("q-0")
    assert session.state.check_feed(None, None, "B") == "q-1"


def test_of_several_pending_queries_one_must_be_named(session) -> None:
    session.ask("a", "b", "c")
    session.answer("q-1")
    assert refused(session, AmbiguousQuery, None).count == 2


@pytest.mark.parametrize("phase", ["running", *FINISHED])
def test_without_an_id_a_session_that_is_not_paused_takes_nothing(session_in, phase) -> None:
    error = refused(session_in(phase), TransitionError, None)
    assert (error.expected, error.actual) == ("paused", phase)


@pytest.mark.parametrize("phase", FINISHED)
@pytest.mark.parametrize("query_id", ["q-0", "q-9"])
def test_a_finished_session_says_so_before_it_looks_at_the_query(session_in, phase, query_id) -> None:
    assert refused(session_in(phase), TransitionError, query_id).actual == phase


@pytest.mark.parametrize("phase", ["running", "paused"])
def test_a_query_that_was_never_asked_is_unknown(session_in, phase) -> None:
    assert refused(session_in(phase), UnknownQuery, "q-1").query_id == "q-1"


def test_a_late_answer_is_refused_and_never_answers_the_next_question(session_in) -> None:
    session = session_in("running")
    assert refused(session, AlreadyResponded, "q-0").query_id == "q-0"
    session.ask("next")
    refused(session, AlreadyResponded, "q-0", text="no")
    assert session.state.pending[0].id == "q-1"


def test_a_duplicate_in_the_same_pause_does_not_overwrite_the_answer(session) -> None:
    session.ask("a", "b")
    session.answer("q-0", "first")
    refused(session, AlreadyResponded, "q-0", text="second")
    assert session.state.transcript()[0]["response"] == "first"


def test_an_empty_answer_counts_as_one(session) -> None:
    session.ask("a", "b")
    session.answer("q-0", "")
    refused(session, AlreadyResponded, "q-0", text="")


def test_a_query_left_open_by_a_cancel_is_refused_because_of_the_end(session) -> None:
    session.ask("a")
    session.state.end(Cancelled("x"), session.now)
    assert refused(session, TransitionError, "q-0").actual == "cancelled"


# Idempotency keys


def test_a_repeat_is_told_its_first_outcome(session) -> None:
    session.ask("a", "b")
    session.answer("q-1", "B", key="k1")
    session.answer("q-0", "A", key="k0")
    assert session.state.check_feed("q-1", "k1", "B") == Repeat("q-1", 0, 1)
    assert session.state.check_feed("q-0", "k0", "A") == Repeat("q-0", 0, 0)


def test_a_repeat_comes_before_every_other_check(session) -> None:
    session.ask("a")
    session.answer("q-0", "A", key="k")
    session.state.end(Completed(1), session.now)
    assert session.state.check_feed("q-0", "k", "A") == Repeat("q-0", 0, 0)
    with pytest.raises(IdempotencyConflict):
        session.state.check_feed("q-0", "k", "B")


def test_a_repeat_of_an_earlier_pause_names_that_pause(session) -> None:
    session.ask("a")
    session.answer("q-0", key="k0")
    session.ask("b")
    session.answer("q-1", "B", key="k1")
    assert session.state.check_feed("q-1", "k1", "B") == Repeat("q-1", 1, 0)


@pytest.mark.parametrize(("query_id", "text"), [("q-1", "A"), ("q-0", "a"), ("q-0", ""), ("q-9", "A")])
def test_a_key_used_with_another_query_or_text_is_a_conflict(session, query_id, text) -> None:
    session.ask("a", "b")
    session.answer("q-0", "A", key="k")
    before = pickle.dumps(session.state)
    with pytest.raises(IdempotencyConflict) as caught:
        session.state.check_feed(query_id, "k", text)
    assert caught.value.key == "k"
    assert pickle.dumps(session.state) == before


def test_an_entry_with_a_key_used_before_is_a_conflict(session) -> None:
    session.ask("a", "b")
    session.answer("q-0", "A", key="k")
    before = pickle.dumps(session.state)
    with pytest.raises(IdempotencyConflict):
        session.answer("q-1", "A", key="k")
    assert pickle.dumps(session.state) == before


def test_a_retry_may_omit_the_id_as_the_first_call_did(session) -> None:
    session.ask("a")
    session.answer("q-0", "A", key="k", named=False)
    session.ask("b")
    assert session.state.check_feed(None, "k", "A") == Repeat("q-0", 0, 0)
    assert session.state.check_feed("q-0", "k", "A") == Repeat("q-0", 0, 0)


def test_a_retry_may_not_omit_the_id_that_the_first_call_gave(session) -> None:
    session.ask("a")
    session.answer("q-0", "A", key="k")
    session.ask("b")
    refused(session, IdempotencyConflict, None, "k", "A")


def test_a_refused_feed_does_not_use_up_its_key(session) -> None:
    session.ask("a")
    refused(session, UnknownQuery, "q-9", "k")
    assert session.state.check_feed("q-0", "k", "yes") == "q-0"


# Batches


def batch(*items):
    return [QueryResponse(query_id, text, None, key) for query_id, text, key in items]


def test_a_batch_names_its_queries_in_its_order(session) -> None:
    session.ask("a", "b", "c")
    assert session.state.check_batch(batch(("q-2", "C", None), ("q-0", "A", "k"))) == ["q-2", "q-0"]


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (("q-9", "x", None), UnknownQuery),
        (("q-0", "x", None), AlreadyResponded),
        (("q-1", "again", None), AlreadyResponded),
        (("q-2", "x", "k1"), IdempotencyConflict),
        (("q-2", "x", "old"), IdempotencyConflict),
        ((None, "x", None), AmbiguousQuery),
    ],
)
def test_one_bad_answer_refuses_the_whole_batch(session, last, error) -> None:
    session.ask("a", "b", "c")
    session.answer("q-0", "A", key="old")
    before = pickle.dumps(session.state)
    with pytest.raises(error):
        session.state.check_batch(batch(("q-1", "B", "k1"), last))
    assert pickle.dumps(session.state) == before


def test_a_batch_marks_the_answers_that_are_repeats(session) -> None:
    session.ask("a", "b")
    session.answer("q-0", "A", key="k")
    checked = session.state.check_batch(batch(("q-0", "A", "k"), ("q-1", "B", None)))
    assert checked == [Repeat("q-0", 0, 1), "q-1"]


def test_every_answer_of_a_batch_has_the_outcome_of_the_batch(session) -> None:
    session.ask("a", "b", "c", "d")
    session.answer("q-3", "D", key="k3", batch=2)
    session.answer("q-0", "A", key="k0", batch=2)
    session.answer("q-1", "B", key="k1")
    session.answer("q-2", "C", key="k2")
    outcomes = [session.state.check_feed(f"q-{n}", f"k{n}", "ABCD"[n]).remaining for n in range(4)]
    assert outcomes == [2, 1, 0, 2]


def test_an_empty_batch_is_refused(session) -> None:
    session.ask("a")
    with pytest.raises(SettingsError):
        session.state.check_batch([])


def test_the_same_answer_twice_in_a_batch_is_refused_with_a_key_too(session) -> None:
    session.ask("a", "b")
    with pytest.raises(AlreadyResponded):
        session.state.check_batch(batch(("q-0", "A", "k"), ("q-0", "A", "k")))
