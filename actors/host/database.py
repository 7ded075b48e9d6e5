"""The SQLite file that all Runtimes of a data directory share: state, and which calls have been applied.

Guarantees:
- A transaction is durable when it returns (`synchronous=FULL`), and is seen by every process from then on.
- Two writers, in one process or several, take turns; one waits up to `BUSY_TIMEOUT_S` for the other.
- Whatever goes wrong with the file is a `HostStorageError`; the next transaction opens it anew.

What does not work: a data directory on a network file system whose locks do not.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moonward.actors.errors import HostStorageError

BUSY_TIMEOUT_S = 10.0
"""Longest wait for another writer. A transaction takes a millisecond; arbitrary, long enough for a slow disk."""

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    ns TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (ns, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS space (ns TEXT NOT NULL PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied (
    session TEXT NOT NULL, seq TEXT NOT NULL, digest TEXT NOT NULL,
    result TEXT, error TEXT, pending TEXT, PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS applied_pending ON applied (session, seq) WHERE pending IS NOT NULL;
"""


class Database:
    """The file at `path`, opened at the first transaction. Safe from any thread; one transaction at a time."""

    def __init__(self, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that commits when its block ends, and leaves nothing when the block raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view for reading."""
        with self._transaction("BEGIN") as connection:
            yield connection

    def close(self) -> None:
        """Close the file; a later transaction opens it again."""
        with self._lock:
            self._discard()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._open()
                connection.execute(begin)
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
            except (sqlite3.Error, OSError) as error:
                self._discard()
                raise HostStorageError(f"state file: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # made here, so that no moment exists in which others may read it
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
            )
            try:
                prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                pass  # it is given up anyway


def prepare(connection: sqlite3.Connection) -> None:
    """Set what SQLite does not remember, and make the tables of a new file."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise HostStorageError(f"state file has version {version}; this program knows {SCHEMA_VERSION}")
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.commit()
