"""Several Runtimes on one journal: a session whose host has gone belongs to whoever wants something of it first."""

from __future__ import annotations

from pathlib import Path

import pytest

import moonward
from moonward.testing.leftovers import nothing_left_behind

WAIT_S = 20.0


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


def test_a_runtime_that_only_started_leaves_sessions_to_the_others(journal: str) -> None:
    with moonward.Runtime(journal=journal) as first:
        session_id = first.start("return alc.llm('?')").id
        first.session(session_id).wait(WAIT_S)
    with moonward.Runtime(journal=journal), moonward.Runtime(journal=journal) as later:
        event = later.feed(session_id, "yes", timeout=WAIT_S)
        assert event == moonward.Finished(moonward.Completed("yes"), event.metrics)  # type: ignore[union-attr]


def test_a_session_that_a_live_runtime_wanted_is_its_own(journal: str) -> None:
    with moonward.Runtime(journal=journal) as first:
        session_id = first.start("return alc.llm('?')").id
        first.session(session_id).wait(WAIT_S)
    with moonward.Runtime(journal=journal) as heir, moonward.Runtime(journal=journal) as other:
        assert isinstance(heir.session(session_id).wait(WAIT_S), moonward.Paused)  # who looks takes nothing
        heir.session(session_id).wake()
        with pytest.raises(moonward.SessionOwned, match="belongs to process"):
            other.feed(session_id, "yes", timeout=WAIT_S)
        assert other.session(session_id).snapshot()["phase"] == "paused"


def test_a_journal_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    with nothing_left_behind():
        with pytest.raises(moonward.JournalError, match="cannot be made"):
            moonward.Runtime(journal=f"sqlite:///{tmp_path / 'nowhere' / 'journal.db'}")
