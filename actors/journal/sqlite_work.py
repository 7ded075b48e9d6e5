"""What a host does to sessions of a SQLite journal besides appending, each in a transaction of its own."""

from __future__ import annotations

import sqlite3

from moonward.actors.errors import JournalError, SessionNotFound, SessionOwned
from moonward.actors.journal.outline import Outline
from moonward.actors.journal.sqlite_append import add_content, check_content
from moonward.actors.journal.sqlite_file import INDEX_BITS, transaction
from moonward.actors.journal.sqlite_writer import Desk
from moonward.actors.journal.store import TERMINAL, Ids

PRUNED_AT_ONCE = 200
"""Sessions removed in one transaction; arbitrary, keeps commits of live sessions waiting for milliseconds."""

_ENDED = ",".join(f"'{phase}'" for phase in sorted(TERMINAL))


def claim(session_id: str, desk: Desk) -> tuple[int, str, int]:
    """Make a session this host's; its number, phase and count of entries.

    Whether the old owner is dead is looked up inside the transaction: a host that is not there cannot come back.
    """
    num, owner, phase, entries = _find(session_id, desk.connection)
    if owner == desk.epoch or (phase in TERMINAL and owner == 0):
        return num, phase, entries
    with transaction(desk.connection, desk.path):
        num, owner, phase, entries = _find(session_id, desk.connection)
        _check_free(session_id, owner, desk)
        if phase not in TERMINAL:
            desk.connection.execute("UPDATE sessions SET owner=? WHERE num=?", (desk.epoch, num))
    return num, phase, entries


def adopt(desk: Desk) -> Ids:
    """Make every session this host's that has not ended and whose host is dead."""
    with transaction(desk.connection, desk.path):
        owners = [
            row[0]
            for row in desk.connection.execute(
                f"SELECT DISTINCT owner FROM sessions WHERE phase NOT IN ({_ENDED})"  # noqa: S608
            )
        ]
        found: list[tuple[int, str]] = []
        for owner in owners:
            if owner != desk.epoch and not desk.locks.is_alive(owner):
                found += desk.connection.execute(
                    "UPDATE sessions SET owner=? WHERE owner=?"  # noqa: S608
                    f" AND phase NOT IN ({_ENDED}) RETURNING num, id",
                    (desk.epoch, owner),
                ).fetchall()
    return [session_id for _, session_id in sorted(found)]


def restore(
    session_id: str,
    about: Outline,
    bodies: list[bytes],
    contents: dict[str, bytes | None],
    desk: Desk,
) -> int:
    """Write a whole session at once, this host's unless it has ended; its number."""
    connection = desk.connection
    owner = 0 if about.phase in TERMINAL else desk.epoch
    row = (about.phase, len(bodies), about.started_ms, about.last_ms, about.strategy, about.user)
    with transaction(connection, desk.path):
        try:
            num = connection.execute(
                "INSERT INTO sessions(id, owner, phase, entries, started_ms, last_ms, strategy, user)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (session_id, owner, *row),
            ).lastrowid
        except sqlite3.IntegrityError:
            raise JournalError(f"session {session_id!r} exists already") from None
        assert num is not None
        connection.executemany(
            "INSERT INTO entries(id, body) VALUES (?, ?)",
            [(num << INDEX_BITS | index, body) for index, body in enumerate(bodies)],
        )
        for sha256, body in contents.items():
            check_content(sha256, body, connection)
            add_content(num, sha256, body, connection)
    return num


def forget(session_id: str, desk: Desk) -> None:
    """Remove a session that no other live host has."""
    with transaction(desk.connection, desk.path):
        num, owner, _, _ = _find(session_id, desk.connection)
        _check_free(session_id, owner, desk)
        _remove(num, desk.connection)


def add_note(session_id: str, title: str, text: str, at_ms: int, desk: Desk) -> None:
    """Add a remark to a session that no other live host has."""
    with transaction(desk.connection, desk.path):
        num, owner, _, _ = _find(session_id, desk.connection)
        _check_free(session_id, owner, desk)
        desk.connection.execute(
            "INSERT INTO notes(session, title, text, at_ms) VALUES (?, ?, ?, ?)", (num, title, text, at_ms)
        )


def prune_some(before_ms: int, desk: Desk) -> int:
    """Remove some sessions that ended before `before_ms`; how many. 0 when none is left."""
    with transaction(desk.connection, desk.path):
        nums = desk.connection.execute(
            f"SELECT num FROM sessions WHERE phase IN ({_ENDED}) AND last_ms < ? LIMIT ?",  # noqa: S608
            (before_ms, PRUNED_AT_ONCE),
        ).fetchall()
        for (num,) in nums:
            _remove(num, desk.connection)
    return len(nums)


def _find(session_id: str, connection: sqlite3.Connection) -> tuple[int, int, str, int]:
    row = connection.execute(
        "SELECT num, owner, phase, entries FROM sessions WHERE id=?", (session_id,)
    ).fetchone()
    if row is None:
        raise SessionNotFound(session_id)
    return row[0], row[1], row[2], row[3]


def _check_free(session_id: str, owner: int, desk: Desk) -> None:
    if owner != desk.epoch and desk.locks.is_alive(owner):
        row = desk.connection.execute("SELECT pid FROM hosts WHERE epoch=?", (owner,)).fetchone()
        who = f"process {row[0]}" if row is not None else "another process"
        raise SessionOwned(f"session {session_id!r} belongs to {who} (host {owner}), which is alive")


def _remove(num: int, connection: sqlite3.Connection) -> None:
    """Remove a session, and the contents that only it names."""
    connection.execute(
        "DELETE FROM contents WHERE sha256 IN (SELECT sha256 FROM uses AS mine WHERE session=?1 AND NOT EXISTS"
        " (SELECT 1 FROM uses AS other WHERE other.sha256=mine.sha256 AND other.session<>?1))",
        (num,),
    )
    connection.execute(
        "DELETE FROM entries WHERE id >= ? AND id < ?", (num << INDEX_BITS, num + 1 << INDEX_BITS)
    )
    connection.execute("DELETE FROM uses WHERE session=?", (num,))
    connection.execute("DELETE FROM notes WHERE session=?", (num,))
    connection.execute("DELETE FROM sessions WHERE num=?", (num,))
