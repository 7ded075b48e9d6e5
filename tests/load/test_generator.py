"""The generator, in virtual time: what is due when, what counts, and what is left when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from moonward.actors.query import LlmQuery, QueryResponse
from moonward.aio import AsyncRuntime
from moonward.load.generator import Generator, precise_loop
from moonward.load.plan import NoAnswerLeft, Plan
from moonward.load.tally import Tally
from moonward.load.think_time import ThinkTime

from .fakes import FakeRuntime
from .virtual_time import VirtualTimeLoop


class Numbers:
    """A model that counts for each session, up to `most`."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.most = most

    def answers(self) -> Numbers:
        return Numbers(self.most)

    def answer(self, query: LlmQuery) -> QueryResponse:
        if not self.most:
            raise NoAnswerLeft
        self.most -= 1
        return QueryResponse(query.id, str(self.most))


def plan(**fields: Any) -> Plan:
    standard: dict[str, Any] = {"arrivals": "even", "warm_up_s": 0.0, "duration_s": 1.0}
    return Plan("return alc.llm('?')", fields.pop("model", Numbers()), **{**standard, **fields})


def load(
    runtime: FakeRuntime, what: Plan, meanwhile: Callable[[Generator], None] = lambda generator: None
) -> Tally:
    tally = Tally()

    async def work() -> None:
        generator = Generator(cast(AsyncRuntime, runtime), what, tally)
        meanwhile(generator)
        await generator.run()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work())
    assert (tally.under_way, tally.waiting) == (0, 0)
    return tally


def test_sessions_arrive_at_their_rate_and_each_step_takes_its_time() -> None:
    runtime = FakeRuntime(start_s=0.001, first_s=0.002, answer_s=0.004, pauses=2)
    tally = load(runtime, plan(rate=10))
    assert (tally.arrived, tally.ends) == (10, {"completed": 10})
    assert tally.samples["start"] == pytest.approx([0.003] * 10)
    assert tally.samples["answer"] == pytest.approx([0.004] * 20)
    assert tally.samples["life"] == pytest.approx([0.011] * 10)
    assert tally.samples["lag"] == pytest.approx([0.0] * 30, abs=1e-6)
    assert tally.elapsed_s == pytest.approx(1.0)
    assert tally.rate(tally.ended_meanwhile) == pytest.approx(10)


def test_a_session_that_has_to_wait_for_its_turn_has_waited_from_when_it_was_due() -> None:
    """Ten a second are due, five a second can be done, one at a time: the n-th waits n tenths of a second."""
    tally = load(FakeRuntime(first_s=0.2), plan(rate=10, concurrency=1, drain_s=100))
    assert tally.samples["start"] == pytest.approx([0.2 + 0.1 * n for n in range(10)])
    assert tally.most_under_way == 1
    assert tally.ended_meanwhile == 4


def test_an_answer_counts_from_when_the_model_had_thought_enough() -> None:
    tally = load(FakeRuntime(answer_s=0.01), plan(rate=5, think=ThinkTime(0.3, 0.3)))
    assert tally.samples["answer"] == pytest.approx([0.01] * 5)
    assert tally.samples["life"] == pytest.approx([0.01] * 5)


def test_the_questions_of_a_pause_are_thought_about_side_by_side() -> None:
    runtime = FakeRuntime(answer_s=0.01, width=3)
    tally = load(runtime, plan(rate=1, think=ThinkTime(0.1, 0.5)))
    assert (len(tally.samples["accept"]), len(tally.samples["answer"])) == (2, 1)
    assert tally.samples["life"] == pytest.approx([0.01])
    assert len(runtime.answers) == 3


def test_without_a_rate_so_many_sessions_are_always_under_way() -> None:
    tally = load(FakeRuntime(first_s=0.3), plan(concurrency=4, duration_s=0.8))
    assert tally.most_under_way == 4
    assert tally.arrived == 12


def test_what_is_due_in_the_warm_up_is_done_and_not_counted() -> None:
    runtime = FakeRuntime(first_s=0.01)
    tally = load(runtime, plan(rate=10, warm_up_s=0.55))
    assert (len(runtime.sessions), tally.arrived) == (16, 10)
    assert [len(tally.samples[name]) for name in ("start", "answer", "life")] == [10, 10, 10]


def test_each_session_gets_the_answers_from_the_first_on() -> None:
    runtime = FakeRuntime(pauses=2)
    load(runtime, plan(rate=2, model=Numbers(2)))
    assert runtime.answers == ["1", "0", "1", "0"]


def test_a_session_without_answers_is_cancelled_and_told() -> None:
    runtime = FakeRuntime(pauses=2)
    tally = load(runtime, plan(rate=3, model=Numbers(1)))
    assert tally.errors == {"NoAnswerLeft": 3}
    assert [each.state and each.state.phase for each in runtime.sessions] == ["cancelled"] * 3


def test_errors_are_counted_by_type_and_the_load_goes_on() -> None:
    tally = load(FakeRuntime(room=2), plan(rate=5))
    assert (tally.ends, tally.errors) == ({"completed": 2}, {"TooManySessions": 3})


def test_what_does_not_end_in_time_is_cancelled_and_told() -> None:
    runtime = FakeRuntime(first_s=50)
    tally = load(runtime, plan(rate=4, concurrency=3, drain_s=1))
    assert (tally.unfinished, tally.unstarted, tally.ends) == (3, 1, {})
    assert [each.state and each.state.phase for each in runtime.sessions] == ["cancelled"] * 3


def test_a_session_that_was_on_its_way_when_the_load_ended_is_cancelled() -> None:
    runtime = FakeRuntime(start_s=50)
    load(runtime, plan(rate=1, drain_s=1))
    assert [each.state and each.state.phase for each in runtime.sessions] == ["cancelled"]


def test_a_load_that_is_stopped_keeps_what_there_is() -> None:
    tally = load(
        FakeRuntime(first_s=0.01),
        plan(rate=10, duration_s=1000),
        lambda generator: asyncio.get_running_loop().call_later(2.005, generator.stop) and None,
    )
    assert tally.is_interrupted
    assert tally.ends == {"completed": 20}
    assert tally.unfinished == 1
    assert tally.elapsed_s == pytest.approx(2.005)


def test_progress_is_told_now_and_then() -> None:
    told: list[float] = []

    async def work() -> None:
        await Generator(cast(AsyncRuntime, FakeRuntime()), plan(rate=1, duration_s=2), Tally()).run(
            told.append
        )

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work())
    assert told == pytest.approx([0, 0.5, 1, 1.5, 2])


def test_the_loop_for_real_loads_is_not_over_epoll() -> None:
    """epoll's timers are rounded up to a millisecond, which is more than a feed takes."""
    loop = precise_loop()
    try:
        assert type(loop._selector).__name__ == "SelectSelector"  # type: ignore[attr-defined]
    finally:
        loop.close()
