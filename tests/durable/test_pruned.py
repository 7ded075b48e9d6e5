"""Sessions that were removed from the journal, and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonward import Completed, Finished, JournalError, Paused, Runtime, drive

TWO = "return alc.llm('one?') .. alc.llm('two?')"


def test_a_session_that_was_pruned_can_be_taken_from_a_file_again(tmp_path: Path) -> None:
    file = tmp_path / "session.moonward"
    with Runtime(journal=f"sqlite:///{tmp_path / 'j.db'}", data_dir=tmp_path / "data") as runtime:
        session = runtime.start(TWO)
        session.wait(20)
        assert isinstance(session.feed("a", query_id="q-0", timeout=20), Paused)
        runtime.export(session.id, file)
        with pytest.raises(JournalError, match="exists already"):
            runtime.import_(file)
        assert isinstance(session.feed("b", query_id="q-1", timeout=20), Finished)
        with pytest.raises(JournalError, match="exists already"):
            runtime.import_(file)
        assert session.finished(20).state == Completed("ab")
        assert runtime.prune(0) == 1
        again = runtime.import_(file)
        assert again.id == session.id
        assert [each["response"] for each in again.transcript()] == ["a", None]
        assert drive(again, lambda query: "c").state == Completed("ac")
        assert runtime.replay(again.id).agrees
