"""Sessions that sleep: no worker, no actor, looked at without waking, woken by what needs them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moonward import AsyncRuntime
from moonward.actors.errors import SessionOwned, TooManySessions
from moonward.actors.interaction import Accepted, Paused
from moonward.actors.session_state import Instant
from moonward.actors.terminal import Cancelled, Completed
from moonward.core import instant
from moonward.runtime import Runtime, Session

from .steered import WAIT_S, SteeredRuntime, kinds, paused

TWO = "return alc.llm('one?') .. alc.llm('two?')"


class Clock:
    """The clock of a Runtime, moved by hand; its monotonic half alone matters here."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> Instant:
        now = instant()
        return Instant(now.wall_ms, now.mono_s + self.ahead_s)


def sleepy(path: Path, **overrides: Any) -> SteeredRuntime:
    """A Runtime that sends paused sessions to sleep at once; only the test looks for them."""
    runtime = SteeredRuntime(path, hibernate_after=0, warm_workers=0, **overrides)
    runtime.here(lambda services: runtime._core.root.lookup("reaper")._timer.cancel())  # type: ignore[attr-defined]
    return runtime


def sweep(runtime: SteeredRuntime) -> None:
    """Let the reaper look."""
    runtime.here(lambda services: services.registry.sweep())


def asleep(runtime: SteeredRuntime, code: str = TWO) -> Session:
    """A session that is paused and sleeps."""
    session = paused(runtime, code)
    sweep(runtime)
    assert is_asleep(runtime, session)
    return session


def is_asleep(runtime: SteeredRuntime, session: Session) -> bool:
    """Whether nothing but its journal is held of a session."""

    def look(services: Any) -> bool:
        open_ = session.id in services.store._open
        return session.id not in services.registry.actors and not open_ and session.id not in services.budgets

    return runtime.here(look)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[SteeredRuntime]:
    """A Runtime whose sessions sleep when told to."""
    with sleepy(tmp_path / "j.db") as runtime:
        yield runtime


LOOKS: dict[str, Callable[[Runtime, Session], Any]] = {
    "phase": lambda runtime, session: session.phase,
    "snapshot": lambda runtime, session: session.snapshot("full", include_history=True),
    "snapshots": lambda runtime, session: runtime.snapshots(),
    "transcript": lambda runtime, session: session.transcript(),
    "is_expired": lambda runtime, session: session.is_expired(1),
    "session": lambda runtime, session: runtime.session(session.id),
    "sessions": lambda runtime, session: [each.phase for each in runtime.sessions()],
    "events": lambda runtime, session: session.events(),
    "wait": lambda runtime, session: session.wait(),
    "export": lambda runtime, session: runtime.export(session.id, Path(runtime.settings.data_path, "out")),
    "tree": lambda runtime, session: runtime.tree(),
}


@pytest.mark.parametrize("name", LOOKS)
def test_looking_never_wakes(runtime: SteeredRuntime, name: str) -> None:
    runtime.settings.data_path.mkdir()
    session = asleep(runtime)
    runtime.until(lambda services: not runtime.workers())
    LOOKS[name](runtime, session)
    sweep(runtime)
    assert is_asleep(runtime, session)
    assert runtime.workers() == set()


def test_sleeping_sessions_have_no_thread_and_no_process(runtime: SteeredRuntime) -> None:
    before = threading.active_count()
    sessions = [paused(runtime) for _ in range(5)]
    assert len(runtime.workers()) == 5
    sweep(runtime)
    runtime.until(lambda services: not runtime.workers())
    assert all(is_asleep(runtime, session) for session in sessions)
    assert threading.active_count() <= before + 1  # the journal's reader


def test_an_answer_wakes(runtime: SteeredRuntime) -> None:
    session = asleep(runtime)
    assert session.feed("a", query_id="q-0", timeout=WAIT_S) == Paused(session.wait().queries)
    sweep(runtime)
    assert session.feed("b", query_id="q-1", timeout=WAIT_S).state == Completed("ab")


