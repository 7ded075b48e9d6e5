"""Programs that forget to close a Runtime, or are killed: they leave nothing behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import moonward
from moonward import Cancelled
from moonward.testing import FaultyRuntime

PROGRAMS = Path(__file__).parent / "programs"

GONE_S = 2.0
"""The contract's bound for workers of a killed host, in seconds."""

CANCELLED_S = 1.0
"""The same for the worker of a cancelled session."""


def start(program: str, *arguments: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A program, and pidfds of the processes below it."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(PROGRAMS / program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    pids = process.stdout.readline().split()
    assert pids, process.communicate()[1]
    return process, pidfds([int(pid) for pid in pids])


def pidfds(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            found.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue  # gone already
    return found


def left_after(watched: list[int], limit_s: float) -> int:
    """How many of the processes are there after `limit_s` seconds; closes the pidfds."""
    deadline_s = time.monotonic() + limit_s
    left = set(watched)
    while left and (wait_s := deadline_s - time.monotonic()) > 0:
        left -= set(select.select(list(left), [], [], wait_s)[0])
    for fd in watched:
        os.close(fd)
    return len(left)


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [("return", 0, ""), ("exit", 7, ""), ("error", 1, "a fault"), ("thread", 0, "")],
)
def test_a_program_that_forgets_to_close_exits_and_leaves_nothing(how: str, status: int, said: str) -> None:
    process, watched = start("forgetful.py", how)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (status, "")
    assert said in errors
    assert errors == "" or said
    assert left_after(watched, GONE_S) == 0


@pytest.mark.parametrize(
    "code", ["while true do end", "pcall(string.rep, 'x', 1e9) while true do pcall(error) end"]
)
def test_a_cancelled_session_that_spins_has_ended_and_its_process_is_gone_within_a_second(code: str) -> None:
    with FaultyRuntime(warm_workers=1) as runtime:
        session = runtime.start(code)
        while not (pids := list(runtime.workers(session.id).values())):
            pass
        watched = pidfds(pids)
        assert session.cancel("enough").state == Cancelled("enough")
        assert left_after(watched, CANCELLED_S) == 0


@pytest.mark.parametrize("how", ["alone", "forks"])
def test_no_worker_of_a_killed_host_is_left_after_two_seconds_however_busy(how: str) -> None:
    process, watched = start("doomed.py", "20", "10", how)
    assert len(watched) >= 21
    forked = children(process.pid) - {pid_of(fd) for fd in watched}
    try:
        process.send_signal(signal.SIGKILL)
        killed_s = time.monotonic()
        assert left_after(watched, GONE_S) == 0
        assert time.monotonic() - killed_s < GONE_S
    finally:
        for pid in forked:
            os.kill(pid, signal.SIGKILL)
        process.communicate()


def children(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def pid_of(pidfd: int) -> int:
    lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pid:")).split()[1])


def test_in_a_process_that_a_host_forks_its_runtime_is_closed_and_holds_none_of_its_sessions(
    tmp_path: Path,
) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with subprocess.Popen(
        [sys.executable, "-P", str(PROGRAMS / "forking.py"), journal],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout is not None
        lines = sorted([host.stdout.readline(), host.stdout.readline()])
        assert json.loads(lines[0]) == [
            ["RuntimeClosed: this Runtime is of process PARENT, from which this process was forked"],
            [],
            1,
        ]
        host.kill()
        assert host.wait(10) == -signal.SIGKILL
        with moonward.Runtime(warm_workers=0, journal=journal) as heir:  # the child lives on
            end = heir.feed(lines[1].strip(), "4", timeout=10)
            assert isinstance(end, moonward.Finished)
            assert end.state == moonward.Completed("4")
