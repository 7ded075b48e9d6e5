"""The end of a worker's output, and the worker's end: which was first, and what it means."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.screening import Screen
from moonward.actors.worker_link import WorkerLink
from moonward.actors.worker_process import ExitStatus, WorkerProcess
from moonward.supervisor.loop import Loop

WAITS = "import os, time; os.read(0, 1)"
CLOSES_ITS_OUTPUT = "import os; os.close(1); os.read(0, 1)"
KILLED = ExitStatus(signal=signal.SIGKILL)


class HandLoop:
    """Its timers are due when the test says so."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def call_later(self, delay_s: float, job: Callable[[], None]) -> None:
        self.timers.append(job)

    def watch(self, fd: int, on_ready: Callable[[int], None], events: int = select.EPOLLIN) -> None:
        pass

    def unwatch(self, fd: int) -> None:
        pass

    def let_time_pass(self) -> None:
        """Run the timers there are."""
        due, self.timers = self.timers, []
        for job in due:
            job()


class Ending:
    """A link to a process, whose output has ended."""

    def __init__(self, source: str, *, kill: bool) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        if kill:
            self.child.kill()
        stdin_fd, stdout_fd = os.dup(self.child.stdin.fileno()), os.dup(self.child.stdout.fileno())
        self.process = WorkerProcess(
            self.child.pid, os.pidfd_open(self.child.pid), stdin_fd, stdout_fd, memory_bytes=1
        )
        self.loop = HandLoop()
        self.losses: list[Loss] = []
        limits = Limits()
        loop = cast(Loop, self.loop)
        self.link = WorkerLink(loop, self.process, Screen(limits), lambda _: None, self.losses.append)
        select.select([stdout_fd], [], [])
        if kill:
            os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        self.link._ready(select.EPOLLIN)

    def close(self) -> None:
        """End the process, whatever the test has left."""
        self.link.close()
        self.child.wait()
        self.process.settle(KILLED)
        for stream in (self.child.stdin, self.child.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture
def ending(request: pytest.FixtureRequest) -> Iterator[Ending]:
    ending = Ending(*request.param[:1], kill=request.param[1])
    yield ending
    ending.close()


@pytest.mark.parametrize("ending", [(WAITS, True)], indirect=True, ids=["killed"])
def test_a_worker_whose_death_is_reported_late_was_not_mute(ending: Ending) -> None:
    ending.loop.let_time_pass()
    assert ending.losses == []
    ending.process.settle(KILLED)
    assert [(loss.kind, loss.detail.split(" (")[0]) for loss in ending.losses] == [
        ("crash", "killed by signal 9")
    ]


@pytest.mark.parametrize("ending", [(WAITS, True)], indirect=True, ids=["killed"])
def test_a_worker_whose_death_nobody_reports_is_lost_all_the_same(ending: Ending) -> None:
    ending.loop.let_time_pass()
    ending.loop.let_time_pass()
    assert [(loss.kind, "not reported" in loss.detail) for loss in ending.losses] == [("crash", True)]


@pytest.mark.parametrize("ending", [(CLOSES_ITS_OUTPUT, False)], indirect=True, ids=["mute"])
def test_a_worker_that_closes_its_output_and_lives_on_is_killed_for_it(ending: Ending) -> None:
    ending.loop.let_time_pass()
    assert ending.child.wait(10) == -signal.SIGKILL
    ending.process.settle(KILLED)
    assert [(loss.kind, loss.detail) for loss in ending.losses] == [
        ("protocol", "it closed its output without a final frame")
    ]
