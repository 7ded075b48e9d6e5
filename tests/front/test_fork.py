"""`alc.fork` on a real Runtime: children in workers of their own, their questions in one pause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import moonward
from moonward import Cancelled, Completed, Failed, Finished, Paused
from moonward.testing import Faults, FaultyRuntime, nothing_left_behind

STRATEGIES = {
    "talker": """
        local n = ctx.rounds or 2
        local said = {}
        for i = 1, n do said[i] = alc.llm(ctx.task .. " talker " .. i) end
        return said""",
    "pair": """
        local both = alc.llm_batch({{prompt = "pair a"}, {prompt = "pair b"}})
        return both[1] .. both[2]""",
    "silent": "return {task = ctx.task, ns = ctx._ns}",
    "broken": "error('it broke')",
    "forker": "return alc.fork({'silent'}, ctx)",
    "hungry": "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end",
    "busy": """
        alc.log("info", "busy was here")
        alc.progress(1, 2, "half")
        alc.stats.record("busy", true)
        local n = alc.state.incr("busy")
        return {n, alc.llm("busy?"), alc.state.incr("busy")}""",
    "frugal": """
        local ok, why = pcall(alc.llm, "one")
        local again, more = pcall(alc.llm, "two")
        return {ok and why or "refused", again and more or (tostring(more):match("budget_exceeded.*"))}""",
}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    for name, body in STRATEGIES.items():
        (folder / f"{name}.lua").write_text(f"return {{run = function(ctx) {body} end}}")
    return folder


def pending(event: object) -> dict[str, str]:
    assert isinstance(event, Paused), event
    return {query.id: query.prompt for query in event.queries}


def answer(session: moonward.Session, event: object) -> moonward.Accepted | Paused | Finished:
    """Answers each question with its id and prompt; what comes next."""
    assert isinstance(event, Paused), event
    result: moonward.Accepted | Paused | Finished = event
    for query in event.queries:
        result = session.feed(f"<{query.id} {query.prompt}>", query_id=query.id, timeout=20)
    return result


def to_the_end(session: moonward.Session) -> tuple[Any, list[dict[str, str]]]:
    """The result, and the questions of each pause."""
    pauses = []
    event: moonward.Accepted | Paused | Finished = session.wait(20)
    while isinstance(event, Paused):
        pauses.append(pending(event))
        event = answer(session, event)
    assert isinstance(event, Finished)
    assert isinstance(event.state, Completed), event.state
    return event.state.result, pauses


def test_children_ask_together_and_their_results_come_in_order(packages: Path, tmp_path: Path) -> None:
    with nothing_left_behind(), moonward.Runtime(data_dir=tmp_path) as runtime:
        code = "return alc.fork({'talker', 'silent', 'pair', 'broken', 'none'}, {task = 'T', _ns = 'n'})"
        session = runtime.start(code, packages=[packages])
        result, pauses = to_the_end(session)
    assert pauses == [
        {"f-0-0": "T talker 1", "f-2-0": "pair a", "f-2-1": "pair b"},
        {"f-0-1": "T talker 2"},
    ]
    talker, silent, pair, broken, missing = result
    assert talker == {
        "strategy": "talker",
        "ok": True,
        "result": ["<f-0-0 T talker 1>", "<f-0-1 T talker 2>"],
    }
    assert silent == {"strategy": "silent", "ok": True, "result": {"task": "T", "ns": "n"}}
    assert pair == {"strategy": "pair", "ok": True, "result": "<f-2-0 pair a><f-2-1 pair b>"}
    assert (broken["ok"], "it broke" in broken["error"], "result" in broken) == (False, True, False)
    assert (missing["ok"], "module 'none' not found" in missing["error"]) == (False, True)
    assert f"{packages}/none/init.lua" in missing["error"]


def test_ids_count_for_each_child_over_the_life_of_the_session(packages: Path) -> None:
    code = """
    alc.fork({'talker', 'talker'}, {task = 'a', rounds = 1})
    alc.llm('between')
    return #alc.fork({'talker', 'pair'}, {task = 'b'})"""
    with moonward.Runtime() as runtime:
        result, pauses = to_the_end(runtime.start(code, packages=[packages]))
    assert result == 2
    assert [list(each) for each in pauses] == [
        ["f-0-0", "f-1-0"],
        ["q-0"],
        ["f-0-1", "f-1-1", "f-1-2"],
        ["f-0-2"],
    ]


