"""What comes while a session is recovering: answers, looks, ends, sleep, and calls of the host that are under way."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import moonward
from moonward import requests
from moonward.supervisor.reply import Reply
from moonward.testing import Faults, FaultyRuntime, nothing_left_behind

from .plays import PATIENCE_S, Watched, ids, play, wait_for

ASK = "return { alc.llm('one?'), alc.llm('two?') }"
DONE = moonward.Completed(["one?", "two?"])
LONG_S = 30.0
"""A backoff that lasts longer than any of these tests."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second restart of a session waits for longer than a test lasts."""
    monkeypatch.setattr("moonward.actors.restart_budget.BACKOFF_BASE_S", 2 * LONG_S)
    monkeypatch.setattr("moonward.actors.restart_budget.BACKOFF_MAX_S", 2 * LONG_S)


@pytest.fixture
def runtime() -> Iterator[FaultyRuntime]:
    with nothing_left_behind(), FaultyRuntime() as runtime:
        yield runtime


def wait_until_recovering(runtime: FaultyRuntime) -> moonward.Session:
    """A paused session that waits for its second restart."""
    session = runtime.start(ASK)
    session.wait(PATIENCE_S)
    runtime.kill_worker(session.id)
    wait_for(session, "restarted", 1)
    while session.snapshot()["residency"] == "recovering" or not runtime.kill_worker(session.id):
        pass
    wait_for(session, "restarted", 2)
    return session


@pytest.mark.usefixtures("patient")
def test_a_recovering_session_counts_as_paused_and_can_be_looked_at(runtime: FaultyRuntime) -> None:
    session = wait_until_recovering(runtime)
    shot = session.snapshot("full")
    assert (shot["phase"], shot["residency"], shot["restarts"]) == ("paused", "recovering", 2)
    assert [each["prompt"] for each in shot["pending"]] == ["one?"]
    assert ids(session.wait(PATIENCE_S)) == ["q-0"]
    assert runtime.workers(session.id) == {}


@pytest.mark.usefixtures("patient")
def test_a_recovering_session_can_be_cancelled_at_once(runtime: FaultyRuntime) -> None:
    session = wait_until_recovering(runtime)
    assert session.cancel("enough").state == moonward.Cancelled("enough")
    assert session.snapshot()["residency"] == "ended"


@pytest.mark.usefixtures("patient")
def test_a_runtime_is_closed_at_once_while_a_session_is_recovering(runtime: FaultyRuntime) -> None:
    wait_until_recovering(runtime)
    began_s = time.monotonic()
    runtime.close(timeout=5)
    assert time.monotonic() - began_s < LONG_S


@pytest.mark.usefixtures("patient")
def test_an_answer_to_a_recovering_session_is_accepted_and_waits(runtime: FaultyRuntime) -> None:
    session = wait_until_recovering(runtime)
    with pytest.raises(moonward.FeedTimeout) as caught:
        session.feed("one?", query_id="q-0", timeout=0.1)
    assert caught.value.accepted is True
    assert session.phase == "running"
    with pytest.raises(moonward.AlreadyResponded):
        session.feed("another", query_id="q-0", timeout=PATIENCE_S)


def test_an_answer_that_was_accepted_meanwhile_reaches_the_replacement() -> None:
    faults = Faults().add("slow", "begin", nth=2, for_s=0.3)
    with FaultyRuntime(faults) as runtime:
        session = runtime.start(ASK)
        session.wait(PATIENCE_S)
        runtime.kill_worker(session.id)
        wait_for(session, "restarted")
        assert ids(session.feed("one?", query_id="q-0", timeout=PATIENCE_S)) == ["q-1"]
        assert play(session) == DONE


@pytest.mark.usefixtures("patient")
def test_a_recovering_session_that_goes_to_sleep_forgets_its_restart_and_wakes_for_an_answer() -> None:
    with FaultyRuntime(hibernate_after=0.3, reap_interval=0.05) as runtime:
        session = wait_until_recovering(runtime)
        wait_for(session, "hibernated")
        assert session.snapshot()["residency"] == "hibernated"
        session.feed("one?", query_id="q-0", timeout=PATIENCE_S)
        assert play(session) == DONE
        assert session.snapshot()["restarts"] == 2


def test_a_session_that_expires_while_it_is_recovering_is_cancelled(patient: None) -> None:
    with FaultyRuntime(idle_ttl=0.4, reap_interval=0.05) as runtime:
        session = wait_until_recovering(runtime)
        assert session.finished(PATIENCE_S).state == moonward.Cancelled("expired")


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_a_worker_that_is_on_its_way_to_a_session_that_ends_is_not_left_behind(end: str) -> None:
    with nothing_left_behind(), FaultyRuntime(warm_workers=0) as runtime:
        sessions = [runtime.start(ASK) for _ in range(5)]
        for session in sessions:
            session.wait(PATIENCE_S)
        for session in sessions:
            runtime.kill_worker(session.id)
        if end == "cancel":
            for session in sessions:
                session.cancel()


CALLS = "local n = alc.state.incr('n') return { n, alc.llm('go on?'), alc.state.get('n') }"


