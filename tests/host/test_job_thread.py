"""A thread for work that blocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from moonward.actors.errors import RuntimeClosed
from moonward.actors.job_thread import JobThread
from moonward.supervisor.loop import Loop

SOON_S = 10.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    loop.start()
    yield loop
    assert loop.stop()


class Heard:
    """Collects what `done` was told, until `count` came."""

    def __init__(self, count: int) -> None:
        self.outcomes: list[tuple[Any, BaseException | None]] = []
        self.threads: set[int] = set()
        self._count = count
        self._all = threading.Event()

    def done(self, value: Any, error: BaseException | None) -> None:
        self.outcomes.append((value, error))
        self.threads.add(threading.get_ident())
        if len(self.outcomes) == self._count:
            self._all.set()

    def wait(self) -> None:
        assert self._all.wait(SOON_S)


def test_outcomes_come_on_the_loop_in_the_order_of_submission(loop: Loop) -> None:
    jobs, heard = JobThread(loop, "jobs"), Heard(100)
    for number in range(100):
        jobs.submit(lambda number=number: number * 2, heard.done)  # type: ignore[misc]
    heard.wait()
    assert [value for value, _ in heard.outcomes] == [number * 2 for number in range(100)]
    assert heard.threads == {loop._ident}
    assert jobs.close(SOON_S)


def test_work_that_raises_is_told_and_ends_nothing(loop: Loop) -> None:
    jobs, heard = JobThread(loop, "jobs"), Heard(2)
    jobs.submit(lambda: 1 // 0, heard.done)
    jobs.submit(lambda: "next", heard.done)
    heard.wait()
    assert isinstance(heard.outcomes[0][1], ZeroDivisionError)
    assert heard.outcomes[1] == ("next", None)
    assert jobs.close(SOON_S)


def test_no_thread_exists_before_the_first_work(loop: Loop) -> None:
    before = threading.active_count()
    jobs = JobThread(loop, "lazy")
    assert threading.active_count() == before
    assert jobs.close(0.0)


def test_closing_finishes_what_was_submitted(loop: Loop) -> None:
    jobs, heard = JobThread(loop, "jobs"), Heard(3)
    gate = threading.Event()
    jobs.submit(lambda: gate.wait(SOON_S), heard.done)
    jobs.submit(lambda: 2, heard.done)
    jobs.submit(lambda: 3, heard.done)
    gate.set()
    assert jobs.close(SOON_S)
    heard.wait()
    assert [value for value, _ in heard.outcomes] == [True, 2, 3]


def test_work_after_the_close_is_refused(loop: Loop) -> None:
    jobs, heard = JobThread(loop, "jobs"), Heard(1)
    jobs.close(SOON_S)
    jobs.submit(lambda: 1, heard.done)
    heard.wait()
    assert isinstance(heard.outcomes[0][1], RuntimeClosed)


def test_a_close_that_runs_out_of_time_refuses_what_has_not_begun(loop: Loop) -> None:
    jobs, heard = JobThread(loop, "jobs"), Heard(2)
    gate, begun = threading.Event(), threading.Event()

    def blocking() -> str:
        begun.set()
        gate.wait(SOON_S)
        return "late"

    jobs.submit(blocking, heard.done)
    jobs.submit(lambda: "never", heard.done)
    assert begun.wait(SOON_S)
    assert not jobs.close(0.0)
    gate.set()
    heard.wait()
    assert heard.outcomes[0] == ("late", None)
    assert isinstance(heard.outcomes[1][1], RuntimeClosed)
