"""Workers that serve one session after another (`worker_reuse="clean"`), and what ends them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

import moonward
from moonward.testing.leftovers import nothing_left_behind

from .processes import children, is_gone

ASK = "return alc.llm('?')"


@pytest.fixture
def runtime() -> Iterator[moonward.Runtime]:
    with nothing_left_behind():
        with moonward.Runtime(worker_reuse="clean", warm_workers=1) as runtime:
            yield runtime


def pool(runtime: moonward.Runtime) -> dict[str, int]:
    """The numbers of the pool."""
    return next(child["stats"] for child in runtime.tree()["children"] if child["id"] == "pool")


def worker_of(runtime: moonward.Runtime, session: moonward.Session) -> int:
    """The process of a paused session."""
    strands = runtime._core.services.live
    return next(strand.pid for strand in list(strands) if strand._started.session_id == session.id)


def life(runtime: moonward.Runtime, code: str = ASK) -> tuple[int, moonward.Finished]:
    """Run a session that asks once to its end; its worker and its end."""
    session = runtime.start(code)
    session.wait()
    pid = worker_of(runtime, session)
    event = session.feed("4")
    assert isinstance(event, moonward.Finished)
    return pid, event


def test_a_worker_that_ended_a_session_well_serves_the_next(runtime: moonward.Runtime) -> None:
    served: dict[int, int] = {}
    while pool(runtime)["reused"] < 3 or max(served.values()) < 2:
        pid, event = life(runtime)
        assert event.state == moonward.Completed("4")
        served[pid] = served.get(pid, 0) + 1


def test_nothing_of_a_session_is_there_in_the_next(runtime: moonward.Runtime) -> None:
    leave = "x = 1; alc.mine = 2; string.mine = 3; math.randomseed(7); return alc.llm('?')"
    look = "alc.llm('?'); return {x == nil, alc.mine == nil, string.mine == nil, math.random(1 << 40)}"
    life(runtime, leave)
    drawn = set()
    for _ in range(3):
        _, event = life(runtime, look)
        assert event.state.result[:3] == [True, True, True]
        drawn.add(event.state.result[3])
    assert len(drawn) == 3


@pytest.mark.parametrize(
    "code", ["alc.llm('?') error('no')", "alc.llm('?') while true do end"], ids=["failed", "cancelled"]
)
def test_a_worker_whose_session_did_not_end_well_serves_nobody(runtime: moonward.Runtime, code: str) -> None:
    session = runtime.start(code)
    session.wait()
    pid = worker_of(runtime, session)
    pidfd = os.pidfd_open(pid)
    if "while" in code:
        session.cancel()
    else:
        session.feed("4")
    assert is_gone(pid, pidfd)
    assert pool(runtime)["reused"] == 0
    assert life(runtime)[1].state == moonward.Completed("4")


def test_a_worker_serves_as_many_sessions_as_it_may(runtime: moonward.Runtime) -> None:
    with moonward.Runtime(worker_reuse="clean", warm_workers=1, worker_lives=2) as other:
        served: dict[int, int] = {}
        for _ in range(6):
            pid, _ = life(other)
            served[pid] = served.get(pid, 0) + 1
        assert max(served.values()) <= 2


def test_a_reused_worker_that_is_lost_is_replaced(runtime: moonward.Runtime) -> None:
    for _ in range(3):
        life(runtime)
    session = runtime.start(ASK)
    session.wait()
    pid = worker_of(runtime, session)
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid, pidfd)
    event = session.feed("4")
    assert event.state == moonward.Completed("4")


def test_the_limits_are_those_of_the_session_that_is_served(runtime: moonward.Runtime) -> None:
    hungry = "local s = string.rep('x', 40 << 20) return #s"
    small = moonward.Limits(memory_bytes=16 << 20)
    for _ in range(3):
        assert runtime.start(hungry).finished().state == moonward.Completed(40 << 20)
        refused = runtime.start(hungry, limits=small).finished().state
        assert isinstance(refused, moonward.Failed)
        assert refused.error_kind == "limit"


def test_without_reuse_each_session_has_a_process_of_its_own() -> None:
    with moonward.Runtime(warm_workers=1) as runtime:
        pids = [life(runtime)[0] for _ in range(4)]
        assert len(set(pids)) == 4
        assert pool(runtime)["reused"] == 0


def test_a_pool_keeps_no_more_than_twice_its_warm_level(runtime: moonward.Runtime) -> None:
    sessions = [runtime.start(ASK) for _ in range(6)]
    for session in sessions:
        session.wait()
    for session in sessions:
        session.feed("4")
    zygote = pool(runtime)["zygote_pid"]
    while len(list(children(zygote))) > 2:
        pass
    assert pool(runtime)["idle"] + pool(runtime)["starting"] <= 2
