"""Observers: any number, none needed, none in anybody's way."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import moonward
from moonward import Cancelled, Completed, Paused
from moonward.testing import FaultyRuntime

ASK = "return alc.llm('?')"
CHATTY = """
alc.progress(1, 2, 'half')
alc.log('warn', 'careful')
local t = alc.llm_batch{{prompt='a', system='s', grounded=true}, {prompt='b', temperature=0.5}}
return t[1] .. t[2]
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[moonward.Runtime]:
    with moonward.Runtime(warm_workers=1) as shared:
        yield shared


def run(runtime: moonward.Runtime, code: str = ASK, answer: str = "x") -> moonward.Session:
    session = runtime.start(code)
    moonward.drive(session, lambda query: answer)
    return session


def test_a_sessions_events_tell_its_life_in_order_and_end_with_it(runtime: moonward.Runtime) -> None:
    session = run(runtime, CHATTY)
    events = list(session.events())
    assert [event.kind for event in events] == [
        "started",
        "progress",
        "log",
        "paused",
        "answered",
        "answered",
        "resumed",
        "finished",
    ]
    epoch = events[0].number[0]
    assert [event.number for event in events] == [(epoch, n) for n in range(1, 9)]
    assert {event.session_id for event in events} == {session.id}
    assert [event.data["remaining"] for event in events[4:6]] == [1, 0]
    assert events[-1].data == {"phase": "completed", "state": Completed("xx")}


def test_an_observer_that_has_seen_the_end_of_a_session_is_told_that_there_is_no_more(
    runtime: moonward.Runtime,
) -> None:
    session = run(runtime)
    last = list(session.events())[-1].number
    assert list(session.events(since=last)) == []
    assert list(session.events(since=(last[0], last[1] + 1))) == []

    async def go() -> list[object]:
        async with moonward.AsyncRuntime(warm_workers=0) as other:
            ended = await other.start("return 1")
            seen = [event async for event in ended.events()]
            return [event async for event in ended.events(since=seen[-1].number)]

    assert asyncio.run(go()) == []


def test_an_event_is_json_key_by_key(runtime: moonward.Runtime) -> None:
    session = run(runtime, CHATTY)
    shown = [json.loads(json.dumps(event.to_json())) for event in session.events()]
    for event in shown:
        assert event.pop("session_id") == session.id
        assert event.pop("at") > 0
        event.pop("number")
    assert shown == [
        {"event": "started", "strategy": None},
        {"event": "progress", "step": 1, "total": 2, "message": "half"},
        {"event": "log", "level": "warn", "source": "alc.log", "message": "careful"},
        {
            "event": "paused",
            "queries": [
                {"id": "q-0", "prompt": "a", "system": "s", "max_tokens": 1024, "grounded": True},
                {
                    "id": "q-1",
                    "prompt": "b",
                    "system": None,
                    "max_tokens": 1024,
                    "extra": {"temperature": 0.5},
                },
            ],
        },
        {"event": "answered", "query_id": "q-0", "remaining": 1},
        {"event": "answered", "query_id": "q-1", "remaining": 0},
        {"event": "resumed"},
        {"event": "finished", "phase": "completed", "state": {"status": "completed", "result": "xx"}},
    ]


def test_any_number_of_observers_see_the_same(runtime: moonward.Runtime) -> None:
    session = runtime.start(CHATTY)
    seen: list[list[moonward.actors.event_stream.Event]] = [[] for _ in range(5)]
    observers = [
        threading.Thread(target=lambda each=each: each.extend(session.events()))  # type: ignore[misc]
        for each in seen
    ]
    for observer in observers:
        observer.start()
    moonward.drive(session, lambda query: "x")
    for observer in observers:
        observer.join(10)
    assert seen == [list(session.events())] * 5


def test_the_events_of_a_runtime_are_those_of_all_its_sessions(runtime: moonward.Runtime) -> None:
    events = runtime.events()
    first, second = run(runtime), run(runtime)
    ours: list[tuple[str, str]] = []
    for event in events:
        if event.session_id in (first.id, second.id):
            ours.append((event.session_id, event.kind))
            if ours[-1] == (second.id, "finished"):
                break
    life = ["started", "paused", "answered", "resumed", "finished"]
    assert ours == [(first.id, kind) for kind in life] + [(second.id, kind) for kind in life]


def test_since_goes_on_after_a_number_already_seen(runtime: moonward.Runtime) -> None:
    session = run(runtime)
    everything = list(session.events())
    for seen in range(len(everything) + 1):
        since = everything[seen - 1].number if seen else (everything[0].number[0], 0)
        if seen < len(everything):
            assert list(session.events(since)) == everything[seen:]


def test_numbers_of_an_older_runtime_are_answered_by_a_gap_of_unknown_size(runtime: moonward.Runtime) -> None:
    session = run(runtime)
    first, *others = session.events(("an older epoch", 3))
    assert (first.kind, first.data) == ("missed", {"count": None})
    assert others == list(session.events())
    assert list(session.events(first.number)) == others


@pytest.mark.parametrize("since", [3, "x", ("e", -1), ("e", True), (1, 2), ("e", 1, 2), ("e", "1")])
def test_a_since_that_is_no_number_is_refused_at_once(runtime: moonward.Runtime, since: object) -> None:
    session = run(runtime)
    for observe in (session.events, runtime.events):
        with pytest.raises(moonward.SettingsError, match="since must be the number of an event"):
            observe(since)  # type: ignore[arg-type]


