"""Waiting: the event that a session is in is there at once, with no patience at all too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import moonward
from moonward import Completed, FeedTimeout, Finished, Paused

SPIN = "while true do end"


def test_a_wait_of_no_seconds_tells_the_event_that_the_session_is_in() -> None:
    with moonward.Runtime(warm_workers=1) as runtime:
        session = runtime.start("return alc.llm('?')")
        first = session.wait()
        assert isinstance(first, Paused)
        assert [session.wait(timeout=0) for _ in range(20)] == [first] * 20
        with pytest.raises(FeedTimeout, match="nothing came within 0 s"):
            session.finished(timeout=0)
        session.feed("x")
        ends = [session.wait(timeout=0), session.finished(timeout=0)]
        assert [end.state for end in ends if isinstance(end, Finished)] == [Completed("x")] * 2


def test_a_wait_of_no_seconds_for_busy_lua_times_out() -> None:
    with moonward.Runtime(warm_workers=1) as runtime:
        session = runtime.start(SPIN)
        for ask in (session.wait, session.finished):
            with pytest.raises(FeedTimeout, match="nothing came within 0 s"):
                ask(timeout=0)


def test_a_coroutine_that_waits_no_seconds_is_told_the_same() -> None:
    async def go() -> None:
        async with moonward.AsyncRuntime(warm_workers=1) as runtime:
            session = await runtime.start("return alc.llm('?')")
            first = await session.wait()
            assert [await session.wait(timeout=0) for _ in range(20)] == [first] * 20
            busy = await runtime.start(SPIN)
            with pytest.raises(FeedTimeout, match="nothing came within 0 s"):
                await busy.wait(timeout=0)

    asyncio.run(go())


def test_a_wait_of_no_seconds_is_told_what_a_sleeping_session_is_in_and_leaves_it_asleep(
    tmp_path: Path,
) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        asking, ended = runtime.start("return alc.llm('?')"), runtime.start("return 1")
        question, end = asking.wait(), ended.wait()
    with moonward.Runtime(warm_workers=0, journal=journal) as runtime:
        asking, ended = runtime.session(asking.id), runtime.session(ended.id)
        assert (asking.wait(timeout=0), ended.wait(timeout=0), ended.finished(timeout=0)) == (
            question,
            end,
            end,
        )
        with pytest.raises(FeedTimeout):
            asking.finished(timeout=0)
        assert asking.snapshot()["residency"] == "hibernated"
