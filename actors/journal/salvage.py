"""A damaged SQLite journal made whole again, with everything in it that can still be read.

Entries never change and each has a checksum, so that an entry found anywhere in the file or its log is one
that was written. Of each session the entries up to the first one missing are kept, in a fresh file at the same
path; the damaged one stays beside it as `<path>.damaged-<n>`. What is missing is said in a report, and in a
note of each session concerned.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import msgspec

from moonward.actors.errors import JournalError
from moonward.actors.journal.codec import decode
from moonward.actors.journal.entries import Entry, Started
from moonward.actors.journal.host_lock import HostLock
from moonward.actors.journal.outline import outline
from moonward.actors.journal.sqlite_file import (
    APPLICATION_ID,
    INDEX_BITS,
    Damaged,
    check_is_file,
    check_log,
    check_through,
    hosts_path,
    open_for_writing,
    transaction,
)
from moonward.actors.journal.sqlite_pages import Pages, Row
from moonward.actors.journal.wal_log import WalLog, read_log

LEAST_BYTES = 512
"""SQLite takes a shorter file for an empty one, and begins it anew."""

Bodies = dict[int, bytes]
"""Bodies of a session's entries, by index."""


class Report(msgspec.Struct, frozen=True):
    """What a salvage kept, and what is missing, a line each. `kept_as` is where the damaged file is."""

    path: str
    kept_as: str
    sessions: int
    entries: int
    missing: list[str]


class _Known(msgspec.Struct, frozen=True):
    """A row of the list of sessions: the session should have `entries`."""

    session_id: str
    entries: int


class _Found:
    """What was found, before it is sorted out."""

    def __init__(self) -> None:
        self.bodies: dict[int, Bodies] = {}
        self.known: dict[int, _Known] = {}
        self.contents: dict[str, bytes] = {}
        self.notes: dict[tuple[int, int], tuple[str, str, int]] = {}

    def take(self, rows: Iterable[Row]) -> None:
        """Sort rows of the file as it is by what they must be."""
        for row_id, columns in rows:
            match columns:
                case [None, bytes(body)]:
                    self._take_entry(row_id, body)
                case [None, str(name), bytes(body)]:
                    self._take_content(name, body)
                case [None, int(session), str(title), str(text), int(at_ms)]:
                    self.notes.setdefault((session, row_id), (title, text, at_ms))
                case [None, str(session_id), int(), str(), int(entries), int(), int(), *_]:
                    self._take_known(row_id, session_id, entries)

    def take_entries(self, rows: Iterable[Row], only: Container[int] | None = None) -> None:
        """Of rows from elsewhere, take the entries (of the sessions `only`) and contents that are missing.

        With `only`, rows of removed sessions are among them: then what they say of sessions does not count.
        """
        for row_id, columns in rows:
            match columns:
                case [None, bytes(body)] if only is None or row_id >> INDEX_BITS in only:
                    self._take_entry(row_id, body)
                case [None, str(name), bytes(body)]:
                    self._take_content(name, body)
                case [None, str(session_id), int(), str(), int(entries), int(), int(), *_] if only is None:
                    self._take_known(row_id, session_id, entries)

    def _take_known(self, num: int, session_id: str, entries: int) -> None:
        """Of several rows of a session the longest is the last."""
        known = self.known.get(num)
        if known is None or known.entries < entries:
            self.known[num] = _Known(session_id, entries)

    def _take_entry(self, row_id: int, body: bytes) -> None:
        num, index = row_id >> INDEX_BITS, row_id & ((1 << INDEX_BITS) - 1)
        if num <= 0 or index in self.bodies.get(num, {}):
            return
        try:
            decode(body)
        except JournalError:
            return  # the entry is missing, and is told as such
        self.bodies.setdefault(num, {})[index] = body

    def _take_content(self, name: str, body: bytes) -> None:
        if sha256(body).hexdigest() == name:
            self.contents.setdefault(name, body)


class _Session(msgspec.Struct, frozen=True):
    """A session as it is written anew. `lost` says what of it is missing, or is empty."""

    num: int
    session_id: str
    entries: list[Entry]
    bodies: list[bytes]
    lost: str


