"""A thread with a connection of its own that reads a SQLite journal: reading never holds up a commit."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from moonward.actors.errors import JournalError, SessionNotFound
from moonward.actors.journal.codec import decode_all
from moonward.actors.journal.host_lock import living
from moonward.actors.journal.sqlite_file import INDEX_BITS, explained, hosts_path, open_for_reading
from moonward.actors.journal.store import TERMINAL, Done, Entries, Ids, Note, Notes, Page, Rows, SessionRow
from moonward.supervisor.loop import Loop

T = TypeVar("T")


class SqliteReader:
    """Runs one read after the other; outcomes are posted to the loop. A journal that is not there is empty."""

    def __init__(self, loop: Loop, path: str) -> None:
        self._loop = loop
        self._path = path
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._thread = threading.Thread(target=self._run, name="moonward-journal-reader", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, read: Callable[[sqlite3.Connection | None], T], done: Done[T]) -> None:
        """Run `read` on the thread, with None for a journal that is not there yet."""
        self._queue.put(partial(self._read, read, done))

    def close(self, done: Callable[[], None]) -> None:
        """Finish what was submitted, end the thread, then `done` on the loop."""
        self._queue.put(partial(self._shut, done))
        self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job()

    def _read(self, read: Callable[[sqlite3.Connection | None], T], done: Done[T]) -> None:
        outcome: T | None = None
        failure: BaseException | None = None
        try:
            connection = self._ready()
            with explained(self._path):
                outcome = read(connection)
        except Exception as error:  # whatever it is, who waits must be told
            failure = error
            if isinstance(error.__cause__, sqlite3.Error):
                self._disconnect()
        self._loop.post(partial(done, outcome, failure))

    def _ready(self) -> sqlite3.Connection | None:
        """The connection; a new one when the file at the path is another than before."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            self._disconnect()
            return None
        except OSError as error:
            raise JournalError(f"the journal {self._path!r} cannot be read: {error.strerror}") from error
        if self._connection is None or (found.st_dev, found.st_ino) != self._inode:
            self._disconnect()
            self._connection = open_for_reading(self._path)
            self._inode = (found.st_dev, found.st_ino)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _shut(self, done: Callable[[], None]) -> None:
        self._disconnect()
        self._loop.post(done)


def read_entries(session_id: str, connection: sqlite3.Connection | None) -> Entries:
    """All entries of a session, checked to be whole."""
    if connection is None:
        raise SessionNotFound(session_id)
    connection.execute("BEGIN")  # the count and the entries of one moment
    try:
        num, count = _find(session_id, connection)
        rows = connection.execute(
            "SELECT id, body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
            (num << INDEX_BITS, num + 1 << INDEX_BITS),
        ).fetchall()
    finally:
        connection.execute("COMMIT")
    if len(rows) != count or any(row[0] != num << INDEX_BITS | index for index, row in enumerate(rows)):
        raise JournalError(f"session {session_id!r} should have {count} entries; {len(rows)} are there")
    return decode_all([row[1] for row in rows], session_id)


def read_rows(path: str, page: Page, epoch: Callable[[], int], connection: sqlite3.Connection | None) -> Rows:
    """The sessions of a page, oldest first; `epoch` gives the number of the host that reads, 0 for none."""
    if connection is None:
        return []
    where, values = _conditions(page)
    limit = -1 if page.limit is None else page.limit
    return _rows(path, f"{where} ORDER BY num LIMIT ?", [*values, limit], epoch(), connection)


def read_row(path: str, session_id: str, connection: sqlite3.Connection | None) -> Rows:
    """The row of one session, or none."""
    return [] if connection is None else _rows(path, "id=?", [session_id], 0, connection)


def find_ids(prefix: str, limit: int, connection: sqlite3.Connection | None) -> Ids:
    """At most `limit` ids that begin with `prefix`; it itself is the first of them."""
    if connection is None:
        return []
    query = "SELECT id FROM sessions WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT ?2"
    return [row[0] for row in connection.execute(query, (prefix, limit))]


def _rows(path: str, where: str, values: list[Any], me: int, connection: sqlite3.Connection) -> Rows:
    columns = "num, id, phase, started_ms, last_ms, owner, strategy, entries"
    if _knows_users(connection):
        columns += ", user"
    rows = connection.execute(f"SELECT {columns} FROM sessions WHERE {where}", values).fetchall()  # noqa: S608
    alive = living(hosts_path(path), {row[5] for row in rows if row[2] not in TERMINAL})
    pids = dict(connection.execute("SELECT epoch, pid FROM hosts").fetchall())
    return [
        SessionRow(
            session_id,
            phase,
            started_ms,
            last_ms,
            owner in alive,
            strategy,
            entries,
            user[0] if user else None,
            pids.get(owner) if owner in alive else None,
            owner != 0 and owner == me,
            num,
        )
        for num, session_id, phase, started_ms, last_ms, owner, strategy, entries, *user in rows
    ]


def _conditions(page: Page) -> tuple[str, list[Any]]:
    """The condition of SQL that a page is, and its parameters."""
    conditions: list[str] = ["num > ?"]
    values: list[Any] = [page.after]
    if page.phases is not None:
        conditions.append(f"phase IN ({','.join('?' * len(page.phases))})")
        values += page.phases
    if page.before_ms is not None:
        conditions.append("last_ms < ?")
        values.append(page.before_ms)
    if page.since_ms is not None:
        conditions.append("last_ms >= ?")
        values.append(page.since_ms)
    return " AND ".join(conditions), values


def read_content(sha256: str, connection: sqlite3.Connection | None) -> bytes:
    """The body with that SHA-256."""
    row = None
    if connection is not None:
        row = connection.execute("SELECT body FROM contents WHERE sha256=?", (sha256,)).fetchone()
    if row is None:
        raise JournalError(f"no content with SHA-256 {sha256}")
    body: bytes = row[0]
    return body


def read_notes(session_id: str, connection: sqlite3.Connection | None) -> Notes:
    """The remarks of a session, oldest first."""
    if connection is None:
        raise SessionNotFound(session_id)
    num, _ = _find(session_id, connection)
    rows = connection.execute("SELECT title, text, at_ms FROM notes WHERE session=? ORDER BY num", (num,))
    return [Note(*row) for row in rows]


def _knows_users(connection: sqlite3.Connection) -> bool:
    """Whether the file has been opened for writing since there are users: a reader does not migrate it."""
    query = "SELECT count(*) FROM pragma_table_info('sessions') WHERE name='user'"
    return bool(connection.execute(query).fetchone()[0])


def _find(session_id: str, connection: sqlite3.Connection) -> tuple[int, int]:
    row = connection.execute("SELECT num, entries FROM sessions WHERE id=?", (session_id,)).fetchone()
    if row is None:
        raise SessionNotFound(session_id)
    return row[0], row[1]
