"""Real processes in number: many lives, a host that is killed, statuses that others take, workers that will not stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import moonward
from moonward.testing import FaultyRuntime, Holdings, descendants, nothing_left_behind

from .plays import PATIENCE_S, play, wait_for

UNDERTAKER = Path(__file__).parents[1] / "pool" / "entries" / "undertaker.py"
HOST = Path(__file__).with_name("killed_host.py")
DEADLINE_S = 2.0
"""The contract's bound for the workers of a killed host."""


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_after_many_kills_and_restarts_the_host_holds_what_it_held() -> None:
    """The session is one and the same all the time; it makes progress now and then, so that its budget allows it."""
    cycles = 1000 if os.environ.get("MOONWARD_TEST_LONG") else 40
    settings = {"restart_intensity": 10**6, "restart_period": 0.001, "warm_workers": 1}
    with nothing_left_behind(), FaultyRuntime(**settings) as runtime:
        session = runtime.start("local i = 0 while true do i = i + 1 alc.llm(tostring(i)) end")
        session.wait(PATIENCE_S)
        lose_and_answer(runtime, session, 0, 3)  # what is made at the first loss, and kept, is there now
        before = steady(runtime)
        lose_and_answer(runtime, session, 3, cycles)
        assert steady(runtime) == before
        assert session.snapshot()["restarts"] == cycles + 3


def lose_and_answer(runtime: FaultyRuntime, session: moonward.Session, first: int, cycles: int) -> None:
    """So many times: kill the worker, and answer its replacement."""
    for number in range(first, first + cycles):
        while not runtime.kill_worker(session.id):
            pass
        while session.snapshot()["restarts"] <= number:
            pass
        session.feed("yes", query_id=f"q-{number}", timeout=PATIENCE_S)


def steady(runtime: FaultyRuntime) -> dict[str, int]:
    """How many descriptors, threads and processes there are, once the pool is full and what has ended is gone."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        pool = next(part for part in runtime.tree()["children"] if part["id"] == "pool")["stats"]
        processes = len(descendants(pool["zygote_pid"]))
        workers = len(runtime._core.services.live) + pool["idle"]
        if pool["idle"] == 1 and not pool["starting"] and processes == workers:
            return Holdings.now().counts() | {"processes": processes}
        assert time.monotonic() < deadline_s, (pool, processes)


@pytest.mark.parametrize(
    ("killed", "moment"),
    [("host", "at work"), ("both", "at work"), ("host", "starting"), ("both", "starting")],
)
def test_fifty_workers_are_gone_two_seconds_after_their_host_was_killed(killed: str, moment: str) -> None:
    """Paused, spinning, stopped, in forks, or just being started."""
    program = [sys.executable, str(UNDERTAKER), str(DEADLINE_S), killed, str(HOST), moment]
    done = subprocess.run(program, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr or "someone was left at the deadline"
    assert float(done.stdout.split()[1]) < DEADLINE_S


def test_a_worker_survives_the_thread_that_asked_for_it() -> None:
    with FaultyRuntime(warm_workers=0) as runtime:
        started: list[moonward.Session] = []
        thread = threading.Thread(target=lambda: started.append(runtime.start("return alc.llm('?')")))
        thread.start()
        thread.join(PATIENCE_S)
        assert play(started[0]) == moonward.Completed("?")
        assert started[0].snapshot()["restarts"] == 0


THIEF = """
    import os, signal, sys, threading
    import moonward
    from moonward.testing import FaultyRuntime

    def steal():
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                threading.Event().wait(0.001)

    if sys.argv[1] == "ignore":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    else:
        threading.Thread(target=steal, daemon=True).start()
    with FaultyRuntime() as runtime:
        session = runtime.start("return { alc.llm('one?'), alc.llm('two?') }")
        session.wait(20)
        runtime.kill_worker(session.id)
        events = session.events()
        print(next(each for each in events if each.kind == "restarted").data["detail"])
        session.feed("1", query_id="q-0", timeout=20)
        runtime.lose_zygote()
        print(next(each for each in events if each.kind == "restarted").data["reason"])
        print(session.feed("2", query_id="q-1", timeout=20).state, session.snapshot()["restarts"])
"""


@pytest.mark.parametrize("how", ["ignore", "wait"])
def test_a_host_that_takes_all_statuses_still_hears_how_its_workers_end(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(THIEF), how], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "killed by signal 9 (SIGKILL) (likely out of memory, or killed from outside)",
        "zygote",
        "Completed(result=['1', '2']) 1",
    ], done.stderr


@pytest.mark.parametrize("zygote", ["well", "stopped"])
def test_a_runtime_of_fifty_is_closed_in_time_whatever_its_workers_do(zygote: str) -> None:
    """Paused, spinning and stopped ones; the one that all are forked from may be stopped as well."""
    timeout_s = 1.0
    with nothing_left_behind():
        runtime = FaultyRuntime(warm_workers=0)
        sessions = []
        for number in range(50):
            code = "while true do end" if number % 10 == 0 else "return alc.llm('?')"
            sessions.append(runtime.start(code))
        for number, session in enumerate(sessions):
            if number % 10 != 0:
                session.wait(PATIENCE_S)
            if number % 5 == 0:
                runtime.stop_worker(session.id)
        if zygote == "stopped":
            pool = next(part for part in runtime.tree()["children"] if part["id"] == "pool")
            os.kill(pool["stats"]["zygote_pid"], signal.SIGSTOP)
        began_s = time.monotonic()
        runtime.close(timeout_s)
        assert time.monotonic() - began_s < timeout_s + 1.0


def test_a_lost_worker_is_told_once_and_its_replacement_is_another_process() -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(PATIENCE_S)
        first = runtime.workers(session.id)[""]
        runtime.kill_worker(session.id)
        wait_for(session, "restarted")
        assert play(session) == moonward.Completed("?")
        assert [event.kind for event in session.events()].count("restarted") == 1
        assert not Path(f"/proc/{first}").exists()
