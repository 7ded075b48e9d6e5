"""Host calls of real sessions: trouble with the disk, and a replay that does something else."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

import moonward
from moonward.actors.host.calls import HostCalls


def test_a_session_waits_for_a_broken_state_file_and_goes_on_when_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, by a long way" * 100)
    with moonward.Runtime(journal="memory:", data_dir=tmp_path) as runtime:
        session = runtime.start("alc.log('info', 'once') return alc.state.incr('n')")
        with pytest.raises(moonward.FeedTimeout):
            session.wait(0.5)
        os.unlink(tmp_path / "state.db")
        finished = session.finished(20)
        assert finished.state == moonward.Completed(1)
        logs = [entry["message"] for entry in session.snapshot()["metrics"]["recent_logs"]]
        assert logs == ["once", "state.incr waits: state or cards cannot be read or written"]
        assert session.snapshot()["restarts"] == 0


def test_a_session_can_be_cancelled_while_it_waits_for_a_broken_state_file(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, by a long way" * 100)
    with moonward.Runtime(journal="memory:", data_dir=tmp_path) as runtime:
        session = runtime.start("return alc.state.incr('n')")
        with pytest.raises(moonward.FeedTimeout):
            session.wait(0.5)
        session.cancel("enough")
        assert session.finished(5).state == moonward.Cancelled("enough")
        assert session.snapshot()["restarts"] == 0


def test_another_call_under_an_applied_number_ends_the_session_as_diverged(tmp_path: Path) -> None:
    with moonward.Runtime(journal="memory:", data_dir=tmp_path) as runtime:
        session = runtime.start("alc.llm('go on?') return alc.state.incr('n')")
        session.wait(20)
        other = HostCalls(tmp_path)
        for number in range(5):
            other.perform(session.id, f":{number}", "another digest", "state.set", b'["default","n",7]')
        other.close()
        finished = session.feed("yes")
        assert isinstance(finished, moonward.Finished)
        assert isinstance(finished.state, moonward.Failed)
        assert finished.state.error_kind == "diverged"
        assert "state.incr" in finished.state.error


def test_a_refusal_is_an_error_of_lua_at_its_line(tmp_path: Path) -> None:
    with moonward.Runtime(journal="memory:", data_dir=tmp_path) as runtime:
        session = runtime.start("local ok, problem = pcall(alc.state.incr, 'n', 'x')\n\nalc.card.get('../x')")
        finished = session.finished(20)
    assert isinstance(finished.state, moonward.Failed)
    assert finished.state.error_kind == "lua"
    assert finished.state.error.startswith("session:3: alc.card.get: card_id '../x' is not allowed")


def test_what_has_ended_is_not_remembered_and_what_is_under_way_is(tmp_path: Path) -> None:
    code = "alc.state.incr('n') alc.card.create({pkg = {name = 'p'}}) return alc.llm('go on?')"
    with moonward.Runtime(journal="memory:", data_dir=tmp_path) as runtime:
        first, second = runtime.start(code), runtime.start(code)
        first.wait(20)
        second.wait(20)
        first.feed("yes")
        runtime.start("return alc.state.get('n')").finished(20)  # the same queue: after the forgetting
        assert remembered(tmp_path) == {second.id: 2}


def remembered(data_dir: Path) -> dict[str, int]:
    """How many calls of which session are held as applied."""
    connection = sqlite3.connect(data_dir / "state.db")
    try:
        return dict(connection.execute("SELECT session, count(*) FROM applied GROUP BY session").fetchall())
    finally:
        connection.close()
