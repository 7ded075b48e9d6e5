"""The SQLite file of a journal: its schema, how it is opened, and its errors in plain words.

An entry's row id is `session number * 2^24 + index`, so that a session's entries lie together, in order, in a
single tree, and a second entry with the same index is impossible.

What does not work: files on network file systems (SQLite's log needs shared memory).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from moonward.actors.errors import JournalError

APPLICATION_ID = 0x4D4F4F4E
"""Says in the file's header that this is a journal of ours: "MOON"."""

INDEX_BITS = 24
"""Entries of one session: 16 million, a year of one every two seconds."""

BUSY_S = 5.0
"""Seconds that a commit waits for another host's. A commit takes milliseconds; past this, one hangs."""

CHECKED_BYTES = 16 << 20
"""Largest file that is checked through when it is opened: 16 MiB take about 20 ms. Larger ones by what is read."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE sessions(num INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        owner INTEGER NOT NULL, phase TEXT NOT NULL, entries INTEGER NOT NULL,
        started_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, strategy TEXT);
    CREATE TABLE entries(id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE contents(num INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
    CREATE TABLE uses(session INTEGER NOT NULL, sha256 TEXT NOT NULL,
        PRIMARY KEY(session, sha256)) WITHOUT ROWID;
    CREATE INDEX uses_of ON uses(sha256);
    CREATE TABLE notes(num INTEGER PRIMARY KEY, session INTEGER NOT NULL, title TEXT NOT NULL,
        text TEXT NOT NULL, at_ms INTEGER NOT NULL);
    CREATE INDEX notes_of ON notes(session);
    CREATE TABLE hosts(epoch INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL)
    """,
    "ALTER TABLE sessions ADD COLUMN user TEXT",
)
"""Statements that lead from each version of the schema to the next; an entry, once released, never changes."""

SCHEMA_VERSION = len(MIGRATIONS)


class Damaged(JournalError):
    """The file is a journal, or was one, but SQLite cannot read it as it is."""


def hosts_path(path: str) -> str:
    """The file of host locks of the journal at `path`."""
    return f"{path}-hosts"


