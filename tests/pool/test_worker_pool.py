"""The pool: who gets a worker, who gets which error, and what is left when it has ended."""

import os
import resource
import signal
import threading
from pathlib import Path

import pytest

from moonward.actors.errors import (
    ProtocolError,
    RuntimeClosed,
    RuntimeUnsupported,
    StartTimeout,
    WorkerCrashed,
    WorkerError,
)
from moonward.actors.worker.confine import facts

from .conftest import MIB, Desk, ended_within, hear, say


def test_a_worker_that_was_taken_has_greeted_and_answers(desk: Desk) -> None:
    ready = desk.take(desk.pool(warm=1))
    assert ready.hello.hash_seed == ready.process.pid
    assert ready.hello.confinement == facts()["confinement"]
    assert say(ready, b"ping") == b"ping"
    desk.on_loop(ready.process.close)


def test_an_empty_pool_starts_a_worker_for_whoever_asks(desk: Desk) -> None:
    pool = desk.pool(warm=0)
    ready = [desk.take(pool) for _ in range(3)]
    assert len({each.process.pid for each in ready}) == 3
    assert desk.on_loop(pool.stats)["idle"] == 0
    for each in ready:
        desk.on_loop(each.process.close)


def test_many_takers_at_once_get_a_worker_each(desk: Desk) -> None:
    pool = desk.pool(warm=2)
    pids: list[int] = []
    over = threading.Event()

    def taken(ready, error):
        pids.append(ready.process.pid)
        ready.process.close()
        if len(pids) == 30:
            over.set()

    desk.loop.post(lambda: [pool.take(128 * MIB, taken) for _ in range(30)])
    assert over.wait(20)
    assert len(set(pids)) == 30


def test_the_pool_fills_up_again_after_a_take(desk: Desk) -> None:
    pool = desk.pool(warm=3)
    desk.idle(pool, 3)
    ready = desk.take(pool)
    desk.idle(pool, 3)
    assert desk.on_loop(pool.stats)["taken"] == 1
    desk.on_loop(ready.process.close)


@pytest.mark.parametrize(
    ("entry", "error", "text"),
    [
        ("no_hello", StartTimeout, "did not say hello within 0.5 s"),
        ("hello_of_half", StartTimeout, "did not say hello"),
        ("garbage", ProtocolError, "bad frame length"),
        ("huge_frame", ProtocolError, "bad frame length"),
        ("empty_frame", ProtocolError, "bad frame length"),
        ("not_json", ProtocolError, "could not be decoded"),
        ("another_message", ProtocolError, "could not be decoded"),
        ("future_protocol", ProtocolError, "protocol"),
        ("talkative", ProtocolError, "went on after its hello"),
        ("exits", WorkerCrashed, "ended before its hello: exit status 5"),
        ("raises", WorkerCrashed, "ended before its hello: exit status 70"),
        ("closes_output", WorkerCrashed, "closed its output"),
    ],
)
def test_a_worker_that_does_not_greet_properly_is_an_error_and_dies(
    desk: Desk, entry: str, error: type[Exception], text: str
) -> None:
    pool = desk.pool(entry=entry, start_timeout_s=0.5 if error is StartTimeout else 10.0)
    desk.ready(pool)
    with pytest.raises(error, match=text):
        desk.take(pool)
    desk.awaited(lambda done: when_no_child(desk, pool, done))


def when_no_child(desk, pool, done) -> None:
    pid = pool._zygote.pid
    if Path(f"/proc/{pid}/task/{pid}/children").read_text():
        desk.loop.call_later(0.001, lambda: when_no_child(desk, pool, done))
    else:
        done(True)


def test_a_warm_level_that_cannot_be_reached_is_tried_with_growing_delays(desk: Desk) -> None:
    pool = desk.pool(warm=2, entry="exits")
    desk.event("worker_failed", 3)
    assert pool._warm_failures > 1
    assert desk.on_loop(pool.stats)["idle"] == 0


def test_required_confinement_refuses_a_worker_with_less(desk: Desk) -> None:
    with pytest.raises(RuntimeUnsupported, match="'landlock'"):
        desk.take(desk.pool(entry="unconfined", require_confinement=True))


def test_less_confinement_is_accepted_openly_where_it_is_not_required(desk: Desk) -> None:
    pool = desk.pool(entry="unconfined")
    ready = desk.take(pool)
    assert ready.hello.confinement == "landlock"
    assert desk.on_loop(pool.stats)["confinement"] == "landlock"
    desk.on_loop(ready.process.close)


def test_a_warm_worker_gets_the_memory_that_its_taker_asks_for(desk: Desk) -> None:
    pool = desk.pool(warm=1)
    small = desk.take(pool, 16 * MIB)
    assert say(small, b"m") == b"refused"
    large = desk.take(pool, 512 * MIB)
    assert say(large, b"m") == b"taken 600"
    for each in (small, large):
        desk.on_loop(each.process.close)


