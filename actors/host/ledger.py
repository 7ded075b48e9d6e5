"""Which host calls have been applied, so that a repeated one is not applied again.

A call is named by its session and its sequence number there, and known by the digest of its request. Its row is
written in the same transaction as its effect on state. For effects on files, which no transaction covers, the row
first holds what is to be written (`pending`), and whoever writes files next finishes what a lost host left.
"""

from __future__ import annotations

import sqlite3

import msgspec

from moonward.actors.errors import CallDiverged


class CallKey(msgspec.Struct, frozen=True):
    """The name of a call: `session`, `seq` (unique within it) and the `digest` of its request."""

    session: str
    seq: str
    digest: str


class CallOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a call came to: `result` is JSON text, None is "nothing" (nil in Lua); `error` is the text of a Lua error.

    `cause` is an unexpected exception behind `error`, for the host's log only: it may name paths.
    """

    result: str | None = None
    error: str | None = None
    cause: Exception | None = None


def find(connection: sqlite3.Connection, key: CallKey) -> CallOutcome | None:
    """The outcome of an applied call, None if it was not applied. Raises `CallDiverged`."""
    row = connection.execute(
        "SELECT digest, result, error FROM applied WHERE session = ? AND seq = ?", (key.session, key.seq)
    ).fetchone()
    if row is None:
        return None
    digest, result, error = row
    if digest != key.digest:
        raise CallDiverged(key.session, key.seq)
    return CallOutcome(result, error)


def record(
    connection: sqlite3.Connection, key: CallKey, outcome: CallOutcome, pending: str | None = None
) -> None:
    """Note that a call has been applied, or will be by writing `pending`."""
    connection.execute(
        "INSERT INTO applied VALUES (?, ?, ?, ?, ?, ?)",
        (key.session, key.seq, key.digest, outcome.result, outcome.error, pending),
    )


def settle(connection: sqlite3.Connection, session: str, seq: str) -> None:
    """Note that what was pending has been written."""
    connection.execute("UPDATE applied SET pending = NULL WHERE session = ? AND seq = ?", (session, seq))


def unsettled(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """What is still to be written: (session, seq, pending)."""
    return connection.execute(
        "SELECT session, seq, pending FROM applied WHERE pending IS NOT NULL ORDER BY session, seq"
    ).fetchall()


def forget(connection: sqlite3.Connection, session: str) -> None:
    """Drop the settled rows of a session whose journal is gone."""
    connection.execute("DELETE FROM applied WHERE session = ? AND pending IS NULL", (session,))