def open_for_writing(path: str, *, strict: bool, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Open the journal at `path`, making or migrating it. `strict`: a commit is on the disk when it returns."""
    check_is_file(path)
    check_log(path)
    _make(path)
    with explained(path):
        connection = _connect(path, "rw", busy_s)
        try:
            _check_whose(connection, path)
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise JournalError(
                    f"the journal {path!r} cannot keep a log: its file system is not supported"
                )
            connection.execute(f"PRAGMA synchronous={'FULL' if strict else 'NORMAL'}")
            connection.execute("PRAGMA journal_size_limit=16777216")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: str, busy_s: float = BUSY_S) -> sqlite3.Connection | None:
    """Open the journal at `path` to look only; None when there is none yet."""
    if not os.path.exists(path):
        return None
    check_is_file(path)
    with explained(path):
        try:
            connection = _connect(path, "rw", busy_s)
        except sqlite3.OperationalError:
            connection = _connect(path, "ro", busy_s)
        checked = _checked(connection, path)
        if checked is not None:
            checked.execute("PRAGMA query_only=ON")
        return checked


def open_to_look(path: str, busy_s: float = BUSY_S) -> sqlite3.Connection | None:
    """Open the journal at `path` so that nothing of it changes, its log included; None when there is none yet.

    Any number may look, beside live hosts too. In a directory that may not be written a journal can be read whose
    host has closed it in order, or is alive.
    """
    if not os.path.exists(path):
        return None
    check_is_file(path)
    with explained(path):
        try:
            return _checked(_connect(path, "ro", busy_s), path)
        except sqlite3.OperationalError:
            if has_log(path):
                raise
            return _checked(_connect(path, "ro&immutable=1", busy_s), path)


def _checked(connection: sqlite3.Connection, path: str) -> sqlite3.Connection | None:
    """The connection, if it is to a journal that this program can read; closed, if not."""
    try:
        _check_whose(connection, path)
        if _check_version(connection, path) > 0:
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def check_through(connection: sqlite3.Connection, path: str) -> None:
    """Raise `Damaged` for a small file whose structure is not sound, and for any whose end is missing."""
    with explained(path):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        if pages * size <= CHECKED_BYTES:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise Damaged(f"the journal {path!r} is damaged: {found}")
    log = f"{path}-wal"
    there = os.stat(path).st_size + (os.stat(log).st_size if os.path.exists(log) else 0)
    if pages * size > there:
        raise Damaged(f"the journal {path!r} is damaged: {pages * size} bytes should be there, {there} are")


@contextmanager
def transaction(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """All of the block, or nothing; errors of SQLite become `JournalError`."""
    with explained(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo what is not committed; SQLite has done so by itself after some errors."""
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # what brought us here is what must be told


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn errors of SQLite into `JournalError` with a text that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: str) -> JournalError:
    """`error` in plain words."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    reasons = {
        "SQLITE_FULL": "cannot grow: the disk is full",
        "SQLITE_BUSY": "is locked: another process has been writing to it for too long",
        "SQLITE_LOCKED": "is locked by this process",
        "SQLITE_READONLY": "is read-only",
        "SQLITE_CANTOPEN": "cannot be opened",
        "SQLITE_PERM": "may not be written by this user",
        "SQLITE_CORRUPT": "is damaged",
        "SQLITE_NOTADB": "is damaged, or not a journal",
        "SQLITE_IOERR": "could not be read or written",
    }
    reason = next((text for start, text in reasons.items() if name.startswith(start)), "failed")
    kind = Damaged if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) else JournalError
    return kind(f"the journal {path!r} {reason} ({name}: {error})")


def check_is_file(path: str) -> None:
    """Raise `JournalError` for a pipe, a device, a directory: no journal, and never replaced by one."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise JournalError(f"the journal {path!r} cannot be opened: it is not a file")


def check_log(path: str) -> None:
    """Raise `Damaged` for a file that is gone or empty while its log is not: SQLite would remove the log."""
    if has_log(path) and not (os.path.exists(path) and os.stat(path).st_size > 0):
        raise Damaged(f"the journal {path!r} is not there or empty, but there is a log of it")


def has_log(path: str) -> bool:
    """Whether there is a log of the journal at `path` that holds something."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


def _make(path: str) -> None:
    """Make an empty file that only its user can read; SQLite gives its companions the same mode.

    An existing file is not touched: closing a descriptor of it would free the locks of every connection that
    this process has to it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise JournalError(f"the journal {path!r} cannot be made: {error.strerror}") from error


def _connect(path: str, mode: str, busy_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.path.abspath(path))}?mode={mode}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        cached_statements=256,
        check_same_thread=False,
    )
    try:
        # Checkpoints are the writer's, after it has told who waits. Temporary tables stay off the disk.
        for pragma in (
            "wal_autocheckpoint=0",
            "temp_store=MEMORY",
            "cell_size_check=ON",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _check_whose(connection: sqlite3.Connection, path: str) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if found != APPLICATION_ID and not (found == 0 and empty):
        raise JournalError(f"{path!r} is a database, but not a journal of moonward")


def _version(connection: sqlite3.Connection) -> int:
    has_table = connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='schema_version'"
    ).fetchone()[0]
    if not has_table:
        return 0
    version: int = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    return version


def _check_version(connection: sqlite3.Connection, path: str) -> int:
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path!r} has schema {version}, which a newer moonward has written;"
            f" this one knows schemas up to {SCHEMA_VERSION}"
        )
    return version


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    if _check_version(connection, path) == SCHEMA_VERSION:
        return
    with transaction(connection, path):
        version = _check_version(connection, path)  # another host may have been faster
        if version == 0:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("CREATE TABLE schema_version(version INTEGER PRIMARY KEY)")
        for number in range(version, SCHEMA_VERSION):
            for statement in MIGRATIONS[number].split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version(version) VALUES (?)", (number + 1,))
