"""Any one part of a Runtime is lost: no session is, and every call ends, or says to try again."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, get_args

import pytest

import moonward
from moonward import requests
from moonward.actors import tree
from moonward.actors.errors import SessionRestarting
from moonward.actors.messages import Wake
from moonward.supervisor.reply import Reply
from moonward.testing import Faults, FaultyRuntime, nothing_left_behind
from moonward.testing.faulty_runtime import Part

from .plays import PATIENCE_S, Watched, play, until_served, wait_for

PARTS: tuple[Part, ...] = get_args(Part)
ASK = "return { alc.llm('one?'), alc.llm('two?') }"


def zygote(runtime: moonward.Runtime) -> int:
    """The zygote's process id."""
    pid = next(part for part in runtime.tree()["children"] if part["id"] == "pool")["stats"]["zygote_pid"]
    assert isinstance(pid, int)
    return pid


@pytest.mark.parametrize("journal", ["memory:", "sqlite"])
@pytest.mark.parametrize("part", PARTS)
def test_no_session_is_lost_with_a_part_whatever_its_phase(part: Part, journal: str, tmp_path: Path) -> None:
    if journal == "sqlite":
        journal = f"sqlite:///{tmp_path / 'journal.db'}"
    faults = Faults().add("slow", "ask", session=1, nth=2, for_s=0.3)
    with nothing_left_behind(), FaultyRuntime(faults, journal=journal, data_dir=tmp_path) as runtime:
        paused, running, ended = (runtime.start(ASK) for _ in range(3))
        expected = moonward.Completed(["one?", "two?"])
        assert play(ended) == expected
        paused.wait(PATIENCE_S)
        running.wait(PATIENCE_S)
        with pytest.raises(moonward.FeedTimeout):
            running.feed("one?", timeout=0.05)
        runtime.lose(part)
        assert until_served(lambda: ended.finished(PATIENCE_S)).state == expected
        until_served(lambda: paused.feed("one?", query_id="q-0", timeout=PATIENCE_S))
        until_served(lambda: running.wait(PATIENCE_S))
        assert play(paused) == play(running) == expected
        assert [session.snapshot()["restarts"] for session in (paused, running)] == [0, 0]
        assert play(until_served(lambda: runtime.start(ASK))) == expected
        assert {session.id for session in runtime.sessions()} >= {paused.id, running.id, ended.id}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_lost_again_and_again_is_waited_for(part: Part) -> None:
    """From the second time on its restart is delayed: meanwhile callers are told to try again, and nothing worse."""
    with FaultyRuntime(warm_workers=0) as runtime:
        sessions = [runtime.start(ASK) for _ in range(3)]
        for session in sessions:
            session.wait(PATIENCE_S)
        for _ in range(4):
            until_lost(runtime, part)
            until_served(lambda: [session.phase for session in sessions])
            sessions.append(until_served(lambda: runtime.start(ASK)))
        for session in sessions:
            until_served(lambda session=session: session.wait(PATIENCE_S))  # type: ignore[misc]
            assert play(session) == moonward.Completed(["one?", "two?"])
            assert session.snapshot()["restarts"] == 0


def until_lost(runtime: FaultyRuntime, part: Part) -> None:
    """Lose a part as soon as it is there."""
    while True:
        try:
            runtime.lose(part)
        except moonward.MoonwardError:
            continue
        return


@pytest.mark.parametrize("part", PARTS)
def test_who_waits_is_answered_or_told_to_try_again(part: Part) -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(PATIENCE_S)
        outcome: list[Any] = []
        waiting = threading.Event()

        def wait() -> None:
            waiting.set()
            try:
                outcome.append(session.finished(PATIENCE_S).state)
            except moonward.MoonwardError as error:
                outcome.append(type(error))

        thread = threading.Thread(target=wait)
        thread.start()
        waiting.wait(PATIENCE_S)
        while not runtime._core._waiting:
            pass
        runtime.lose(part)
        until_served(lambda: session.feed("yes", query_id="q-0", timeout=PATIENCE_S))
        thread.join(PATIENCE_S)
        assert outcome == [SessionRestarting if part == "sessions" else moonward.Completed("yes")]


