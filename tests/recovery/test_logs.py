"""Logs, progress and metrics of a session that loses its workers: nothing is doubled, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

import moonward
from moonward.actors.note_filter import NoteFilter
from moonward.testing import Faults, FaultyRuntime, Point

from .plays import PATIENCE_S, ids, logs, play, shown, wait_for, write_packages

SCRIPT = """
alc.log("info", "one")
alc.llm("first?")
alc.log("info", "two")
alc.state.incr(ctx.key)
alc.log("info", "three")
alc.state.incr(ctx.key)
alc.log("info", "four") alc.stats.record("four", 4)
alc.llm("second?")
alc.log("info", "five") alc.progress(5, 6)
return alc.state.incr(ctx.key)
"""
NUMBERS = ["one", "two", "three", "four", "five"]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyRuntime]:
    with FaultyRuntime(data_dir=tmp_path_factory.mktemp("data")) as runtime:
        yield runtime


@pytest.fixture
def faults(runtime: FaultyRuntime) -> Iterator[Faults]:
    yield runtime.faults
    runtime.faults.calm()


POINTS: list[Point] = ["begun", "replied", "notes", "noted", "ask", "asked", "call", "called", "end"]


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_is_lost_doubles_no_log_and_loses_none(
    runtime: FaultyRuntime, faults: Faults, point: Point, nth: int
) -> None:
    faults.add("kill", point, nth=nth)
    session = runtime.start(SCRIPT, {"key": f"{point} {nth}"})
    assert play(session) == moonward.Completed(3)
    assert logs(session) == NUMBERS
    assert shown(session) == NUMBERS
    shot = session.snapshot()["metrics"]
    assert shot["progress"] == {"step": 5, "total": 6, "message": None}
    assert session.finished().metrics["custom"] == {"four": 4}


def test_a_session_that_is_lost_at_every_step_counts_as_if_it_had_not_been(
    runtime: FaultyRuntime, faults: Faults
) -> None:
    calm = runtime.start(SCRIPT, {"key": "calm"})
    play(calm)
    faults.add("kill", "ask", nth=1).add("kill", "called", nth=2).add("kill", "asked", nth=3)
    session = runtime.start(SCRIPT, {"key": "stormy"})
    assert play(session) == moonward.Completed(3)
    assert session.snapshot()["restarts"] == 3
    stats, expected = session.finished().metrics, calm.finished().metrics
    for auto in (stats["auto"], expected["auto"]):
        del auto["elapsed_ms"]
    assert stats == expected


@pytest.mark.parametrize("lost", ["sleep", "actor", "supervisor"])
def test_logs_before_a_fork_are_told_once_also_by_a_new_engine(tmp_path: Path, lost: str) -> None:
    write_packages(tmp_path, child="alc.log('info', 'child') return alc.llm('child?')")
    code = """
        alc.log('info', 'before')
        alc.fork({ 'child' }, {})
        alc.log('info', 'after')
        alc.llm('last?')
        alc.log('info', 'end')
    """
    with FaultyRuntime(hibernate_after=0.05 if lost == "sleep" else None, reap_interval=0.05) as runtime:
        session = runtime.start(code, packages=[tmp_path])
        assert ids(session.wait(PATIENCE_S)) == ["f-0-0"]
        if lost == "sleep":
            wait_for(session, "hibernated")
        elif lost == "actor":
            runtime.lose_session(session.id)
        else:
            runtime.lose("sessions")
        assert logs(session) == ["before", "child"]
        assert play(session) == moonward.Completed(None)
        assert logs(session) == ["before", "child", "after", "end"]
        assert shown(session) == ["before", "child", "after", "end"]


def test_what_a_running_script_has_said_is_not_shown_again_by_a_new_actor() -> None:
    code = (
        "alc.log('info', 'a') alc.state.incr('n') alc.log('info', 'b') alc.llm(tostring(alc.state.get('n')))"
    )
    with FaultyRuntime(Faults().add("slow", "ask", nth=1, for_s=0.5)) as runtime:
        session = runtime.start(code)
        wait_for(session, "log", 2)
        runtime.lose_session(session.id)
        event = session.wait(PATIENCE_S)
        assert isinstance(event, moonward.Paused)
        assert event.queries[0].prompt == "1"
        assert logs(session) == ["a", "b"]
        session.cancel()
        assert shown(session) == ["a", "b"]


@given(
    runs=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 4)), min_size=1, max_size=6
    )
)
def test_each_note_is_new_once_however_often_and_in_whatever_parts_it_is_heard(
    runs: list[tuple[int, int, int]],
) -> None:
    """Each run is cut off after some notes, some of which the journal holds by then; they come in parts."""
    notes = [["log", number] for number in range(12)]
    filter_ = NoteFilter()
    taken: list[int] = []
    most_recorded = 0
    for heard, recorded, part in runs:
        most_recorded = max(most_recorded, min(recorded, heard))
        filter_.run_again()
        for at in range(0, heard, part):
            several = notes[at : min(at + part, heard)]
            first, fresh = filter_.fresh(several, is_recorded=at + len(several) <= recorded)
            assert [note[1] for note in fresh] == list(range(first, first + len(fresh)))
            taken += [note[1] for note in fresh]
    assert taken == sorted(set(taken)), "none twice"
    most_heard = max(heard for heard, _, _ in runs)
    assert set(range(most_recorded, most_heard)) <= set(taken), "none lost"
