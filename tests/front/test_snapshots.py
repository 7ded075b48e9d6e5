"""Snapshots of all sessions that are held: awake, asleep, ended."""

from __future__ import annotations

import threading
from pathlib import Path

import moonward

ASK = "alc.log('info', 'hello') return alc.llm('?')"


def test_snapshots_of_all_sessions_of_a_runtime_by_id() -> None:
    with moonward.Runtime(warm_workers=1) as runtime:
        assert runtime.snapshots() == {}
        paused, spinning, ended = (runtime.start(code) for code in (ASK, "while true do end", "return 1"))
        paused.wait(10)
        ended.wait(10)
        shots = runtime.snapshots("meta", include_history=True)
        assert {session_id: shot["phase"] for session_id, shot in shots.items()} == {
            paused.id: "paused",
            spinning.id: "running",
            ended.id: "completed",
        }
        assert shots[paused.id]["pending"] == [{"query_id": "q-0", "max_tokens": 1024}]
        assert len(shots[paused.id]["metrics"]["conversation_history"]) == 1


def test_those_that_sleep_are_shown_and_are_not_woken(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with moonward.Runtime(
        warm_workers=1, journal=journal, hibernate_after=0.05, reap_interval=0.05
    ) as runtime:
        session = runtime.start(ASK)
        session.wait(10)
        while runtime._core.services.registry.actors:
            threading.Event().wait(0.005)
        (shot,) = runtime.snapshots("full").values()
        assert (shot["residency"], shot["phase"], shot["pending"][0]["prompt"]) == (
            "hibernated",
            "paused",
            "?",
        )
        assert shot["metrics"]["recent_logs"][0]["message"] == "hello"
        assert runtime._core.services.registry.actors == {}


def test_those_of_an_earlier_runtime_are_shown_unless_they_ended(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        session = runtime.start(ASK)
        session.wait(10)
        runtime.start("return 1").wait(10)
    with moonward.Runtime(warm_workers=1, journal=journal) as runtime:
        assert list(runtime.snapshots()) == [session.id]
        assert runtime._core.services.registry.actors == {}
