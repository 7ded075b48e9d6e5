from __future__ import annotations

from itertools import permutations

import pytest

from moonward.actors.barrier import JoinBarrier
from moonward.actors.query import LlmQuery

QUERIES = [LlmQuery(f"q-{n}", f"question {n}") for n in range(3)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_answers_come_in_any_order_and_leave_in_the_order_asked(order) -> None:
    barrier = JoinBarrier(QUERIES)
    left = [barrier.answer(f"q-{n}", f"answer {n}") for n in order]
    assert left == [2, 1, 0]
    assert list(barrier.texts().items()) == [(f"q-{n}", f"answer {n}") for n in range(3)]


def test_what_waits_is_told_in_the_order_asked() -> None:
    barrier = JoinBarrier(QUERIES)
    barrier.answer("q-1", "")
    assert [query.id for query in barrier.waiting()] == ["q-0", "q-2"]
    assert not barrier.is_waiting_for("q-1")
    assert barrier.is_waiting_for("q-2")
    assert not barrier.is_waiting_for("q-3")


def test_an_empty_answer_is_an_answer() -> None:
    barrier = JoinBarrier(QUERIES[:1])
    assert barrier.answer("q-0", "") == 0
    assert barrier.texts() == {"q-0": ""}
    assert barrier.waiting() == ()


def test_a_second_answer_breaks_the_barriers_promise() -> None:
    barrier = JoinBarrier(QUERIES)
    barrier.answer("q-0", "first")
    with pytest.raises(AssertionError):
        barrier.answer("q-0", "second")
    assert barrier.texts() == {"q-0": "first"}