def test_a_killed_child_is_replayed_alone(packages: Path, tmp_path: Path) -> None:
    with FaultyRuntime(data_dir=tmp_path) as runtime:
        code = "return alc.fork({'talker', 'busy', 'talker'}, {task = 'T'})"
        session = runtime.start(code, packages=[packages])
        first = session.wait(20)
        before = runtime.workers(session.id)
        assert sorted(before) == ["", "0.0", "0.1", "0.2"]
        session.feed("early", query_id="f-0-0")
        assert runtime.kill_worker(session.id, "0.1")
        next(event for event in session.events() if event.kind == "restarted")
        assert pending(session.wait(20)) == {"f-1-0": "busy?", "f-2-0": "T talker 1"}
        session.feed("so so", query_id="f-1-0")
        event = session.feed("late", query_id="f-2-0", timeout=20)
        after = runtime.workers(session.id)
        assert {name: after[name] for name in ("", "0.0", "0.2")} == {
            name: before[name] for name in ("", "0.0", "0.2")
        }
        event = answer(session, event)
        assert isinstance(event, Finished)
        assert isinstance(event.state, Completed)
        rows = event.state.result
        assert isinstance(rows, list)
        assert [row["result"] for row in rows] == [  # type: ignore[call-overload, index]
            ["early", "<f-0-1 T talker 2>"],
            [1, "so so", 2],
            ["late", "<f-2-1 T talker 2>"],
        ]
        logs = [entry["message"] for entry in session.snapshot()["metrics"]["recent_logs"]]
        assert logs.count("busy was here") == 1
        assert pending(first) == {"f-0-0": "T talker 1", "f-1-0": "busy?", "f-2-0": "T talker 1"}


def test_a_child_that_is_lost_too_often_fails_alone(packages: Path) -> None:
    faults = Faults().add("kill", "asked", strand="0.0", times=None)
    with FaultyRuntime(faults, restart_intensity=1) as runtime:
        session = runtime.start("return alc.fork({'talker', 'pair'}, {task = 'T'})", packages=[packages])
        result, _ = to_the_end(session)
    assert [row["ok"] for row in result] == [False, True]
    assert "worker lost, restart budget spent" in result[0]["error"]


def test_a_child_that_crosses_a_limit_fails_alone(packages: Path) -> None:
    with moonward.Runtime() as runtime:
        session = runtime.start(
            "return alc.fork({'hungry', 'talker'}, {task = 'T'})", packages=[packages], limits={"memory_bytes": 16 << 20}
        )  # fmt: skip
        result, pauses = to_the_end(session)
    assert [row["ok"] for row in result] == [False, True]
    assert "memory" in result[0]["error"]
    assert pauses[-1] == {"f-1-1": "T talker 2"}


@pytest.mark.parametrize("strand", ["", "0.0", "0.1"])
@pytest.mark.parametrize("point", ["begun", "ask", "asked", "call", "called", "replied", "end"])
def test_whoever_is_killed_wherever_the_questions_and_the_result_are_the_same(
    strand: str, point: Any, packages: Path, tmp_path: Path
) -> None:
    code = """
    local first = alc.fork({'busy', 'talker'}, {task = 'T'})
    local second = alc.fork({'talker', 'busy'}, {task = alc.llm('next?'), rounds = 1})
    return {first, second}"""
    outcomes = []
    for faults in (Faults(), Faults().add("kill", point, strand=strand, nth=1 if point == "end" else None)):
        data = tmp_path / str(len(outcomes))
        with FaultyRuntime(faults, data_dir=data, restart_intensity=5) as runtime:
            session = runtime.start(code, packages=[packages])
            outcomes.append(to_the_end(session))
            assert session.snapshot()["restarts"] == len(faults.history)
    assert outcomes[0] == outcomes[1]
    assert len(faults.history) == 1 or (strand, point) == ("", "asked")


def test_another_host_goes_on_in_the_middle_of_a_fork(packages: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"journal": f"sqlite:///{tmp_path}/j.db", "data_dir": tmp_path}
    code = "return alc.fork({'talker', 'busy', 'silent'}, {task = 'T', rounds = 3})"
    with moonward.Runtime(**options) as runtime:
        session = runtime.start(code, packages=[packages])
        answer(session, session.wait(20))
        assert pending(session.wait(20)) == {"f-0-1": "T talker 2"}
    with moonward.Runtime(**options) as runtime:
        session = runtime.session(session.id)
        shown = session.snapshot("full")
        assert shown["pending"] == [
            {"query_id": "f-0-1", "max_tokens": 1024, "prompt": "T talker 2", "system": None}
        ]
        result, pauses = to_the_end(session)
    assert pauses == [{"f-0-1": "T talker 2"}, {"f-0-2": "T talker 3"}]
    assert result[1]["result"] == [1, "<f-1-0 busy?>", 2]
    assert result[0]["result"] == [f"<f-0-{n} T talker {n + 1}>" for n in range(3)]


