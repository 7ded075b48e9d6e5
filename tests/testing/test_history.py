"""The checker finds what is wrong, and only that."""

from __future__ import annotations

from typing import Any

import pytest

from moonward.actors.errors import AlreadyResponded, FeedTimeout, SessionRestarting
from moonward.testing import History, HistoryError


def transcript(*answers: tuple[str, str | None]) -> dict[str, list[dict[str, Any]]]:
    return {"s": [{"query_id": query_id, "response": text} for query_id, text in answers]}


def problems(history: History, held: dict[str, list[dict[str, Any]]]) -> list[str]:
    with pytest.raises(HistoryError) as caught:
        history.check_transcripts(held)
    return caught.value.problems


def test_an_acknowledged_answer_that_is_held_once_is_right() -> None:
    history = History()
    history.offer("s", "q-0", "yes").acknowledge()
    history.check_transcripts(transcript(("q-0", "yes"), ("q-1", None)))


def test_an_acknowledged_answer_that_is_lost_is_a_problem() -> None:
    history = History()
    history.offer("s", "q-0", "yes").acknowledge()
    assert problems(history, transcript(("q-0", None))) == [
        "s q-0: 'yes' was acknowledged, the session holds None"
    ]


def test_an_acknowledged_answer_that_was_changed_is_a_problem() -> None:
    history = History()
    history.offer("s", "q-0", "yes").acknowledge()
    assert problems(history, transcript(("q-0", "no"))) == [
        "s q-0: holds 'no', which nobody offered",
        "s q-0: 'yes' was acknowledged, the session holds 'no'",
    ]


def test_an_answer_that_was_refused_and_is_held_is_a_problem() -> None:
    history = History()
    history.offer("s", "q-0", "yes").refuse(AlreadyResponded("q-0"))
    assert problems(history, transcript(("q-0", "yes"))) == ["s q-0: holds 'yes', which was refused"]


def test_an_answer_of_unknown_fate_may_be_held_or_not() -> None:
    history = History()
    history.offer("s", "q-0", "yes").refuse(SessionRestarting("s"))
    history.check_transcripts(transcript(("q-0", "yes")))
    history.check_transcripts(transcript(("q-0", None)))


def test_a_timeout_says_itself_whether_the_answer_was_accepted() -> None:
    history = History()
    history.offer("s", "q-0", "yes").refuse(FeedTimeout("late", "q-0", accepted=True))
    assert problems(history, transcript(("q-0", None)))


def test_a_question_asked_twice_is_a_problem() -> None:
    assert problems(History(), transcript(("q-0", None), ("q-0", None))) == ["s q-0: asked twice"]


def test_two_answers_acknowledged_for_one_question_are_a_problem() -> None:
    history = History()
    history.offer("s", "q-0", "yes").acknowledge()
    history.offer("s", "q-0", "no").acknowledge()
    assert problems(history, transcript(("q-0", "no"))) == ["s q-0: 2 different answers were acknowledged"]


def test_a_call_that_has_not_ended_is_a_problem() -> None:
    history = History()
    history.offer("s", "q-0", "yes")
    found: list[list[str]] = []
    history.call("wait", lambda: found.append(problems(history, {})))
    assert found == [["a call of wait has not ended", "s q-0: a feed has not ended"]]
