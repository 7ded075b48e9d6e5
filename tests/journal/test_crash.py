"""A host that is killed at any moment has lost nothing that it had acknowledged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .desk import Office
from .host_process import KEPT_BODIES, body, entry
from .hosts import HostProcess

ROUNDS = 6
SESSIONS = 8


def test_what_was_acknowledged_is_there_after_every_kill(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    known: dict[str, int] = {}
    for round_ in range(ROUNDS):
        with HostProcess(path, SESSIONS) as host:
            found = host.acknowledged(40 + 67 * round_)
            assert len(found) == 40 + 67 * round_
            found += host.kill()
        for session_id, index in found:
            assert index > known.get(session_id, -1), "an index was given out twice"
            known[session_id] = index
    reader = office.sqlite(path)
    for session_id, last in known.items():
        entries = reader.ask("look", session_id)
        assert len(entries) > last
        assert entries == [entry(session_id, index) for index in range(len(entries))]
        for index in range(KEPT_BODIES, len(entries), KEPT_BODIES):
            assert reader.ask("content", entries[index].module) == body(index)
    assert sorted(reader.ask("adopt")) == sorted(known)


def test_all_files_of_a_journal_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with HostProcess(tmp_path / "journal.db", 1) as host:
            host.acknowledged(3)
            found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(old)
    names = ("journal.db", "journal.db-wal", "journal.db-shm", "journal.db-hosts")
    assert found == dict.fromkeys(names, 0o600)


def test_reading_sees_a_growing_prefix_while_a_host_writes(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with HostProcess(path, 4) as host:
        reader = office.sqlite(path)
        for _ in range(20):
            known = dict(host.acknowledged(50))
            for session_id, last in known.items():
                entries = reader.ask("look", session_id)
                assert len(entries) > last
                assert entries == [entry(session_id, index) for index in range(len(entries))]
            rows = {row.id: row for row in reader.ask("list")}
            assert all(row.owner_alive for row in rows.values())
            assert all(rows[session_id].entries > last for session_id, last in known.items())
