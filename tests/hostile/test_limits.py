"""Each limit at its edge: what is just allowed, and what is one too much and ends as `limit`, with its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import moonward

PATIENCE_S = 30.0
KIB = 1 << 10
MIB = 1 << 20

ASK_BYTES = len('{"t":"ask","queries":[{"prompt":""}]}')
"""What a frame with one question takes beside its prompt."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moonward.Runtime]:
    with moonward.Runtime(data_dir=tmp_path_factory.mktemp("data")) as runtime:
        yield runtime


def run(runtime: moonward.Runtime, code: str, answer: str = "a", **limits: Any) -> Any:
    """How a session ends whose questions are all answered with `answer`."""
    return session_of(runtime, code, answer, **limits)[1]


def session_of(
    runtime: moonward.Runtime, code: str, answer: str = "a", packages: tuple[Path, ...] = (), **limits: Any
) -> tuple[moonward.Session, Any]:
    session = runtime.start(code, limits=limits, packages=packages)
    finished = moonward.drive(session, lambda query: answer)
    return session, finished.state


def assert_limit(state: Any, name: str) -> None:
    """It ended for that limit, and says so."""
    assert isinstance(state, moonward.Failed), state
    assert (state.error_kind, name in state.error) == ("limit", True), state


EDGES = [
    # limit, its value, what is just allowed, what is too much
    ("max_result_bytes", 1000, "return ('x'):rep(998)", "return ('x'):rep(999)"),
    ("max_query_bytes", 1000, "return alc.llm(('x'):rep(1000))", "return alc.llm(('x'):rep(1001))"),
    (
        "max_query_bytes",
        1000,
        "return alc.llm(('x'):rep(400), {system=('y'):rep(600)})",
        "return alc.llm(('x'):rep(400), {system=('y'):rep(601)})",
    ),
    (
        "max_query_bytes",
        1000,
        "return alc.llm('x', {a=('y'):rep(993)})",
        "return alc.llm('x', {a=('y'):rep(994)})",
    ),
    (
        "max_frame_bytes",
        64 * KIB,
        f"return alc.llm(('x'):rep({64 * KIB - ASK_BYTES}))",
        f"return alc.llm(('x'):rep({64 * KIB - ASK_BYTES + 1}))",
    ),
    (
        "max_frame_bytes",
        64 * KIB,
        f"alc.state.set('k', ('x'):rep({60 * KIB}))",
        f"alc.state.set('k', ('x'):rep({64 * KIB}))",
    ),
    (
        "max_queries",
        3,
        "return alc.llm_batch({{prompt='1'},{prompt='2'},{prompt='3'}})",
        "return alc.llm_batch({{prompt='1'},{prompt='2'},{prompt='3'},{prompt='4'}})",
    ),
    (
        "max_calls",
        3,
        "for i = 1, 3 do alc.state.get('k') end alc.llm('?') for i = 1, 3 do alc.state.get('k') end",
        "for i = 1, 4 do alc.state.get('k') end",
    ),
    (
        "max_calls",
        3,
        "for i = 1, 3 do pcall(require, 'none') end",
        "local ok, e for i = 1, 4 do ok, e = pcall(require, 'none') end error(e, 0)",
    ),
    (
        "max_stats_bytes",
        100,
        "alc.stats.record('abc', ('x'):rep(91))",
        "alc.stats.record('abc', ('x'):rep(92))",
    ),
    (
        "max_stats_bytes",
        100,
        "for i = 1, 50 do alc.stats.record('abc', ('x'):rep(91)) end",
        "alc.stats.record('a', ('x'):rep(50)) alc.stats.record('b', ('x'):rep(50))",
    ),
    (
        "max_code_bytes",
        200,
        "return load(('x = 1 '):rep(33)) ~= nil",
        "error(select(2, load(('x = 1 '):rep(34))), 0)",
    ),
    (
        "max_code_bytes",
        200,
        "local n = 0 return load(function() n = n + 1 return n <= 33 and 'x = 1 ' or nil end) ~= nil",
        "error(select(2, load(function() return 'x = 1 ' end)), 0)",
    ),
    (
        "max_strands",
        2,
        "return alc.fork({'none', 'none'}, {})",
        "return alc.fork({'none', 'none', 'none'}, {})",
    ),
    ("memory_bytes", 8 * MIB, "return #('x'):rep(4 * 1024 * 1024)", "return #('x'):rep(8 * 1024 * 1024)"),
]