def test_an_answer_that_leaves_others_open_wakes_no_worker(runtime: SteeredRuntime) -> None:
    session = asleep(runtime, "return table.concat(alc.llm_batch{{prompt='1'}, {prompt='2'}})")
    runtime.until(lambda services: not runtime.workers())
    assert session.feed("a", query_id="q-0") == Accepted(1)
    assert runtime.workers() == set()
    sweep(runtime)
    assert is_asleep(runtime, session)
    assert session.feed("b", query_id="q-1", timeout=WAIT_S).state == Completed("ab")


def test_a_wake_wakes_and_a_cancel_ends(runtime: SteeredRuntime) -> None:
    session = asleep(runtime)
    session.wake()
    runtime.until(lambda services: len(runtime.workers()) == 1)
    sweep(runtime)
    assert session.cancel("enough").state == Cancelled("enough")
    assert session.phase == "cancelled"


def test_a_snapshot_of_a_sleeping_session_is_that_of_the_waking(runtime: SteeredRuntime) -> None:
    code = "alc.progress(1, 2, 'half') alc.log('info', 'said') alc.stats.record('k', 7)" + TWO
    session = paused(runtime, code)
    shot = session.snapshot("full", include_history=True)
    sweep(runtime)
    again = session.snapshot("full", include_history=True)
    assert runtime.snapshots("full", include_history=True)[session.id].items() >= {"phase": "paused"}.items()
    for each in (shot, again):
        each["metrics"].pop("elapsed_ms")
        each.pop("residency")
        each.pop("confinement")
    assert again == shot


def test_all_sessions_that_have_not_ended_are_in_the_snapshots_of_the_next_host(tmp_path: Path) -> None:
    with sleepy(tmp_path / "j.db") as first:
        ids = [paused(first).id for _ in range(3)]
        over = first.start("return 1")
        over.finished(WAIT_S)
    with sleepy(tmp_path / "j.db") as second:
        assert list(second.snapshots()) == ids
        assert [session.id for session in second.sessions()] == [*ids, over.id]
        assert second.session(over.id).finished().state == Completed(1)
        third = sleepy(tmp_path / "j.db")
        second.session(ids[1]).wake()
        assert list(third.snapshots()) == [ids[0], ids[2]]
        with pytest.raises(SessionOwned):
            third.feed(ids[1], "a")
        third.close()


def test_only_the_session_that_is_fed_is_taken_over(tmp_path: Path) -> None:
    with sleepy(tmp_path / "j.db") as first:
        ids = [paused(first).id for _ in range(3)]
    with sleepy(tmp_path / "j.db") as second, sleepy(tmp_path / "j.db") as third:
        second.feed(ids[0], "a", timeout=WAIT_S)
        third.feed(ids[1], "a", timeout=WAIT_S)
        with pytest.raises(SessionOwned, match="process"):
            third.feed(ids[0], "b")
        with pytest.raises(SessionOwned, match="process"):
            second.cancel(ids[1])
        assert third.session(ids[0]).transcript()[0]["response"] == "a"


# -- events ------------------------------------------------------------------------------------------------------------


