"""When recovery is given up, and how the end is told: crash, protocol, limit, diverged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

import moonward
from moonward.actors.journal.entries import Paused
from moonward.testing import Faults, FaultyRuntime, nothing_left_behind

from .plays import PATIENCE_S, play, wait_for

ASK = "return { alc.llm('one?'), alc.llm('two?') }"
DONE = moonward.Completed(["one?", "two?"])


def failed(session: moonward.Session) -> moonward.Failed:
    """The failure in which a session ends."""
    state = session.finished(PATIENCE_S).state
    assert isinstance(state, moonward.Failed), state
    return state


def test_a_session_that_crashes_its_worker_each_time_ends_and_twenty_neighbours_never_notice() -> None:
    faults = Faults().add("kill", "replied", session=0, times=None)
    code = "local t = {} for i = 1, 5 do t[i] = alc.llm(tostring(i)) end return t"
    with nothing_left_behind(), FaultyRuntime(faults) as runtime:
        crashing, *neighbours = (runtime.start(code) for _ in range(21))
        with ThreadPoolExecutor(21) as pool:
            games = [pool.submit(play, each) for each in neighbours]
            crash = pool.submit(play, crashing)
            assert all(each.result() == moonward.Completed(["1", "2", "3", "4", "5"]) for each in games)
            state = crash.result()
        assert state.error_kind == "crash"
        assert state.error == (
            "worker lost, restart budget spent: killed by signal 9 (SIGKILL)"
            " (likely out of memory, or killed from outside)"
        )
        assert crashing.snapshot()["restarts"] == 3
        assert [each.snapshot()["restarts"] for each in neighbours] == [0] * 20


@pytest.mark.parametrize("intensity", [0, 1, 5])
def test_the_budget_is_as_large_as_the_settings_say(intensity: int) -> None:
    faults = Faults().add("kill", "begun", times=None)
    with FaultyRuntime(faults, restart_intensity=intensity) as runtime:
        session = runtime.start(ASK)
        assert failed(session).error_kind == "crash"
        assert session.snapshot()["restarts"] == intensity


def test_losses_without_progress_count_however_far_apart_they_are() -> None:
    """The period is a hundredth of a second: each loss but the last is long past when the next one comes."""
    with FaultyRuntime(restart_period=0.01) as runtime:
        session = runtime.start(ASK)
        session.wait(PATIENCE_S)
        for count in (1, 2, 3):
            kill_when_recovered(runtime, session)
            wait_for(session, "restarted", count)
        kill_when_recovered(runtime, session)
        assert failed(session).error_kind == "crash"
        assert session.snapshot()["phase"] == "failed"


def test_losses_with_progress_between_them_are_forgotten_after_the_period() -> None:
    code = "local t = {} for i = 1, 8 do t[i] = alc.llm(tostring(i)) end return #t"
    with FaultyRuntime(restart_period=0.01) as runtime:
        session = runtime.start(code)
        session.wait(PATIENCE_S)
        for count in range(1, 8):
            kill_when_recovered(runtime, session)
            wait_for(session, "restarted", count)
            session.feed("yes", query_id=f"q-{count - 1}", timeout=PATIENCE_S)
        assert play(session) == moonward.Completed(8)
        assert session.snapshot()["restarts"] == 7


def kill_when_recovered(runtime: FaultyRuntime, session: moonward.Session) -> None:
    """Kill the session's worker once it has got as far as the one before."""
    while session.snapshot()["residency"] != "live" or not runtime.kill_worker(session.id):
        pass


def test_a_worker_that_was_stopped_past_its_slice_is_replaced() -> None:
    faults = Faults().add("stop", "reply", nth=1)
    with FaultyRuntime(faults) as runtime:
        session = runtime.start(ASK, limits={"slice_seconds": 0.3})
        assert play(session) == DONE
        restarted = wait_for(session, "restarted")
        assert restarted.data["reason"] == "deadline"
        assert "its slice took over 0.3 s with 0.0 s of CPU time" in restarted.data["detail"]


def test_the_fourth_worker_that_was_stopped_past_its_slice_ends_the_session_at_its_limit() -> None:
    faults = Faults().add("stop", "begin", times=None)
    with FaultyRuntime(faults) as runtime:
        session = runtime.start(ASK, limits={"slice_seconds": 0.2})
        state = failed(session)
        assert state.error_kind == "limit"
        assert "restart budget spent: its slice took over 0.2 s" in state.error
        assert session.snapshot()["restarts"] == 3


def test_a_worker_that_computes_past_its_slice_ends_the_session_and_is_not_repeated() -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start("while true do end", limits={"slice_seconds": 0.3, "cpu_seconds": 60})
        state = failed(session)
        assert state.error_kind == "limit"
        assert "slice" in state.error
        # none is repeated, but what a machine that is too busy to run the script for half the time has starved
        reasons = [event.data["reason"] for event in session.events() if event.kind == "restarted"]
        assert set(reasons) <= {"deadline"}


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1 << 16) .. #t end", {"memory_bytes": 16 << 20}),
        ("while true do end", {"cpu_seconds": 0.3}),
        ("return ('x'):rep(5000)", {"max_result_bytes": 4096}),
    ],
    ids=["memory", "processor", "result"],
)
def test_a_script_that_crosses_a_limit_is_not_repeated(code: str, limits: dict[str, float]) -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start(code, limits=limits)
        assert failed(session).error_kind == "limit"
        assert session.snapshot()["restarts"] == 0