def test_an_idle_worker_that_dies_is_replaced_and_never_handed_out(desk: Desk) -> None:
    pool = desk.pool(warm=1)
    desk.idle(pool, 1)
    victim = desk.on_loop(lambda: next(iter(pool._idle)).process.pid)
    os.kill(victim, signal.SIGKILL)
    assert desk.event("worker_lost") == {"pid": victim, "status": "killed by signal 9 (SIGKILL)"}
    ready = desk.take(pool)
    assert ready.process.pid != victim
    desk.on_loop(ready.process.close)


def test_a_lost_zygote_is_told_and_another_one_serves(desk: Desk) -> None:
    pool = desk.pool(warm=2)
    desk.idle(pool, 2)
    taken = desk.take(pool)
    first = desk.on_loop(pool.stats)["zygote_pid"]
    os.kill(first, signal.SIGKILL)
    status = desk.awaited(taken.process.on_exit)
    assert status.zygote_lost
    assert desk.event("zygote_started", 2)["pid"] != first
    again = desk.take(pool)
    assert say(again, b"ping") == b"ping"
    for each in (taken, again):
        desk.on_loop(each.process.close)


def test_takers_outlive_the_zygote_that_they_wait_for(desk: Desk) -> None:
    pool = desk.pool()
    got: list[object] = []
    over = threading.Event()

    def taken(ready, error):
        got.append(error or ready)
        if ready is not None:
            ready.process.close()
        if len(got) == 5:
            over.set()

    def ask_and_kill():
        for _ in range(5):
            pool.take(128 * MIB, taken)
        os.kill(pool._zygote.pid, signal.SIGKILL)

    desk.loop.post(ask_and_kill)
    assert over.wait(20)
    assert not [each for each in got if isinstance(each, Exception)]


def test_a_zygote_that_cannot_be_started_is_an_error_for_the_taker(desk: Desk) -> None:
    def nothing(on_lost, on_stderr):
        raise FileNotFoundError("no interpreter")

    with pytest.raises(WorkerError, match="no interpreter"):
        desk.take(desk.pool(spawner=nothing))


def test_a_zygote_that_breaks_while_it_starts_says_why(desk: Desk) -> None:
    pool = desk.pool(entry="no_such_entry")
    with pytest.raises(WorkerError, match="no_such_entry"):
        desk.take(pool)


def test_a_stopped_zygote_is_given_up_and_replaced(desk: Desk) -> None:
    pool = desk.pool()
    desk.on_loop(desk.take(pool).process.close)
    zygote = desk.ready(pool)
    zygote._start_timeout_s = 0.2  # of this one alone: its successor has the time that it needs
    os.kill(zygote.pid, signal.SIGSTOP)
    ready = desk.take(pool)
    assert "did not answer" in desk.event("zygote_lost")["reason"]
    desk.on_loop(ready.process.close)


def test_close_ends_idle_and_taken_workers_and_the_zygote(desk: Desk) -> None:
    pool = desk.pool(warm=2)
    desk.idle(pool, 2)
    taken = desk.take(pool)
    assert say(taken, b"s") == b"spinning"
    zygote = desk.on_loop(pool.stats)["zygote_pid"]
    fds = [os.pidfd_open(pid) for pid in (zygote, taken.process.pid)]
    desk.awaited(lambda done: pool.close(2.0, lambda: done(True)))
    for fd in fds:
        assert ended_within(fd, 0)
        os.close(fd)
    assert desk.on_loop(lambda: taken.process.has_exited)
    desk.on_loop(taken.process.close)


def test_close_is_bounded_when_the_zygote_is_stopped(desk: Desk) -> None:
    pool = desk.pool(warm=1)
    desk.idle(pool, 1)
    os.kill(desk.on_loop(pool.stats)["zygote_pid"], signal.SIGSTOP)
    before = desk.loop.clock()
    desk.awaited(lambda done: pool.close(0.2, lambda: done(True)))
    assert desk.loop.clock() - before < 1.2


def test_after_close_a_taker_is_refused_and_a_waiting_one_is_told(desk: Desk) -> None:
    pool = desk.pool(entry="no_hello")
    told: list[object] = []

    def ask_then_close(done):
        pool.take(128 * MIB, lambda ready, error: told.append(error))
        pool.close(2.0, lambda: done(True))

    desk.awaited(ask_then_close)
    assert isinstance(told[0], RuntimeClosed)
    with pytest.raises(RuntimeClosed):
        desk.take(pool)


