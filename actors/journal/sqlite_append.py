"""Appends to a SQLite journal: what the loop hands over, and how a group of them becomes one transaction.

As few calls of SQLite as can be, because each gives up the interpreter's lock several times and has to wait for
it again: with a busy loop, up to 5 ms each time. Entries alone, which is nearly all that is ever written, take a
single statement that is its own transaction: an insert into a view whose trigger checks, moves the session on
and adds the entry.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from moonward.actors.errors import Fenced, JournalError, SessionNotFound
from moonward.actors.journal.sqlite_file import INDEX_BITS, explained, transaction
from moonward.actors.journal.store import TERMINAL, Entries, Told

CHUNKS = (64, 8, 1)
"""Rows of one statement in a mixed group; three sizes keep the statements prepared."""

SIZES = (1, 4, 16, 64, 256, 1024)
"""Rows of the single statement of a group of entries; it is filled up with rows that are ignored."""

MAX_GROUP = SIZES[-1]
"""Appends of one group; arbitrary, bounds what one failed commit takes with it."""

_ENDED = ",".join(f"'{phase}'" for phase in sorted(TERMINAL))
_NOTHING = (None, None, None, None, None)


_MOVE_ON = (
    "UPDATE sessions SET entries=v.column3, phase=v.column4, last_ms=max(last_ms, v.column5), owner=v.column6"
    " FROM (VALUES @) AS v WHERE sessions.num=v.column1 AND sessions.entries=v.column2 AND sessions.owner=?"
)
_APPEND = "INSERT INTO appended VALUES @"
_ADD_ENTRIES = "INSERT INTO entries(id, body) VALUES @"


class Held:
    """A session that is open here. The loop's, but for `num`, `broken` and `failure`, which are the writer's."""

    __slots__ = (
        "broken",
        "durable",
        "durable_phase",
        "edition",
        "entries",
        "failure",
        "followers",
        "num",
        "phase",
        "session_id",
    )

    def __init__(self, session_id: str, num: int, phase: str, entries: Entries, durable: int) -> None:
        self.session_id = session_id
        self.num = num
        self.phase = phase
        self.durable_phase = phase
        self.entries = entries
        self.durable = durable
        self.edition = 0
        self.broken = -1
        self.failure: BaseException | None = None
        self.followers: list[tuple[int, Told]] = []


class Append(msgspec.Struct, gc=False):
    """One entry on its way. `edition` is the session's when it was appended: a failure ends an edition.

    `row` is there for entry 0 only: the start in Unix milliseconds, the strategy and the user. `content` is the
    SHA-256 of a body that the entry names, and the body, if this process knows it.
    """

    held: Held
    index: int
    body: bytes
    phase: str
    at_ms: int
    edition: int
    told: Told | None
    row: tuple[int, str | None, str | None] | None = None
    content: tuple[str, bytes | None] | None = None


class _Group:
    """The appends of one session in a transaction."""

    __slots__ = ("appends", "failure", "held")

    def __init__(self, held: Held) -> None:
        self.held = held
        self.appends: list[Append] = []
        self.failure: JournalError | SessionNotFound | None = None

    def fence(self, epoch: int) -> tuple[Any, ...]:
        """Parameters of the statement that moves the session on: what it must be, and what it becomes."""
        first, last = self.appends[0], self.appends[-1]
        owner = 0 if last.phase in TERMINAL else epoch
        at_ms = max(append.at_ms for append in self.appends)
        return (self.held.num, first.index, last.index + 1, last.phase, at_ms, owner)


class _Refused(Exception):
    """A session of the group is not as it should be: find out which."""


def write_group(
    connection: sqlite3.Connection, path: str, epoch: int, appends: list[Append]
) -> list[BaseException | None]:
    """Commit `appends` as one transaction; the outcome of each.

    A session that is fenced, or fails in another way of its own, does not fail the others.
    """
    try:
        if all(append.row is None and append.content is None for append in appends):
            _write_entries(connection, path, appends)
            return [None] * len(appends)
        groups = _write(connection, path, epoch, appends, CHUNKS)
    except _Refused:
        groups = _write(connection, path, epoch, appends, (1,))
    return [groups[append.held].failure for append in appends]


def prepare(connection: sqlite3.Connection, epoch: int) -> None:
    """Make the view into which the host `epoch` inserts entries; it is the connection's own."""
    connection.execute(
        "CREATE TEMP VIEW appended(num, idx, body, phase, at_ms) AS SELECT NULL, NULL, NULL, NULL, NULL"
    )
    connection.execute(
        "CREATE TEMP TRIGGER append INSTEAD OF INSERT ON appended WHEN new.num IS NOT NULL BEGIN"  # noqa: S608
        " UPDATE sessions SET entries=entries+1, phase=new.phase, last_ms=max(last_ms, new.at_ms),"
        f" owner=CASE WHEN new.phase IN ({_ENDED}) THEN 0 ELSE {epoch} END"
        f" WHERE num=new.num AND entries=new.idx AND owner={epoch};"
        " SELECT RAISE(ABORT, 'refused') WHERE changes()=0;"
        f" INSERT INTO entries(id, body) VALUES (new.num << {INDEX_BITS} | new.idx, new.body);"
        " END"
    )


