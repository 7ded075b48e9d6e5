"""A SQLite journal that is looked at without being a host: no thread, no lock, nothing changed, live hosts or not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Self, TypeVar

from moonward.actors.errors import JournalError, SessionNotFound, SettingsError
from moonward.actors.journal import sqlite_reader
from moonward.actors.journal.host_lock import anyone_lives
from moonward.actors.journal.outline import outline
from moonward.actors.journal.portable import Portable
from moonward.actors.journal.salvage import examine
from moonward.actors.journal.sqlite_file import Damaged, explained, hosts_path, open_to_look
from moonward.actors.journal.store import Entries, Notes, Page, Rows

T = TypeVar("T")

LEAST_PREFIX_CHARS = 4
"""Characters of an id that may stand for it: `s-` and two more. Arbitrary; fewer are a slip of the hand."""

SHOWN_MATCHES = 5
"""Ids that an ambiguous prefix is told with; arbitrary."""


class Archive:
    """The journal at `path`; one that is not there is empty. A context manager. Errors are `JournalError`."""

    def __init__(self, path: str) -> None:
        self._path = path = os.path.realpath(path)
        if not anyone_lives(hosts_path(path)):
            self._check(path)
        self._connection: sqlite3.Connection | None = open_to_look(path)

    @staticmethod
    def _check(path: str) -> None:
        try:
            examine(path)
        except Damaged as damage:
            raise JournalError(
                f"{damage}; whoever opens it next to change something makes it whole, and says what is missing"
            ) from damage

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let it go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def find(self, given: str) -> str:
        """The id that `given` is, or is the beginning of.

        `SessionNotFound`; `SettingsError` for the beginning of several.
        """
        matches = self._read(lambda connection: sqlite_reader.find_ids(given, SHOWN_MATCHES, connection))
        if given in matches:
            return given
        if not matches or len(given) < LEAST_PREFIX_CHARS:
            raise SessionNotFound(given)
        if len(matches) > 1:
            raise SettingsError(f"{given!r} is the beginning of several ids: {', '.join(matches)}")
        return matches[0]

    def rows(self, page: Page) -> Rows:
        """The sessions of a page, oldest first."""
        return self._read(lambda connection: sqlite_reader.read_rows(self._path, page, lambda: 0, connection))

    def row(self, session_id: str) -> Rows:
        """The row of a session, or none."""
        return self._read(lambda connection: sqlite_reader.read_row(self._path, session_id, connection))

    def entries(self, session_id: str) -> Entries:
        """The entries of a session; `SessionNotFound`."""
        return self._read(lambda connection: sqlite_reader.read_entries(session_id, connection))

    def notes(self, session_id: str) -> Notes:
        """The remarks of a session, oldest first; `SessionNotFound`."""
        return self._read(lambda connection: sqlite_reader.read_notes(session_id, connection))

    def portable(self, session_id: str) -> Portable:
        """A session with all that it needs; `SessionNotFound`."""
        entries = self.entries(session_id)
        contents = {
            name: self._read(lambda connection, name=name: sqlite_reader.read_content(name, connection))  # type: ignore[misc]
            for name in outline(session_id, entries).contents
        }
        return Portable(session_id, entries, contents, self.notes(session_id))

    def _read(self, read: Callable[[sqlite3.Connection | None], T]) -> T:
        with explained(self._path):
            return read(self._connection)