def test_a_fault_of_the_pool_leaves_taken_workers_alive(desk: Desk) -> None:
    pool = desk.pool(warm=2)
    taken = desk.take(pool)
    desk.idle(pool, 2)
    idle = [os.pidfd_open(each.process.pid) for each in desk.on_loop(lambda: list(pool._idle))]
    zygote = os.pidfd_open(desk.on_loop(pool.stats)["zygote_pid"])
    desk.on_loop(lambda: pool.end(ValueError("a fault")))
    for fd in idle:
        assert ended_within(fd, 2)
        os.close(fd)
    assert say(taken, b"still here") == b"still here"
    desk.on_loop(taken.process.close)
    assert ended_within(zygote, 2), "the zygote ends with its last worker"
    os.close(zygote)


def test_without_descriptors_a_taker_is_told_and_a_later_one_is_served(desk: Desk) -> None:
    pool = desk.pool()
    desk.on_loop(desk.take(pool).process.close)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 2, hard))
    held = []
    try:
        with pytest.raises(OSError):
            while True:
                held.append(os.dup(0))
        with pytest.raises(WorkerError, match="Too many open files"):
            desk.take(pool)
        os.kill(desk.on_loop(pool.stats)["zygote_pid"], signal.SIGKILL)
        with pytest.raises(WorkerError, match="Too many open files"):
            desk.take(pool)
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    ready = desk.take(pool)
    assert say(ready, b"ping") == b"ping"
    desk.on_loop(ready.process.close)


def test_a_flood_on_standard_error_blocks_no_worker(desk: Desk) -> None:
    pool = desk.pool(entry="floods_stderr")
    ready = [desk.take(pool) for _ in range(2)]
    assert [say(each, b"x!") for each in ready] == [b"x!", b"x!"]
    for each in ready:
        desk.on_loop(each.process.close)


def test_last_words_of_a_worker_are_told_with_control_characters_escaped(desk: Desk) -> None:
    with pytest.raises(WorkerCrashed):
        desk.take(desk.pool(entry="raises"))
    text = desk.event("worker_stderr")["text"]
    assert "ValueError: broken \\x1b[31mentry" in text
    assert "\x1b" not in text


def test_a_stopped_worker_is_killable(desk: Desk) -> None:
    ready = desk.take(desk.pool())
    os.kill(ready.process.pid, signal.SIGSTOP)
    desk.on_loop(ready.process.kill)
    assert desk.awaited(ready.process.on_exit).signal == signal.SIGKILL
    desk.on_loop(ready.process.close)


def test_a_worker_past_its_cpu_limit_is_ended_by_the_kernel(desk: Desk) -> None:
    ready = desk.take(desk.pool())
    desk.on_loop(lambda: ready.process.set_cpu_limit(0.1))
    os.write(ready.process.stdin_fd, b"s")
    assert hear(ready) == b"spinning"
    assert desk.awaited(ready.process.on_exit).signal == signal.SIGXCPU
    desk.on_loop(ready.process.close)


def test_an_exit_of_its_own_is_reported_with_its_code(desk: Desk) -> None:
    ready = desk.take(desk.pool())
    os.write(ready.process.stdin_fd, b"x")
    assert str(desk.awaited(ready.process.on_exit)) == "exit status 3"
    assert desk.on_loop(ready.process.cpu_seconds) == 0.0
    desk.on_loop(ready.process.close)
    desk.on_loop(ready.process.kill)


def test_cpu_time_of_a_spinning_worker_grows_and_of_a_waiting_one_does_not(desk: Desk) -> None:
    pool = desk.pool()
    waiting, spinning = desk.take(pool), desk.take(pool)
    assert say(spinning, b"s") == b"spinning"
    rest_s = waiting.process.cpu_seconds()

    def grown(done):
        if spinning.process.cpu_seconds() > rest_s + 0.1:
            done(True)
        else:
            desk.loop.call_later(0.01, lambda: grown(done))

    desk.awaited(grown)
    assert waiting.process.cpu_seconds() < rest_s + 0.05
    for each in (waiting, spinning):
        desk.on_loop(each.process.close)


def test_an_idle_worker_that_got_too_old_is_replaced(desk: Desk) -> None:
    pool = desk.pool(warm=2, max_age_s=0.2)
    desk.idle(pool, 2)
    old = [os.pidfd_open(each.process.pid) for each in desk.on_loop(lambda: list(pool._idle))]
    for fd in old:
        assert ended_within(fd, 5)
        os.close(fd)
    desk.idle(pool, 2)


def test_a_pool_that_reuses_nothing_ends_what_is_given_back(desk: Desk) -> None:
    pool = desk.pool(warm=1)
    ready = desk.take(pool)
    assert not desk.on_loop(lambda: pool.may_stay(ready.process))
    pidfd = os.pidfd_open(ready.process.pid)
    desk.on_loop(lambda: pool.give_back(ready.process))
    assert ended_within(pidfd, 2)
    os.close(pidfd)
