"""`replay` with other code: where it differs first, and what came instead, whatever was changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import moonward

CODE = """
local a = alc.llm("one: " .. ctx.task)
local n = alc.state.incr("count")
alc.log("info", "counted " .. n)
local batch = alc.llm_batch({ { prompt = "b1 " .. a }, { prompt = "b2 " .. n } })
local forks = alc.fork({ "kid", "kid" }, { x = batch[1] })
alc.state.set("seen", forks[1].result)
return { a = a, n = n, forks = { forks[1].result, forks[2].result } }
"""

KID = "return { run = function(ctx) return alc.llm('kid ' .. ctx.x) .. alc.llm('again') end }"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moonward.Runtime]:
    """A Runtime for all replays."""
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "kid.lua").write_text(KID)
    with moonward.Runtime(data_dir=folder, package_paths=[folder]) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def recorded(runtime: moonward.Runtime) -> str:
    """A session that ended."""
    session = runtime.start(CODE, {"task": "t"})
    state = moonward.drive(session, lambda query: f"<{query.prompt}>").state
    assert isinstance(state, moonward.Completed)
    return session.id


CHANGES = [
    ("a question", "one: ", "uno: ", 1, "the question 'one: t'", "the question 'uno: t'"),
    ("a question of a batch", '"b2 "', '"B2 "', 4, "the question 2 of 2 'b2 1'", "the question 2 of 2 'B2 1'"),
    ("a shorter batch", ', { prompt = "b2 " .. n }', "", 4, "the question 2 of 2", "no question after the first 1"),
    ("another key", '"count"', '"other"', 3, "state.incr (request 2dbf26610378), which gave 1", '"other",1,0]'),
    ("no call", 'alc.state.incr("count")', "1", 3, "state.incr", "the question 'b1 <one: t>' and 1 more"),
    ("another value", 'alc.state.set("seen", ', 'alc.state.set("seen", "x" .. ', 18, "state.set", '"seen","x'),
    ("other children", '{ "kid", "kid" }', '{ "kid" }', 7, "fork", "fork of kid with"),
    ("children told something else", "{ x = batch[1] }", "{ x = 'y' }", 7, "fork", 'fork of kid, kid with {"x":"y"}'),
    ("an error", "local n =", 'error("boom") local n =', 3, "state.incr", "boom"),
    ("code that is none", "local n =", "local local n =", 1, "the question 'one: t'", "near 'local'"),
    ("an early end", "local batch", "do return 5 end local batch", 4, "the question 'b1 <one: t>' and 1 more", "the result 5"),
    ("a question more", "alc.state.set", 'alc.llm("more?") alc.state.set', 18, "state.set", "the question 'more?'"),
    ("another result", "n = n,", "n = n + 1,", 19, '"n":1}', '"n":2}'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "entry", "expected", "actual"),
    [each[1:] for each in CHANGES],
    ids=[each[0] for each in CHANGES],
)
def test_a_changed_script_is_told_where_and_how_it_differs(
    runtime: moonward.Runtime, recorded: str, old: str, new: str, entry: int, expected: str, actual: str
) -> None:
    assert old in CODE
    report = runtime.replay(recorded, CODE.replace(old, new, 1), timeout=20)
    assert not report.agrees
    assert (report.entry, report.entries) == (entry, 20)
    assert report.expected is not None
    assert report.actual is not None
    assert expected in report.expected
    assert actual in report.actual
    assert "--- journal" in report.diff


@pytest.mark.parametrize("change", [("counted ", "COUNTED "), ("local a =", "local unused = 1 local a =")])
def test_what_nobody_asks_may_change(
    runtime: moonward.Runtime, recorded: str, change: tuple[str, str]
) -> None:
    assert runtime.replay(recorded, CODE.replace(*change, 1), timeout=20).agrees
    assert runtime.replay(recorded, timeout=20).reached == "end"