def test_a_slow_observer_holds_nothing_up_and_is_told_how_many_it_missed() -> None:
    with moonward.Runtime(warm_workers=1, event_buffer=10) as runtime:
        session = runtime.start("alc.llm('?') for i = 1, 100 do alc.log('info', i) end")
        events = session.events()
        seen = [next(events), next(events)]
        session.feed("x", query_id="q-0")
        later = list(events)
    assert [event.kind for event in seen] == ["started", "paused"]
    assert (later[0].kind, later[0].data["count"], later[0].number[1]) == ("missed", 93, 95)
    assert [event.number[1] for event in later[1:]] == list(range(96, 106))
    assert later[-1].kind == "finished"


def test_an_observer_whose_event_loop_was_closed_hurts_nobody(runtime: moonward.Runtime) -> None:
    session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
    session.wait(10)
    twin = moonward.AsyncSession(session._core, session.id)
    events = twin.events()
    loop = asyncio.new_event_loop()
    for _ in range(2):
        loop.run_until_complete(anext(events))
    waiting = loop.create_task(anext(events))  # type: ignore[arg-type]
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()  # with the task left as it is
    assert isinstance(session.feed("1"), Paused)
    assert session.feed("2") == session.finished(10)
    assert session.snapshot()["restarts"] == 0
    assert [event.kind for event in runtime._core.events.read(0)[0] if event.kind == "restarted"] == []
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]
    waiting.get_coro().close()  # type: ignore[union-attr]


def test_closing_tells_the_end_of_sessions_in_memory_before_it_ends_the_streams() -> None:
    runtime = moonward.Runtime(warm_workers=1)
    session = runtime.start(ASK)
    session.wait(10)
    observers = session.events(), runtime.events()
    for events in observers:
        assert [next(events).kind for _ in range(2)] == ["started", "paused"]
    stream = runtime._core.services.streams.find(session.id)
    assert stream is not None
    when_woken: list[list[str]] = []
    stream.when_more(2, lambda: when_woken.append([event.kind for event in stream.read(2)[0]]))
    runtime.close()
    assert when_woken == [["finished"]]
    for events in observers:
        assert [event.data["state"] for event in events] == [Cancelled("closed")]


def test_sleep_and_waking_are_told_and_numbers_go_on() -> None:
    with moonward.Runtime(warm_workers=1, hibernate_after=0.05, reap_interval=0.05) as runtime:
        session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
        session.wait(10)
        events = session.events()
        assert [next(events).kind for _ in range(3)] == ["started", "paused", "hibernated"]
        session.feed("1")
        kinds = []
        for event in events:
            kinds.append(event.kind)
            if event.kind == "hibernated":
                break
        assert kinds == ["answered", "resumed", "woken", "paused", "hibernated"]
        session.wake(10)
        assert next(events).kind == "woken"
        session.cancel()


def test_an_observer_of_a_sleeping_durable_session_stays_and_numbers_are_never_used_twice(
    tmp_path: Path,
) -> None:
    settings = {"hibernate_after": 0.05, "reap_interval": 0.05}
    with moonward.Runtime(warm_workers=1, journal=f"sqlite:///{tmp_path}/j.db", **settings) as runtime:  # type: ignore[arg-type]
        session = runtime.start("return {alc.llm('a'), alc.llm('b')}")
        session.wait(10)
        events = session.events()
        asleep = [next(events) for _ in range(3)][-1]
        assert asleep.kind == "hibernated"
        while session.id in runtime._core.services.registry.actors:
            threading.Event().wait(0.005)  # until its actor has been put away too
        session.feed("1", query_id="q-0")
        following = next(events)
        assert (following.kind, following.number[1]) == ("answered", asleep.number[1] + 1)
        assert next(session.events(asleep.number)) == following
        session.cancel()


@pytest.mark.parametrize("since", [None, ("older", 4)])
def test_of_a_session_that_ended_in_an_earlier_runtime_the_end_is_told(
    tmp_path: Path, since: tuple[str, int] | None
) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        session_id = run(runtime, answer="x").id
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        events = list(runtime.session(session_id).events(since))
        assert events[-1].data == {"phase": "completed", "state": Completed("x")}
        assert [event.kind for event in events] == (["missed"] if since else []) + ["finished"]
        assert runtime._core.services.streams.find(session_id) is None


def test_a_session_that_is_not_there_has_no_events(runtime: moonward.Runtime) -> None:
    nobody = moonward.Session(runtime._core, "s-nobody")
    with pytest.raises(moonward.SessionNotFound):
        nobody.events()
    assert runtime._core.services.streams.find("s-nobody") is None


def test_a_restart_is_told_with_its_reason() -> None:
    with FaultyRuntime(warm_workers=1) as runtime:
        session = runtime.start(ASK)
        session.wait(10)
        events = session.events()
        runtime.kill_worker(session.id)
        restarted = next(event for event in events if event.kind == "restarted")
        assert restarted.data["reason"] == "crash"
        assert restarted.data["count"] == 1
        assert "SIGKILL" in restarted.data["detail"]
        session.cancel()