def test_a_script_that_does_something_else_when_it_is_repeated_diverges_and_can_be_forked_before() -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start(ASK)
        session.wait(PATIENCE_S)
        session.feed("1")
        entries = runtime._core.services.store.read(session.id)
        pause = entries[3]
        assert isinstance(pause, Paused)
        query = msgspec.structs.replace(pause.queries[0], prompt="what now?")
        entries[3] = msgspec.structs.replace(pause, queries=[query])  # type: ignore[index]
        runtime.kill_worker(session.id)
        state = failed(session)
        assert (state.error_kind, state.error) == (
            "diverged",
            "diverged at entry 3: expected the question 'what now?', came the question 'two?'",
        )
        assert [each["response"] for each in session.transcript()] == ["1", None]
        other = runtime.fork(session.id, 2)
        assert play(other) == moonward.Completed(["1", "two?"])


def test_a_worker_that_writes_noise_each_time_ends_its_session_for_its_protocol() -> None:
    faults = Faults().add("garble", "ask", times=None)
    with FaultyRuntime(faults) as runtime:
        session = runtime.start(ASK)
        state = failed(session)
        assert state.error_kind == "protocol"
        assert state.error.startswith("worker lost, restart budget spent: undecodable frame")
        assert session.snapshot()["restarts"] == 3


class Forger(Faults):
    """Puts a frame of its own in the place of one that a worker wrote."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body
        self.add("garble", "ask", nth=1)

    def noise(self, length: int) -> bytes:
        return self._body


NO_WORKER_WRITES = {
    "nothing": b"\x00",
    "no JSON": b"hello",
    "no object": b"[1,2,3]",
    "no such message": b'{"t":"gossip"}',
    "an unknown field": b'{"t":"notes","notes":[],"more":1}',
    "a number for a prompt": b'{"t":"ask","queries":[{"prompt":7,"max_tokens":1024}]}',
    "a pause without a question": b'{"t":"ask","queries":[]}',
    "a second greeting": b'{"t":"hello","protocol":1,"lua":"Lua 5.5","hash_seed":1,"prelude":"","confinement":""}',
    "a result that is no text": b'{"t":"done","value":"\xff\xfe"}',
    "a result that is no number": b'{"t":"done","value":1e999}',
    "half a surrogate": b'{"t":"done","value":"\\ud800"}',
    "nesting without end": b'{"t":"done","value":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "notes that are none": b'{"t":"notes","notes":[7]}',
    "clocks that are none": b'{"t":"ask","queries":[{"prompt":"?","max_tokens":1}],"clocks":[[1,"x"]]}',
    "a call without arguments": b'{"t":"call","name":"state.get"}',
}


@pytest.mark.parametrize("body", NO_WORKER_WRITES.values(), ids=NO_WORKER_WRITES.keys())
def test_a_worker_that_writes_what_no_worker_writes_is_replaced(body: bytes) -> None:
    with FaultyRuntime(Forger(body)) as runtime:
        session = runtime.start(ASK)
        assert play(session) == DONE
        assert session.snapshot()["restarts"] == 1
        assert wait_for(session, "restarted").data["reason"] == "protocol"


@pytest.mark.parametrize("body", [b'{"t":"done","value":"\xff\xfe"}', b'{"t":"done","value":1e999}'])
def test_a_child_that_writes_what_no_worker_writes_is_replaced(body: bytes, tmp_path: Path) -> None:
    (tmp_path / "asks.lua").write_text("return { run = function() return alc.llm('?') end }")
    with FaultyRuntime(Forger(body)) as runtime:
        session = runtime.start("return alc.fork({ 'asks' }, {})[1].result", packages=[tmp_path])
        assert play(session) == moonward.Completed("?")
        assert session.snapshot()["restarts"] == 1


ODD = {
    "a log line of two parts": b'{"t":"notes","notes":[["log","info"]]}',
    "a log line of numbers": b'{"t":"notes","notes":[["log",1,2,3]]}',
    "an empty note": b'{"t":"notes","notes":[[]]}',
    "a note of an object": b'{"t":"notes","notes":[[{"a":1}]]}',
    "progress of objects": b'{"t":"notes","notes":[["progress",{},[],7]]}',
    "a statistic without a name": b'{"t":"notes","notes":[["stat",7,{"a":[1]}]]}',
    "an unknown level": b'{"t":"notes","notes":[["log","shout","nobody","hey"]]}',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_notes_that_no_worker_writes_hurt_nobody(body: bytes, tmp_path: Path) -> None:
    """They are decodable, and shown to nobody or as text. The question they replaced is never asked: a deadline."""
    journal = f"sqlite:///{tmp_path}/journal.db"
    with FaultyRuntime(Forger(body), journal=journal) as runtime:
        session = runtime.start(ASK, limits={"slice_seconds": 0.4})
        session.wait(PATIENCE_S)
        session.snapshot("full")
        assert play(session) == DONE
    with moonward.Runtime(journal=journal) as again:
        assert again.session(session.id).finished(PATIENCE_S).state == DONE
        again.session(session.id).snapshot("full")
