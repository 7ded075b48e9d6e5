"""The queue of tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moonward.supervisor.serial import Serial, Task


class Recorder:
    """Tasks that wait for a person, and their outcomes."""

    def __init__(self) -> None:
        self.serial = Serial()
        self.resumes: list[Callable[[Any], None]] = []
        self.outcomes: list[tuple[str, Any]] = []

    def wait_for(self, name: str, steps: int = 1) -> None:
        def task() -> Task:
            got: list[Any] = []
            while len(got) < steps:
                value = yield self.resumes.append
                got.append(value)
            return got

        self.serial.submit(task(), lambda value, error: self.outcomes.append((name, error or value)))


def test_tasks_run_one_after_another() -> None:
    recorder = Recorder()
    recorder.wait_for("a")
    recorder.wait_for("b")
    assert len(recorder.resumes) == 1
    recorder.resumes[0](1)
    assert recorder.outcomes == [("a", [1])]
    recorder.resumes[1](2)
    assert recorder.outcomes == [("a", [1]), ("b", [2])]


def test_a_step_that_is_resumed_twice_goes_on_once() -> None:
    recorder = Recorder()
    recorder.wait_for("a", steps=2)
    recorder.resumes[0](1)
    recorder.resumes[0](2)
    assert recorder.outcomes == []
    recorder.resumes[1](3)
    assert recorder.outcomes == [("a", [1, 3])]


def test_an_aborted_task_is_not_resumed_and_those_that_wait_are_told() -> None:
    recorder = Recorder()
    gone = RuntimeError("gone")
    recorder.wait_for("a")
    recorder.wait_for("b")
    recorder.serial.abort(gone)
    assert recorder.outcomes == [("a", gone), ("b", gone)]
    recorder.wait_for("c")
    recorder.resumes[0](1)
    assert recorder.outcomes == [("a", gone), ("b", gone)]
    recorder.resumes[1](2)
    assert recorder.outcomes[2:] == [("c", [2])]


def test_a_task_that_aborts_itself_goes_no_further_than_its_next_step() -> None:
    serial, seen = Serial(), []

    def task() -> Task:
        serial.abort(RuntimeError("by itself"))
        seen.append("on")
        yield lambda resume: resume(None)
        seen.append("too far")

    serial.submit(task(), lambda value, error: seen.append(str(error)))
    assert seen == ["by itself", "on"]


def test_an_error_of_a_task_is_its_outcome_and_the_next_runs() -> None:
    serial, seen = Serial(), []

    def fail() -> Task:
        yield from ()
        raise ValueError("no")

    def succeed() -> Task:
        yield lambda resume: resume(None)
        return "yes"

    for task in (fail(), succeed()):
        serial.submit(task, lambda value, error: seen.append(str(error or value)))
    assert seen == ["no", "yes"]


def test_a_hundred_thousand_steps_that_resume_at_once_do_not_grow_the_stack() -> None:
    serial, seen = Serial(), []

    def task() -> Task:
        for number in range(100_000):
            yield lambda resume, number=number: resume(number)

    serial.submit(task(), lambda value, error: seen.append(error))
    assert seen == [None]