class Locked:
    """A state file that somebody else has locked until `open`."""

    def __init__(self, data_dir: Path) -> None:
        with moonward.Runtime(data_dir=data_dir) as runtime:
            runtime.start("alc.state.set('n', 0)").finished(PATIENCE_S)  # makes the file
        self._lock = sqlite3.connect(data_dir / "state.db", isolation_level=None)
        self._lock.execute("BEGIN EXCLUSIVE")

    def open(self) -> None:
        self._lock.execute("ROLLBACK")
        self._lock.close()


@pytest.mark.parametrize("when", ["before the replacement begins", "after the replacement has asked again"])
def test_a_call_that_is_under_way_when_its_worker_is_lost_is_applied_once(tmp_path: Path, when: str) -> None:
    locked = Locked(tmp_path)
    faults = Faults()
    if when.startswith("before"):
        faults.add("slow", "begin", nth=2, for_s=0.5)
    with FaultyRuntime(faults, data_dir=tmp_path) as runtime:
        session = runtime.start(CALLS)
        while faults.visits(session.id, "called") < 1:
            pass
        runtime.kill_worker(session.id)
        wait_for(session, "restarted")
        while when.startswith("after") and faults.visits(session.id, "called") < 2:
            pass
        locked.open()
        assert play(session) == moonward.Completed([1, "go on?", 1])
        assert session.snapshot()["restarts"] == 1
        assert runtime.replay(session.id).agrees


def test_a_refusal_of_the_budget_is_repeated_and_not_decided_again() -> None:
    code = """
        local a = alc.llm("one?")
        local ok, why = pcall(alc.llm, "two?")
        local left = alc.budget_remaining().llm_calls
        alc.state.set("seen", left)
        return { a, ok, tostring(why):match("budget_exceeded: max_llm_calls %(1%)") ~= nil, left }
    """
    with FaultyRuntime(Faults().add("kill", "called", nth=2)) as runtime:
        session = runtime.start(code, {"budget": {"max_llm_calls": 1}})
        assert play(session) == moonward.Completed(["one?", False, True, 0])
        assert session.snapshot()["restarts"] == 1
        assert len(session.transcript()) == 1
        assert runtime.replay(session.id).agrees


def test_a_failure_for_the_budget_keeps_its_kind_over_a_loss() -> None:
    with FaultyRuntime(Faults().add("kill", "end", nth=1)) as runtime:
        session = runtime.start("alc.llm('a') alc.llm('b')", {"budget": {"max_llm_calls": 1}})
        state = play(session)
        assert (state.error_kind, session.snapshot()["restarts"]) == ("budget", 1)


def test_zygotes_that_are_lost_again_and_again_are_charged_to_nobody() -> None:
    code = "local t = {} for i = 1, 6 do t[i] = alc.llm(tostring(i)) end return #t"
    with FaultyRuntime() as runtime:
        sessions = [runtime.start(code) for _ in range(5)]
        for number in range(6):
            for session in sessions:
                session.wait(PATIENCE_S)
            lose_zygote(runtime)
            for session in sessions:
                session.feed(str(number), query_id=f"q-{number}", timeout=PATIENCE_S)
        assert [session.finished(PATIENCE_S).state for session in sessions] == [moonward.Completed(6)] * 5
        assert [session.snapshot()["restarts"] for session in sessions] == [0] * 5


def lose_zygote(runtime: FaultyRuntime) -> None:
    """Kill the zygote as soon as there is one, and see it gone."""
    while True:
        pool = next(part for part in runtime.tree()["children"] if part["id"] == "pool")
        if pool["stats"]["zygote_pid"] is not None:
            break
    watched = Watched([pool["stats"]["zygote_pid"]])
    runtime.lose_zygote()
    assert watched.all_gone()


@pytest.mark.parametrize("word", ["the end", "a question"])
def test_the_last_words_of_a_worker_are_heard_although_it_is_dead_by_then(
    runtime: FaultyRuntime, word: str
) -> None:
    """The loop is held up until the worker has written and died, so that it sees both at once."""
    session = runtime.start("local a = alc.llm('1') if a == 'a question' then alc.llm('2') end return a")
    session.wait(PATIENCE_S)
    pid = runtime.workers(session.id)[""]
    worker = Watched([pid])
    message = requests.feed(word, "q-0", None, None, None)
    held, gate = Reply[int](), threading.Event()

    def feed_and_hold() -> None:
        link = runtime._core.services.registry.actors[session.id].script.engine.strands()[0]._link  # type: ignore[union-attr]
        runtime._core.services.registry.handle((session.id, message))
        held.complete(link.process.stdout_fd)  # type: ignore[union-attr]
        gate.wait(PATIENCE_S)

    runtime._core.loop.post(feed_and_hold)
    assert held.wait(PATIENCE_S)
    assert select.select([held.result()], [], [], PATIENCE_S)[0], "it has written"
    if word == "a question":
        os.kill(pid, signal.SIGKILL)
    assert worker.all_gone()
    gate.set()
    assert message.reply.wait(PATIENCE_S)
    if word == "a question":
        assert ids(message.reply.result()) == ["q-1"]
        wait_for(session, "restarted")
        session.feed("yes", query_id="q-1", timeout=PATIENCE_S)
    assert session.finished(PATIENCE_S).state == moonward.Completed(word)
    assert session.snapshot()["restarts"] == (word == "a question")
    told = [event.kind for event in session.events() if event.kind in ("paused", "restarted")]
    assert told == (["paused", "paused", "restarted"] if word == "a question" else ["paused"])