def test_the_events_of_a_session_go_on_across_its_sleep(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    events = session.events()
    assert [next(events).kind for _ in range(2)] == ["started", "paused"]
    sweep(runtime)
    assert is_asleep(runtime, session)
    assert next(events).kind == "hibernated"
    session.feed("a", query_id="q-0", timeout=WAIT_S)
    seen = [next(events) for _ in range(4)]
    assert [event.kind for event in seen] == ["answered", "resumed", "woken", "paused"]
    assert [event.number[1] for event in seen] == [4, 5, 6, 7]
    sweep(runtime)
    session.cancel()
    assert [event.kind for event in events] == ["hibernated", "finished"]


def test_events_that_nobody_held_keep_their_numbers(runtime: SteeredRuntime) -> None:
    session = paused(runtime)
    events = session.events()
    last = [next(events) for _ in range(2)][-1].number
    events.close()
    sweep(runtime)
    assert is_asleep(runtime, session)
    again = session.events(since=last)
    session.feed("a", query_id="q-0", timeout=WAIT_S)
    first = next(again)
    assert (first.kind, first.data) == ("missed", {"count": 1})  # that it went to sleep
    assert [next(again).number[1] for _ in range(4)] == [4, 5, 6, 7]


def test_the_events_of_a_session_that_ended_long_ago_are_its_end(tmp_path: Path) -> None:
    with sleepy(tmp_path / "j.db", result_ttl=0) as runtime:
        session = runtime.start("return 1")
        session.finished(WAIT_S)
        runtime.until(lambda services: services.registry.actors[session.id].is_settled)
        sweep(runtime)
        assert is_asleep(runtime, session)
        assert [event.kind for event in session.events()] == ["finished"]
        assert [event.kind for event in session.events((runtime._core.epoch, 1))] == ["missed", "finished"]
    with sleepy(tmp_path / "j.db") as runtime:
        (event,) = session_events(runtime, session.id)
        assert event.data["state"] == Completed(1)


def session_events(runtime: Runtime, session_id: str) -> list[Any]:
    return list(runtime.session(session_id).events())


def test_events_for_coroutines_go_on_across_sleep_too(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with AsyncRuntime(
            journal=f"sqlite:///{tmp_path / 'j.db'}", hibernate_after=0.01, data_dir=tmp_path
        ) as runtime:
            session = await runtime.start("return alc.llm('one?')")
            seen = []
            async for event in session.events():
                seen.append(event.kind)
                if event.kind == "hibernated":
                    await session.feed("a", query_id="q-0")
            return seen

    assert asyncio.run(run()) == [
        "started",
        "paused",
        "hibernated",
        "answered",
        "resumed",
        "woken",
        "finished",
    ]


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_sleeping_session_expires(tmp_path: Path) -> None:
    clock = Clock()
    with sleepy(tmp_path / "j.db", idle_ttl=100, now=clock) as runtime:
        session = asleep(runtime)
        clock.ahead_s = 60
        assert not session.is_expired(100)
        assert session.is_expired(59)
        session.wake()  # is no activity
        sweep(runtime)
        assert is_asleep(runtime, session)
        clock.ahead_s = 99
        sweep(runtime)
        assert session.phase == "paused"
        clock.ahead_s = 101
        sweep(runtime)
        assert session.finished(WAIT_S).state == Cancelled("expired")
        assert kinds(runtime)[-1] == "finished"


def test_sessions_of_an_earlier_host_expire_when_they_were_idle_in_this_one(tmp_path: Path) -> None:
    with sleepy(tmp_path / "j.db") as first:
        session_id = paused(first).id
    clock = Clock()
    with sleepy(tmp_path / "j.db", idle_ttl=100, now=clock) as second:
        clock.ahead_s = 99
        sweep(second)
        session = second.session(session_id)
        assert session.phase == "paused"
        assert not session.is_expired(100)
        clock.ahead_s = 100
        sweep(second)
        assert session.finished(WAIT_S).state == Cancelled("expired")


def test_no_more_sessions_wake_than_may_live(tmp_path: Path) -> None:
    with sleepy(tmp_path / "j.db", max_sessions=2) as runtime:
        first, second, third = [asleep(runtime) for _ in range(3)]
        first.wake()
        second.wake()
        for call in (third.wake, lambda: third.feed("a", query_id="q-0")):
            with pytest.raises(TooManySessions, match="2 live sessions"):
                call()
        assert third.transcript()[0]["response"] is None
        second.cancel()
        assert isinstance(third.feed("a", query_id="q-0", timeout=WAIT_S), Paused)


def test_a_result_is_put_away_only_when_it_is_durable(tmp_path: Path) -> None:
    with sleepy(tmp_path / "j.db", result_ttl=0) as runtime:
        session = paused(runtime)
        with runtime.hold():
            thread = threading.Thread(target=session.cancel)
            thread.start()
            runtime.is_in(session.id, "cancelled")
            sweep(runtime)
            assert runtime.actor(session.id) is not None
        thread.join(WAIT_S)
        sweep(runtime)
        assert is_asleep(runtime, session)
        assert session.phase == "cancelled"
