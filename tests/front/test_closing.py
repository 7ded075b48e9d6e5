"""Closing a Runtime, at any moment and by anybody."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import moonward
from moonward import Completed
from moonward.actors import tree
from moonward.testing import FaultyRuntime, nothing_left_behind

WAITERS = 8
ASK = "return alc.llm('?')"


def test_all_who_wait_are_told_that_the_runtime_was_closed() -> None:
    runtime = moonward.Runtime()
    session = runtime.start("while true do end")
    with ThreadPoolExecutor(WAITERS) as pool:
        waits = [pool.submit(session.wait) for _ in range(WAITERS)]
        while len(runtime._core._waiting) < WAITERS:
            pass
        runtime.close()
        for wait in waits:
            with pytest.raises(moonward.RuntimeClosed):
                wait.result(10)


CALLS: dict[str, Callable[[moonward.Runtime, moonward.Session], Any]] = {
    "start": lambda runtime, session: runtime.start("return 1"),
    "advise": lambda runtime, session: runtime.advise("x"),
    "session": lambda runtime, session: runtime.session(session.id),
    "sessions": lambda runtime, session: runtime.sessions(),
    "snapshots": lambda runtime, session: runtime.snapshots(),
    "tree": lambda runtime, session: runtime.tree(),
    "prune": lambda runtime, session: runtime.prune(1),
    "fork": lambda runtime, session: runtime.fork(session.id, 1),
    "replay": lambda runtime, session: runtime.replay(session.id),
    "export": lambda runtime, session: runtime.export(session.id, "x"),
    "import_": lambda runtime, session: runtime.import_("x"),
    "runtime feed": lambda runtime, session: runtime.feed(session.id, "x"),
    "runtime cancel": lambda runtime, session: runtime.cancel(session.id),
    "phase": lambda runtime, session: session.phase,
    "wait": lambda runtime, session: session.wait(),
    "finished": lambda runtime, session: session.finished(),
    "feed": lambda runtime, session: session.feed("x"),
    "feed_batch": lambda runtime, session: session.feed_batch([moonward.QueryResponse("q-0", "x")]),
    "cancel": lambda runtime, session: session.cancel(),
    "snapshot": lambda runtime, session: session.snapshot(),
    "is_expired": lambda runtime, session: session.is_expired(1),
    "transcript": lambda runtime, session: session.transcript(),
    "wake": lambda runtime, session: session.wake(),
}


@pytest.fixture(scope="module")
def closed() -> tuple[moonward.Runtime, moonward.Session]:
    with moonward.Runtime(warm_workers=1) as runtime:
        session = runtime.start(ASK)
        session.wait(10)
    return runtime, session


@pytest.fixture(scope="module")
def given_up() -> Iterator[tuple[moonward.Runtime, moonward.Session]]:
    """A Runtime whose supervision tree gave up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "ROOT_INTENSITY", 0)
        runtime = FaultyRuntime(warm_workers=1)
    session = runtime.start(ASK)
    session.wait(10)
    runtime.lose("reaper")
    while runtime._core._end is None:
        pass
    yield runtime, session
    runtime.close()


@pytest.mark.parametrize("name", CALLS)
def test_every_call_of_a_closed_runtime_says_that_it_was_closed(
    closed: tuple[moonward.Runtime, moonward.Session], name: str
) -> None:
    with pytest.raises(moonward.RuntimeClosed, match="was closed"):
        CALLS[name](*closed)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_of_a_runtime_whose_tree_gave_up_says_why(
    given_up: tuple[moonward.Runtime, moonward.Session], name: str
) -> None:
    with pytest.raises(moonward.RuntimeFailed, match="gave up") as caught:
        CALLS[name](*given_up)
    assert caught.value.__cause__ is not None


def test_a_runtime_whose_tree_gave_up_leaves_nothing_when_it_is_closed() -> None:
    with nothing_left_behind(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "ROOT_INTENSITY", 0)
        with FaultyRuntime(warm_workers=1) as runtime:
            runtime.start("while true do end")
            events = runtime.events()
            runtime.lose("reaper")
            assert [event.kind for event in events][:1] == ["started"]  # and the stream has ended


