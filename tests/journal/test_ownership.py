"""One session, one host: who may change it, who takes it over, and who is stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonward.actors.errors import Fenced, JournalError, SessionOwned
from moonward.actors.journal.host_lock import HostLock, living
from moonward.supervisor.reply import Reply

from .desk import Office, told
from .hosts import HostProcess
from .samples import called, ended, paused, started


def test_a_session_of_a_live_host_may_be_read_and_not_changed(office: Office, tmp_path: Path) -> None:
    first, second = office.sqlite(tmp_path / "j.db"), office.sqlite(tmp_path / "j.db")
    first.create(started("s-1"))
    with pytest.raises(SessionOwned, match=r"'s-1' belongs to process \d+ .* alive"):
        second.ask("open", "s-1")
    with pytest.raises(SessionOwned):
        second.tell("forget", "s-1")
    with pytest.raises(SessionOwned):
        second.tell("add_note", "s-1", "title", "text", 1)
    assert second.ask("adopt") == []
    assert second.ask("look", "s-1") == [started("s-1")]
    assert [row.owner_alive for row in second.ask("list")] == [True]
    first.append("s-1", called(1))
    assert second.ask("look", "s-1") == [started("s-1"), called(1)]


def test_what_a_host_closes_another_adopts(office: Office, tmp_path: Path) -> None:
    first, second = office.sqlite(tmp_path / "j.db"), office.sqlite(tmp_path / "j.db")
    first.create(started("s-2"))
    first.create(started("s-1"))
    first.create(started("s-3"))
    first.append("s-2", ended(), "completed")
    first.close()
    assert [row.owner_alive for row in second.ask("list")] == [False, False, False]
    assert second.ask("adopt") == ["s-1", "s-3"]
    assert second.ask("adopt") == []
    second.ask("open", "s-1")
    second.append("s-1", called(1))


def test_a_killed_hosts_sessions_are_free_at_once(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with HostProcess(path, 2) as host:
        host.acknowledged(10)
        heir = office.sqlite(path)
        with pytest.raises(SessionOwned):
            heir.ask("open", "s-0")
        host.kill()
        entries = heir.ask("open", "s-0")
        heir.append("s-0", paused(0), "paused")
        assert heir.ask("look", "s-0") == [*entries, paused(0)]
        assert heir.ask("adopt") == ["s-1"]


def test_a_session_that_ended_has_no_owner(office: Office, tmp_path: Path) -> None:
    first, second = office.sqlite(tmp_path / "j.db"), office.sqlite(tmp_path / "j.db")
    first.create(started("s-1"))
    first.append("s-1", ended(at_ms=5), "completed")
    assert second.ask("open", "s-1") == [started("s-1"), ended(at_ms=5)]
    second.tell("add_note", "s-1", "title", "text", 1)
    assert second.ask("prune", 1001) == 1


def test_a_host_that_was_overtaken_writes_nothing_and_is_told(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    first = office.sqlite(path)
    first.create(started("s-1"))
    first.create(started("s-2"))
    (tmp_path / "j.db-hosts").unlink()  # nobody sees the first host's lock any more
    second = office.sqlite(path)
    second.ask("open", "s-1")
    second.append("s-1", called(1))

    fenced: Reply[None] = Reply()
    fenced_again: Reply[None] = Reply()
    unhurt: Reply[None] = Reply()

    def in_one_group() -> None:
        first.store.append("s-1", paused(7), "paused", told(fenced))
        first.store.append("s-2", called(2), "running", told(unhurt))
        first.store.append("s-1", paused(8), "paused", told(fenced_again))

    first.here(in_one_group)
    assert fenced.wait(10)
    assert fenced_again.wait(10)
    assert unhurt.wait(10)
    assert isinstance(fenced.error, Fenced)
    assert isinstance(fenced_again.error, Fenced)
    assert unhurt.error is None
    assert first.read("s-1") == [started("s-1")]
    assert second.ask("look", "s-1") == [started("s-1"), called(1)]
    assert second.ask("look", "s-2") == [started("s-2"), called(2)]
    assert {row.id: row.phase for row in second.ask("list")} == {"s-1": "running", "s-2": "running"}


def test_an_overtaken_host_that_claims_again_reads_what_the_other_wrote(
    office: Office, tmp_path: Path
) -> None:
    first = office.sqlite(tmp_path / "j.db")
    first.create(started("s-1"))
    (tmp_path / "j.db-hosts").unlink()
    second = office.sqlite(tmp_path / "j.db")
    second.ask("open", "s-1")
    second.append("s-1", called(1))
    second.close()
    assert first.ask("open", "s-1") == [started("s-1"), called(1)]
    first.append("s-1", called(2))
    assert first.ask("look", "s-1") == [started("s-1"), called(1), called(2)]


def test_a_session_that_another_host_removed_is_told_as_gone(office: Office, tmp_path: Path) -> None:
    first = office.sqlite(tmp_path / "j.db")
    first.create(started("s-1"))
    (tmp_path / "j.db-hosts").unlink()
    second = office.sqlite(tmp_path / "j.db")
    second.tell("forget", "s-1")
    with pytest.raises(KeyError, match="not found"):
        first.append("s-1", called(1))


def test_epochs_are_never_used_twice(office: Office, tmp_path: Path) -> None:
    seen = []
    for number in range(3):
        client = office.sqlite(tmp_path / "j.db")
        client.create(started(f"s-{number}"))
        seen.append(client.store._writer.epoch)
        client.close()
    assert seen == sorted(set(seen))


def test_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    path = str(tmp_path / "hosts")
    first, second = HostLock(path), HostLock(path)
    first.hold(3)
    assert first.is_alive(3)
    assert second.is_alive(3)
    assert not second.is_alive(2)
    assert not second.is_alive(0)
    assert living(path, {0, 2, 3, 4}) == {3}
    with pytest.raises(JournalError, match="host 3 cannot be held"):
        second.hold(3)
    first.close()
    assert not second.is_alive(3)
    second.hold(3)
    second.close()
    assert living(path, {3}) == set()


def test_a_host_whose_file_of_hosts_was_removed_is_seen_again(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    first = HostLock(str(path))
    first.hold(3)
    path.unlink()
    second = HostLock(str(path))
    second.hold(4)
    assert not second.is_alive(3)
    assert first.is_alive(4)
    assert second.is_alive(3)
    first.close()
    second.close()


def test_no_file_of_hosts_means_that_nobody_lives(tmp_path: Path) -> None:
    assert living(str(tmp_path / "none"), {1, 2}) == set()
    assert not (tmp_path / "none").exists()
    with pytest.raises(JournalError, match="cannot be opened"):
        HostLock(str(tmp_path / "no" / "such"))