@pytest.mark.parametrize(("name", "limit", "code"), [(name, limit, good) for name, limit, good, _ in EDGES])
def test_what_a_limit_just_allows_is_allowed(
    runtime: moonward.Runtime, name: str, limit: int, code: str
) -> None:
    assert isinstance(run(runtime, code, **{name: limit}), moonward.Completed)


@pytest.mark.parametrize(("name", "limit", "code"), [(name, limit, bad) for name, limit, _, bad in EDGES])
def test_what_is_too_much_ends_the_session_with_the_limit_named(
    runtime: moonward.Runtime, name: str, limit: int, code: str
) -> None:
    assert_limit(run(runtime, code, **{name: limit}), name)


@pytest.mark.parametrize(
    ("name", "limit", "code"), [(name, limit, bad) for name, limit, _, bad in EDGES if "result" not in name]
)
def test_a_script_may_catch_a_limit_and_go_on(
    runtime: moonward.Runtime, name: str, limit: int, code: str
) -> None:
    caught = run(runtime, f"return (pcall(function() {code} end))", **{name: limit})
    assert caught == moonward.Completed(False)


def test_a_script_that_is_too_long_is_refused_at_its_start(runtime: moonward.Runtime) -> None:
    assert run(runtime, "return 1" + " " * 192, max_code_bytes=200) == moonward.Completed(1)
    with pytest.raises(moonward.SettingsError, match=r"max_code_bytes \(200\)"):
        run(runtime, "return 1" + " " * 193, max_code_bytes=200)


def test_a_module_may_be_as_long_as_a_script(runtime: moonward.Runtime, tmp_path: Path) -> None:
    (tmp_path / "good.lua").write_text("return 1" + " " * 192)
    (tmp_path / "bad.lua").write_text("return 1" + " " * 193)
    for name, code in (("good", "return require('good')"), ("bad", "return require('bad')")):
        _, state = session_of(runtime, code, packages=(tmp_path,), max_code_bytes=200)
        if name == "good":
            assert state == moonward.Completed(1)
        else:
            assert isinstance(state, moonward.Failed)
            assert "larger than 200 bytes" in state.error


def test_processor_time_is_limited_for_each_slice(runtime: moonward.Runtime) -> None:
    """Two slices of half the limit are fine; one above it is not."""
    spin = "local t = os.clock() while os.clock() - t < {} do end"
    twice = f"{spin.format(0.35)} alc.llm('?') {spin.format(0.35)}"
    assert isinstance(run(runtime, twice, cpu_seconds=0.7), moonward.Completed)
    assert_limit(run(runtime, spin.format(60), cpu_seconds=0.3), "cpu_seconds")


def test_a_slice_is_limited_in_time(runtime: moonward.Runtime) -> None:
    state = run(runtime, "while true do end", slice_seconds=0.5)
    assert_limit(state, "slice")


def test_a_long_error_is_cut(runtime: moonward.Runtime) -> None:
    state = run(runtime, "error(('x'):rep(101), 0)", max_error_bytes=100)
    assert state == moonward.Failed("x" * 100, "lua")
    assert run(runtime, "error(('é'):rep(60), 0)", max_error_bytes=101) == moonward.Failed("é" * 50, "lua")


def test_a_long_log_line_is_cut(runtime: moonward.Runtime) -> None:
    session, _ = session_of(
        runtime, "print(('x'):rep(101)) alc.log('info', ('é'):rep(60))", max_log_bytes=100
    )
    logs = session.snapshot()["metrics"]["recent_logs"]
    assert [line["message"] for line in logs] == ["x" * 100, "é" * 50]


def test_logs_beyond_the_limit_are_dropped_and_the_log_says_so(runtime: moonward.Runtime) -> None:
    code = """
    for i = 1, 1000 do alc.log('info', ('x'):rep(80)) end
    alc.progress(1, 3, 'held back') alc.progress(2, 3, 'last')
    alc.stats.record('a', 1) alc.stats.record('a', 2)
    alc.llm('?')
    alc.log('info', 'there is room again')
    """
    session = runtime.start(code, limits={"max_notes_bytes": 10_000})
    session.wait(PATIENCE_S)
    metrics = session.snapshot()["metrics"]
    texts = [line["message"] for line in metrics["recent_logs"]]
    assert "max_notes_bytes (10000)" in texts[-2]
    lines = 10_000 // len('["log","info","alc.log",""]' + "x" * 80)
    assert texts[-1] == f"{1000 - lines} lines were dropped"
    assert texts[-3] == "x" * 80
    assert metrics["progress"] == {"step": 2, "total": 3, "message": "last"}
    finished = session.feed("a", timeout=PATIENCE_S)
    assert isinstance(finished, moonward.Finished)
    assert finished.metrics["custom"] == {"a": 2}
    assert session.snapshot()["metrics"]["recent_logs"][-1]["message"] == "there is room again"