def salvage(path: str) -> Report:
    """Make the journal at `path` whole. `JournalError` when a host is using it, or there is nothing to salvage.

    Blocks: about 20 s for a gigabyte, and needs room for a second file of that size.
    """
    check_is_file(path)
    with _alone(path):
        return _salvage(path)


def salvage_if_damaged(path: str) -> Report | None:
    """The same, unless the journal is sound after all: another host may have just made or mended it."""
    with _alone(path):
        try:
            examine(path)
            connection = open_for_writing(path, strict=True)
            try:
                check_through(connection, path)
            finally:
                connection.close()
        except Damaged:
            return _salvage(path)
    return None


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Nobody else uses or mends the journal."""
    if not _is_journal(path):
        raise JournalError(f"{path!r} is not a journal of moonward; it is left alone")
    locks = HostLock(hosts_path(path))
    try:
        locks.hold_alone()
        yield
    finally:
        locks.close()


def _salvage(path: str) -> Report:
    kept_as = _unfinished(path) or _free_name(path)
    found, log = _read(path, kept_as)
    sessions, missing = _sort_out(found)
    missing += _about_log(log)
    fresh = f"{path}.salvaged"
    _remove(fresh)
    _write(fresh, found, sessions)
    _exchange(path, fresh, kept_as)
    return Report(path, kept_as, len(sessions), sum(len(one.entries) for one in sessions), missing)


def examine(path: str) -> list[str]:
    """Look for damage that SQLite would not see, before it opens the journal at `path`, which nobody may be using.

    Raises `Damaged`; otherwise, what should be said.
    """
    check_is_file(path)
    check_log(path)
    if not os.path.exists(path):
        return []
    if _unfinished(path) is not None:
        raise Damaged(f"the journal {path!r} was being salvaged when its host died")
    size = os.stat(path).st_size
    if size < LEAST_BYTES and (size or os.path.exists(hosts_path(path))):
        raise Damaged(f"the journal {path!r} is cut short: {size} bytes are there")
    log = read_log(f"{path}-wal")
    if log.is_damaged:
        raise Damaged(f"the log of the journal {path!r} is damaged")
    return _about_log(log)


def _is_journal(path: str) -> bool:
    """Whether the file at `path` is, or was, a journal of ours: it says so, or hosts have used it."""
    if os.path.exists(hosts_path(path)):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")
    except OSError:
        return False


def _read(path: str, kept_as: str) -> tuple[_Found, WalLog]:
    log_path = f"{path}-wal"
    if not os.path.exists(log_path) and os.path.exists(f"{kept_as}-wal"):
        log_path = f"{kept_as}-wal"
    found = _Found()
    log = read_log(log_path)
    pages = Pages(path, log_path, log)
    try:
        found.take(pages.rows())
        found.take_entries(pages.later_rows())
        found.take_entries(pages.hidden_rows(), found.known.keys() | found.bodies.keys())
    finally:
        pages.close()
    return found, log


def _sort_out(found: _Found) -> tuple[list[_Session], list[str]]:
    """The sessions that can be written, and what is missing."""
    sessions: dict[str, _Session] = {}
    missing: list[str] = []
    if not found.known and not found.bodies:
        missing.append("nothing in the file can be read")
    for num in sorted(found.known.keys() | found.bodies.keys()):
        session = _mend(num, found.bodies.get(num, {}), found.known.get(num))
        if session is None:
            missing.append(_lost_whole(num, found))
            continue
        if session.session_id in sessions:
            missing.append(f"session {session.session_id!r}: an older one of that id is left out")
        sessions[session.session_id] = session
    for session in sessions.values():
        if session.lost:
            missing.append(f"session {session.session_id!r}: {session.lost}")
        found_all = outline(session.session_id, session.entries).contents
        missing += [
            f"session {session.session_id!r}: the code with SHA-256 {name} is missing; it cannot be replayed"
            for name in found_all
            if name not in found.contents
        ]
    return list(sessions.values()), missing


def _mend(num: int, bodies: Bodies, known: _Known | None) -> _Session | None:
    """The session up to its first missing entry; None without entry 0."""
    whole: list[bytes] = []
    while (body := bodies.get(len(whole))) is not None:
        whole.append(body)
    entries = [decode(body) for body in whole]
    first = entries[0] if entries else None
    if not isinstance(first, Started):
        return None
    while True:
        try:
            outline(first.session_id, entries)
        except JournalError:
            entries.pop()  # not what a session is made of: as good as missing
        else:
            break
    wanted = max(known.entries if known is not None else 0, max(bodies) + 1)
    lost = ""
    if wanted > len(entries):
        lost = f"of {wanted} entries the first {len(entries)} are there"
    return _Session(num, first.session_id, entries, whole[: len(entries)], lost)


def _lost_whole(num: int, found: _Found) -> str:
    known = found.known.get(num)
    if known is not None:
        return f"session {known.session_id!r}: its start is missing; all {known.entries} entries are left out"
    return f"a session without a name: its start is missing; {len(found.bodies[num])} entries are left out"


def _about_log(log: WalLog) -> list[str]:
    lines = []
    if log.is_damaged:
        lines.append(f"the log is damaged; {len(log.later)} pages behind the damage were searched one by one")
    if log.odd_bytes:
        lines.append(
            f"the log ends within a page, {log.odd_bytes} bytes of which are there: its host died while it wrote"
            " a commit, or the log was cut; commits behind that, if there were any, are missing"
        )
    return lines


def _write(path: str, found: _Found, sessions: list[_Session]) -> None:
    connection = open_for_writing(path, strict=True)
    try:
        with transaction(connection, path):
            # Epochs of the damaged file must not come again; they count starts, so seconds are far ahead.
            connection.execute(
                "INSERT INTO sqlite_sequence(name, seq) VALUES ('hosts', ?)", (int(time.time()),)
            )
            for session in sessions:
                _write_session(connection, session, found)
            connection.executemany("INSERT INTO contents(sha256, body) VALUES (?, ?)", found.contents.items())
    finally:
        connection.close()


def _write_session(connection: sqlite3.Connection, session: _Session, found: _Found) -> None:
    about = outline(session.session_id, session.entries)
    connection.execute(
        "INSERT INTO sessions(num, id, owner, phase, entries, started_ms, last_ms, strategy, user)"
        " VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?)",
        (
            session.num,
            session.session_id,
            about.phase,
            len(session.entries),
            about.started_ms,
            about.last_ms,
            about.strategy,
            about.user,
        ),
    )
    connection.executemany(
        "INSERT INTO entries(id, body) VALUES (?, ?)",
        [(session.num << INDEX_BITS | index, body) for index, body in enumerate(session.bodies)],
    )
    connection.executemany(
        "INSERT INTO uses(session, sha256) VALUES (?, ?)", [(session.num, name) for name in about.contents]
    )
    notes = [note for (num, _), note in sorted(found.notes.items()) if num == session.num]
    if session.lost:
        notes.append(("salvaged", session.lost, time.time_ns() // 1_000_000))
    connection.executemany(
        "INSERT INTO notes(session, title, text, at_ms) VALUES (?, ?, ?, ?)",
        [(session.num, *note) for note in notes],
    )


def _exchange(path: str, fresh: str, kept_as: str) -> None:
    """Put `fresh` at `path`. At every moment the damaged file is there under one name or both.

    The log goes first: beside the fresh file it would be taken for its own.
    """
    if os.path.exists(path) and not os.path.exists(kept_as):
        os.link(path, kept_as)
    if os.path.exists(f"{path}-wal"):
        os.replace(f"{path}-wal", f"{kept_as}-wal")
    _remove(f"{path}-shm")
    os.replace(fresh, path)
    fd = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _names(path: str) -> Iterable[str]:
    number = 1
    while os.path.exists(name := f"{path}.damaged-{number}") or os.path.exists(f"{name}-wal"):
        yield name
        number += 1


def _free_name(path: str) -> str:
    return f"{path}.damaged-{sum(1 for _ in _names(path)) + 1}"


def _unfinished(path: str) -> str | None:
    """The name under which a salvage that was not finished has kept the file at `path`."""
    for name in _names(path):
        if os.path.exists(name) and os.path.exists(path) and os.path.samefile(name, path):
            return name
    return None


def _remove(path: str) -> None:
    for name in (path, f"{path}-wal", f"{path}-shm"):
        if os.path.exists(name):
            os.unlink(name)