def _write_entries(connection: sqlite3.Connection, path: str, appends: list[Append]) -> None:
    """Commit entries of sessions that are there. `_Refused` when one of them is not as it should be."""
    size = next(size for size in SIZES if size >= len(appends))
    values: list[Any] = []
    for append in appends:
        values += (append.held.num, append.index, append.body, append.phase, append.at_ms)
    values += _NOTHING * (size - len(appends))
    try:
        with explained(path):
            connection.execute(_APPEND.replace("@", ",".join(["(?,?,?,?,?)"] * size)), values)
    except JournalError as error:
        if isinstance(error.__cause__, sqlite3.IntegrityError):
            raise _Refused from None
        raise


def _write(
    connection: sqlite3.Connection, path: str, epoch: int, appends: list[Append], chunks: tuple[int, ...]
) -> dict[Held, _Group]:
    groups: dict[Held, _Group] = {}
    with transaction(connection, path):
        for append in appends:
            group = groups.get(append.held)
            if group is None:
                group = groups[append.held] = _Group(append.held)
            group.appends.append(append)
            _admit(connection, epoch, append, group)
        _move_on(connection, epoch, [group for group in groups.values() if group.failure is None], chunks)
        for append in appends:
            if append.content is not None and groups[append.held].failure is None:
                add_content(append.held.num, *append.content, connection)
        _add_entries(connection, [group for group in groups.values() if group.failure is None], chunks)
    return groups


def _admit(connection: sqlite3.Connection, epoch: int, append: Append, group: _Group) -> None:
    """Make the session of an entry 0, and refuse a content that is nowhere."""
    if append.row is not None:
        _add_session(connection, epoch, append, group)
    if append.content is not None and group.failure is None:
        try:
            check_content(*append.content, connection)
        except JournalError as error:
            group.failure = error
            if group.appends[0].row is not None:
                connection.execute("DELETE FROM sessions WHERE num=?", (append.held.num,))


def _add_session(connection: sqlite3.Connection, epoch: int, append: Append, group: _Group) -> None:
    assert append.row is not None
    started_ms, strategy, user = append.row
    try:
        cursor = connection.execute(
            "INSERT INTO sessions(id, owner, phase, entries, started_ms, last_ms, strategy, user)"
            " VALUES (?, ?, ?, 0, ?, ?, ?, ?)",
            (append.held.session_id, epoch, append.phase, started_ms, append.at_ms, strategy, user),
        )
    except sqlite3.IntegrityError:
        group.failure = JournalError(f"session {append.held.session_id!r} exists already")
    else:
        assert cursor.lastrowid is not None
        append.held.num = cursor.lastrowid


def _move_on(
    connection: sqlite3.Connection, epoch: int, groups: list[_Group], chunks: tuple[int, ...]
) -> None:
    """Check that each session is ours and as long as we think, and note its new length and phase."""
    one_by_one = chunks == (1,)
    for part in _parts(groups, chunks):
        values = ",".join(["(?,?,?,?,?,?)"] * len(part))
        moved = connection.execute(
            _MOVE_ON.replace("@", values),
            [*(value for group in part for value in group.fence(epoch)), epoch],
        ).rowcount
        if moved != len(part):
            if not one_by_one:
                raise _Refused
            part[0].failure = _why_refused(connection, epoch, part[0])


def _why_refused(connection: sqlite3.Connection, epoch: int, group: _Group) -> JournalError | SessionNotFound:
    session_id = group.held.session_id
    row = connection.execute(
        "SELECT owner, entries, phase FROM sessions WHERE num=?", (group.held.num,)
    ).fetchone()
    if row is None:
        return SessionNotFound(session_id)
    owner, entries, phase = row
    if phase in TERMINAL:
        return JournalError(f"session {session_id!r} has ended in the journal; nothing can be added")
    if owner != epoch:
        return Fenced(f"session {session_id!r} was taken over by host {owner}; this is host {epoch}")
    return JournalError(
        f"the journal holds {entries} entries of session {session_id!r} where there should be"
        f" {group.appends[0].index}"
    )


def check_content(sha256: str, body: bytes | None, connection: sqlite3.Connection) -> None:
    """Refuse to name a content that nobody has."""
    if body is None:
        query = "SELECT count(*) FROM contents WHERE sha256=?"
        if not connection.execute(query, (sha256,)).fetchone()[0]:
            raise JournalError(f"no content with SHA-256 {sha256}: keep it before naming it")


def add_content(num: int, sha256: str, body: bytes | None, connection: sqlite3.Connection) -> None:
    """Note that session `num` names a content, and write its body if it is not there."""
    if body is not None:
        connection.execute("INSERT OR IGNORE INTO contents(sha256, body) VALUES (?, ?)", (sha256, body))
    connection.execute("INSERT OR IGNORE INTO uses(session, sha256) VALUES (?, ?)", (num, sha256))


def _add_entries(connection: sqlite3.Connection, groups: list[_Group], chunks: tuple[int, ...]) -> None:
    appends = [append for group in groups for append in group.appends]
    for part in _parts(appends, chunks):
        values = ",".join(["(?,?)"] * len(part))
        connection.execute(
            _ADD_ENTRIES.replace("@", values),
            [
                value
                for append in part
                for value in (append.held.num << INDEX_BITS | append.index, append.body)
            ],
        )


def _parts(items: list[Any], chunks: tuple[int, ...]) -> list[list[Any]]:
    parts = []
    at = 0
    for size in chunks:
        while len(items) - at >= size:
            parts.append(items[at : at + size])
            at += size
    return parts
