"""The loop, its hand-moved twin, and replies."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from moonward.supervisor import Loop, ManualLoop, Reply

WAIT_S = 10.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    loop.start()
    yield loop
    assert loop.stop()


def test_jobs_of_one_thread_run_in_order_on_the_loops_thread(loop: Loop) -> None:
    seen: list[tuple[int, bool]] = []
    done = threading.Event()
    for number in range(5000):
        loop.post(lambda number=number: seen.append((number, loop.is_here)))  # type: ignore[misc]
    loop.post(done.set)
    assert done.wait(WAIT_S)
    assert seen == [(number, True) for number in range(5000)]
    assert not loop.is_here


def test_a_job_that_raises_hurts_no_other_and_is_reported() -> None:
    errors: list[BaseException] = []
    loop = Loop(on_error=errors.append)
    loop.start()
    done = threading.Event()

    def fail() -> None:
        raise SystemExit(1)

    loop.post(fail)
    loop.post(done.set)
    assert done.wait(WAIT_S)
    assert loop.stop()
    assert [type(error) for error in errors] == [SystemExit]


def test_a_timer_that_is_due_in_ages_does_not_hurt_the_loop(loop: Loop) -> None:
    done = threading.Event()

    def arm() -> None:
        loop.call_later(1e12, done.set)
        loop.call_later(1e308, done.set)
        loop.call_later(0.001, lambda: loop.call_later(0.001, done.set))

    loop.post(arm)
    assert done.wait(WAIT_S)


def test_stop_runs_what_was_posted_before_it(loop: Loop) -> None:
    seen: list[int] = []
    other = Loop()
    other.start()
    for number in range(100):
        other.post(lambda number=number: seen.append(number))  # type: ignore[misc]
    assert other.stop()
    assert seen == list(range(100))
    assert not other.is_running


def test_posting_to_a_loop_that_has_ended_harms_nobody() -> None:
    loop = Loop()
    loop.start()
    assert loop.stop()
    loop.post(lambda: None)
    assert loop.stop()


def test_timers_run_in_order_of_their_time_and_not_when_cancelled(loop: Loop) -> None:
    seen: list[str] = []
    done = threading.Event()

    def arrange() -> None:
        loop.call_later(0.02, done.set)
        loop.call_later(0.01, lambda: seen.append("second"))
        loop.call_later(0.0, lambda: seen.append("first"))
        loop.call_later(0.005, lambda: seen.append("cancelled")).cancel()

    loop.post(arrange)
    assert done.wait(WAIT_S)
    assert seen == ["first", "second"]


def test_a_watched_descriptor_is_told_until_it_is_unwatched(loop: Loop) -> None:
    read_end, write_end = os.pipe()
    seen: list[bytes] = []
    done = threading.Event()

    def ready(_events: int) -> None:
        seen.append(os.read(read_end, 1))
        if len(seen) == 2:
            loop.unwatch(read_end)
            done.set()

    loop.post(lambda: loop.watch(read_end, ready))
    os.write(write_end, b"abc")
    assert done.wait(WAIT_S)
    loop.post(lambda: loop.unwatch(read_end))
    done.clear()
    loop.post(done.set)
    assert done.wait(WAIT_S)
    assert seen == [b"a", b"b"]
    os.close(read_end)
    os.close(write_end)


def test_a_hand_moved_loop_runs_timers_each_at_its_time() -> None:
    loop = ManualLoop()
    seen: list[tuple[str, float]] = []

    def first() -> None:
        seen.append(("first", loop.now_s))
        loop.call_later(1.0, lambda: seen.append(("nested", loop.now_s)))

    loop.call_later(1.0, first)
    loop.call_later(5.0, lambda: seen.append(("last", loop.now_s)))
    loop.advance(4.0)
    assert seen == [("first", 1.0), ("nested", 2.0)]
    assert loop.waiting == 1
    loop.advance(1.0)
    assert seen[-1] == ("last", 5.0)


def test_a_hand_moved_loop_looks_at_descriptors_when_told() -> None:
    loop = ManualLoop()
    read_end, write_end = os.pipe()
    seen: list[bytes] = []
    loop.watch(read_end, lambda _events: seen.append(os.read(read_end, 1)))
    assert not loop.poll()
    os.write(write_end, b"a")
    assert loop.poll(WAIT_S)
    assert seen == [b"a"]
    loop.unwatch(read_end)
    os.close(read_end)
    os.close(write_end)


def test_a_hand_moved_loop_raises_what_a_job_raises() -> None:
    loop = ManualLoop()

    def fail() -> None:
        raise ValueError("no")

    loop.post(fail)
    with pytest.raises(ValueError, match="no"):
        loop.run()


def test_the_first_outcome_of_a_reply_stays() -> None:
    reply: Reply[int] = Reply()
    assert not reply.wait(0)
    assert reply.complete(1)
    assert not reply.fail(ValueError())
    assert reply.result() == 1
    assert reply.wait(0)


def test_a_reply_tells_listeners_before_and_after_it_is_set() -> None:
    reply: Reply[int] = Reply()
    seen: list[str] = []
    reply.on_set(lambda _reply: seen.append("before"))
    reply.fail(ValueError("no"))
    reply.on_set(lambda _reply: seen.append("after"))
    assert seen == ["before", "after"]
    with pytest.raises(ValueError, match="no"):
        reply.result()
