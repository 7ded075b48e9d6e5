"""A small journal, its file and its log, cut at every byte (the long form; a few of them otherwise).

Its pages are the smallest that SQLite has, so that all its structures are there in a few thousand bytes.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from moonward.actors.journal.codec import encode
from moonward.actors.journal.entries import Ended, Entry, Started

from .desk import Client, Office
from .samples import answered, called, ended, paused, started
from .test_salvage import lay_out, opened

PAGE_BYTES = 512

SHORT = 12
"""Cuts of the short form; a few are enough to see that the test runs."""


class Small(msgspec.Struct, frozen=True):
    """The file and the log that a killed host left, what was appended when, and the same in one file."""

    file: bytes
    log: bytes
    whole: bytes
    sessions: dict[str, list[Entry]]
    log_bytes: dict[str, list[int]]
    """How long the log was when each entry was durable; 0 for those in the file."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Three sessions: one in the file, one in the log, one in both."""
    path = tmp_path_factory.mktemp("small") / "j.db"
    office = Office()
    client = office.sqlite(path)
    module = client.here(client.store.keep, b"return 'a module'")
    sessions = {
        "s-0": [started("s-0"), called(1, module=module), paused(2), answered(2, text="of s-0"), ended()],
        "s-1": [started("s-1", user="ann"), paused(3), answered(3, text="long " * 300), paused(4)],
        "s-2": [started("s-2"), called(5, module=module), paused(6), answered(6, text="of s-2")],
    }
    append(client, "s-0", sessions["s-0"])
    append(client, "s-1", sessions["s-1"][:2])
    client.close()
    shrink(path)
    client = office.sqlite(path)
    client.ask("open", "s-1")
    log_bytes = {"s-0": [0] * 5, "s-1": [0, 0], "s-2": []}
    for session_id, first in (("s-1", 2), ("s-2", 0)):
        for entry in sessions[session_id][first:]:
            append(client, session_id, [entry])
            log_bytes[session_id].append(path.with_name("j.db-wal").stat().st_size)
    file, log = path.read_bytes(), path.with_name("j.db-wal").read_bytes()
    client.close()
    office.close()
    return Small(file, log, path.read_bytes(), sessions, log_bytes)


def append(client: Client, session_id: str, entries: list[Entry]) -> None:
    """Append entries, the first of which may be the start."""
    for entry in entries:
        if isinstance(entry, Started):
            client.create(entry)
        else:
            client.append(session_id, entry, "completed" if isinstance(entry, Ended) else "paused")


def shrink(path: Path) -> None:
    """Give a journal the smallest pages."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def cuts(size: int) -> list[int]:
    """Where something of `size` bytes is cut."""
    if os.environ.get("MOONWARD_TEST_LONG"):
        return list(range(size + 1))
    return sorted({0, size, *range(1, size, size // SHORT)})


def left(client: Client, small: Small) -> dict[str, int]:
    """How many entries are left of each session, which must be its first."""
    found = {}
    for row in client.ask("list"):
        entries = client.ask("look", row.id)
        assert entries == small.sessions[row.id][: len(entries)]
        found[row.id] = len(entries)
    return found


@pytest.mark.soak
def test_whatever_of_the_log_is_there_is_kept(small: Small, office: Office, tmp_path: Path) -> None:
    for cut in cuts(len(small.log)):
        client, reports = opened(office, lay_out(tmp_path / "j.db", small.file, small.log[:cut]))
        found = left(client, small)
        for session_id, sizes in small.log_bytes.items():
            assert found.get(session_id, 0) >= sum(size <= cut for size in sizes), cut
        within_a_page = cut > 32 and (cut - 32) % (PAGE_BYTES + 24) != 0
        assert bool(reports) == within_a_page, cut
        client.close()


@pytest.mark.soak
def test_whatever_of_the_file_is_there_is_kept(small: Small, office: Office, tmp_path: Path) -> None:
    before = 0
    for cut in cuts(len(small.whole)):
        client, reports = opened(office, lay_out(tmp_path / "j.db", small.whole[:cut]))
        found = left(client, small)
        assert bool(reports) == (cut < len(small.whole)), cut
        said = "\n".join(line for report in reports for line in report.missing)
        for session_id, entries in small.sessions.items():
            there = 0
            while there < len(entries) and encode(entries[there]) in small.whole[:cut]:
                there += 1
            assert found.get(session_id, 0) >= there, cut
            if 0 < found.get(session_id, 0) < len(entries):
                assert f"{session_id!r}: of" in said, cut
        assert sum(found.values()) >= before, cut
        before = sum(found.values())
        client.close()
    assert before == sum(map(len, small.sessions.values()))


@pytest.mark.soak
def test_a_file_that_is_cut_under_its_whole_log_loses_nothing_that_the_log_has(
    small: Small, office: Office, tmp_path: Path
) -> None:
    for cut in cuts(len(small.file)):
        client, reports = opened(office, lay_out(tmp_path / "j.db", small.file[:cut], small.log))
        found = left(client, small)
        assert found["s-2"] == len(small.sessions["s-2"]), cut
        assert reports or found == {name: len(entries) for name, entries in small.sessions.items()}, cut
        client.close()
