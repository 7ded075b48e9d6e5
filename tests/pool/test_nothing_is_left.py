"""After many lives of workers, and after the end of a pool, the host is as it was."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from moonward.actors.worker_pool import WorkerPool

from .conftest import Desk

CYCLES = 50


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def children_of(pid: int) -> list[str]:
    return sorted(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def settled(desk: Desk, pool: WorkerPool, warm: int) -> None:
    """Wait until the zygote has no more children than the idle workers."""
    until(desk, lambda: len(pool._idle) == warm and len(children_of(pool._zygote.pid)) == warm)


def until(desk: Desk, holds: Callable[[], bool]) -> None:
    """Wait until `holds`, which is asked on the loop."""

    def look(done):
        if holds():
            done(True)
        else:
            desk.loop.call_later(0.002, lambda: look(done))

    desk.awaited(look)


def test_descriptors_threads_and_processes_are_the_same_after_many_lives(desk: Desk) -> None:
    pool = desk.pool(warm=2)
    settled(desk, pool, 2)
    before = (open_fds(), threading.active_count())
    zygote = desk.on_loop(pool.stats)["zygote_pid"]
    zygote_fds = len(os.listdir(f"/proc/{zygote}/fd"))
    for cycle in range(CYCLES):
        ready = desk.take(pool)
        if cycle % 3 == 0:
            desk.on_loop(ready.process.kill)
        elif cycle % 3 == 1:
            os.write(ready.process.stdin_fd, b"x")
        desk.on_loop(ready.process.close)
        assert desk.awaited(ready.process.on_exit)
    settled(desk, pool, 2)
    assert (open_fds(), threading.active_count()) == before
    assert len(os.listdir(f"/proc/{zygote}/fd")) == zygote_fds
    assert desk.on_loop(pool.stats)["started"] >= CYCLES


def test_three_descriptors_are_held_for_a_worker(desk: Desk) -> None:
    pool = desk.pool()
    first = desk.take(pool).process
    desk.on_loop(first.close)
    desk.awaited(
        first.on_exit
    )  # its pidfd is kept until its exit is reported, which is after it has been reaped
    before = open_fds()
    taken = [desk.take(pool) for _ in range(5)]
    assert open_fds() == before + 3 * len(taken)
    for each in taken:
        desk.on_loop(each.process.close)


def test_a_closed_pool_leaves_no_descriptor_and_no_child() -> None:
    before = open_fds()
    desk = Desk()
    pool = desk.pool(warm=3)
    taken = [desk.take(pool) for _ in range(2)]
    for each in taken:
        desk.on_loop(each.process.close)
    desk.close()
    assert open_fds() == before


def test_lost_zygotes_leave_nothing(desk: Desk) -> None:
    others = our_children()
    pool = desk.pool(warm=1)
    settled(desk, pool, 1)
    before = open_fds()
    for count in (2, 3):
        os.kill(desk.on_loop(pool.stats)["zygote_pid"], signal.SIGKILL)
        desk.event("zygote_started", count)
        settled(desk, pool, 1)
    until(desk, lambda: open_fds() == before)  # a worker's end may be heard of after its successor's start
    assert our_children() - others == {desk.on_loop(pool.stats)["zygote_pid"]}, "no zombie"


def our_children() -> set[int]:
    return {int(pid) for each in os.listdir("/proc/self/task") for pid in children_of_task(each)}


def children_of_task(task: str) -> list[str]:
    return Path(f"/proc/self/task/{task}/children").read_text().split()


def test_a_host_that_ignores_sigchld_still_hears_how_its_workers_ended(desk: Desk) -> None:
    kept = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        pool = desk.pool()
        ready = desk.take(pool)
        os.write(ready.process.stdin_fd, b"x")
        assert desk.awaited(ready.process.on_exit).code == 3
        desk.on_loop(ready.process.close)
        os.kill(desk.on_loop(pool.stats)["zygote_pid"], signal.SIGKILL)
        desk.event("zygote_lost")
        desk.on_loop(desk.take(pool).process.close)
    finally:
        signal.signal(signal.SIGCHLD, kept)