def test_what_a_session_makes_its_host_keep_is_limited(runtime: moonward.Runtime) -> None:
    """Questions, results of calls, and what calls store: each crosses the same limit."""
    most = 256 * KIB
    big = "('x'):rep(65536)"
    assert_limit(run(runtime, f"while true do alc.llm({big}) end", max_kept_bytes=most), "max_kept_bytes")
    asks = run(runtime, f"for i = 1, 4 do alc.llm({big}) end", max_kept_bytes=most)
    assert isinstance(asks, moonward.Completed)
    code = f"alc.state.set('k', {big}) while true do alc.state.get('k') end"
    assert_limit(run(runtime, code, max_kept_bytes=most), "max_kept_bytes")
    code = "while true do alc.card.create({pkg={name='limits'}}) end"
    assert_limit(run(runtime, code, max_kept_bytes=most), "max_kept_bytes")


def test_questions_of_children_are_counted_together(runtime: moonward.Runtime, tmp_path: Path) -> None:
    (tmp_path / "asker.lua").write_text(
        "return { run = function() return #alc.llm_batch({{prompt='1'},{prompt='2'}}) end }"
    )
    for children, is_fine in ((2, True), (3, False)):
        names = ", ".join(["'asker'"] * children)
        code = f"return #alc.fork({{{names}}}, {{}})"
        _, state = session_of(runtime, code, packages=(tmp_path,), max_queries=5)
        if is_fine:
            assert state == moonward.Completed(children)
        else:
            assert_limit(state, "max_queries (5)")


def test_answers_are_not_counted_as_kept(runtime: moonward.Runtime) -> None:
    """The host gives them by itself, and an answer must never be refused for what a script did."""
    code = "for i = 1, 100 do alc.llm(('x'):rep(4096)) end return 'all'"
    assert run(runtime, code, answer="x" * 64 * KIB, max_kept_bytes=32 * KIB) == moonward.Completed("all")


def test_kept_bytes_are_counted_through_a_restart_of_the_host(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/j.db"
    code = "while true do alc.llm(('x'):rep(65536)) end"
    with moonward.Runtime(journal=journal, data_dir=tmp_path) as first:
        session = first.start(code, limits={"max_kept_bytes": 300 * KIB})
        for _ in range(4):
            session.wait(PATIENCE_S)
            session.feed("a", timeout=PATIENCE_S)
    with moonward.Runtime(journal=journal, data_dir=tmp_path) as second:
        again, fed = second.session(session.id), 0
        event: Any = again.wait(PATIENCE_S)
        while isinstance(event, moonward.Paused):
            event = again.feed("a", query_id=event.queries[0].id, timeout=PATIENCE_S)
            fed += 1
        assert_limit(event.state, "max_kept_bytes")
        assert fed < 5


def test_looking_at_the_clock_for_ever_never_fills_a_frame(runtime: moonward.Runtime) -> None:
    """Each change of the clock is recorded; the more, the coarser it gets."""
    code = """
    local reads, ticks, last = 0, 0, 0
    local start = os.clock()
    while os.clock() - start < 0.6 do
      local now = alc.time()
      reads = reads + 1
      if now ~= last then ticks, last = ticks + 1, now end
    end
    return { alc.llm('?'), reads > ticks, ticks }
    """
    state = run(runtime, code, max_frame_bytes=16 * KIB)
    assert isinstance(state, moonward.Completed)
    assert state.result[:2] == ["a", True]
    assert state.result[2] <= 150  # 64 pairs at each step of 1, 10 and 100 ms


def test_a_flood_of_output_without_an_end_of_line_is_bounded(runtime: moonward.Runtime) -> None:
    session, state = session_of(runtime, "for i = 1, 1e5 do io.write('x') end return 1", max_log_bytes=100)
    assert state == moonward.Completed(1)
    assert {len(line["message"]) for line in session.snapshot()["metrics"]["recent_logs"]} == {100}
