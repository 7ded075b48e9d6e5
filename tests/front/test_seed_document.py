"""What the document that this project began from says, sentence by sentence, on a real Runtime."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

import moonward

from .processes import is_gone, workers


@pytest.fixture(scope="module")
def runtime() -> Iterator[moonward.Runtime]:
    with moonward.Runtime(warm_workers=0) as shared:
        yield shared


ASK = "return alc.llm('one?', { system = 'be brief' })"


def test_each_session_owns_a_process_of_its_own(runtime: moonward.Runtime) -> None:
    before = workers()
    first, second = runtime.start(ASK), runtime.start(ASK)
    first.wait()
    second.wait()
    assert len(workers() - before) == 2
    first.cancel()
    second.cancel()


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_the_process_is_there_while_the_session_is_and_gone_when_it_ends(
    runtime: moonward.Runtime, end: str
) -> None:
    before = workers()
    session = runtime.start("if alc.llm('?') == 'fail' then error('x') end")
    session.wait()
    (worker,) = workers() - before
    pidfd = os.pidfd_open(worker)
    if end == "cancel":
        session.cancel()
    else:
        session.feed(end)
    assert is_gone(worker, pidfd)


def test_a_new_session_is_running(runtime: moonward.Runtime) -> None:
    session = runtime.start("while true do end")
    assert session.phase == "running"
    assert session.snapshot()["state"] == "running"
    session.cancel()


def test_what_the_script_prints_and_logs_is_in_the_recent_logs(runtime: moonward.Runtime) -> None:
    session = runtime.start("print('printed', 1) alc.log('warn', 'logged') alc.llm('?')")
    session.wait()
    shown = [
        (log["level"], log["source"], log["message"]) for log in session.snapshot()["metrics"]["recent_logs"]
    ]
    assert shown == [("info", "alc.lua.print", "printed\t1"), ("warn", "alc.log", "logged")]
    session.cancel()


def test_a_snapshot_neither_consumes_nor_modifies_the_session(runtime: moonward.Runtime) -> None:
    session = runtime.start(ASK)
    event = session.wait()
    first, second = session.snapshot("full", True), session.snapshot("full", True)
    for shot in (first, second):
        del shot["metrics"]["elapsed_ms"]
    assert first == second
    assert session.wait() == event
    session.cancel()


def test_without_a_filter_only_the_number_of_pending_queries_is_told(runtime: moonward.Runtime) -> None:
    session = runtime.start("alc.llm_batch{{prompt='a'}, {prompt='b'}}")
    session.wait()
    shot = session.snapshot()
    assert shot["pending_queries"] == 2
    assert "pending" not in shot
    session.cancel()


def test_a_filter_adds_the_pending_queries_as_it_projects_them(runtime: moonward.Runtime) -> None:
    session = runtime.start(ASK)
    session.wait()
    assert session.snapshot({"query_id": True, "system": True})["pending"] == [
        {"query_id": "q-0", "system": "be brief"}
    ]
    assert session.snapshot("preview")["pending"] == [
        {"query_id": "q-0", "max_tokens": 1024, "prompt_preview": "one?"}
    ]
    session.cancel()


def test_history_is_told_only_when_asked_for_and_ten_entries_at_most(runtime: moonward.Runtime) -> None:
    session = runtime.start("for i = 1, 12 do alc.llm('ask ' .. i) end")
    moonward.drive(session, lambda query: "answer to " + query.prompt)
    assert "conversation_history" not in session.snapshot()["metrics"]
    history = session.snapshot(include_history=True)["metrics"]["conversation_history"]
    assert [entry["prompt"] for entry in history] == [f"ask {n}" for n in range(3, 13)]
    assert history[-1]["response"] == "answer to ask 12"


def test_the_phase_has_five_values_and_the_state_three(runtime: moonward.Runtime) -> None:
    def shown(session: moonward.Session) -> tuple[str, str]:
        shot = session.snapshot()
        return shot["phase"], shot["state"]

    busy = runtime.start("while true do end")
    paused = runtime.start(ASK)
    paused.wait()
    seen = [shown(busy), shown(paused)]
    busy.cancel()
    paused.feed("1")
    failed = runtime.start("error('x')")
    failed.wait()
    seen += [shown(paused), shown(failed), shown(busy)]
    assert seen == [
        ("running", "running"),
        ("paused", "paused"),
        ("completed", "terminal"),
        ("failed", "terminal"),
        ("cancelled", "terminal"),
    ]


def test_times_are_unix_milliseconds_and_the_last_activity_is_the_last_feed(
    runtime: moonward.Runtime,
) -> None:
    before_ms = int(time.time() * 1000)
    session = runtime.start("alc.llm('1') alc.llm('2')")
    session.wait()
    shot = session.snapshot()
    assert before_ms <= shot["started_at"] <= time.time() * 1000
    assert shot["last_activity_at"] == shot["started_at"]
    fed_ms = int(time.time() * 1000)
    session.feed("1")
    assert fed_ms <= session.snapshot()["last_activity_at"] <= time.time() * 1000
    session.cancel()


def test_a_session_is_expired_when_it_was_idle_for_the_ttl(runtime: moonward.Runtime) -> None:
    session = runtime.start(ASK)
    session.wait()
    assert session.is_expired(0)
    assert not session.is_expired(3600)
    session.cancel()