def test_who_waits_for_a_worker_is_served_by_the_next_pool() -> None:
    with FaultyRuntime(warm_workers=0) as runtime:
        started: list[moonward.Session] = []
        threads = [
            threading.Thread(target=lambda: started.append(runtime.start("return 1"))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        runtime.lose("pool")
        for thread in threads:
            thread.join(PATIENCE_S)
        assert [session.finished(PATIENCE_S).state for session in started] == [moonward.Completed(1)] * 6


def test_a_pool_that_is_lost_costs_no_session_a_restart() -> None:
    """Replacements that wait for a worker go on waiting."""
    with FaultyRuntime(warm_workers=0) as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(PATIENCE_S)
        os.kill(zygote(runtime), signal.SIGSTOP)
        runtime.kill_worker(session.id)
        wait_for(session, "restarted")
        runtime.lose("pool")
        assert session.feed("yes", query_id="q-0", timeout=PATIENCE_S) == session.wait()
        assert session.snapshot()["restarts"] == 1


def test_a_stopped_zygote_keeps_the_end_of_a_worker_to_itself_and_the_session_goes_on_all_the_same() -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(PATIENCE_S)
        os.kill(zygote(runtime), signal.SIGSTOP)
        runtime.kill_worker(session.id)
        restarted = wait_for(session, "restarted")
        assert restarted.data["reason"] == "crash"
        session.feed("yes", query_id="q-0", timeout=PATIENCE_S)
        assert session.finished().state == moonward.Completed("yes")


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGSTOP, signal.SIGKILL])
def test_a_pool_that_failed_leaves_no_zygote_behind(number: signal.Signals) -> None:
    """Its zygote serves the workers that sessions still have, and ends with the Runtime at the latest."""
    with nothing_left_behind():
        with FaultyRuntime() as runtime:
            session = runtime.start("return alc.llm('?')")
            session.wait(PATIENCE_S)
            pid = zygote(runtime)
            old = Watched([pid])
            runtime.lose("pool")
            assert zygote(runtime) != pid
            os.kill(pid, number)
        assert old.all_gone(0.0)


def test_a_zygote_that_is_retired_ends_with_its_last_worker() -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start("return alc.llm('?')")
        session.wait(PATIENCE_S)
        old = Watched([zygote(runtime)])
        runtime.lose("pool")
        session.feed("yes")
        assert old.all_gone()


def test_a_session_whose_actor_is_lost_is_the_same_afterwards() -> None:
    with FaultyRuntime() as runtime:
        session = runtime.start(ASK)
        session.wait(PATIENCE_S)
        before = session.snapshot("full", include_history=True)
        runtime.lose_session(session.id)
        after = until_served(lambda: session.snapshot("full", include_history=True))
        for shot in (before, after):
            del shot["metrics"]["elapsed_ms"], shot["confinement"]
        assert after == before
        assert play(session) == moonward.Completed(["one?", "two?"])


def test_a_session_whose_actor_fails_too_often_ends_and_its_neighbour_never_notices() -> None:
    with FaultyRuntime() as runtime:
        session, neighbour = runtime.start(ASK), runtime.start(ASK)
        for each in (session, neighbour):
            each.wait(PATIENCE_S)
        for _ in range(4):
            until_served(lambda: runtime.lose_session(session.id))
            until_served(lambda: session.phase)
        state = until_served(lambda: session.finished(PATIENCE_S)).state
        assert isinstance(state, moonward.Failed)
        assert (state.error_kind, "failed too often" in state.error) == ("internal", True)
        assert play(neighbour) == moonward.Completed(["one?", "two?"])


def test_a_message_whose_handling_fails_is_answered() -> None:
    """A defect of ours, not an error of the caller's: who called is told to try again, and the actor is replaced."""
    with FaultyRuntime() as runtime:
        session = runtime.start(ASK)
        session.wait(PATIENCE_S)
        message = requests.feed("one?", "q-0", None, None, None)
        message.responses = None  # type: ignore[assignment]
        with pytest.raises(SessionRestarting):
            runtime._core.wait(runtime._core.ask(session.id, message), message, PATIENCE_S)
        assert play(session) == moonward.Completed(["one?", "two?"])


def test_a_session_that_is_opened_while_the_registry_is_lost_is_found(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path / 'journal.db'}"
    with moonward.Runtime(journal=journal, data_dir=tmp_path) as first:
        session_id = first.start(ASK).id
        first.session(session_id).wait(PATIENCE_S)
    with FaultyRuntime(journal=journal, data_dir=tmp_path) as runtime:
        message = Wake()

        def open_and_lose(reply: Reply[None]) -> None:
            runtime._core.services.registry.handle((session_id, message))
            runtime._core.services.registry.end(RuntimeError("lost"))
            reply.complete(None)

        runtime._core.wait(runtime._core.run(open_and_lose))
        assert message.reply.wait(PATIENCE_S)
        assert message.reply.error is None
        assert play(runtime.session(session_id)) == moonward.Completed(["one?", "two?"])


def test_a_runtime_whose_part_is_lost_too_often_says_so_to_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "ROOT_INTENSITY", 2)  # ten, with growing delays, take 16 seconds
    with nothing_left_behind(), FaultyRuntime() as runtime:
        session = runtime.start(ASK)
        session.wait(PATIENCE_S)
        with pytest.raises(moonward.RuntimeFailed, match="gave up"):
            for _ in range(3):
                until_served(lambda: runtime.lose("reaper"))
                while runtime.tree()["children"][-1]["state"] != "running":
                    pass
        with pytest.raises(moonward.RuntimeFailed, match="gave up"):
            session.wait(PATIENCE_S)
