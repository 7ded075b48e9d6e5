"""Two hosts, each in a process of its own, on one journal: whose a session is, and who gets it next."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonward import Finished, Runtime

from .remote import Refused, RemoteHost

CODE = (
    "local a = alc.llm('one?') alc.state.set('n', (alc.state.get('n') or 0) + 1) return a .. alc.llm('two?')"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "j.db"


def test_a_session_of_a_live_host_is_read_by_others_and_changed_by_none(path: Path) -> None:
    with RemoteHost(path) as first, RemoteHost(path) as second:
        session_id = first.ask("start", CODE)
        assert second.ask("phase", session_id) == "paused"
        assert second.ask("wait", session_id)["query_id"] == "q-0"
        for command in (("feed", session_id, "q-0", "a"), ("cancel", session_id)):
            with pytest.raises(Refused, match=f"process {first.process.pid} ") as refused:
                second.ask(*command)
            assert refused.value.kind == "SessionOwned"
        with pytest.raises(Refused) as refused:
            second.ask("feed", "s-none", "q-0", "a")
        assert refused.value.kind == "SessionNotFound"
        assert first.ask("feed", session_id, "q-0", "a")["query_id"] == "q-1"
        assert second.ask("transcript", session_id)[0]["response"] == "a"


def test_when_a_host_is_killed_another_goes_on_at_once(path: Path) -> None:
    with RemoteHost(path) as first, RemoteHost(path) as second:
        session_id = first.ask("start", CODE)
        assert first.ask("feed", session_id, "q-0", "a", "key")["query_id"] == "q-1"
        first.kill()
        assert second.ask("feed", session_id, "q-0", "a", "key")["query_id"] == "q-1"
        with pytest.raises(Refused) as refused:
            second.ask("feed", session_id, "q-0", "other", "key")
        assert refused.value.kind == "IdempotencyConflict"
        event = second.ask("feed", session_id, "q-1", "b")
        assert event["result"] == "ab"
        assert second.ask("start", "return alc.state.get('n')")
        with RemoteHost(path) as third:
            assert third.ask("finished", session_id)["result"] == "ab"


def test_a_host_that_is_stopped_keeps_its_sessions(path: Path) -> None:
    with RemoteHost(path) as first, RemoteHost(path) as second:
        session_id = first.ask("start", CODE)
        first.stop()
        with pytest.raises(Refused, match=f"process {first.process.pid} "):
            second.ask("feed", session_id, "q-0", "b")
        first.go_on()
        assert first.ask("feed", session_id, "q-0", "a")["query_id"] == "q-1"


def test_a_stopped_host_that_was_overtaken_can_write_nothing_and_says_so(path: Path) -> None:
    with RemoteHost(path) as first, RemoteHost(path) as second:
        session_id, other = first.ask("start", CODE), first.ask("start", CODE)
        first.stop()
        path.with_name("j.db-hosts").unlink()  # what an operator must not do: now nobody sees that it lives
        first.say("feed", session_id, "q-0", "from the first")
        with RemoteHost(path) as heir:
            assert heir.ask("feed", session_id, "q-0", "from the heir")["query_id"] == "q-1"
            first.go_on()
            with pytest.raises(Refused, match="was taken over by host") as refused:
                first.answer()
            assert refused.value.kind == "Fenced"
            with pytest.raises(Refused, match=f"process {heir.process.pid} ") as refused:
                first.ask("feed", session_id, "q-0", "once more")
            assert refused.value.kind == "SessionOwned"
            assert first.ask("transcript", session_id)[0]["response"] == "from the heir"
            assert session_id not in first.ask("actors")
            assert first.ask("feed", other, "q-0", "a")["query_id"] == "q-1"
            assert heir.ask("feed", session_id, "q-1", "!")["result"] == "from the heir!"
        assert second.ask("finished", session_id)["result"] == "from the heir!"


def test_a_journal_by_another_name_is_the_same_journal(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to("j.db")  # before there is one
    with RemoteHost(link) as first, RemoteHost(path) as second:
        session_id = first.ask("start", CODE)
        with pytest.raises(Refused, match=f"process {first.process.pid} ") as refused:
            second.ask("feed", session_id, "q-0", "b")
        assert refused.value.kind == "SessionOwned"
        first.kill()
        assert second.ask("feed", session_id, "q-0", "a")["query_id"] == "q-1"
    assert not [each.name for each in tmp_path.glob("link.db-*")]


def test_a_relative_journal_stays_where_it_was_when_the_host_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Runtime(journal="sqlite:///j.db", data_dir=tmp_path / "data") as runtime:
        session = runtime.start("return alc.llm('one?')")
        session.wait(20)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert isinstance(session.feed("a", query_id="q-0", timeout=20), Finished)
        assert [each.id for each in runtime.sessions()] == [session.id]
    assert list((tmp_path / "elsewhere").iterdir()) == []