def test_a_fork_is_shown_while_it_waits(packages: Path, tmp_path: Path) -> None:
    with moonward.Runtime(data_dir=tmp_path) as runtime:
        session = runtime.start(
            "return alc.fork({'busy', 'pair'}, {})", {"budget": {"max_llm_calls": 9}}, packages=[packages]
        )
        event = session.wait(20)
        shot = session.snapshot("full")
        assert (shot["state"], shot["phase"], shot["pending_queries"]) == ("paused", "paused", 3)
        assert [row["prompt"] for row in shot["pending"]] == ["busy?", "pair a", "pair b"]
        assert shot["metrics"]["progress"] == {"step": 1, "total": 2, "message": "half"}
        assert [row["message"] for row in shot["metrics"]["recent_logs"]] == ["busy was here"]
        assert shot["metrics"]["budget_remaining"]["llm_calls"] == 6
        finished = answer(session, event)
        assert isinstance(finished, Finished)
        assert finished.metrics["custom"] == {"busy": True}
        assert finished.metrics["auto"]["llm_calls"] == 3


def test_a_fork_can_be_cancelled_and_leaves_nothing(packages: Path) -> None:
    with nothing_left_behind(), FaultyRuntime() as runtime:
        session = runtime.start(
            "return alc.fork({'talker', 'pair', 'talker'}, {task = 'T'})", packages=[packages]
        )
        session.wait(20)
        assert len(runtime.workers(session.id)) == 4
        event = session.cancel("enough")
        assert isinstance(event, Finished)
        assert event.state == Cancelled("enough")
        assert runtime.workers(session.id) == {}


@pytest.mark.parametrize("mode", ["fail", "abort"])
def test_a_fork_that_must_not_fail_raises_at_its_line_once_all_have_ended(mode: str, packages: Path) -> None:
    code = f"\nlocal r = alc.fork({{'talker', 'broken'}}, {{task = 'T', rounds = 1}}, {{on_error = '{mode}'}})\nreturn r"
    with moonward.Runtime() as runtime:
        session = runtime.start(code, packages=[packages])
        event = answer(session, session.wait(20))
        assert isinstance(event, Finished)
        assert isinstance(event.state, Failed)
        assert event.state.error.startswith("session:2: alc.fork: strategy 'broken' failed: ")
        assert event.state.error_kind == "lua"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            "alc.fork({'silent'}, {}, {on_error = 'maybe'})",
            "on_error must be 'skip', 'fail' or 'abort', got 'maybe'",
        ),
        ("alc.fork({'si lent'}, {})", "must match [A-Za-z0-9_]+"),
        ("alc.fork({}, {})", "non-empty array"),
        ("alc.fork('silent', {})", "must be an array of names, got string"),
    ],
)
def test_a_fork_that_cannot_be_is_an_error_at_its_line(call: str, said: str, packages: Path) -> None:
    with moonward.Runtime() as runtime:
        state = runtime.start(f"\n{call}\nreturn 1", packages=[packages]).finished(20).state
    assert isinstance(state, Failed)
    assert state.error.startswith("session:2: alc.fork: ")
    assert said in state.error


def test_a_child_cannot_fork(packages: Path) -> None:
    with moonward.Runtime() as runtime:
        state = runtime.start("return alc.fork({'forker'}, {})", packages=[packages]).finished(20).state
    assert isinstance(state, Completed)
    assert "a forked strategy cannot fork" in state.result[0]["error"]  # type: ignore[index, operator, call-overload]


def test_what_is_left_of_the_budget_goes_to_the_children_in_their_order(packages: Path) -> None:
    refused = "budget_exceeded: max_llm_calls (4) reached (4 used)"
    for _ in range(3):
        with moonward.Runtime() as runtime:
            session = runtime.start(
                "return alc.fork({'frugal', 'frugal', 'frugal'}, {})",
                {"budget": {"max_llm_calls": 4}},
                packages=[packages],
            )
            result, pauses = to_the_end(session)
        assert [list(each) for each in pauses] == [["f-0-0", "f-1-0", "f-2-0"], ["f-0-1"]]
        assert [row["result"][1] for row in result] == ["<f-0-1 two>", refused, refused]


def test_a_fork_that_sleeps_is_woken_by_an_answer(packages: Path, tmp_path: Path) -> None:
    with FaultyRuntime(data_dir=tmp_path, hibernate_after=0.05, reap_interval=0.05) as runtime:
        session = runtime.start(
            "return alc.fork({'talker', 'busy', 'silent'}, {task = 'T'})", packages=[packages]
        )
        event = session.wait(20)
        next(each for each in session.events() if each.kind == "hibernated")
        assert runtime.workers(session.id) == {}
        while isinstance(event, Paused):
            event = answer(session, event)  # type: ignore[assignment]
        assert isinstance(event, Finished)
        assert isinstance(event.state, Completed)
        rows: Any = event.state.result
        assert [row["result"] for row in rows] == [
            ["<f-0-0 T talker 1>", "<f-0-1 T talker 2>"],
            [1, "<f-1-0 busy?>", 2],
            {"task": "T"},
        ]