def test_an_error_that_is_told_again_and_again_does_not_grow(
    closed: tuple[moonward.Runtime, moonward.Session],
) -> None:
    def depth() -> int:
        with pytest.raises(moonward.RuntimeClosed) as caught:
            closed[1].wait()
        traceback, count = caught.value.__traceback__, 0
        while traceback is not None:
            traceback, count = traceback.tb_next, count + 1
        return count

    assert depth() == depth() == depth()


def test_closing_twice_and_from_many_threads_at_once_closes_once_and_leaves_nothing() -> None:
    with nothing_left_behind():
        runtime = moonward.Runtime(warm_workers=1)
        runtime.start("while true do end")
        threads = [threading.Thread(target=runtime.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert runtime._core.loop.is_running is False
        runtime.close()
        runtime.close(0)


def test_closing_from_within_an_exception_lets_it_through() -> None:
    with nothing_left_behind(), pytest.raises(ZeroDivisionError), moonward.Runtime(warm_workers=1) as runtime:
        runtime.start("while true do end")
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"journal": "sqlite:////nowhere/at/all/j.db"}, moonward.JournalError),
        ({"journal": "sqlite:////dev/null"}, moonward.JournalError),
        ({"warm_workers": "many"}, moonward.SettingsError),
        ({"settings": 3}, moonward.SettingsError),
        ({"no_such": 3}, moonward.SettingsError),
    ],
)
def test_a_runtime_that_cannot_start_says_why_and_leaves_nothing(
    settings: dict[str, Any], error: type[Exception]
) -> None:
    with nothing_left_behind(), pytest.raises(error):
        moonward.Runtime(**settings)


def test_a_start_that_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("build", "plant"):
        with nothing_left_behind(), monkeypatch.context() as patch:
            patch.setattr(tree, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                moonward.Runtime(warm_workers=1)


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(moonward.RuntimeUnsupported, match="this is darwin"):
        moonward.Runtime()


def test_several_runtimes_of_one_process_are_independent(tmp_path: Path) -> None:
    with nothing_left_behind():
        first = moonward.Runtime(warm_workers=1)
        second = moonward.Runtime(warm_workers=1, journal=f"sqlite:///{tmp_path}/j.db")
        here, there = first.start(ASK), second.start(ASK)
        here.wait(10)
        there.wait(10)
        with pytest.raises(moonward.SessionNotFound):
            second.session(here.id)
        assert (list(first.snapshots()), list(second.snapshots())) == ([here.id], [there.id])
        assert first._core.epoch != second._core.epoch
        first.close()
        assert there.feed("x", timeout=10) == there.finished(10)
        assert there.finished(10).state == Completed("x")
        second.close()


def test_sessions_of_a_durable_journal_stay_paused_for_the_next_runtime(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        paused, busy = runtime.start(ASK), runtime.start("alc.llm('a') while true do end")
        event = paused.wait(10)
        busy.wait(10)
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        again = runtime.session(paused.id)
        assert (again.phase, again.wait(10)) == ("paused", event)
        assert {session.id for session in runtime.sessions()} == {paused.id, busy.id}
        again.feed("x")
        assert again.finished(10).state == Completed("x")


def test_a_session_whose_lua_ran_when_its_runtime_was_closed_goes_on_in_the_next(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        session = runtime.start("local x = alc.llm('a') while not ctx.stop do end return x", {"stop": False})
        session.wait(10)
        while True:
            with pytest.raises(moonward.FeedTimeout) as caught:
                session.feed("1", timeout=0.1, idempotency_key="k")
            if caught.value.accepted:
                break
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        again = runtime.session(session.id)
        assert again.phase == "running"
        assert again.transcript()[0]["response"] == "1"
        assert again.cancel("enough").state == moonward.Cancelled("enough")
