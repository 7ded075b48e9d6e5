"""Forks and lost workers: the parent's, its children's, and both at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import moonward
from moonward.testing import Faults, FaultyRuntime

from .plays import PATIENCE_S, Watched, ids, play, wait_for, write_packages

TWO_FORKS = """
local first = alc.fork({ "quick" }, {})
local second = alc.fork({ "asks", "asks" }, {})
return { first[1].result, second[1].result, second[2].result }
"""

BETWEEN_S = 0.4
"""How long a lost parent is between its two forks, for what is to happen meanwhile."""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    return write_packages(
        tmp_path,
        quick="return 'quick'",
        asks="return alc.llm('child?')",
        counts="alc.llm('go?') local n = alc.state.incr('n') alc.llm('more?') return n",
        spins="while true do end",
    )


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def runtime(faults: Faults) -> Iterator[FaultyRuntime]:
    with FaultyRuntime(faults) as runtime:
        yield runtime


def lose_parent_between_forks(faults: Faults, runtime: FaultyRuntime, session: moonward.Session) -> None:
    """Kill the parent while the second fork waits; on its way there again it stays between the forks for a while."""
    faults.add("slow", "call", strand="", nth=4, for_s=BETWEEN_S)
    runtime.kill_worker(session.id)
    wait_for(session, "restarted")
    while not faults.met_by(session.id):
        assert session.phase == "paused"


def test_a_child_that_ends_while_its_lost_parent_is_between_two_forks_is_not_forgotten(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    session = runtime.start(TWO_FORKS, packages=[packages])
    assert ids(session.wait(PATIENCE_S)) == ["f-0-0", "f-1-0"]
    lose_parent_between_forks(faults, runtime, session)
    session.feed("a", query_id="f-0-0", timeout=PATIENCE_S)
    session.feed("b", query_id="f-1-0", timeout=PATIENCE_S)
    assert session.finished(PATIENCE_S).state == moonward.Completed(["quick", "a", "b"])


def test_children_that_ask_while_their_lost_parent_is_between_two_forks_are_heard(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    faults.add("kill", "called", strand="", nth=2)
    faults.add("slow", "call", strand="", nth=4, for_s=BETWEEN_S)
    faults.add("slow", "ask", strand="1.0", for_s=BETWEEN_S / 2)
    session = runtime.start(TWO_FORKS, packages=[packages])
    assert ids(session.wait(PATIENCE_S)) == ["f-0-0", "f-1-0"]
    assert play(session) == moonward.Completed(["quick", "child?", "child?"])
    assert faults.counts() == {"kill": 1, "slow": 2}


def test_a_child_that_is_lost_while_its_lost_parent_is_between_two_forks_is_replaced(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    session = runtime.start(TWO_FORKS, packages=[packages])
    session.wait(PATIENCE_S)
    lose_parent_between_forks(faults, runtime, session)
    assert runtime.kill_worker(session.id, "1.0")
    wait_for(session, "restarted", 2)
    assert play(session) == moonward.Completed(["quick", "child?", "child?"])


def test_a_session_that_is_cancelled_while_its_lost_parent_is_between_two_forks_leaves_no_worker(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    session = runtime.start(TWO_FORKS, packages=[packages])
    session.wait(PATIENCE_S)
    lose_parent_between_forks(faults, runtime, session)
    workers = runtime.workers(session.id)
    assert sorted(workers) == ["", "1.0", "1.1"]
    watched = Watched(list(workers.values()))
    session.cancel("enough")
    assert watched.all_gone()


def test_what_a_child_called_while_its_parent_was_lost_is_not_called_again(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    session = runtime.start("return alc.fork({ 'counts', 'asks' }, {})", packages=[packages])
    assert ids(session.wait(PATIENCE_S)) == ["f-0-0", "f-1-0"]
    faults.add("slow", "call", strand="", nth=2, for_s=BETWEEN_S)
    runtime.kill_worker(session.id)
    wait_for(session, "restarted")
    session.feed("", query_id="f-1-0", timeout=PATIENCE_S)
    event = session.feed("", query_id="f-0-0", timeout=PATIENCE_S)
    assert ids(event) == ["f-0-1"]
    runtime.kill_worker(session.id, "0.0")
    wait_for(session, "restarted", 2)
    assert play(session) == moonward.Completed(
        [{"strategy": "counts", "ok": True, "result": 1}, {"strategy": "asks", "ok": True, "result": ""}]
    )
    assert faults.visits(session.id, "begin", "0.0") == 2, "it was started once again, not twice"
    assert runtime.replay(session.id).agrees


def test_a_child_that_is_lost_just_before_the_pause_asks_again_and_all_ask_together(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    faults.add("kill", "asked", strand="0.0")
    faults.add("slow", "ask", strand="0.1", for_s=BETWEEN_S)
    session = runtime.start("return #alc.fork({ 'asks', 'asks' }, {})", packages=[packages])
    assert ids(session.wait(PATIENCE_S)) == ["f-0-0", "f-1-0"]
    assert play(session) == moonward.Completed(2)
    assert [each["query_id"] for each in session.transcript()] == ["f-0-0", "f-1-0"]


def test_answers_that_come_while_a_child_is_lost_reach_it(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    session = runtime.start("return alc.fork({ 'asks', 'asks' }, {})", packages=[packages])
    session.wait(PATIENCE_S)
    faults.add("slow", "begin", strand="0.0", for_s=BETWEEN_S)
    runtime.kill_worker(session.id, "0.0")
    wait_for(session, "restarted")
    state = play(session, lambda query: query.id)
    assert [each["result"] for each in state.result] == ["f-0-0", "f-1-0"]


def test_a_zygote_that_is_lost_in_the_middle_of_a_fork_is_charged_to_nobody(
    runtime: FaultyRuntime, packages: Path
) -> None:
    names = ", ".join(["'asks'"] * 8)
    session = runtime.start(f"return #alc.fork({{ {names} }}, {{}})", packages=[packages])
    while not runtime.workers(session.id):
        pass
    runtime.lose_zygote()
    assert ids(session.wait(PATIENCE_S)) == [f"f-{child}-0" for child in range(8)]
    assert play(session) == moonward.Completed(8)
    assert session.snapshot()["restarts"] == 0


def test_a_child_that_loses_its_worker_too_often_fails_alone(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    faults.add("kill", "begun", strand="0.0", times=None)
    session = runtime.start("return alc.fork({ 'asks', 'asks' }, {})", packages=[packages])
    state = play(session)
    failed, fine = state.result
    assert (failed["ok"], fine["ok"], fine["result"]) == (False, True, "child?")
    assert failed["error"].startswith("worker lost, restart budget spent: killed by signal 9")
    assert session.snapshot()["restarts"] == 3
    assert runtime.replay(session.id).agrees


def test_a_child_that_crosses_a_limit_fails_alone_and_is_not_repeated(
    runtime: FaultyRuntime, packages: Path
) -> None:
    session = runtime.start(
        "return alc.fork({ 'spins', 'quick' }, {})", packages=[packages], limits={"cpu_seconds": 0.3}
    )
    failed, fine = session.finished(PATIENCE_S).state.result
    assert (failed["ok"], fine["ok"]) == (False, True)
    assert "cpu_seconds" in failed["error"]
    assert session.snapshot()["restarts"] == 0


def test_a_fork_that_fails_as_a_whole_when_a_child_is_given_up_is_an_error_of_lua(
    faults: Faults, runtime: FaultyRuntime, packages: Path
) -> None:
    faults.add("kill", "begun", strand="0.1", times=None)
    code = (
        "local ok, why = pcall(alc.fork, { 'quick', 'asks' }, {}, { on_error = 'fail' }) return { ok, why }"
    )
    session = runtime.start(code, packages=[packages])
    ok, why = session.finished(PATIENCE_S).state.result
    assert not ok
    assert "strategy 'asks' failed: worker lost" in why
